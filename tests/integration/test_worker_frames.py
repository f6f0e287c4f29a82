"""`ioc worker --roles frames,incidents` on a real broker: scenes, bad frames, and a kill in between."""

import json
import shutil
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient

from ioc.adapters.evidence import EvidenceStore, evidence_reference, open_evidence
from ioc.broker import EmbeddedKafka
from ioc.frames import FRAMES_TOPIC, MAX_FRAME_BYTES, Frame, encode_frame, sha256_hex
from ioc.incidents import INCIDENTS_TOPIC, Incident
from ioc.settings import Settings
from ioc.simulate.scenes import BUILDING_CAMERA, Scene, demo_scenes
from tests.integration.running import (
    Record,
    Running,
    committed,
    eventually,
    own_broker,
    publish,
    start_worker,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

ROLES = "frames,incidents"
SIZE = {"width": 480, "height": 270}
FRAMES = 26  # the plume begins at 12 and alarms by 16, the house begins at 8 and alarms by 15
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
PLUME, CLEAN_SKY, CLEAN_PLOT = "cam-01", "clean-sky", "clean-plot"


def rendered(camera_id: str, *, frames: int = FRAMES, plume: bool = True, building: bool = True) -> list[bytes]:
    scene = Scene(demo_scenes(7, plume=plume, building=building, **SIZE)[camera_id])
    return [scene.render_jpeg(index) for index in range(frames)]


def frame(camera_id: str, jpeg: bytes, index: int = 0, **changes: Any) -> Frame:
    """One frame a minute, from `START` on."""
    whole = Frame(
        camera_id=camera_id,
        pose_id="p0",
        sequence=index,
        captured_at=START + timedelta(minutes=index),
        sha256=sha256_hex(jpeg),
        jpeg=jpeg,
    )
    return replace(whole, **changes)


def record_of(one: Frame) -> Record:
    key, value, headers = encode_frame(one, province="lam-dong")
    return Record(topic=FRAMES_TOPIC, key=key, value=value, headers=headers)


def in_step(**cameras: Sequence[bytes]) -> list[Record]:
    """The cameras' pictures, all cameras minute by minute."""
    count = max(map(len, cameras.values()))
    return [
        record_of(frame(camera_id.replace("_", "-"), jpegs[index], index))
        for index in range(count)
        for camera_id, jpegs in cameras.items()
    ]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starting catalogue with two more cameras, which look at the same hills without smoke and without building."""
    folder = tmp_path_factory.mktemp("catalog")
    starting = Path(Settings.model_fields["catalog"].get_default())
    shutil.copytree(starting, folder, dirs_exist_ok=True)
    cameras = yaml.safe_load((folder / "cameras.yaml").read_text(encoding="utf-8"))
    cameras[CLEAN_SKY], cameras[CLEAN_PLOT] = cameras[PLUME], cameras[BUILDING_CAMERA]
    (folder / "cameras.yaml").write_text(yaml.safe_dump(cameras, allow_unicode=True), encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class Site:
    """A broker of its own and a worker on it."""

    kafka: EmbeddedKafka
    worker: Running
    evidence: EvidenceStore


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, catalog: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("frames")
    evidence = open_evidence(folder / "state" / "evidence")
    with (
        own_broker(folder) as kafka,
        start_worker(ROLES, broker=kafka.address, folder=folder, IOC_CATALOG=str(catalog)) as worker,
    ):
        yield Site(kafka, worker.await_ready(), evidence)


async def incidents(broker: str, *cameras: str) -> list[Incident]:
    """What was told of these cameras, in the order of the log."""
    told = [Incident.from_json(json.loads(record.value)) for record in await committed(broker, INCIDENTS_TOPIC)]
    return [incident for incident in told if incident.camera_id in cameras]


async def dead_letters(broker: str) -> dict[str, list[dict[str, Any]]]:
    """By the record that they are about: topic/partition/offset."""
    letters = defaultdict(list)
    for record in await committed(broker, "ioc.dead-letters"):
        letter = json.loads(record.value)
        letters[letter["event_ref"]].append(letter)
    return letters


def analysed(worker: Running, *cameras: str) -> int:
    metrics = worker.metrics()
    return int(sum(metrics.total("ioc_frames_total", outcome="analysed", camera=camera) for camera in cameras))


def await_analysed(worker: Running, count: int, *cameras: str, within_s: float = 40) -> None:
    def done() -> None:
        assert analysed(worker, *cameras) == count

    eventually(done, within_s=within_s, alive=[worker])


def await_no_lag(worker: Running, within_s: float = 20) -> None:
    def done() -> None:
        metrics = worker.metrics()
        lag = metrics.by("ioc_consumer_lag_records", "topic")
        assert set(lag) >= {FRAMES_TOPIC, "ioc.camera.detections"}, f"lag is told of {set(lag)} only"
        assert lag.total() == 0, lag

    eventually(done, within_s=within_s, alive=[worker])


# ---- what is in the picture ------------------------------------------------------------------------------------------


async def test_smoke_and_building_become_incidents_with_their_pictures_and_clean_scenes_become_none(site: Site) -> None:
    scenes = {
        "cam_01": rendered(PLUME),
        "cam_02": rendered(BUILDING_CAMERA),
        "clean_sky": rendered(PLUME, plume=False),
        "clean_plot": rendered(BUILDING_CAMERA, building=False),
    }
    await publish(site.kafka.address, in_step(**scenes))
    await_analysed(site.worker, 4 * FRAMES, PLUME, BUILDING_CAMERA, CLEAN_SKY, CLEAN_PLOT)
    await_no_lag(site.worker)
    opened = [i for i in await incidents(site.kafka.address, PLUME, BUILDING_CAMERA) if i.state == "open"]
    assert {(incident.kind, incident.camera_id) for incident in opened} == {
        ("smoke", PLUME),
        ("construction", BUILDING_CAMERA),
    }
    for incident in opened:
        jpeg = site.evidence.get(incident.evidence)
        assert jpeg in scenes[incident.camera_id.replace("-", "_")]
        assert incident.evidence_sha256 == sha256_hex(jpeg)
        assert incident.place_vi
        assert incident.runbook == f"/runbooks/{incident.kind}"
    house = next(incident for incident in opened if incident.kind == "construction")
    assert house.case is not None
    assert house.case.stages, "what the detector saw of the work came with its frames"
    assert await incidents(site.kafka.address, CLEAN_SKY, CLEAN_PLOT) == []


# ---- bad input -------------------------------------------------------------------------------------------------------


def bomb(jpeg: bytes, side_px: int = 20_000) -> bytes:
    at = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg) + 5
    return jpeg[:at] + struct.pack(">HH", side_px, side_px) + jpeg[at + 4 :]


def bad_frames(evidence: EvidenceStore, jpeg: bytes) -> list[tuple[str, Record]]:
    """(expected reason, record), each wrong in one way, nearly all on the partition of cam-03."""

    def of(picture: bytes = jpeg, **changes: Any) -> Record:
        return record_of(frame("cam-03", picture, **changes))

    good = of()
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 20_000, 20_000, 8, 2, 0, 0, 0)
    too_large = jpeg[:-2] + b"\0" * MAX_FRAME_BYTES + b"\xff\xd9"
    not_utf8 = [*good.headers, ("x-operator", b"\xff\xfe\xfa")]
    return [
        ("truncated_jpeg", of(jpeg[: len(jpeg) // 2])),
        ("not_jpeg", of(b"<html>503 camera is restarting</html>")),
        ("not_jpeg", of(png)),
        ("frame_size", of(bomb(jpeg))),
        ("frame_too_large", of(b"", dataref=evidence.put(too_large), sha256=sha256_hex(too_large))),
        ("unknown_camera", record_of(frame("cam-99", jpeg))),
        ("time_in_future", of(captured_at=datetime(2099, 1, 1, tzinfo=UTC))),
        ("time_too_old", of(captured_at=datetime(1970, 1, 1, tzinfo=UTC))),
        ("missing_evidence", of(b"", dataref=evidence_reference("0" * 64))),
        ("bad_dataref", of(b"", dataref="file:///etc/hostname")),
        ("hash_mismatch", of(sha256="0" * 64)),
        ("foreign_source", of(source="/khanh-hoa/camera")),
        ("bad_header", replace(good, headers=not_utf8)),
        ("empty_frame", replace(good, value=b"")),
        ("empty_frame", replace(good, value=None)),
        ("missing_field", replace(good, key=None, headers=())),
        ("missing_field", replace(good, key=b"\xff\xff", headers=())),
        ("bad_time", replace(good, headers=())),
        ("unknown_type", replace(good, headers=[("ce_type", b"vn.ioc.camera.heartbeat.v1")])),
    ]


async def test_every_bad_frame_is_one_dead_letter_in_vietnamese_and_good_frames_go_on(site: Site) -> None:
    jpegs = rendered("cam-03", frames=4)
    before = site.worker.metrics()
    bad = bad_frames(site.evidence, jpegs[0])
    refs = [
        f"{found.topic}/{found.partition}/{found.offset}"
        for found in await publish(site.kafka.address, [record for _, record in bad])
    ]
    without_key = replace(record_of(frame("cam-04", jpegs[0])), key=None)  # the headers say which camera
    in_store = frame("cam-04", b"", 1, dataref=site.evidence.put(jpegs[1]), sha256=sha256_hex(jpegs[1]))
    good = [*in_step(cam_03=jpegs), without_key]
    await publish(site.kafka.address, good)
    await_analysed(site.worker, len(jpegs) + 1, "cam-03", "cam-04")
    await publish(site.kafka.address, [record_of(in_store)])
    await_analysed(site.worker, len(jpegs) + 2, "cam-03", "cam-04")
    await_no_lag(site.worker)

    letters = await dead_letters(site.kafka.address)
    assert set(letters) == set(refs)
    assert {ref: len(found) for ref, found in letters.items()} == dict.fromkeys(refs, 1)
    assert [letters[ref][0]["reason"] for ref in refs] == [reason for reason, _ in bad]
    assert all(letters[ref][0]["message_vi"] and letters[ref][0]["message_en"] for ref in refs)
    after = site.worker.metrics()
    refused = after.total("ioc_frames_total", outcome="rejected") - before.total("ioc_frames_total", outcome="rejected")
    assert refused == len(bad)
    labelled = after.by("ioc_frames_total", "camera")
    assert "cam-99" not in labelled, "a stranger's camera is no label"
    assert labelled["unknown"] >= 3
    memory = after.total("process_resident_memory_bytes")
    assert memory < 1_000_000_000, f"{memory / 1e6:.0f} MB: something was decoded that should not have been"


# ---- kill -9 ---------------------------------------------------------------------------------------------------------


async def frames_committed(broker: str) -> int:
    """How many frames the group has behind it, over all partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets("ioc-frames")
    finally:
        await admin.close()
    return sum(max(0, found.offset) for found in offsets.values())


async def test_a_worker_killed_in_the_middle_of_frames_tells_every_incident_once_and_loses_no_frame(
    tmp_path: Path,
) -> None:
    records = in_step(cam_01=rendered(PLUME, frames=40), cam_02=rendered(BUILDING_CAMERA, frames=40))
    both = (PLUME, BUILDING_CAMERA)
    with own_broker(tmp_path) as kafka:
        with start_worker(ROLES, broker=kafka.address, folder=tmp_path, name="first") as first:
            first.await_ready()
            await publish(kafka.address, records[:50])

            def in_the_middle() -> None:
                assert analysed(first, *both) > 40

            eventually(in_the_middle, within_s=30, alive=[first])
            await publish(kafka.address, records[50:])
            first.kill()
        done = await frames_committed(kafka.address)
        assert done < len(records), "killed too late: nothing was left to do"
        with start_worker(ROLES, broker=kafka.address, folder=tmp_path, name="second") as second:
            second.await_ready()
            await_analysed(second, len(records) - done, *both)
            await_no_lag(second)
            told = await incidents(kafka.address, *both)
            assert second.end() == 0
        assert await frames_committed(kafka.address) == len(records)
    names = [(incident.incident_id, incident.revision) for incident in told]
    assert len(names) == len(set(names)), f"told twice: {[n for n, count in Counter(names).items() if count > 1]}"
    revisions = defaultdict(list)
    for incident in told:
        revisions[incident.incident_id].append(incident.revision)
    assert all(found == list(range(1, len(found) + 1)) for found in revisions.values()), revisions
    opened = {(incident.kind, incident.camera_id) for incident in told if incident.state == "open"}
    assert opened == {("construction", BUILDING_CAMERA), ("smoke", PLUME)}
