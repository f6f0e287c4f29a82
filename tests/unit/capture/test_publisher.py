import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import ClassVar

import numpy as np
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError

from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.capture import publisher as publishing
from ioc.capture.publisher import MAX_IN_FLIGHT, FramePublisher, run_capture
from ioc.capture.stills import CapturedStill, CaptureReport, Tally
from ioc.catalog.cameras import Camera, Mask, Pose
from ioc.errors import PermanentError, TransientError
from ioc.evidence.privacy import Privacy
from ioc.frames import FRAMES_TOPIC, INLINE_LIMIT_BYTES, MAX_FRAME_BYTES, Frame, decode_frame, sha256_hex
from ioc.opencv import cv2
from tests.unit.capture.pictures import jpeg, png
from tests.unit.capture.timekeeping import BEGIN


class FakeProducer:
    """Kafka's producer as the publisher uses it. A test sets `gate` to hold acknowledgements back."""

    instances: ClassVar[list["FakeProducer"]] = []
    full: ClassVar[asyncio.Event]
    topics: ClassVar[set[str]] = {FRAMES_TOPIC}
    start_error: ClassVar[Exception | None] = None
    send_error: ClassVar[Exception | None] = None
    gate: ClassVar[asyncio.Event | None] = None

    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.sent: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = []
        self.is_stopped = False
        self.client = self._sender = self.sender_task = self
        self.instances.append(self)

    async def start(self) -> None:
        if self.start_error:
            raise self.start_error

    async def fetch_all_metadata(self) -> "FakeProducer":
        return self

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.topics else None

    async def send_and_wait(self, topic: str, *, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        self.sent.append((key, value, headers))
        if len(self.sent) == MAX_IN_FLIGHT:
            self.full.set()
        if self.gate:
            await self.gate.wait()
        if self.send_error:
            raise self.send_error

    def cancel(self) -> None:
        pass

    async def stop(self) -> None:
        self.is_stopped = True


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> type[FakeProducer]:
    class Fresh(FakeProducer):
        instances: ClassVar[list[FakeProducer]] = []
        full = asyncio.Event()

    monkeypatch.setattr(publishing, "AIOKafkaProducer", Fresh)
    return Fresh


class Stills:
    """A source of given bytes, one second apart."""

    warnings = ("a note",)
    total = None

    def __init__(self, *pictures: bytes, is_endless: bool = False) -> None:
        self.tally = Tally(["cam-01"])
        self._pictures, self._is_endless = pictures, is_endless

    async def stills(self) -> AsyncGenerator[CapturedStill, None]:
        for number, picture in enumerate(self._pictures):
            yield CapturedStill(camera_id="cam-01", pose_id="p0", jpeg=picture, captured_at=BEGIN, sequence=number)
        if self._is_endless:
            await asyncio.Event().wait()


async def publish(
    source: Stills,
    *,
    evidence: EvidenceStore | None = None,
    is_checked: bool = True,
    on_frame: Callable[[Frame], None] | None = None,
    stop: asyncio.Event | None = None,
    privacy: Privacy | None = None,
    **run: float,
) -> CaptureReport:
    publisher = FramePublisher(
        broker="127.0.0.1:1",
        province="lam-dong",
        evidence=evidence or open_evidence("memory:"),
        tally=source.tally,
        is_checked=is_checked,
        on_frame=on_frame,
        privacy=privacy,
    )
    return await run_capture(source, publisher, stop=stop or asyncio.Event(), **run)  # type: ignore[arg-type]  # a table


async def test_a_still_becomes_a_frame_with_its_key_and_headers(producer: type[FakeProducer]) -> None:
    frames: list[Frame] = []
    report = await publish(Stills(jpeg()), on_frame=frames.append)
    ((key, value, headers),) = producer.instances[0].sent
    assert decode_frame(key, value, headers).jpeg == jpeg()
    assert key == b"cam-01:p0"
    assert [frame.captured_at for frame in frames] == [BEGIN]
    assert report.published == report.cameras["cam-01"].published == 1
    assert report.warnings == ("a note",)


async def test_the_producer_waits_for_all_replicas_and_never_repeats(producer: type[FakeProducer]) -> None:
    await publish(Stills(jpeg()))
    settings = producer.instances[0].settings
    assert settings["acks"] == "all"
    assert settings["enable_idempotence"] is True
    assert isinstance(settings["max_request_size"], int)
    assert settings["max_request_size"] > 2 * INLINE_LIMIT_BYTES


@pytest.mark.parametrize(
    ("size_bytes", "is_claim_check"),
    [(INLINE_LIMIT_BYTES, False), (INLINE_LIMIT_BYTES + 1, True), (MAX_FRAME_BYTES, True)],
)
async def test_a_large_still_travels_as_a_claim_check(
    producer: type[FakeProducer], size_bytes: int, is_claim_check: bool
) -> None:
    evidence, still = open_evidence("memory:"), jpeg(size_bytes=size_bytes)
    await publish(Stills(still), evidence=evidence)
    frame = decode_frame(*producer.instances[0].sent[0])
    assert bool(frame.dataref) is is_claim_check
    assert (evidence.get(frame.dataref) if is_claim_check else frame.jpeg) == still
    assert frame.sha256 == sha256_hex(still)


AREA = Mask(kind="private", polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
PRIVATE = Privacy({"cam-01": Camera(camera_id="cam-01", name_vi="", poses={"p0": Pose(pose_id="p0", masks=(AREA,))})})


@pytest.mark.parametrize(("width", "is_claim_check"), [(320, False), (1600, True)])
async def test_what_is_private_is_on_no_frame_and_in_no_store(
    producer: type[FakeProducer], width: int, is_claim_check: bool
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (width // 2, width, 3), np.uint8)
    evidence, still = open_evidence("memory:"), bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    assert (len(still) > INLINE_LIMIT_BYTES) is is_claim_check
    report = await publish(Stills(still, jpeg()), evidence=evidence, privacy=PRIVATE)
    ((key, value, headers),) = producer.instances[0].sent
    frame = decode_frame(key, value, headers)
    kept = evidence.get(frame.dataref) if frame.dataref else frame.jpeg
    assert kept == PRIVATE.masked("cam-01", "p0", still) != still
    assert frame.sha256 == sha256_hex(kept)
    assert bool(frame.dataref) is is_claim_check
    assert report.cameras["cam-01"].rejected == {"undecodable_jpeg": 1}, "what can't be masked is not published"


HOSTILE = {
    "not_jpeg": png(),
    "frame_size": jpeg(20_000, 20_000),
    "truncated_jpeg": jpeg(size_bytes=500)[:300],
    "frame_too_large": jpeg(size_bytes=MAX_FRAME_BYTES + 1),
}


async def test_hostile_stills_are_counted_by_reason_and_not_sent(producer: type[FakeProducer]) -> None:
    report = await publish(Stills(*HOSTILE.values(), jpeg()))
    assert report.cameras["cam-01"].rejected == dict.fromkeys(HOSTILE, 1)
    assert (report.published, report.rejected) == (1, 4)
    assert len(producer.instances[0].sent) == 1


async def test_without_the_check_they_are_sent_to_test_the_worker(producer: type[FakeProducer]) -> None:
    report = await publish(Stills(*HOSTILE.values()), is_checked=False)
    assert (report.published, report.rejected) == (4, 0)


async def test_publishing_waits_while_too_many_frames_are_on_their_way(producer: type[FakeProducer]) -> None:
    producer.gate = asyncio.Event()
    source = Stills(*[jpeg()] * (3 * MAX_IN_FLIGHT))
    running = asyncio.create_task(publish(source))
    await producer.full.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(producer.instances[0].sent) == MAX_IN_FLIGHT
    producer.gate.set()
    assert (await running).published == 3 * MAX_IN_FLIGHT


async def test_a_stop_ends_it_though_the_camera_is_silent(producer: type[FakeProducer]) -> None:
    stop = asyncio.Event()
    report = await publish(Stills(jpeg(), is_endless=True), stop=stop, on_frame=lambda _: stop.set())
    assert report.published == 1
    assert producer.instances[0].is_stopped


async def test_it_ends_by_itself_after_a_count_or_a_time(producer: type[FakeProducer]) -> None:
    assert (await publish(Stills(*[jpeg()] * 9), count=3)).published == 3
    assert (await publish(Stills(jpeg(), is_endless=True), for_s=0.01)).published == 1


@pytest.mark.parametrize("error", [KafkaTimeoutError(), MessageSizeTooLargeError()])
async def test_a_frame_that_kafka_does_not_take_is_counted_as_failed(
    producer: type[FakeProducer], error: Exception
) -> None:
    producer.send_error = error
    report = await publish(Stills(jpeg(), jpeg()))
    assert (report.published, report.failed) == (0, 2)


async def test_what_is_not_acknowledged_at_the_end_counts_as_failed(
    producer: type[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "DRAIN_TIMEOUT_S", 0.01)
    producer.gate = asyncio.Event()
    report = await publish(Stills(jpeg(), jpeg()))
    assert (report.published, report.failed) == (0, 2)
    assert producer.instances[0].is_stopped


@pytest.mark.parametrize("error", [KafkaConnectionError(), TimeoutError(), OSError("no such host")])
async def test_a_missing_broker_is_a_sentence_and_leaves_nothing_open(
    producer: type[FakeProducer], error: Exception
) -> None:
    producer.start_error = error
    with pytest.raises(TransientError, match=r"no Kafka answers at 127.0.0.1:1; start one with: ioc broker"):
        await publish(Stills(jpeg()))
    assert producer.instances[0].is_stopped


async def test_a_missing_topic_is_a_sentence(producer: type[FakeProducer]) -> None:
    producer.topics = set()
    with pytest.raises(PermanentError, match=r"has no topic ioc.camera.frames; create the topics"):
        await publish(Stills(jpeg()))
    assert producer.instances[0].is_stopped


class FullStore(EvidenceStore):
    def __init__(self) -> None:
        pass

    def put_passing(self, jpeg: bytes) -> str:
        raise TransientError("the evidence store can't keep a still: disk full")


async def test_a_full_evidence_store_ends_the_run_with_its_sentence(producer: type[FakeProducer]) -> None:
    with pytest.raises(TransientError, match="disk full"):
        await publish(Stills(jpeg(size_bytes=INLINE_LIMIT_BYTES + 1), jpeg()), evidence=FullStore())
    assert producer.instances[0].is_stopped


async def test_the_report_adds_up_and_is_plain_json(producer: type[FakeProducer]) -> None:
    report = await publish(Stills(jpeg(), png()))
    assert report.as_json() == {
        "published": 1,
        "skipped": 0,
        "rejected": 1,
        "failed": 0,
        "elapsed_s": pytest.approx(report.elapsed_s, abs=0.001),
        "cameras": {"cam-01": {"published": 1, "skipped": 0, "rejected": {"not_jpeg": 1}, "failed": 0}},
        "warnings": ["a note"],
    }
