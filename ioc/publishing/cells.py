"""What people write in a cell, as the value of a field: dates in local time, decimal commas, codes without their zeros.
Pure."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple

from ioc.errors import InvalidRecord
from ioc.event_types import FieldSpec
from ioc.windows import LOCAL_ZONE

__all__ = ["Cell", "Convert", "Formula", "FormulaFound", "TimeReader", "converter", "folded", "shown"]


class Formula(NamedTuple):
    """A cell that holds a formula instead of a value."""

    text: str


class FormulaFound(Exception):
    """A formula where a value should be."""


Cell = str | int | float | bool | datetime | date | time | timedelta | Formula | None
Convert = Callable[[Any], Any]
"""From a cell that is not empty to the field's value. Raises InvalidRecord."""

_UNIT_DIGITS = 5
_EXACT_DIGITS = 15  # a spreadsheet keeps no more of a number
_MAX_KNOWN = 20_000  # of one field: some 4 MB
_EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001  (a spreadsheet's day 0, in local time)
_SCIENTIFIC = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
_TOKENS = {"d": r"(?P<d>\d{1,2})", "m": r"(?P<m>\d{1,2})", "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})"} | {
    "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
}
_TRUE = frozenset(("true", "1", "có", "x", "yes", "đúng", "y"))
_FALSE = frozenset(("false", "0", "không", "no", "sai", "n"))


def folded(text: str) -> str:
    """Returns a heading or a word of a list as it is compared: composed, small letters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def shown(cell: Cell) -> str:
    """Returns a cell as text: for people, and for the file of refused rows."""
    match cell:
        case None:
            return ""
        case Formula():
            return cell.text
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 10**_EXACT_DIGITS else repr(cell)
        case datetime():
            return cell.isoformat(sep=" ", timespec="seconds")
    return str(cell)


def converter(spec: FieldSpec, *, times: "TimeReader", decimal: str, values: Mapping[str, Any]) -> Convert:
    """Returns what makes the field's value of a cell.

    `values`: the department's own words, folded, to ours; a word that is not among them must be one of ours.
    """
    name = spec.name
    if values or spec.enum:
        return _known(_word(spec, values))
    match spec.type:
        case "time":
            return _known(lambda cell: times(cell, name))
        case "date":
            return _known(lambda cell: times(cell, name)[:10])
        case "date_or_time":
            return _known(lambda cell: times.day_or_time(cell, name))
        case "integer" | "number":
            return _known(_number(spec, decimal))
        case "boolean":
            return _known(lambda cell: _boolean(cell, name))
        case "admin_unit":
            return _known(lambda cell: _unit(_text(cell, name)))
        case "list":
            return lambda cell: [part.strip() for part in _text(cell, name).split(";") if part.strip()]
        case "any":
            return lambda cell: _json(cell, name)
    return partial(_plain, name)


def _known(convert: Convert) -> Convert:
    """`convert`, remembering what it made of texts: those of times, codes and amounts come again and again."""
    return _Known(convert).__getitem__


class _Known(dict[Any, Any]):
    def __init__(self, convert: Convert) -> None:
        self._convert = convert

    def __missing__(self, cell: Cell) -> Any:
        if cell.__class__ is Formula:
            raise FormulaFound
        value = self._convert(cell)
        if cell.__class__ is str:
            if len(self) >= _MAX_KNOWN:
                self.clear()  # an export goes by date: what came long ago comes no more
            self[cell] = value
        return value


def _plain(name: str, cell: Cell) -> str:
    if cell.__class__ is str and "E+" not in cell:
        return cell
    return _text(cell, name)


def _text(cell: Cell, name: str) -> str:
    if isinstance(cell, Formula):
        raise FormulaFound
    if cell.__class__ is str:
        text: str = cell
        if "E+" in text and _SCIENTIFIC.fullmatch(text):
            raise _lost_digits(name, text)
        return text
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 10**_EXACT_DIGITS:
        raise _lost_digits(name, shown(cell))
    return shown(cell)


def _unit(text: str) -> str:
    """A commune's code has five digits: a spreadsheet that took it for a number has lost the zeros before it."""
    return text.zfill(_UNIT_DIGITS) if text.isdigit() else text


def _word(spec: FieldSpec, values: Mapping[str, Any]) -> Convert:
    known = {folded(str(word)): word for word in spec.enum} | {folded(key): value for key, value in values.items()}

    def word(cell: Cell) -> Any:
        key = folded(shown(cell))
        if key in known:
            return known[key]
        if spec.enum:
            raise _not_allowed(spec, shown(cell), values)
        return _text(cell, spec.name)

    return word


def _number(spec: FieldSpec, decimal: str) -> Convert:
    group = "." if decimal == "," else ","
    plain = re.compile(r"[-+]?\d+(?:\.\d+)?")
    grouped = re.compile(rf"[-+]?\d{{1,3}}(?:[{group} \u00a0]\d{{3}})+(?:{re.escape(decimal)}\d+)?")
    own = re.compile(rf"[-+]?\d+(?:{re.escape(decimal)}\d+)?")

    def number(cell: Cell) -> int | float:
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        text = shown(cell)
        if grouped.fullmatch(text) or own.fullmatch(text):
            text = text.replace(group, "").replace(" ", "").replace("\u00a0", "").replace(decimal, ".")
        elif decimal == "," or not plain.fullmatch(text):
            raise InvalidRecord(
                "wrong_type",
                field=spec.name,
                vi=f"{text[:60]!r} không phải số (dấu thập phân {decimal!r}).",
                en=f"{text[:60]!r} is not a number (decimal sign {decimal!r})",
            )
        return float(text) if "." in text else int(text)

    return number


def _boolean(cell: Cell, name: str) -> bool:
    if isinstance(cell, bool):
        return cell
    word = folded(shown(cell))
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise InvalidRecord(
        "wrong_type",
        field=name,
        vi=f"{word[:60]!r} không phải có/không; ghi true hoặc false, có hoặc không.",
        en=f"{word[:60]!r} is neither true nor false",
    )


def _json(cell: Cell, name: str) -> Any:
    if isinstance(cell, Formula):
        raise FormulaFound
    try:
        return json.loads(shown(cell), parse_constant=lambda word: _refuse_constant(word))
    except (ValueError, RecursionError):
        raise InvalidRecord(
            "wrong_type",
            field=name,
            vi=f"Ô phải là JSON, ví dụ {{}}; thấy {shown(cell)[:60]!r}.",
            en=f"the cell must be JSON, like {{}}; found {shown(cell)[:60]!r}",
        ) from None


def _refuse_constant(word: str) -> None:
    raise ValueError(word)


class TimeReader:
    """Reads times in the department's formats (`d/m/Y H:M`), and ISO 8601; without an offset they are local, +07:00."""

    def __init__(self, formats: Sequence[str]) -> None:
        self._formats = tuple(formats)
        self._patterns = [
            re.compile("".join(_TOKENS.get(sign, re.escape(sign)) for sign in form)) for form in self._formats
        ]

    def __call__(self, cell: Cell, name: str) -> str:
        """Returns RFC 3339.

        Raises:
            InvalidRecord: `bad_time`.
        """
        try:
            return self._moment(cell).isoformat()
        except (ValueError, OverflowError):
            forms = ", ".join((*self._formats, "YYYY-mm-ddTHH:MM:SS+07:00"))
            raise InvalidRecord(
                "bad_time",
                field=name,
                vi=f"{shown(cell)[:60]!r} không phải thời gian; viết theo một trong các dạng: {forms}.",
                en=f"{shown(cell)[:60]!r} is no time; write it as one of {forms}",
            ) from None

    def day_or_time(self, cell: Cell, name: str) -> str:
        text = self(cell, name)
        return text[:10] if text.endswith("T00:00:00+07:00") and ":" not in shown(cell)[10:] else text

    def _moment(self, cell: Cell) -> datetime:
        match cell:
            case bool():
                raise ValueError
            case int() | float():  # a spreadsheet's day number in a cell that is not formatted as a date
                moment = _EPOCH_1900 + timedelta(seconds=round(cell * 86_400))
                if not 1970 <= moment.year <= 2200:
                    raise ValueError
            case datetime():
                moment = cell
            case date():
                moment = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001  (local, said below)
            case str():
                moment = self._from_text(cell)
            case _:
                raise ValueError
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=LOCAL_ZONE)

    def _from_text(self, text: str) -> datetime:
        for pattern in self._patterns:
            found = pattern.fullmatch(text)
            if found is not None:
                parts = {sign: int(digits) for sign, digits in found.groupdict().items()}
                year = parts.get("Y") or 2000 + parts.get("y", 0)
                clock = (parts.get("H", 0), parts.get("M", 0), parts.get("S", 0))
                return datetime(year, parts.get("m", 1), parts.get("d", 1), *clock, tzinfo=LOCAL_ZONE)
        if len(text) < 10 or text[4:5] != "-":
            raise ValueError
        return datetime.fromisoformat(text.upper())


def _lost_digits(name: str, text: str) -> InvalidRecord:
    return InvalidRecord(
        "lost_digits",
        field=name,
        vi=f"{text[:60]!r}: bảng tính đã coi mã là số và làm mất chữ số; định dạng cột là Văn bản rồi nhập lại mã.",
        en=f"{text[:60]!r}: the spreadsheet took the code for a number and lost digits; format the column as text",
    )


def _not_allowed(spec: FieldSpec, text: str, values: Mapping[str, Any]) -> InvalidRecord:
    words = ", ".join([*values, *map(str, spec.enum)][:20])
    return InvalidRecord(
        "not_allowed",
        field=spec.name,
        vi=f"{text[:60]!r} không nằm trong danh sách cho phép: {words}.",
        en=f"{text[:60]!r} is not one of those allowed: {words}",
    )
