"""The KPI log on a real broker: what a worker's figures role writes to `ioc.kpi.values`, and what it does not."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.dossiers import NOW, binary, dossier
from tests.integration.running import Record, Running, committed, own_broker, publish, start_worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

VALUES = "ioc.kpi.values"
Logged = dict[str, Any]


async def log_of(broker: str) -> list[Logged]:
    """Everything that was ever written, oldest first."""
    return [orjson.loads(record.value) for record in await committed(broker, VALUES)]


def totals(log: list[Logged], kpi: str, window: str) -> list[tuple[str, float, float]]:
    """(period, numerator, denominator) as they were written."""
    return [
        (value["period"], value["numerator"], value["denominator"])
        for value in log
        if (value["kpi"], value["window"], value["admin_unit"], value["agency"]) == (kpi, window, "*", "")
    ]


async def becomes(worker: Running, broker: str, expected: list[tuple[str, float, float]]) -> list[Logged]:
    """Waits until the months of `dossiers_online` were written so; returns the whole log."""
    deadline = time.monotonic() + 40
    while True:
        log = await log_of(broker)
        found = totals(log, "dossiers_online", "mtd")
        if found == expected:
            return log
        assert worker.is_running, worker.log()
        assert time.monotonic() < deadline, f"{found}, expected {expected}: {worker.log()}"
        await asyncio.sleep(0.1)


def submitted(name: str, day: str, channel: str = "online") -> Record:
    return binary(dossier(name, channel=channel, data={"submitted_at": f"{day}T08:00:00+07:00"}))


async def the_october_record_is_a_cloud_event_whose_key_names_series_and_period(broker: str) -> None:
    records = await committed(broker, VALUES)
    key = ["dossiers_online", "*", "", "", "mtd", "2026-10"]
    (record,) = [record for record in records if orjson.loads(record.key) == key]
    headers = {name: value.decode() for name, value in record.headers}
    assert headers.pop("ce_id")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_source": "/lam-dong/kpi",
        "ce_type": "vn.ioc.kpi.value.v1",
        "ce_time": "2026-11-22T01:00:00Z",
        "ce_subject": "dossiers_online",
        "content-type": "application/json",
    }
    value = orjson.loads(record.value)
    assert len(value.pop("rule_version")) > 3
    assert value == {
        "kpi": "dossiers_online",
        "admin_unit": "*",
        "agency": "",
        "dim": "",
        "window": "mtd",
        "period": "2026-10",
        "closed": True,
        "value": 1.0,
        "numerator": 1.0,
        "denominator": 1.0,
        "as_of": "2026-10-31T16:59:59.999999Z",
        "stale": False,
        "provenance": "auto",
        "written_at": "2026-11-22T01:00:00Z",
    }


async def test_a_closed_month_is_written_once_again_only_when_it_changes_and_never_twice_after_a_restart(
    tmp_path: Path,
) -> None:
    with own_broker(tmp_path) as kafka:
        broker = kafka.address
        with start_worker("events,figures", broker=broker, folder=tmp_path, IOC_NOW=NOW) as worker:
            worker.await_ready()
            await publish(broker, [submitted("a", "2026-10-20"), submitted("b", "2026-11-20")])
            log = await becomes(worker, broker, [("2026-10", 1.0, 1.0)])
            assert all(value["closed"] for value in log), "a clock that stands still closes nothing and tells no totals"
            await the_october_record_is_a_cloud_event_whose_key_names_series_and_period(broker)
            await publish(broker, [submitted("c", "2026-10-21", "counter")])
            await becomes(worker, broker, [("2026-10", 1.0, 1.0), ("2026-10", 1.0, 2.0)])
            assert worker.end() == 0
        with start_worker("events,figures", broker=broker, folder=tmp_path, name="again", IOC_NOW=NOW) as worker:
            worker.await_ready()
            await publish(broker, [submitted("d", "2026-09-21")])
            log = await becomes(worker, broker, [("2026-10", 1.0, 1.0), ("2026-10", 1.0, 2.0), ("2026-09", 1.0, 1.0)])
        by_key: dict[tuple[str, ...], list[Logged]] = {}
        for value in log:
            name = ("kpi", "admin_unit", "agency", "dim", "window", "period")
            by_key.setdefault(tuple(value[part] for part in name), []).append(value)
        told = ("value", "numerator", "denominator", "provenance", "closed")
        for key, values in by_key.items():
            for before, after in pairwise(values):
                assert [before[part] for part in told] != [after[part] for part in told], key
        agency = by_key["dossiers_online", "*", "H36.01", "", "mtd", "2026-10"]
        assert [value["denominator"] for value in agency] == [1.0, 2.0]
