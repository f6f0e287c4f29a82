"""An incident's case on a real broker: the stills before it, at it and after it, masked, and kept as long as said."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ioc.adapters.case_stills import CaseStills, Swept
from ioc.adapters.evidence import EvidenceStore, evidence_reference, open_evidence
from ioc.adapters.topics import ensure_topics
from ioc.catalog import load_catalog
from ioc.cloudevents import encode_json
from ioc.detections import Box
from ioc.evidence.retention import Retention
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident
from ioc.oncall.actions import ACTIONS_TOPIC, action_record
from ioc.oncall.case_sweep import sweep_once
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Actor, Dismiss
from ioc.oncall.plans import PlanKeeper
from ioc.oncall_plan import duty_plan
from ioc.opencv import cv2
from ioc.settings import Settings
from tests.integration.running import Record, Running, eventually, own_broker, publish, run_ioc, start_worker
from tests.unit.oncall.making import MovingClock, opened

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
WINDOW = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
BOX = Box(0.5, 0.3, 0.1, 0.1)
INCIDENT = Incident(
    incident_id="smoke-cam-01-p0-1", kind="smoke", state="open", severity="critical", revision=1, camera_id="cam-01",
    pose_id="p0", admin_unit="", place_vi="", place_en="", lon=None, lat=None, azimuth_deg=None, box=BOX,
    first_frame_at=START, opened_at=START + timedelta(minutes=1), last_seen_at=START + timedelta(minutes=1),
    peak_score=0.9, detections=2, evidence="", evidence_sha256="", runbook="/runbooks/smoke",
)  # fmt: skip


def catalog_with_window(folder: Path) -> Path:
    """The starting catalogue, where a window in the middle of cam-01's p0 is private."""
    shutil.copytree(Path(Settings.model_fields["catalog"].get_default()), folder)
    path = folder / "cameras.yaml"
    cameras = yaml.safe_load(path.read_text(encoding="utf-8"))
    cameras["cam-01"]["poses"]["p0"]["masks"] = {"window": {"kind": "private", "polygon": WINDOW}}
    path.write_text(yaml.safe_dump(cameras, allow_unicode=True), encoding="utf-8")
    return folder


def frame_at(minute: int, camera_id: str = "cam-01") -> Record:
    """A frame that differs from every other, as a camera without `ioc capture` may send it: not masked."""
    pixels = np.random.default_rng(minute + 100).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", cv2.resize(pixels, (320, 180)))[1].tobytes())
    frame = Frame(
        camera_id=camera_id,
        pose_id="p0",
        sequence=minute + 100,
        captured_at=START + timedelta(minutes=minute),
        sha256=sha256_hex(jpeg),
        jpeg=jpeg,
    )
    key, value, headers = encode_frame(frame, province="lam-dong")
    return Record(topic=FRAMES_TOPIC, key=key, value=value, headers=headers)


def news(incident: Incident) -> Record:
    value, headers = encode_json(
        incident.as_json(),
        event_id=f"{incident.incident_id}-{incident.revision}",
        event_type=INCIDENT_TYPE,
        source="/lam-dong/camera/incidents",
        at=incident.last_seen_at,
    )
    return Record(topic=INCIDENTS_TOPIC, key=b"smoke", value=value, headers=headers)


def analysed(worker: Running, count: int) -> None:
    def done() -> None:
        assert worker.metrics().total("ioc_frames_total") == count

    eventually(done, within_s=60, alive=[worker])


def case_of(evidence: EvidenceStore, minutes: list[int], worker: Running) -> list[bytes]:
    """The stills of the case once it holds those of exactly these minutes."""
    cases = CaseStills(evidence)

    def complete() -> None:
        told = [round((still.at - START) / timedelta(minutes=1)) for still in cases.of(INCIDENT.incident_id)]
        assert told == minutes

    eventually(complete, within_s=30, alive=[worker])
    return [evidence.get(evidence_reference(still.sha256)) for still in cases.of(INCIDENT.incident_id)]


def has_window(jpeg: bytes) -> bool:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return bool(image[50:130, 85:235].std() > 10)


async def test_a_case_holds_what_was_before_at_and_after_an_incident_masked_and_as_long_as_said(
    tmp_path: Path,
) -> None:
    catalog = catalog_with_window(tmp_path / "catalog")
    evidence = open_evidence(tmp_path / "share")
    changes: dict[str, Any] = {"IOC_CATALOG": str(catalog), "IOC_EVIDENCE": str(tmp_path / "share")}
    with own_broker(tmp_path) as kafka:
        await ensure_topics(kafka.address, load_catalog(catalog).topics())
        with start_worker("frames", broker=kafka.address, folder=tmp_path, IOC_FRAME_LATE_S="0", **changes) as worker:
            worker.await_ready()
            before = [frame_at(minute) for minute in (-13, -8, -2, 0, 1)]
            await publish(kafka.address, [*before, frame_at(0, "cam-02")])
            analysed(worker, 6)
            assert CaseStills(evidence).incidents() == (), "nothing has happened: nothing is kept for years"

            await publish(kafka.address, [news(INCIDENT)])
            case_of(evidence, [-8, -2, 0, 1], worker)
            assert worker.metrics().total("ioc_case_news_up") == 1
            await publish(kafka.address, [frame_at(3), frame_at(9), frame_at(12), frame_at(4, "cam-02")])
            analysed(worker, 10)
            stills = case_of(evidence, [-8, -2, 0, 1, 3, 9], worker)
            assert not any(map(has_window, stills))
            at_hand = list((tmp_path / "state" / "recent-stills").rglob("*.jpg"))
            assert sum(has_window(path.read_bytes()) for path in at_hand) == 2, "those of cam-02, which has no window"
            assert worker.end() == 0
        payload = {"incident_id": INCIDENT.incident_id, "action": "dismissed", "at": START.isoformat()}
        key, value, headers = action_record(payload | {"verdict": "false_positive"}, event_id="a1", province="lam-dong")
        await publish(kafka.address, [Record(topic=ACTIONS_TOPIC, key=key, value=value, headers=headers)])
        advised = run_ioc("detectors", "advise", "--json", broker=kafka.address, state=tmp_path, timeout_s=60)
        told = json.loads(advised.stdout)
        assert told["poses"][0] | {"camera": "cam-01", "pose": "p0", "true": 0, "false": 1} == told["poses"][0]
        assert told["advice"] == [], "one false alarm is no pattern"

    clock = MovingClock(START + timedelta(hours=1))
    async with opened(tmp_path) as store:
        plan = PlanKeeper(duty_plan(("console",), "duty"), clock=clock)
        desk = Desk(store, plan, clock=clock, wake=lambda: None)
        await desk.take([replace(INCIDENT, revision=2)])
        actor = Actor(actor_id="lan", name="Lan", role="operator", door="web")
        await desk.act(INCIDENT.incident_id, Dismiss(verdict="false_positive"), actor)
        cases = CaseStills(evidence)
        assert await sweep_once(store, cases, Retention(), clock() + timedelta(days=179)) == Swept(0, 0)
        swept = await sweep_once(store, cases, Retention(), clock() + timedelta(days=181))
        assert (swept.cases, swept.stills) == (1, 6)
        assert cases.incidents() == ()
