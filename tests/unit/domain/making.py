"""Events, rows and figures of the starting catalogue, for the tests of the domain."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from ioc.catalog import Catalog, load_catalog
from ioc.entities import DUPLICATE, Row, fold
from ioc.errors import InvalidRecord
from ioc.events import Event, EventDecoder, Rejected
from ioc.kpis import Aggregates, Figure, Figures, KpiEngine, Partial
from ioc.settings import Settings
from ioc.windows import LOCAL_ZONE, microseconds_of

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=LOCAL_ZONE)
NOW_US = microseconds_of(NOW)
MINUTE_US = 60_000_000
STRUCTURED = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
BATCHED = (("content-type", b"application/cloudevents-batch+json"),)

Headers = tuple[tuple[str, bytes], ...]
Shown = tuple[float | None, float | None, float | None]
"""Value, numerator, denominator of a figure."""


@cache
def catalog() -> Catalog:
    return load_catalog(Settings.model_fields["catalog"].get_default())


def copy_of_catalog(folder: Path, is_wanted: Callable[[Path], bool]) -> Path:
    """Copies the starting catalogue with those of its KPI files that `is_wanted`: reading all of them takes long."""
    starting = Path(catalog().folder)
    unwanted = {path.name for path in (starting / "kpis").iterdir() if not is_wanted(path)}
    shutil.copytree(starting, folder, ignore=lambda where, _: unwanted if Path(where).name == "kpis" else set())
    return folder


@cache
def engine() -> KpiEngine:
    return catalog().engine()


@cache
def decoder() -> EventDecoder:
    return catalog().decoder()


def us(moment: str) -> int:
    """`08:00`, `20T08:00` or `2026-11-20T08:00` in Vietnamese time (of 2026-11-22 where no day is named), in µs."""
    return microseconds_of(local(moment))


def local(moment: str) -> datetime:
    day, _, clock = moment.rpartition("T")
    day = day or "22"
    return datetime.fromisoformat(f"{day if len(day) > 2 else '2026-11-' + day}T{clock}").replace(tzinfo=LOCAL_ZONE)


def at(moment: str) -> str:
    """The same, as RFC 3339 in UTC."""
    return local(moment).astimezone(UTC).isoformat().replace("+00:00", "Z")


def attributes(
    type_name: str, *, event_id: str = "e-1", source: str = "", time: str | None = "07:00"
) -> dict[str, str]:
    """CloudEvents attributes of an event that is right in every way."""
    event_type = catalog().event_types[type_name]
    found = {
        "specversion": "1.0",
        "type": event_type.ce_type,
        "source": source or f"/lam-dong/{event_type.family}",
        "id": event_id,
    }
    return found if time is None else found | {"time": at(time)}


def binary(**of: str) -> Headers:
    return tuple((f"ce_{name}", text.encode()) for name, text in of.items())


def read(topic: str, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> list[Event | Rejected]:
    return decoder().decode(topic, tuple(headers), value, NOW_US)


def decoded(type_name: str, data: Mapping[str, Any], **attribute: Any) -> Event | Rejected:
    """What binary mode makes of `data`."""
    headers = binary(**attributes(type_name, **attribute))
    (found,) = read(catalog().event_types[type_name].topic, headers, orjson.dumps(data))
    return found


def event(type_name: str, data: Mapping[str, Any], **attribute: Any) -> Event:
    found = decoded(type_name, data, **attribute)
    assert isinstance(found, Event), found
    return found


def error_of(found: Event | Rejected) -> InvalidRecord:
    assert isinstance(found, Rejected), found
    return found.error


# ---- events that are right -----------------------------------------------------------------------------------------


def dossier(dossier_id: str = "D1", *, event_id: str = "", submitted: str = "20T08:00", **data: Any) -> Event:
    """`dossier.submitted`; `submitted` is both the fact's time and the CloudEvents time."""
    body = {"dossier_id": dossier_id, "service_level": "full", "channel": "online", "submitted_at": at(submitted)}
    return event(
        "dossier.submitted", body | data, event_id=event_id or f"{dossier_id}-submitted-{submitted}", time=submitted
    )


def status(name: str, when: str, dossier_id: str = "D1", *, event_id: str = "", **data: Any) -> Event:
    body = {"dossier_id": dossier_id, "status": name, "at": at(when)}
    return event("dossier.status_changed", body | data, event_id=event_id or f"{dossier_id}-{name}-{when}", time=when)


def report(report_id: str = "R1", *, event_id: str = "", submitted: str = "20T08:00", **data: Any) -> Event:
    body = {"report_id": report_id, "submitted_at": at(submitted)}
    return event(
        "report.submitted", body | data, event_id=event_id or f"{report_id}-submitted-{submitted}", time=submitted
    )


def report_status(name: str, when: str, report_id: str = "R1", *, event_id: str = "", **data: Any) -> Event:
    body = {"report_id": report_id, "status": name, "at": at(when)}
    return event("report.status_changed", body | data, event_id=event_id or f"{report_id}-{name}-{when}", time=when)


def channel(when: str, *, up: bool = True, channel_id: str = "C1", event_id: str = "", **data: Any) -> Event:
    body = {"channel_id": channel_id, "up": up, "at": at(when)}
    return event("network.channel_state", body | data, event_id=event_id or f"{channel_id}-{when}", time=when)


def heartbeat(when: str, *, camera_id: str = "cam-01", online: bool = True, age_s: float = 0, **data: Any) -> Event:
    body = {"camera_id": camera_id, "online": online, "last_frame_age_s": age_s, "at": at(when)}
    return event("camera.heartbeat", body | data, event_id=f"{camera_id}-{when}", time=when)


def calls(window_start: str, made: int, errors: int = 0, *, event_id: str = "", time: str = "", **data: Any) -> Event:
    body = {
        "service_id": "S1",
        "consumer": "so-tu-phap",
        "window_start": at(window_start),
        "calls": made,
        "errors": errors,
    }
    return event("lgsp.service_call", body | data, event_id=event_id or f"S1-{window_start}", time=time or window_start)


# ---- rows and figures ----------------------------------------------------------------------------------------------


def row_of(*events: Event) -> Row:
    row = Row([], {}, 0)
    for item in events:
        fold(row, item)
    return row


def all_figures(events: Iterable[Event], clock: str = "08:00") -> list[Figure]:
    """The figures at the clock after the events, in the order in which they came, as a stream makes them."""
    clock_us = us(clock)
    rows: dict[tuple[str, str], Row] = {}
    aggregates = Aggregates(engine())
    newest: dict[str, int] = {}
    for item in events:
        name = item.type.entity
        row = rows.setdefault((name, item.entity_id), Row([], {}, 0))
        before = engine().contributions(name, item.entity_id, row, clock_us)
        if fold(row, item) != DUPLICATE:
            newest[item.type.name] = max(item.order_us, newest.get(item.type.name, 0))
        aggregates.retract(before)
        aggregates.add(engine().contributions(name, item.entity_id, row, clock_us))
    aggregates.settle()
    figures = Figures(engine())
    for key, cell in aggregates.take_changed().items():
        figures.merge(Partial(key, 0, 1, 1, cell))
    figures.complete(0, 1, newest)
    return list(figures.figures(clock_us))


def shown(figures: Iterable[Figure]) -> dict[tuple[str, str, str, str], Shown]:
    """(KPI, unit, agency, window) to (value, numerator, denominator)."""
    return {
        (f.definition.id, f.admin_unit, f.agency, f.window): (f.value, f.numerator, f.denominator)
        for f in figures
        if not f.dim
    }


def figure(
    events: Iterable[Event], kpi: str, window: str, *, clock: str = "08:00", unit: str = "*", agency: str = ""
) -> Shown | None:
    """One figure, None where it has no series."""
    return shown(all_figures(events, clock)).get((kpi, unit, agency, window))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
