"""Figures, times and ages as people read them on the wall, in both languages. Pure."""

from datetime import datetime, timedelta
from typing import Final

from ioc.wall.live.kpis import WallKpi
from ioc.wall.names import unit_name
from ioc.wall.panels import Language
from ioc.windows import LOCAL_ZONE

__all__ = ["age", "amount", "moment", "period_words", "pick", "plain_number"]

NO_VALUE: Final = "—"
_MILLION, _BILLION = 1e6, 1e9


def pick(language: Language, vi: str, en: str) -> str:
    return vi if language == "vi" else en


def plain_number(number: float, language: Language, *, decimals: int = 0) -> str:
    """1234.5 → "1.234,5" in Vietnamese, "1,234.5" in English."""
    text = f"{number:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "vi" else text


def amount(kpi: WallKpi, value: float, language: Language) -> tuple[str, str]:
    """Returns (number, unit) of a value in the metric's own unit: 0.985 → ("98,5", "%")."""
    match kpi.unit:
        case "ratio":
            return plain_number(value * 100, language, decimals=1), "%"
        case "seconds":
            return _duration(value, language)
        case "megabits_per_second":
            return plain_number(value / 1e6, language), "Mbit/s"
        case "kilometres":
            return plain_number(value / 1e3, language, decimals=1), "km"
    return _count(value, unit_name(kpi.unit, language), language)


def _duration(seconds: float, language: Language) -> tuple[str, str]:
    if seconds < 120:
        return plain_number(seconds, language, decimals=0 if seconds >= 10 else 1), pick(language, "giây", "s")
    if seconds < 7_200:
        return plain_number(seconds / 60, language), pick(language, "phút", "min")
    if seconds < 2 * 86_400:
        return plain_number(seconds / 3_600, language, decimals=1), pick(language, "giờ", "h")
    return plain_number(seconds / 86_400, language, decimals=1), pick(language, "ngày", "days")


def _count(value: float, unit: str, language: Language) -> tuple[str, str]:
    if abs(value) >= _BILLION:
        return plain_number(value / _BILLION, language, decimals=1), f"{pick(language, 'tỷ', 'bn')} {unit}"
    if abs(value) >= _MILLION:
        return plain_number(value / _MILLION, language, decimals=1), f"{pick(language, 'triệu', 'M')} {unit}"
    return plain_number(value, language, decimals=0 if value == round(value) or abs(value) >= 100 else 1), unit


def moment(at: datetime, now: datetime) -> str:
    """Local time: "14:03" today, "21/11 14:03" on another day, with the year where it is another one."""
    local, today = at.astimezone(LOCAL_ZONE), now.astimezone(LOCAL_ZONE)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%d/%m %H:%M}" if local.year == today.year else f"{local:%d/%m/%Y}"


def age(span: timedelta, language: Language) -> str:
    """ "45 giây", "12 phút", "3 giờ", "4 ngày"; a span below nothing is none."""
    seconds = max(0, int(span.total_seconds()))
    for size, vi, en in ((86_400, "ngày", "d"), (3_600, "giờ", "h"), (60, "phút", "min")):
        if seconds >= (2 * size if size != 60 else size):
            return f"{seconds // size} {pick(language, vi, en)}"
    return f"{seconds} {pick(language, 'giây', 's')}"


def period_words(window: str, language: Language) -> str:
    """What the last closed period of a window is called: the trend compares with it."""
    words = {
        "day": ("hôm qua", "yesterday"),
        "now": ("cuối hôm qua", "the end of yesterday"),
        "mtd": ("tháng trước", "last month"),
        "qtd": ("quý trước", "last quarter"),
        "ytd": ("năm trước", "last year"),
    }.get(window, ("hôm qua", "yesterday"))
    return pick(language, *words)
