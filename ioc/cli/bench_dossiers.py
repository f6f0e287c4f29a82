"""Dossier events of about 270 bytes for the benchmarks of CPU, in the mixes that the floors name."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import orjson

from ioc.cli.bench_publishing import Record

__all__ = ["DOSSIERS_TOPIC", "MIXES", "NOW", "dossier_events", "mixed"]

DOSSIERS_TOPIC = "ioc.onestop.dossiers"
MIXES = {
    "single": "every event another entity",
    "eight": "8 events an entity, in order",
    "shuffled": "8 events an entity, shuffled",
}
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
_SEED = 4
_STATUSES = ("received", "in_process", "supplement", "in_process", "resolved", "in_process", "resolved")


def mixed(mix: str, count: int) -> Iterator[Record]:
    """Returns `count` events of a mix, the same ones every time."""
    if mix == "single":
        return dossier_events(count, facts=1)
    if mix == "eight":
        return dossier_events(count // 8, facts=8)
    records = list(dossier_events(count // 8, facts=8))
    random.Random(_SEED).shuffle(records)  # noqa: S311  (a benchmark, not a secret)
    return iter(records)


def dossier_events(dossiers: int, *, facts: int, first: int = 0, skip: int = 0) -> Iterator[Record]:
    """Yields facts `skip` to `facts` of each dossier from number `first` on, one dossier after the other."""
    for number in range(first, first + dossiers):
        for step in range(skip, facts):
            yield _event(number, step)


def _event(number: int, step: int) -> Record:
    at = NOW - timedelta(days=number % 60, minutes=600 - step)
    key = f"H36.{number % 20:02d}-26{number:08d}"
    data: dict[str, object]
    if step == 0:
        kind = "submitted"
        data = {
            "dossier_id": key,
            "procedure_code": f"1.{number % 900:06d}",
            "service_level": ("full", "partial", "info")[number % 3],
            "channel": "online" if number % 5 else "counter",
            "submitted_at": at.isoformat(),
            "agency_code": f"H36.{number % 20:02d}",
            "admin_unit": "24781",
            "due_at": (at + timedelta(days=7)).isoformat(),
        }
    else:
        kind = "status_changed"
        data = {
            "dossier_id": key,
            "status": _STATUSES[(step - 1) % len(_STATUSES)],
            "at": at.isoformat(),
            "result_channel": "online",
            "reason": "hồ sơ đã được chuyển bước xử lý theo quy trình một cửa",
        }
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{number:010d}-{step}-bench".encode()),
        ("ce_source", b"/lam-dong/onestop/motcua"),
        ("ce_type", f"vn.ioc.dossier.{kind}.v1".encode()),
        ("ce_time", at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    return DOSSIERS_TOPIC, key.encode(), orjson.dumps(data), headers
