"""Rows of a department's table to judged events, by a mapping of the catalogue or by our own column names. Pure."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ioc.catalog.imports import EventMapping, ImportMapping
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.event_types import EventType, FieldSpec
from ioc.publishers import Publisher
from ioc.publishing.cells import Cell, Convert, FormulaFound, TimeReader, converter, folded, shown
from ioc.publishing.judge import Envelope, EventJudge, Outgoing
from ioc.windows import LOCAL_ZONE, moment_of

__all__ = ["OwnColumns", "RowError", "RowReader", "by_mapping", "by_own_names"]

RowReader = Callable[[Sequence[Cell], int], list[Outgoing]]
"""From a row's cells and the clock in µs to its events, all of them or none. Raises RowError."""

_OWN = frozenset(("type", "source", "id", "time", "ce_type", "ce_source", "ce_id", "ce_time"))
_MAX_PLANS = 1_000  # a flood of invented sources must not fill the memory
_DELETED = FieldSpec(name="deleted", type="boolean")
_TIME = FieldSpec(name="time", type="time")
_DIGEST_BYTES = 12  # 96 bits: a billion rows collide once in 10^11 years


class RowError(Exception):
    """Why a row gives no event: the reason, the heading of its column ("" where it is none), what was found there."""

    def __init__(self, error: InvalidRecord, column: str = "", found: str = "") -> None:
        super().__init__(str(error))
        self.error, self.column, self.found = error, column, found


class OwnColumns(NamedTuple):
    """What stands for a column that a table with our own names lacks."""

    type: str = ""
    source: str = ""


class _Column(NamedTuple):
    """A field's place in the row."""

    name: str
    place: int
    convert: Convert


class _Plan:
    """How one type of event of one source is made of a row."""

    def __init__(
        self,
        judge: EventJudge,
        event_type: EventType,
        source: str,
        columns: Sequence[_Column],
        constants: Mapping[str, Any],
        headings: Sequence[str],
        *,
        times: TimeReader,
        time_at: int = -1,
        id_template: str = "",
        when_at: int = -1,
        is_correction: bool = False,
    ) -> None:
        self._judge_fact, self._envelope = judge.judge_fact, Envelope(event_type, source)
        self._columns, self._constants, self._headings = columns, dict(constants), headings
        self._read_time = converter(_TIME, times=times, decimal=".", values={})
        self._time_at, self._when_at = time_at, when_at
        self._template, self._is_correction = id_template, is_correction
        self._own_times = _time_fields(event_type)
        self._places = {column.name: column.place for column in columns}
        own_at = (self._places[name] for name in self._own_times if name in self._places)
        self._places["time"] = time_at if time_at >= 0 else next(own_at, -1)  # whom a wrong time is told of
        self._digest = hashlib.blake2b(f"{event_type.ce_type}\n{source}\n".encode(), digest_size=_DIGEST_BYTES)

    def make(self, cells: Sequence[Cell], now_us: int, event_id: str = "") -> Outgoing | None:
        """Returns the event, None where the row has none of this type."""
        if self._when_at >= 0 and cells[self._when_at] in (None, ""):
            return None
        data = self._constants.copy()
        name, place = "", -1
        try:
            for name, place, convert in self._columns:
                cell = cells[place]
                if cell is not None and cell != "":
                    value = convert(cell)
                    if value is not None:
                        data[name] = value
            time = self._time(cells, data, now_us)
            body = orjson.dumps(data)
            return self._judge_fact(self._envelope, event_id or self._id(data, body), time, body, now_us)
        except FormulaFound:
            raise RowError(_formula(name), self._headings[place], shown(cells[place])) from None
        except InvalidRecord as error:
            at = self._places.get(error.field, -1)
            column = self._headings[at] if at >= 0 else ""
            raise RowError(error, column, shown(cells[at]) if at >= 0 else "") from None
        except (TypeError, ValueError) as error:  # a whole number beyond 64 bits, half a surrogate pair
            raise RowError(_unwritable(name, error), self._headings[place], shown(cells[place])) from None

    def _time(self, cells: Sequence[Cell], data: Mapping[str, Any], now_us: int) -> str:
        """The CloudEvents time: its own column, else the fact's own time, else now (and for a correction always)."""
        if not self._is_correction:
            if self._time_at >= 0:
                cell = cells[self._time_at]
                if cell is not None and cell != "":
                    text: str = self._read_time(cell)
                    return text
            for name in self._own_times:
                own: str | None = data.get(name)
                if own is not None:
                    return own if len(own) > 10 else f"{own}T00:00:00+07:00"
        return moment_of(now_us).astimezone(LOCAL_ZONE).isoformat()

    def _id(self, data: Mapping[str, Any], body: bytes) -> str:
        """The same row gives the same id for ever; a row that was changed gives another."""
        if not self._template:
            digest = self._digest.copy()
            digest.update(body)
            return digest.hexdigest()
        return re.sub(r"{([^{}]*)}", lambda found: str(data.get(found[1], "")), self._template)


def by_mapping(
    mapping: ImportMapping, headings: Sequence[str], judge: EventJudge, *, is_correction: bool = False
) -> RowReader:
    """Returns the reader of a table with these headings.

    Raises:
        ConfigurationError: a column is missing or there twice.
    """
    places = _places(headings)
    wanted = [heading for event in mapping.events for heading in _headings_of(event)]
    missing = list(dict.fromkeys(heading for heading in wanted if folded(heading) not in places))
    if missing:
        raise ConfigurationError(
            f"the table has no column {', '.join(map(repr, missing[:8]))}, which the mapping {mapping.name} needs; its "
            f"row {mapping.header_row} has {_listed(headings)}"
        )
    _refuse_twins(headings, {folded(heading) for heading in wanted})
    times = TimeReader(mapping.dates)
    plans = []
    for event in mapping.events:
        specs = _specs(event.type)
        columns = [
            _Column(
                name,
                places[folded(heading)],
                converter(specs[name], times=times, decimal=mapping.decimal, values=event.values.get(name, {})),
            )
            for heading, name in event.columns.items()
        ]
        plans.append(
            _Plan(
                judge,
                event.type,
                event.source,
                columns,
                event.constants,
                headings,
                times=times,
                time_at=places[folded(event.time)] if event.time else -1,
                id_template=event.id,
                when_at=places[folded(event.when_filled)] if event.when_filled else -1,
                is_correction=is_correction,
            )
        )
    if len(plans) == 1:
        only = plans[0].make

        def read_one(cells: Sequence[Cell], now_us: int) -> list[Outgoing]:
            found = only(cells, now_us)
            return [] if found is None else [found]

        return read_one

    def read(cells: Sequence[Cell], now_us: int) -> list[Outgoing]:
        return [found for plan in plans if (found := plan.make(cells, now_us)) is not None]

    return read


def by_own_names(
    headings: Sequence[str],
    judge: EventJudge,
    event_types: Mapping[str, EventType],
    *,
    province: str,
    default: OwnColumns,
    publisher: Publisher | None = None,
    is_correction: bool = False,
) -> RowReader:
    """Returns the reader of a table whose headings are our field names, besides `type`, `source`, `id` and `time`.

    Where a type has a field of such a name, the attribute is `ce_source`.

    Raises:
        ConfigurationError: nothing says the type, or a heading is no field of it.
    """
    places = {folded(heading): place for place, heading in enumerate(headings) if heading}
    _refuse_twins(headings, places.keys())
    type_at = places.get("ce_type", places.get("type", -1))
    if type_at < 0 and not default.type:
        raise ConfigurationError(
            f"nothing says which events these rows are: add a column `type`, or --type like dossier.submitted, or --as "
            f"with a mapping of imports.yaml; the first row has {_listed(headings)}"
        )
    if default.type:
        _check_own(headings, _known_type(default.type, event_types), has_type=type_at >= 0)
    times = TimeReader(("d/m/Y H:M:S", "d/m/Y H:M", "d/m/Y"))
    plans: dict[tuple[str, str], _Plan] = {}
    attributes: dict[str, _Attributes] = {}

    def plan_of(type_name: str, source: str, at: _Attributes) -> _Plan:
        event_type = event_types[type_name]
        full = _full_source(source or default.source or event_type.family, province)
        refusal = publisher.refusal(full, type_name) if publisher is not None else None
        if refusal is not None:
            raise RowError(refusal, headings[at.source] if at.source >= 0 else "", full)
        columns = [
            _Column(name, places[folded(name)], converter(spec, times=times, decimal=".", values={}))
            for name, spec in _specs(event_type).items()
            if folded(name) in places
        ]
        return _Plan(
            judge, event_type, full, columns, {}, headings, times=times, time_at=at.time, is_correction=is_correction
        )

    def read(cells: Sequence[Cell], now_us: int) -> list[Outgoing]:
        type_name = (shown(cells[type_at]) if type_at >= 0 else "") or default.type
        at = attributes.get(type_name)
        if at is None:
            if type_name not in event_types or not event_types[type_name].entity:
                raise RowError(_unknown_type(type_name), headings[type_at], type_name)
            at = attributes[type_name] = _attributes(places, event_types[type_name])
        source = shown(cells[at.source]) if at.source >= 0 else ""
        plan = plans.get((type_name, source))
        if plan is None:
            plan = plan_of(type_name, source, at)
            if len(plans) < _MAX_PLANS:
                plans[type_name, source] = plan
        found = plan.make(cells, now_us, shown(cells[at.id]) if at.id >= 0 else "")
        return [] if found is None else [found]

    return read


class _Attributes(NamedTuple):
    """Places of the CloudEvents attributes among our own columns, -1 where there is none."""

    source: int
    id: int
    time: int


def _attributes(places: Mapping[str, int], event_type: EventType) -> _Attributes:
    """`ce_source` and the like; without the `ce_` where the type has no field of that name."""
    fields = {spec.name for spec in event_type.fields}
    plain = {name: -1 if name in fields else places.get(name, -1) for name in _Attributes._fields}
    return _Attributes(**{name: places.get(f"ce_{name}", place) for name, place in plain.items()})


# ---- headings --------------------------------------------------------------------------------------------------------


def _places(headings: Sequence[str]) -> dict[str, int]:
    return {folded(heading): place for place, heading in reversed(list(enumerate(headings)))}


def _headings_of(event: EventMapping) -> list[str]:
    return [*event.columns, *(heading for heading in (event.time, event.when_filled) if heading)]


def _refuse_twins(headings: Sequence[str], wanted: Any) -> None:
    known = [folded(heading) for heading in headings]
    twin = next((heading for heading in headings if folded(heading) in wanted and known.count(folded(heading)) > 1), "")
    if twin:
        raise ConfigurationError(f"the column {twin!r} is there twice; rename or remove one of them")


def _check_own(headings: Sequence[str], event_type: EventType, *, has_type: bool) -> None:
    fields = {folded(name): spec for name, spec in _specs(event_type).items()}
    given = {folded(heading) for heading in headings}
    missing = [spec.name for name, spec in fields.items() if spec.is_required and name not in given]
    if missing and not has_type:
        raise ConfigurationError(
            f"the table has no column {', '.join(missing)}, which {event_type.name} needs; its first row has "
            f"{_listed(headings)}; for a table with headings of its own name its mapping with --as"
        )
    odd = [heading for heading in headings if heading and folded(heading) not in fields.keys() | _OWN]
    if odd and len(odd) == len([heading for heading in headings if heading]):
        raise ConfigurationError(f"no column of {_listed(headings)} is a field of {event_type.name}")


def _listed(headings: Sequence[str]) -> str:
    return ", ".join(repr(heading[:40]) for heading in headings[:20] if heading) or "nothing"


def _specs(event_type: EventType) -> dict[str, FieldSpec]:
    return {spec.name: spec for spec in event_type.fields} | {"deleted": _DELETED}


def _known_type(name: str, event_types: Mapping[str, EventType]) -> EventType:
    event_type = event_types.get(name)
    if event_type is None or not event_type.entity:
        raise ConfigurationError(f"--type: {name!r} is no event type of event_types.yaml")
    return event_type


def _full_source(source: str, province: str) -> str:
    return source if source.startswith("/") else f"/{province}/{source}"


def _time_fields(event_type: EventType) -> tuple[str, ...]:
    """The fields that tell when it happened, the one that orders the facts first."""
    own = () if event_type.time_field == "ce_time" else (event_type.time_field,)
    return tuple(dict.fromkeys((*own, *event_type.fact_times)))


def _unknown_type(name: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_type",
        field="type",
        vi=f"Loại sự kiện {name[:100]!r} không có trong danh mục.",
        en=f"event type {name[:100]!r} is not in the catalogue",
    )


def _formula(name: str) -> InvalidRecord:
    return InvalidRecord(
        "formula",
        field=name,
        vi="Ô chứa công thức, không phải giá trị; dán lại dưới dạng giá trị, hoặc dùng --formulas values.",
        en="the cell holds a formula, not a value; paste it as a value, or use --formulas values",
    )


def _unwritable(name: str, error: Exception) -> InvalidRecord:
    if "surrogate" in str(error) or "utf-8" in str(error).lower() or "UTF-8" in str(error):
        return InvalidRecord(
            "not_utf8",
            field=name,
            vi="Ô có byte không đúng bảng mã của tệp; lưu tệp ở UTF-8, hoặc dùng --encoding windows-1258.",
            en="the cell has bytes that its encoding does not know; save as UTF-8, or use --encoding windows-1258",
        )
    return InvalidRecord(
        "wrong_type", field=name, vi="Giá trị ngoài khả năng lưu trữ.", en=f"a value that JSON can't carry: {error}"
    )
