"""`ioc worker --roles incidents` and on-call on a real broker: three cameras, two fires, kill -9 in the middle."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import yaml

from ioc.catalog import load_catalog
from ioc.cloudevents import encode_json
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Detection
from ioc.incidents import INCIDENTS_TOPIC, Incident
from ioc.oncall.channels import WebhookTarget
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.service import OncallConfig, run_oncall
from ioc.oncall.signatures import SigningKey
from ioc.oncall.store import sqlite_url
from tests.integration.running import Record, Running, committed, eventually, own_broker, publish, start_worker
from tests.unit.domain.making import copy_of_catalog
from tests.unit.oncall.making import SECRET
from tests.unit.places.scenery import CAMERAS, FIRE, OTHER_FIRE, distance_m, smoke, view

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(200)]

KEY = SigningKey.from_text(SECRET, where="test")
FIRST_FIRE = [smoke("cam-a", FIRE, 0), smoke("cam-b", FIRE, 1), smoke("cam-b", FIRE, 1.5), smoke("cam-c", FIRE, 2)]
SECOND_FIRE = [
    smoke("cam-a", OTHER_FIRE, 12, tier="watch"),
    smoke("cam-a", OTHER_FIRE, 12.5),
    smoke("cam-b", OTHER_FIRE, 13),
]


def catalog_of(folder: Path) -> Path:
    """The starting catalogue with three more cameras, round one valley."""
    copy_of_catalog(folder, lambda path: path.stem == "camera_online")
    cameras = yaml.safe_load((folder / "cameras.yaml").read_text(encoding="utf-8"))
    for camera_id, (lon, lat) in CAMERAS.items():
        pose = {"azimuth_deg": round(view(camera_id).azimuth_deg, 9), "fov_deg": 90.0, "azimuth_sd_deg": 0.5}
        cameras[camera_id] = {"name_vi": camera_id, "lon": lon, "lat": lat, "poses": {"p0": pose}}
    (folder / "cameras.yaml").write_text(yaml.safe_dump(cameras, allow_unicode=True), encoding="utf-8")
    assert load_catalog(folder).cameras["cam-a"].view("p0") is not None
    return folder


def _standing(incidents: Sequence[Incident]) -> list[Incident]:
    """The newest word on each open incident."""
    newest = {incident.incident_id: incident for incident in incidents}
    return [incident for incident in newest.values() if incident.state == "open"]


def _await_told(worker: Running, count: int) -> None:
    """Waits until the worker has told so many changes of open incidents; what it tells is committed by then."""

    def enough() -> None:
        assert worker.metrics().total("ioc_incidents_total", state="open") == count

    eventually(enough, within_s=60, alive=[worker])


def _has_partition(worker: Running) -> bool:
    return DETECTIONS_TOPIC in worker.metrics().by("ioc_consumer_lag_records", "topic")


def _alerted(receiver: WebhookReceiver) -> list[str]:
    return [str(body["data"]["incident"]["incident_id"]) for body in receiver.bodies.values()]  # type: ignore[index]


async def see(broker: str, detections: Sequence[Detection]) -> None:
    records = []
    for detection in detections:
        value, headers = encode_json(
            detection.as_json(),
            event_id=detection.detection_id,
            event_type=DETECTION_TYPE,
            source="/lam-dong/camera/detectors",
            at=detection.frame_at,
        )
        key = f"{detection.camera_id}:{detection.pose_id}".encode()
        records.append(Record(topic=DETECTIONS_TOPIC, key=key, value=value, headers=list(headers)))
    await publish(broker, records)


async def told(broker: str) -> list[Incident]:
    return [Incident.from_json(json.loads(record.value)) for record in await committed(broker, INCIDENTS_TOPIC)]


@asynccontextmanager
async def oncall(broker: str, folder: Path) -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver(key=KEY)
    await receiver.start()
    config = OncallConfig(
        broker=broker,
        database_url=sqlite_url(folder / "oncall.db"),
        evidence=folder / "evidence",
        province="lam-dong",
        port=0,
        webhook=WebhookTarget(url=receiver.url, key=KEY),
    )
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    service = asyncio.create_task(run_oncall(config, stop=stop, announce=ready.set_result))
    try:
        await asyncio.wait_for(ready, 15)
        yield receiver
    finally:
        stop.set()
        await asyncio.wait_for(service, 10)
        await receiver.stop()


async def test_three_cameras_and_two_fires_are_two_incidents_at_their_places_with_one_notice_each(
    tmp_path: Path,
) -> None:
    catalog = str(catalog_of(tmp_path / "catalog"))
    with own_broker(tmp_path) as kafka, ExitStack() as stack:
        workers = [
            stack.enter_context(
                start_worker("incidents", broker=kafka.address, folder=tmp_path, name=name, IOC_CATALOG=catalog)
            )
            for name in ("first", "second")
        ]
        for worker in workers:
            worker.await_ready()  # one has the partition; the other stands by, and is ready
        async with oncall(kafka.address, tmp_path) as receiver:
            await see(kafka.address, FIRST_FIRE[:2])
            (busy,) = [worker for worker in workers if _has_partition(worker)]
            left = next(worker for worker in workers if worker is not busy)
            await asyncio.to_thread(_await_told, busy, 2)
            await asyncio.to_thread(busy.kill)
            # What was seen before once more, as after a commit that was lost, and then what comes next.
            await see(kafka.address, [*FIRST_FIRE, *SECOND_FIRE])
            await asyncio.to_thread(_await_told, left, 3)
            incidents = await told(kafka.address)
            await asyncio.to_thread(eventually, lambda: _are_told(receiver, _standing(incidents)), within_s=15)
            assert left.end() == 0
    _check(incidents)
    assert Counter(_alerted(receiver)) == {incident.incident_id: 1 for incident in _standing(incidents)}


def _are_told(receiver: WebhookReceiver, incidents: Sequence[Incident]) -> None:
    assert set(_alerted(receiver)) >= {incident.incident_id for incident in incidents}


def _check(incidents: list[Incident]) -> None:
    numbered = Counter((incident.incident_id, incident.revision) for incident in incidents)
    assert set(numbered.values()) == {1}, "told twice"
    one, two = sorted(_standing(incidents), key=lambda incident: incident.first_frame_at)
    for incident, place, cameras in ((one, FIRE, set(CAMERAS)), (two, OTHER_FIRE, {"cam-a", "cam-b"})):
        assert {sighting.camera_id for sighting in incident.sightings} == cameras
        assert incident.located_by == "crossing"
        assert incident.lon is not None
        assert incident.lat is not None
        assert distance_m((incident.lon, incident.lat), place) < 25
        assert incident.uncertainty_m is not None
        assert incident.uncertainty_m < 500
    assert {incident.incident_id for incident in incidents} == {one.incident_id, two.incident_id}
