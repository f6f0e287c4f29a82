"""The frames role without Kafka: what is seen, what is refused, and what an error costs."""

import asyncio
import struct
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from prometheus_client import CollectorRegistry

from detectors.base import BgrImage, Candidate, Observation
from ioc.adapters.evidence import EvidenceStore, evidence_reference, open_evidence
from ioc.canary import canary_source
from ioc.dead_letters import DEAD_LETTERS_TOPIC
from ioc.detections import DETECTIONS_TOPIC, Box, Detection
from ioc.errors import InvalidRecord, TransientError
from ioc.frames import FRAMES_TOPIC, MAX_FRAME_BYTES, Frame, encode_frame, sha256_hex
from ioc.oncall.canary import draw
from ioc.opencv import cv2
from streams import frames_to_detections, pose_watch
from streams.frame_lanes import FrameLimits
from streams.frames_to_detections import FramesRole
from streams.metrics import PipelineMetrics
from streams.pose_watch import PoseWatch
from tests.unit.domain.making import NOW, catalog

AT = NOW - timedelta(minutes=10)


def a_jpeg(width: int = 64, height: int = 48, seed: int = 1) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def a_png() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes())


JPEG = a_jpeg()


def bomb(side_px: int) -> bytes:
    """A real JPEG whose header says that it is `side_px` square."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", side_px, side_px) + JPEG[at + 4 :]


def a_frame(jpeg: bytes = JPEG, **changes: Any) -> Frame:
    frame = Frame(
        camera_id="cam-01",
        pose_id="p0",
        sequence=0,
        captured_at=AT,
        sha256=sha256_hex(jpeg) if jpeg else "",
        jpeg=jpeg,
        source="/lam-dong/camera",
    )
    return replace(frame, **changes)


class Fire:
    """A detector that sees a fire on every frame, or raises what it is told to."""

    name, version = "fire", "1"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[tuple[int, ...]] = []

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if self.error is not None:
            raise self.error
        self.seen.append(image.shape)
        candidate = Candidate(
            label="fire",
            tier="alarm",
            score=0.9,
            box=Box(0.75, 0.5, 0.1, 0.1),
            first_seen_at=at - timedelta(seconds=30),
        )
        return Observation(candidates=(candidate,), rejected={"too_small": 2})


@dataclass
class Bench:
    """A pose watch with a detector of the test's own, a store in memory and a registry."""

    evidence: EvidenceStore = field(default_factory=lambda: open_evidence("memory:"))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    detector: Fire = field(default_factory=Fire)

    def __post_init__(self) -> None:
        self.metrics = PipelineMetrics(self.registry)
        self.watch = PoseWatch(catalog=catalog(), evidence=self.evidence, clock=lambda: NOW, metrics=self.metrics)

    def frames(self, camera: str, outcome: str) -> float:
        return self.registry.get_sample_value("ioc_frames_total", {"camera": camera, "outcome": outcome}) or 0


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench()
    monkeypatch.setattr(pose_watch, "build_detectors", lambda camera, pose_id, detectors: (bench.detector,))
    return bench


# ---- what is refused -------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Frame, str]] = [
    ("truncated", a_frame(JPEG[: len(JPEG) // 2]), "truncated_jpeg"),
    ("cut in its header", a_frame(JPEG[:20]), "truncated_jpeg"),
    ("text", a_frame(b"<html>404 Not Found</html>"), "not_jpeg"),
    ("a PNG under a JPEG's name", a_frame(a_png()), "not_jpeg"),
    ("too many bytes", a_frame(JPEG[:-2] + b"\0" * MAX_FRAME_BYTES + b"\xff\xd9"), "frame_too_large"),
    ("20,000 pixels square", a_frame(bomb(20_000)), "frame_size"),
    ("too small to see anything", a_frame(a_jpeg(8, 8)), "frame_size"),
    ("an unknown camera", a_frame(camera_id="cam-99"), "unknown_camera"),
    ("another province's source", a_frame(source="/khanh-hoa/camera"), "foreign_source"),
    ("another department's source", a_frame(source="/lam-dong/onestop"), "foreign_source"),
    ("a source that only begins like ours", a_frame(source="/lam-dong/cameras"), "foreign_source"),
    ("a time of 2099", a_frame(captured_at=datetime(2099, 1, 1, tzinfo=UTC)), "time_in_future"),
    ("a time 16 minutes ahead", a_frame(captured_at=NOW + timedelta(minutes=16)), "time_in_future"),
    ("a time of 1970", a_frame(captured_at=datetime(1970, 1, 1, tzinfo=UTC)), "time_too_old"),
    ("a hash that does not match", a_frame(sha256="0" * 64), "hash_mismatch"),
    ("a claim check to nowhere", a_frame(b"", dataref=evidence_reference("1" * 64)), "missing_evidence"),
    ("a claim check to a file", a_frame(b"", dataref="file:///etc/passwd"), "bad_dataref"),
    ("a claim check to a host", a_frame(b"", dataref="http://127.0.0.1/x.jpg"), "bad_dataref"),
]


@pytest.mark.parametrize(("frame", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_frame_is_refused_with_its_reason_in_both_languages(bench: Bench, frame: Frame, reason: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        bench.watch.look(frame)
    assert refused.value.reason == reason
    assert refused.value.vi
    assert refused.value.en
    assert bench.detector.seen == []
    assert bench.watch.look(a_frame()), "the next good frame is looked at"


def test_an_image_bomb_is_refused_before_anything_is_decoded(bench: Bench) -> None:
    frame = a_frame(bomb(20_000))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRecord, match="frame_size"):
            bench.watch.look(frame)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_a_picture_whose_data_is_broken_is_refused_or_looked_at_but_never_stops_anything(bench: Bench) -> None:
    """libjpeg repairs what it can; what it can't is `undecodable_jpeg`."""
    rng = np.random.default_rng(3)
    reasons: set[str] = set()
    for _ in range(40):
        broken = bytearray(JPEG)
        for place in rng.integers(2, len(JPEG) - 2, 30):
            broken[int(place)] = int(rng.integers(0, 256))
        reasons.add(refusal(bench, a_frame(bytes(broken))))
    assert reasons <= {"", "undecodable_jpeg", "truncated_jpeg", "frame_size", "not_jpeg"}


def refusal(bench: Bench, frame: Frame) -> str:
    """The reason why a frame is refused, "" where it is looked at."""
    try:
        bench.watch.look(frame)
    except InvalidRecord as error:
        return error.reason
    return ""


def test_a_pose_id_that_is_a_running_number_ends_in_a_reason_not_in_full_memory(bench: Bench) -> None:
    watch = PoseWatch(catalog=catalog(), evidence=bench.evidence, clock=lambda: NOW, metrics=bench.metrics, max_poses=3)
    for number in range(3):
        watch.look(a_frame(pose_id=str(number)))
    with pytest.raises(InvalidRecord, match="too_many_poses"):
        watch.look(a_frame(pose_id="3"))
    assert watch.look(a_frame(pose_id="2")), "known poses go on"


# ---- what is seen ----------------------------------------------------------------------------------------------------


def test_a_good_frame_becomes_detections_with_evidence_and_bearing(bench: Bench) -> None:
    (detection,) = bench.watch.look(a_frame())
    assert (detection.label, detection.tier, detection.camera_id, detection.pose_id) == (
        "fire",
        "alarm",
        "cam-01",
        "p0",
    )
    assert bench.evidence.get(detection.frame_ref) == JPEG
    assert detection.frame_sha256 == sha256_hex(JPEG)
    assert detection.persisted_s == 30
    assert detection.azimuth_deg == 341.1, "325° + atan(½ tan 30°): a box a quarter to the right in 60° of view"
    assert bench.frames("cam-01", "analysed") == 1
    value = bench.registry.get_sample_value
    assert value("ioc_detections_total", {"detector": "fire", "tier": "alarm", "camera": "cam-01"}) == 1
    assert value("ioc_detections_rejected_total", {"detector": "fire", "reason": "too_small"}) == 2


def test_the_same_frame_again_gives_the_same_detection_ids(bench: Bench) -> None:
    assert bench.watch.look(a_frame()) == bench.watch.look(a_frame())


def test_a_claim_check_is_followed_into_the_store(bench: Bench) -> None:
    reference = bench.evidence.put(JPEG)
    (detection,) = bench.watch.look(a_frame(b"", dataref=reference, sha256=sha256_hex(JPEG)))
    assert detection.frame_ref == reference
    with pytest.raises(InvalidRecord, match="hash_mismatch"):
        bench.watch.look(a_frame(b"", dataref=reference, sha256="0" * 64))


@pytest.mark.parametrize("source", ["", "/lam-dong/camera", "/lam-dong/camera/gate-4"])
def test_our_own_sources_and_none_are_let_in(bench: Bench, source: str) -> None:
    assert bench.watch.look(a_frame(source=source))


def test_a_frame_not_newer_than_the_last_counts_as_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()  # with the real detectors
    bench.watch.look(a_frame())
    bench.watch.look(a_frame())
    assert (bench.frames("cam-01", "analysed"), bench.frames("cam-01", "repeated")) == (1, 1)


# ---- the agent's boundary --------------------------------------------------------------------------------------------


class Producer:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []

    async def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Any:
        self.sent.append((topic, key, value, headers))
        return _nothing()

    async def send_and_wait(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self.sent.append((topic, key, value, headers))

    def letters(self) -> list[dict[str, Any]]:
        return [orjson.loads(value) for topic, _, value, _ in self.sent if topic == DEAD_LETTERS_TOPIC]

    def detections(self) -> list[Detection]:
        return [Detection.from_json(orjson.loads(v)) for topic, _, v, _ in self.sent if topic == DETECTIONS_TOPIC]


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Message:
    """What Faust hands to the agent."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] | None
    topic: str = FRAMES_TOPIC
    partition: int = 2
    offset: int = 41
    timestamp: float = NOW.timestamp()


class Event:
    def __init__(self, message: Message) -> None:
        self.message, self.acked = message, asyncio.Event()

    def ack(self) -> None:
        self.acked.set()


def message_of(frame: Frame) -> Message:
    return Message(*encode_frame(frame, province="lam-dong"))


@dataclass
class RoleBench:
    role: FramesRole
    bench: Bench
    producer: Producer

    async def take(self, message: Message) -> None:
        """As the agent takes it; returns when it is acknowledged."""
        event = Event(message)
        await self.role._take(event)
        await asyncio.wait_for(event.acked.wait(), 20)


@pytest.fixture
def roles(bench: Bench, tmp_path: Path) -> RoleBench:
    role = FramesRole(
        broker="127.0.0.1:1",
        catalog=catalog(),
        clock=lambda: NOW,
        metrics=bench.metrics,
        folder=tmp_path / "faust",
        state=tmp_path,
    )
    producer = Producer()
    role._producer, role._watch = producer, bench.watch
    return RoleBench(role, bench, producer)


async def test_a_frames_detections_are_sent_under_its_pose(roles: RoleBench) -> None:
    await roles.take(message_of(a_frame()))
    (detection,) = roles.producer.detections()
    topic, key, _, headers = roles.producer.sent[0]
    assert (topic, key) == (DETECTIONS_TOPIC, b"cam-01:p0")
    assert dict(headers)["ce_id"] == detection.detection_id.encode()
    assert detection.frame_at == AT


BAD_RECORDS: list[tuple[str, Message, str]] = [
    ("no value and no claim check", Message(b"cam-01:p0", None, ()), "empty_frame"),
    ("an empty value", Message(b"cam-01:p0", b"", ()), "empty_frame"),
    ("no key, no headers", Message(None, JPEG, None), "missing_field"),
    ("a key without a pose", Message(b"cam-01", JPEG, ()), "missing_field"),
    ("a header that is not UTF-8", Message(b"cam-01:p0", JPEG, [("ce_source", b"\xff\xfe")]), "bad_header"),
    ("another type", Message(b"cam-01:p0", JPEG, [("ce_type", b"vn.ioc.camera.heartbeat.v1")]), "unknown_type"),
    ("no time", Message(b"cam-01:p0", JPEG, ()), "bad_time"),
    ("a time without offset", Message(b"cam-01:p0", JPEG, [("ce_time", b"2026-11-22T08:00:00")]), "bad_time"),
    ("not a picture", message_of(a_frame(b"no picture")), "not_jpeg"),
]


@pytest.mark.parametrize(
    ("message", "reason"), [case[1:] for case in BAD_RECORDS], ids=[case[0] for case in BAD_RECORDS]
)
async def test_a_bad_record_becomes_one_dead_letter_with_the_original(
    roles: RoleBench, message: Message, reason: str
) -> None:
    await roles.take(message)
    (letter,) = roles.producer.letters()
    assert letter["reason"] == reason
    assert letter["message_vi"]
    assert letter["event_ref"] == f"{FRAMES_TOPIC}/2/41"
    assert letter["original_bytes"] == len(message.value or b"")
    assert roles.producer.detections() == []


async def test_a_refused_frame_counts_under_its_camera_only_where_that_is_known(roles: RoleBench) -> None:
    await roles.take(message_of(a_frame(b"no picture")))
    await roles.take(message_of(a_frame(camera_id="somebody-elses")))
    assert roles.bench.frames("cam-01", "rejected") == 1
    assert roles.bench.frames("unknown", "rejected") == 1
    assert roles.bench.frames("somebody-elses", "rejected") == 0, "labels are bounded"


@pytest.mark.parametrize(
    "error",
    [ValueError("a defect"), MemoryError(), cv2.error("bad argument"), RecursionError(), TransientError("disk away")],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_in_a_detector_costs_one_frame_not_the_worker(
    roles: RoleBench, error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames_to_detections, "_RETRY_PAUSES_S", (0.0, 0.0))
    roles.bench.detector.error = error
    await roles.take(message_of(a_frame()))
    (letter,) = roles.producer.letters()
    assert letter["reason"] == "internal_error"
    assert f"frame {FRAMES_TOPIC}/2/41" in caplog.text
    roles.bench.detector.error = None
    await roles.take(message_of(a_frame()))
    assert len(roles.producer.detections()) == 1


async def test_a_frame_waits_while_the_evidence_store_is_away(
    roles: RoleBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def look(self: PoseWatch, frame: Frame) -> list[Detection]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TransientError("the disk is full")
        return original(self, frame)

    original = PoseWatch.look
    monkeypatch.setattr(frames_to_detections, "_RETRY_PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(PoseWatch, "look", look)
    await roles.take(message_of(a_frame()))
    assert tries == 3
    assert not roles.producer.letters()
    assert len(roles.producer.detections()) == 1


async def test_a_role_that_has_not_started_is_not_ready_and_has_no_lag(bench: Bench, tmp_path: Path) -> None:
    role = FramesRole(
        broker="127.0.0.1:1",
        catalog=catalog(),
        clock=lambda: NOW,
        metrics=bench.metrics,
        folder=tmp_path / "faust",
        state=tmp_path,
    )
    assert not role.is_ready
    assert role.lag() == {}


async def test_a_frame_that_gave_way_is_counted_and_acknowledged_and_the_newest_is_looked_at(
    bench: Bench, tmp_path: Path
) -> None:
    role = FramesRole(
        broker="127.0.0.1:1",
        catalog=catalog(),
        clock=lambda: NOW,
        metrics=bench.metrics,
        folder=tmp_path / "faust",
        state=tmp_path,
        limits=FrameLimits(late_s=20, max_age_s=3600),
    )
    producer = Producer()
    role._producer, role._watch = producer, bench.watch
    times = [NOW - timedelta(seconds=seconds) for seconds in (60, 50, 40, 1)]
    events = [
        Event(replace(message_of(a_frame(captured_at=at)), offset=index, timestamp=at.timestamp()))
        for index, at in enumerate(times)
    ]
    for event in events:
        await role._take(event)
    for event in events:
        await asyncio.wait_for(event.acked.wait(), 20)
    assert bench.frames("cam-01", "skipped") + bench.frames("cam-01", "analysed") == 4
    assert bench.frames("cam-01", "skipped") >= 2
    assert producer.detections()[-1].frame_at == times[-1]
    assert producer.letters() == []


@pytest.mark.parametrize(
    ("changes", "is_refused"),
    [
        pytest.param({"captured_at": NOW - timedelta(hours=24)}, True, id="yesterday"),
        pytest.param({"captured_at": NOW - timedelta(hours=24), "is_replay": True}, False, id="declared replay"),
        pytest.param({"captured_at": NOW - timedelta(minutes=59)}, False, id="within the limit"),
    ],
)
async def test_a_frame_of_yesterday_is_refused_unless_it_is_a_replay(
    bench: Bench, changes: dict[str, Any], is_refused: bool
) -> None:
    watch = PoseWatch(
        catalog=catalog(), evidence=bench.evidence, clock=lambda: NOW, metrics=bench.metrics, max_age_s=3600
    )
    if is_refused:
        with pytest.raises(InvalidRecord, match="frame_too_old"):
            watch.look(a_frame(**changes))
    else:
        assert watch.look(a_frame(**changes))


# ---- canaries --------------------------------------------------------------------------------------------------------


def a_canary(jpeg: bytes, **changes: Any) -> Frame:
    return a_frame(jpeg, **{"camera_id": "canary", "pose_id": "9", "source": canary_source("lam-dong"), **changes})


def test_a_canary_is_seen_by_its_mark_alone_counts_nowhere_and_leaves_no_picture(bench: Bench) -> None:
    (seen,) = bench.watch.look(a_canary(draw(4_000_000_000), captured_at=NOW + timedelta(days=1)))
    assert (seen.label, seen.pose_id, seen.cues, seen.frame_ref) == ("canary", "9", ("4000000000",), "")
    assert bench.watch.look(a_canary(JPEG)) == []
    assert bench.detector.seen == []
    assert bench.frames("canary", "analysed") == 0
    assert bench.registry.get_sample_value("ioc_detections_total") is None


def test_who_only_calls_himself_canary_is_an_unknown_camera(bench: Bench) -> None:
    with pytest.raises(InvalidRecord, match="unknown_camera"):
        bench.watch.look(a_canary(draw(1), source="/lam-dong/camera"))


def test_a_canary_that_can_not_be_decoded_is_refused_like_any_frame(bench: Bench) -> None:
    with pytest.raises(InvalidRecord, match="truncated_jpeg"):
        bench.watch.look(a_canary(draw(1)[:200]))
