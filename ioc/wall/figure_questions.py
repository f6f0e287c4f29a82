"""What is asked of the open figures, read from the words of an address. Pure."""

import base64
import binascii
import json
from datetime import date
from urllib.parse import urlencode

import orjson
from fastapi import Request

from ioc.gateway.problems import Language, Problem
from ioc.kpis.log import period_at, period_named
from ioc.wall.figure_store import StoreKey

__all__ = ["after_of", "clock_of", "cursor_of", "day_of", "headings", "next_url", "not_found", "prefers_csv"]


def headings(text: str) -> Language | None:
    return {"vi": "vi", "en": "en"}.get(text)  # type: ignore[return-value]


def prefers_csv(accept: str) -> bool:
    """Whether CSV stands before JSON; weights are not weighed."""
    names = [part.partition(";")[0].strip() for part in accept.split(",")]
    return "text/csv" in names and "application/json" not in names[: names.index("text/csv")]


def day_of(name: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise Problem(
            422, "invalid_query", vi=f"{name}: viết ngày như 2026-11-21.", en=f"{name}: write a day like 2026-11-21",
            field=name,
        ) from None  # fmt: skip


def cursor_of(key: StoreKey) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def after_of(cursor: str | None) -> StoreKey | None:
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, list) or len(found) != 6 or not all(isinstance(part, str) for part in found):
        raise Problem(
            422,
            "invalid_cursor",
            vi="cursor không phải do máy chủ này cấp.",
            en="cursor is none of ours",
            field="cursor",
        )
    kpi, window, period, admin_unit, agency, dim = found
    return kpi, window, period, admin_unit, agency, dim


def next_url(request: Request, cursor: str) -> str:
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*pairs, ('cursor', cursor)])}"


def clock_of(window: str, name: str, now_us: int) -> tuple[int, str]:
    """Returns the clock at which a period is asked for, and the period's name; "" for windows without periods."""
    running = period_at(window, now_us)
    if name == "current" or (running is not None and running.name == name):
        return now_us, "" if running is None else running.name
    period = period_named(window, name)
    if period is None or period.last_us > now_us:
        raise not_found(f"{window} {name}")
    if window == "now":
        raise Problem(
            409,
            "not_of_the_past",
            vi="Chỉ số này đếm hiện trạng: không kể lại được hồ sơ của ngày đã qua; hãy hỏi kỳ current.",
            en="this figure counts what is so now: the entities of a day that is over can't be told; ask for current",
            field="period",
        )
    return period.last_us, period.name


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", vi=f"Không có số liệu: {what[:200]}.", en=f"there is no such figure: {what[:200]}")
