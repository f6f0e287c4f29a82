"""Capture against a real broker and real, hostile HTTP servers on loopback."""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from ioc.adapters.evidence import open_evidence
from ioc.adapters.topics import ensure_topics
from ioc.capture.pacing import Pacer
from ioc.capture.publisher import publish_folder
from ioc.capture.snapshots import SnapshotSource, parse_address
from ioc.catalog.topics import TopicSpec
from ioc.clock import system_clock
from ioc.errors import ConfigurationError, PermanentError
from ioc.frames import FRAMES_TOPIC, INLINE_LIMIT_BYTES, MAX_FRAME_BYTES, Frame, decode_frame, inspect_jpeg
from tests.conftest import KafkaForTests
from tests.integration.topic_reading import records_of
from tests.unit.capture.pictures import fill, jpeg, png

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Names = Callable[[str], str]


async def frames_of(address: str, camera_id: str) -> list[Frame]:
    """Every frame of `camera_id` on the topic, which other tests write to as well."""
    records = await records_of(address, FRAMES_TOPIC)
    found = [
        decode_frame(record.key, record.value, record.headers)
        for record in records
        if (record.key or b"").startswith(camera_id.encode() + b":")
    ]
    return sorted(found, key=lambda frame: frame.sequence)


@pytest.fixture
async def broker(kafka: KafkaForTests) -> str:
    await ensure_topics(kafka.address, [TopicSpec(name=FRAMES_TOPIC, partitions=4)])
    return kafka.address


async def test_a_folder_arrives_on_kafka_in_order_with_large_stills_in_the_evidence_store(
    broker: str, fresh_name: Names, tmp_path: Path
) -> None:
    one, two = fresh_name("cam"), fresh_name("cam")
    root = fill(tmp_path / "pictures", {one: ["1.jpg", "2.jpg", "10.jpg"], two: ["1.jpg"]})
    large = jpeg(size_bytes=INLINE_LIMIT_BYTES + 1)
    (root / two / "2.jpg").write_bytes(large)
    (root / two / "3.jpg").write_bytes(png())
    evidence = open_evidence(tmp_path / "evidence")
    seen: list[Frame] = []
    began = datetime.now(UTC)
    report = await publish_folder(
        root, broker=broker, province="lam-dong", fps=50, clock=system_clock, evidence=evidence,
        stop=asyncio.Event(), on_frame=seen.append, is_every_frame=True,
    )  # fmt: skip
    assert (report.published, report.cameras[two].rejected) == (5, {"not_jpeg": 1})
    assert len(seen) == 5
    frames = await frames_of(broker, one)
    assert [frame.jpeg for frame in frames] == [jpeg(mark=f"{one}/{n}.jpg".encode()) for n in (1, 2, 10)]
    assert all(began - timedelta(seconds=1) < frame.captured_at <= datetime.now(UTC) for frame in frames)
    checked = (await frames_of(broker, two))[1]
    assert checked.jpeg == b""
    assert evidence.get(checked.dataref) == large


async def test_a_stop_ends_a_looping_folder_at_once(broker: str, fresh_name: Names, tmp_path: Path) -> None:
    stop = asyncio.Event()
    report = await asyncio.wait_for(
        publish_folder(
            fill(tmp_path, {fresh_name("cam"): ["1.jpg"]}), broker=broker, province="lam-dong", fps=0.01,
            clock=system_clock, evidence=open_evidence("memory:"), stop=stop, on_frame=lambda _: stop.set(),
            is_looping=True,
        ),
        timeout=20,
    )  # fmt: skip
    assert report.published == 1


async def test_a_missing_topic_is_a_sentence_not_a_wait(
    kafka: KafkaForTests, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ioc.capture.publisher.FRAMES_TOPIC", "no.such.topic")
    with pytest.raises(PermanentError, match="ioc topics apply"):
        await publish_folder(
            fill(tmp_path, {"a": ["1.jpg"]}), broker=kafka.address, province="lam-dong", fps=1, clock=system_clock,
            evidence=open_evidence("memory:"), stop=asyncio.Event(), on_frame=lambda _: None,
        )  # fmt: skip


CLI = "import ioc.cli as c; c.COMMAND_MODULES = ('capture', 'dlq'); c.main()"


async def run_ioc(*words: str, state: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "IOC_STATE": str(state)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLI, *words, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_the_command_publishes_and_prints_its_summary_as_json(
    broker: str, fresh_name: Names, tmp_path: Path
) -> None:
    camera = fresh_name("cam")
    root = fill(tmp_path / "root", {"north": ["1.jpg", "2.jpg"]})
    process = await run_ioc(
        "capture", "folder", str(root), "--map", f"north={camera}", "--fps", "20", "--broker", broker, "--json",
        state=tmp_path,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["cameras"][camera] == {"published": 2, "skipped": 0, "rejected": {}, "failed": 0}
    assert [frame.source for frame in await frames_of(broker, camera)] == ["/lam-dong/camera"] * 2


async def test_a_signal_ends_the_command_with_its_summary(broker: str, fresh_name: Names, tmp_path: Path) -> None:
    camera = fresh_name("cam")
    root = fill(tmp_path / "root", {camera: ["1.jpg"]})
    process = await run_ioc(
        "capture", "folder", str(root), "--loop", "--fps", "0.02", "--broker", broker, state=tmp_path
    )
    while not await frames_of(broker, camera):
        assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    out, _ = await asyncio.wait_for(process.communicate(), timeout=10)
    assert process.returncode == 0
    assert f"{camera}: 1 published".encode() in out


# Snapshot addresses


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A real HTTP server; yields its host:port."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


def source(
    address: str,
    *,
    timeout_s: float = 10.0,
    clock: Callable[[], datetime] = system_clock,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    fps: float = 1000,
) -> SnapshotSource:
    return SnapshotSource(
        parse_address(address),
        camera_id="cam-01",
        pose_id="p0",
        clock=clock,
        pacer=Pacer(fps=fps, sleep=sleep),
        timeout_s=timeout_s,
    )


class AskedOnce(Exception):
    """Raised where the source would wait for its second moment."""


async def only_refusal(address: str, *, timeout_s: float = 10.0) -> str:
    """The reason why the first answer of `address` was refused; fails where a still comes instead."""

    async def enough(seconds: float) -> None:
        raise AskedOnce

    camera = source(address, timeout_s=timeout_s, sleep=enough, fps=0.001)
    with pytest.raises(AskedOnce):
        await anext(camera.stills())
    (reason,) = camera.tally.of("cam-01").rejected
    return reason


async def test_a_snapshot_is_captured_when_its_answer_arrives(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[tuple[str | None, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.headers.get("Authorization"), request.path_qs))
        return web.Response(body=jpeg(), content_type="image/jpeg")

    moment = datetime(2026, 11, 22, tzinfo=UTC)
    async with serving(answer) as host:
        stills = source(f"http://admin:s3cret%40@{host}/snap.jpg?ch=1", clock=lambda: moment).stills()
        still = await anext(stills)
        await stills.aclose()
    assert (still.captured_at, still.sequence) == (moment, 0)
    assert inspect_jpeg(still.jpeg) == (640, 480)
    assert asked[0] == ("Basic " + base64.b64encode(b"admin:s3cret@").decode(), "/snap.jpg?ch=1")
    assert "s3cret" not in caplog.text


async def never_ending(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(jpeg(size_bytes=65_536))


async def trickling(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"\xff")
        await asyncio.sleep(0.01)


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def promising_more(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    await response.write(jpeg())
    assert request.transport is not None
    request.transport.close()
    return response


async def announcing_a_giant(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(MAX_FRAME_BYTES + 1)})
    await response.prepare(request)
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def redirecting(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def status_401(request: web.Request) -> web.StreamResponse:
    raise web.HTTPUnauthorized


async def status_500(request: web.Request) -> web.StreamResponse:
    raise web.HTTPInternalServerError


async def slamming(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param(never_ending, "frame_too_large", id="never ends"),
        pytest.param(trickling, "timeout", id="trickles for ever"),
        pytest.param(hanging, "timeout", id="hangs"),
        pytest.param(promising_more, "unreachable", id="promises more than it sends"),
        pytest.param(announcing_a_giant, "frame_too_large", id="announces a giant"),
        pytest.param(redirecting, "redirect", id="redirects"),
        pytest.param(status_401, "unauthorized", id="wants a password"),
        pytest.param(status_500, "http_status", id="fails"),
        pytest.param(slamming, "unreachable", id="slams the door"),
    ],
)
async def test_a_hostile_snapshot_server_is_refused_with_its_reason_and_without_the_password(
    handler: Handler, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    is_slow = reason == "timeout"
    async with serving(handler) as host:
        address = f"http://admin:s3cret@{host}/snap?pwd=s3cret"
        assert await only_refusal(address, timeout_s=0.3 if is_slow else 10) == reason
    assert host in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_compressed_bomb_is_not_inflated(caplog: pytest.LogCaptureFixture) -> None:
    async def bomb(request: web.Request) -> web.Response:
        response = web.Response(body=b"\0" * 20 * MAX_FRAME_BYTES)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serving(bomb) as host:
        still = await anext(stills := source(f"http://{host}/").stills())
        await stills.aclose()
    assert still.jpeg[:2] == b"\x1f\x8b"  # still compressed: no JPEG, for the publisher to refuse
    assert len(still.jpeg) < MAX_FRAME_BYTES


async def test_a_camera_that_comes_back_is_seen_again() -> None:
    answers = iter([500, 503, 200])

    async def recovering(request: web.Request) -> web.Response:
        return web.Response(status=next(answers, 200), body=jpeg())

    async with serving(recovering) as host:
        camera = source(f"http://{host}/")
        still = await anext(stills := camera.stills())
        await stills.aclose()
    assert still.sequence >= 2
    assert camera.tally.of("cam-01").rejected == {"http_status": 2}


async def test_nobody_listening_is_counted(unused_tcp_port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert await only_refusal(f"http://a:s3cret@127.0.0.1:{unused_tcp_port}/") == "unreachable"
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "address",
    ["rtsp://u:s3cret@h/", "file:///etc/passwd", "http://", "http://u:s3cret@h:99999/", "http://[::1", "h/s3cret", ""],
)
def test_another_address_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        parse_address(address)
    assert "s3cret" not in str(refusal.value)


def test_an_address_never_shows_its_credentials() -> None:
    address = parse_address("https://admin:s3cret@[::1]:8443/snap?user=a&pwd=s3cret#s3cret")
    assert str(address) == repr(address) == "SnapshotAddress(https://[::1]:8443/snap?…)"
    assert address.url == "https://[::1]:8443/snap?user=a&pwd=s3cret"
