"""A case of building work on a real broker: first change, alarm, late permit, its withdrawal, a kill -9, decision."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ioc.catalog import load_catalog
from ioc.cloudevents import encode_json
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Box, Detection
from ioc.incidents import INCIDENTS_TOPIC, Incident
from tests.integration.running import Record, Running, committed, eventually, own_broker, publish, start_worker
from tests.unit.domain.making import copy_of_catalog

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(150)]

CANDIDATES, FINED = "construction_candidates", "violations_fined"
ROLES = "events,incidents,figures"
PARCEL, PERMIT = "24778-0012-0345", "GPXD-2026-0900"
SHA = "ab" * 32


def seen(name: str, at: datetime, **changes: Any) -> Record:
    """The sample plot before cam-02."""
    values: dict[str, Any] = {
        "detection_id": name,
        "camera_id": "cam-02",
        "pose_id": "p0",
        "label": "construction",
        "tier": "watch",
        "score": 0.7,
        "box": Box(0.56, 0.75, 0.1, 0.1),
        "frame_at": at,
        "frame_sha256": SHA,
        "frame_ref": f"evidence://sha256/{SHA}",
        "detector": "construction",
        "detector_version": "2.0.0",
        "first_seen_at": at,
        "persisted_s": 0.0,
        "zone_id": "cam-02-plot-1",
    }
    found = Detection(**{**values, **changes})
    return _record(DETECTIONS_TOPIC, "cam-02:p0", DETECTION_TYPE, "camera/detectors", name, at, found.as_json())


def permit(name: str, at: datetime, **changes: Any) -> Record:
    data = {"permit_id": PERMIT, "parcel_id": PARCEL, **changes}
    kind = "vn.ioc.permit.construction.v1"
    return _record("ioc.construction.permits", PARCEL, kind, "construction/so-xay-dung", name, at, data)


def decided(case_id: str, at: datetime) -> Record:
    data = {
        "case_id": case_id,
        "field": "construction",
        "detected_at": (at - timedelta(minutes=30)).isoformat(),
        "source": "camera",
        "record_at": (at - timedelta(minutes=10)).isoformat(),
        "decision_at": at.isoformat(),
        "fine_vnd": 40_000_000,
    }
    kind = "vn.ioc.violation.recorded.v1"
    return _record("ioc.violations.cases", case_id, kind, "violations/ubnd", "decision", at, data)


def confirmed(case_id: str, at: datetime) -> Record:
    """On-call's verdict of a person."""
    data = {"incident_id": case_id, "action": "verdict", "verdict": "true_positive", "at": at.isoformat()}
    kind = "vn.ioc.incident.action.v1"
    return _record("ioc.incident.actions", case_id, kind, "incident", "verdict", at, data)


def _record(topic: str, key: str, kind: str, source: str, name: str, at: datetime, data: dict[str, Any]) -> Record:
    value, headers = encode_json(data, event_id=name, event_type=kind, source=f"/lam-dong/{source}", at=at)
    return Record(topic=topic, key=key.encode(), value=value, headers=list(headers))


async def told(broker: str) -> list[Incident]:
    return [Incident.from_json(json.loads(record.value)) for record in await committed(broker, INCIDENTS_TOPIC)]


async def until(worker: Running, check: Callable[[], None]) -> None:
    await asyncio.to_thread(eventually, check, within_s=40, alive=[worker])


def told_and_counted(worker: Running, *, state: str, times: int, candidates: int) -> Callable[[], None]:
    """Whether the worker has told the state so often, and the figure of candidates is this."""

    def check() -> None:
        metrics = worker.metrics()
        assert metrics.total("ioc_incidents_total", kind="construction", state=state) == times
        assert (metrics.figure(CANDIDATES, "r30d").numerator or 0) == candidates

    return check


async def test_a_case_goes_from_the_first_change_to_the_recorded_decision_and_keeps_its_history(tmp_path: Path) -> None:
    catalog = copy_of_catalog(tmp_path / "catalog", lambda path: path.stem in (CANDIDATES, FINED))
    assert len(load_catalog(catalog).kpis) == 2
    now = datetime.now(UTC).replace(microsecond=0)
    with own_broker(tmp_path) as kafka:
        broker = kafka.address

        async def publish_all(*records: Record) -> None:
            await publish(broker, records)

        with start_worker(ROLES, broker=broker, folder=tmp_path, name="first", IOC_CATALOG=str(catalog)) as worker:
            await asyncio.to_thread(worker.await_ready)
            cleared = {"extra": {"stage": "cleared"}}
            frame = {"tier": "alarm", "extra": {"stage": "frame", "storeys": "2", "active": "false"}}
            await publish_all(
                seen("d1", now - timedelta(days=3), **cleared),
                seen("d2", now - timedelta(days=1), **cleared),
                seen("d3", now - timedelta(minutes=5), **frame),
            )
            await until(worker, told_and_counted(worker, state="open", times=1, candidates=1))
            issued = {"valid_from": "2026-01-01", "valid_to": "2099-12-31", "floors": 3, "status": "valid"}
            await publish_all(permit("issued", now - timedelta(minutes=4), **issued))
            await until(worker, told_and_counted(worker, state="resolved", times=1, candidates=0))
            await asyncio.to_thread(worker.kill)
        await publish_all(permit("revoked", now - timedelta(minutes=3), status="revoked"))
        with start_worker(ROLES, broker=broker, folder=tmp_path, name="second", IOC_CATALOG=str(catalog)) as worker:
            await asyncio.to_thread(worker.await_ready)
            await until(worker, told_and_counted(worker, state="open", times=1, candidates=1))
            assert worker.metrics().total("ioc_permits_total", outcome="accepted") == 2
            case_id = (await told(broker))[-1].incident_id
            await publish_all(confirmed(case_id, now - timedelta(minutes=17)))
            await until(worker, told_and_counted(worker, state="open", times=2, candidates=1))
            await publish_all(decided(case_id, now - timedelta(minutes=2)))
            await until(worker, told_and_counted(worker, state="resolved", times=1, candidates=1))
            await until(worker, lambda: _is_fined(worker))
            assert worker.metrics().outcomes()["rejected"] == 0
            assert worker.end() == 0
        _check(await told(broker))


def _is_fined(worker: Running) -> None:
    fined = {"kpi": FINED, "window": "ytd", "admin_unit": "*", "dim": "construction"}
    assert worker.metrics().total("ioc_kpi_numerator", **fined) == 1


def _check(incidents: list[Incident]) -> None:
    assert len({incident.incident_id for incident in incidents}) == 1
    assert [incident.revision for incident in incidents] == list(range(1, len(incidents) + 1))
    states = [(incident.state, incident.permit_rule) for incident in incidents]
    assert states == [
        ("candidate", "no_permit"),
        ("open", "no_permit"),
        ("resolved", "permit_valid"),
        ("open", "permit_revoked"),
        ("open", "permit_revoked"),
        ("resolved", "permit_revoked"),
    ]
    case = incidents[-1].case
    assert case is not None
    rules = [(judged.rule, judged.permit_id) for judged in case.judgements]
    assert rules == [("no_permit", ""), ("permit_valid", PERMIT), ("permit_revoked", PERMIT)]
    assert [(stage.stage, stage.storeys) for stage in case.stages] == [("cleared", None), ("frame", 2)]
    assert case.decision is not None
    assert case.decision.fine_vnd == 40_000_000
    found_at = case.decision.decided_at - timedelta(minutes=15)
    assert [(term.name, term.since) for term in case.terms] == [
        ("record", found_at),  # on call a person said so; the camera's own detection begins no term
        ("decision", found_at + timedelta(minutes=5)),
        ("limitation", found_at),
    ]
    assert all(term.state(case.decision.decided_at) == "met" for term in case.terms)
