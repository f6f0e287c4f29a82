"""Dossier events of about 270 bytes for the benchmarks of CPU, in the mixes that the floors name."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

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
_DAYS = 60
_STATUSES = (b"received", b"in_process", b"supplement", b"in_process", b"resolved", b"in_process", b"resolved")
_LEVELS, _CHANNELS = (b"full", b"partial", b"info"), (b"counter", b"online")
# Formatted as bytes: millions of them must not take longer to make than to process.
_SUBMITTED = (
    b"vn.ioc.dossier.submitted.v1",
    b'{"dossier_id":"%b","procedure_code":"1.%06d","service_level":"%b","channel":"%b","submitted_at":"%b",'
    b'"agency_code":"H36.%02d","admin_unit":"24781","due_at":"%b"}',
)
_STATUS_CHANGED = (
    b"vn.ioc.dossier.status_changed.v1",
    b'{"dossier_id":"%b","status":"%b","at":"%b","result_channel":"online","reason":"'
    + "hồ sơ đã được chuyển bước xử lý theo quy trình một cửa".encode()
    + b'"}',
)


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
    at, due = _times(number % _DAYS, step)
    key = b"H36.%02d-26%08d" % (number % 20, number)
    if step == 0:
        ce_type, body = _SUBMITTED
        value = body % (key, number % 900, _LEVELS[number % 3], _CHANNELS[number % 5 != 0], at, number % 20, due)
    else:
        ce_type, body = _STATUS_CHANGED
        value = body % (key, _STATUSES[(step - 1) % len(_STATUSES)], at)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%010d-%d-bench" % (number, step)),
        ("ce_source", b"/lam-dong/onestop/motcua"),
        ("ce_type", ce_type),
        ("ce_time", at),
        ("content-type", b"application/json"),
    ]
    return DOSSIERS_TOPIC, key, value, headers


@lru_cache(maxsize=4096)
def _times(day: int, step: int) -> tuple[bytes, bytes]:
    """When a fact of a dossier of `day` happened, and when the dossier is due."""
    at = NOW - timedelta(days=day, minutes=600 - step)
    return at.isoformat().encode(), (at + timedelta(days=7)).isoformat().encode()
