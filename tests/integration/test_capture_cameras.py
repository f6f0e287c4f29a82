"""`ioc capture cameras` as an operator runs it, on a real broker; and a real RTSP server that is not ours."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
import yaml

from ioc.adapters.topics import ensure_topics
from ioc.capture.child_wire import Failed, Job, Message, Opened, Still
from ioc.capture.supervisor import Nursery, pictures
from ioc.catalog import load_catalog
from ioc.frames import inspect_jpeg
from ioc.settings import Settings
from tests.conftest import KafkaForTests
from tests.integration.rtsp_cameras import serving_camera
from tests.integration.test_capture import frames_of

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).resolve().parents[2]
CLI = "import ioc.cli as c; c.COMMAND_MODULES = ('capture',); c.main()"
PASSWORD = "s3c:r/et@ đ"


def catalogue(folder: Path, cameras: dict[str, dict[str, Any]]) -> Path:
    target = folder / "catalog"
    shutil.copytree(Settings.model_fields["catalog"].get_default(), target)
    registered = yaml.safe_load((target / "cameras.yaml").read_text(encoding="utf-8"))
    some = next(iter(registered.values()))
    (target / "cameras.yaml").write_text(yaml.safe_dump(dict.fromkeys(cameras, some) | registered), "utf-8")
    (target / "capture.yaml").write_text(yaml.safe_dump({"every": "500ms", "cameras": cameras}), "utf-8")
    return target


async def metrics_of(url: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("ioc_capture"))
    return {name: float(value) for name, value in lines}


@pytest.mark.kafka
async def test_cameras_are_published_told_on_metrics_and_a_dead_one_is_named(
    kafka: KafkaForTests, fresh_name: Callable[[str], str], tmp_path: Path, unused_tcp_port: int
) -> None:
    good, dead = fresh_name("cam"), fresh_name("cam")
    secret = tmp_path / "password"
    secret.write_text("s3cret", encoding="utf-8")
    secret.chmod(0o600)
    async with serving_camera() as camera:
        catalog = catalogue(
            tmp_path,
            {
                good: {"url": f"rtsp://127.0.0.1:{camera.port}/live", "user": "u", "password_file": str(secret)},
                dead: {"url": f"rtsp://127.0.0.1:{unused_tcp_port}/live", "pose": "p3"},
            },
        )
        await ensure_topics(kafka.address, load_catalog(catalog).topics())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLI, "capture", "cameras", "--json",
            env={**os.environ, "IOC_STATE": str(tmp_path), "IOC_CATALOG": str(catalog), "IOC_HTTP_PORT": "0",
                 "IOC_BROKER": kafka.address},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().removeprefix("ready ").strip()
        async with asyncio.timeout(60):
            while len(await frames_of(kafka.address, good)) < 3:
                assert process.returncode is None
        told = await metrics_of(url)
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    assert told[f'ioc_capture_online{{camera="{good}"}}'] == 1
    assert told[f'ioc_capture_online{{camera="{dead}"}}'] == 0
    assert told[f'ioc_capture_failures_total{{camera="{dead}",reason="unreachable"}}'] >= 1
    frames = await frames_of(kafka.address, good)
    assert all(inspect_jpeg(frame.jpeg) == (320, 176) for frame in frames)
    assert {frame.pose_id for frame in frames} == {"p0"}
    assert not any(frame.is_replay for frame in frames)
    assert json.loads(out)["cameras"][good]["published"] == len(frames)
    assert "no connection to the camera" in err.decode()
    assert b"s3cret" not in out + err


@contextmanager
def gstreamer(clip: Path, codec: str, **environment: str) -> Iterator[int]:
    """GStreamer's RTSP server (deploy/ensure-rtsp installs it); yields its port."""
    ensured = subprocess.run([ROOT / "deploy" / "ensure-rtsp"], capture_output=True, text=True, check=False)
    assert ensured.returncode == 0, ensured.stderr
    server = subprocess.Popen(
        ["/usr/bin/python3", ROOT / "deploy" / "rtsp" / "serve.py", clip, "--codec", codec],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline().split()[1])
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait(10)


def clip(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream({"h264": "libx264", "mjpeg": "mjpeg"}[codec], rate=10)
        stream.width, stream.height = 320, 176
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "h264":
            stream.options = {"g": "5", "tune": "zerolatency"}
        for index in range(200):
            picture = np.roll(np.tile(np.arange(320, dtype=np.uint8), (176, 1)), index * 3, axis=1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([picture] * 3), format="rgb24")))
        out.mux(stream.encode())
    return path


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


async def first(nursery: Nursery, url: str) -> tuple[list[Still], list[Message]]:
    said: list[Message] = []
    job = Job(url=url, interval_s=0.5, open_timeout_s=10, silence_s=10)
    seen: list[Still] = []
    async with aclosing(pictures(nursery, job, said.append)) as coming:
        async for still in coming:
            seen.append(still)
            if len(seen) == 2:
                break
    return seen, said


async def test_a_camera_that_asks_for_a_password_by_digest_gets_it_whatever_signs_it_has(
    nursery: Nursery, tmp_path: Path
) -> None:
    from ioc.capture.camera_file import camera_address

    with gstreamer(clip(tmp_path / "c.mkv", "h264"), "h264", IOC_RTSP_USER="ioc", IOC_RTSP_PASSWORD=PASSWORD) as port:
        bare = f"rtsp://127.0.0.1:{port}/cam-01"
        right = camera_address(bare, where="url", user="ioc", password=PASSWORD).url
        seen, _ = await first(nursery, right)
        _, refused = await first(nursery, camera_address(bare, where="url", user="ioc", password="wrong").url)
        _, missing = await first(nursery, right.replace("cam-01", "cam-77"))
    assert [inspect_jpeg(still.jpeg) for still in seen] == [(320, 176)] * 2
    assert [message.reason for message in refused if isinstance(message, Failed)] == ["unauthorized"]
    assert [message.reason for message in missing if isinstance(message, Failed)] == ["not_found"]


async def test_motion_jpeg_is_passed_on_without_being_decoded(nursery: Nursery, tmp_path: Path) -> None:
    with gstreamer(clip(tmp_path / "c.mkv", "mjpeg"), "mjpeg") as port:
        seen, said = await first(nursery, f"rtsp://127.0.0.1:{port}/cam-01")
    assert next(message.codec for message in said if isinstance(message, Opened)) == "mjpeg"
    assert [inspect_jpeg(still.jpeg) for still in seen] == [(320, 176)] * 2
