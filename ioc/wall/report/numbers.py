"""Numbers, times and days as people write them in either language. Pure."""

from datetime import date, datetime

from ioc.wall.panels import Language
from ioc.windows import LOCAL_ZONE, moment_of

__all__ = ["amount", "day_text", "difference", "duration", "moment_text", "number", "period_text"]

NONE = "—"
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
_WORDS = {"vi": {"min": "phút", "h": "giờ", "d": "ngày"}, "en": {"min": "min", "h": "h", "d": "d"}}


def number(value: float, language: Language, places: int = 1, *, keep_zeros: bool = False) -> str:
    """1234.5 → 1.234,5 (vi), 1,234.5 (en); zeros after the mark are left out unless `keep_zeros`."""
    text = f"{abs(value):,.{places}f}"
    if "." in text and not keep_zeros:
        text = text.rstrip("0").rstrip(".")
    if language == "vi":
        text = text.translate(str.maketrans(",.", ".,"))
    is_nothing = not any(digit in text for digit in "123456789")
    return text if value >= 0 or is_nothing else _MINUS + text


def amount(value: float | None, unit: str, language: Language, unit_word: str = "") -> str:
    """A figure in the metric's own unit: 0.985 → 98,5 %, 7200 s → 2 giờ, 2e8 bit/s → 200 Mbit/s."""
    if value is None:
        return NONE
    match unit:
        case "ratio":
            return f"{_share(value, language)}{_SPACE}%"
        case "seconds":
            return duration(value, language)
        case "megabits_per_second":
            return f"{number(value / 1e6, language)}{_SPACE}Mbit/s"
        case "kilometres":
            return f"{number(value / 1e3, language)}{_SPACE}km"
        case _:
            return number(value, language, 2) + (f" {unit_word}" if unit_word else "")


def _share(value: float, language: Language) -> str:
    """Never rounded over an end: 99.96 % is not 100 %, and what is not nothing is not 0."""
    percent = value * 100
    places = 1
    while places < 4 and round(percent, places) in (0.0, 100.0) and percent not in (0.0, 100.0):
        places += 1
    return number(percent, language, places)


def difference(value: float | None, unit: str, language: Language) -> str:
    """With its sign; of shares in percentage points."""
    if value is None:
        return NONE
    sign = "+" if value > 0 else _MINUS if value < 0 else "±"
    size = abs(value)
    if unit == "ratio":
        points = "điểm %" if language == "vi" else "points"
        places = 1 if size >= 0.0005 else 3
        return f"{sign}{number(size * 100, language, places)}{_SPACE}{points}"
    return sign + amount(size, unit, language)


def duration(seconds: float | None, language: Language) -> str:
    if seconds is None:
        return NONE
    words = _WORDS[language]
    if seconds < 120:
        return f"{number(seconds, language, 0 if seconds >= 10 else 1)}{_SPACE}s"
    if seconds < 7_200:
        return f"{number(seconds / 60, language)}{_SPACE}{words['min']}"
    if seconds < 172_800:
        return f"{number(seconds / 3_600, language)}{_SPACE}{words['h']}"
    return f"{number(seconds / 86_400, language)}{_SPACE}{words['d']}"


def day_text(day: date, language: Language) -> str:
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def period_text(name: str, language: Language) -> str:
    """2026-11-21 → 21/11/2026, 2026-11 → 11/2026, 2026-Q4 → quý 4/2026 (vi); as it is in English."""
    if language == "en":
        return name
    year, _, rest = name.partition("-")
    if rest.startswith("Q"):
        return f"quý {rest[1:]}/{year}"
    month, _, day = rest.partition("-")
    return "/".join(part for part in (day, month, year) if part)


def moment_text(moment: datetime | int | None, language: Language) -> str:
    """An instant (or µs since 1970) in local time, to the minute."""
    if moment is None:
        return NONE
    local = (moment_of(moment) if isinstance(moment, int) else moment).astimezone(LOCAL_ZONE)
    return f"{local:%H:%M} {day_text(local.date(), language)}"
