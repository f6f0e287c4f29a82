"""kill -9 of the on-call service around a delivery: nothing is lost, and the receiver can tell a repeat."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.integration.oncall_receivers import SlowReceiver
from tests.unit.oncall.making import NOW, SECRET

pytestmark = pytest.mark.timeout(90)

IOC = [sys.executable, "-c", "from ioc.cli import main; main()", "oncall", "--no-console"]
TOKEN = "only-for-tests-0123456789"
INCIDENT = "alert-ab12"
WAIT_S = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port


@asynccontextmanager
async def service(folder: Path, port: int, receiver: SlowReceiver) -> AsyncIterator[asyncio.subprocess.Process]:
    """`ioc oncall` without Kafka; whatever happens, it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *IOC,
        env={
            **os.environ,
            "IOC_STATE": str(folder),
            "IOC_HTTP_PORT": str(port),
            "IOC_BROKER": "127.0.0.1:1",
            "IOC_ONCALL_WEBHOOK_URL": receiver.url,
            "IOC_ONCALL_WEBHOOK_SECRET": SECRET,
            "IOC_ONCALL_HOOK_TOKEN": TOKEN,
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await answering(port, process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answering(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as http:
        while True:
            assert process.returncode is None, "ioc oncall ended"
            try:
                async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def fire(port: int) -> None:
    """An alert comes in; the answer says that the database has it."""
    alert = {
        "status": "firing",
        "fingerprint": "ab12",
        "startsAt": NOW.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": "ForestStationDown", "severity": "critical"},
        "annotations": {"summary": "A station is down"},
    }
    body = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [alert]}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"http://127.0.0.1:{port}/hooks/alertmanager", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


def keys_of(receiver: SlowReceiver) -> list[str]:
    """The idempotency keys of our incident: a service without Kafka has troubles of its own to tell."""
    return [key for key, incident in zip(receiver.keys, receiver.incidents, strict=True) if incident == INCIDENT]


async def arrived(receiver: SlowReceiver, count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(keys_of(receiver)) < count:
            receiver.arrived.clear()
            await receiver.arrived.wait()


async def test_killed_between_row_written_and_sent_loses_nothing(tmp_path: Path) -> None:
    port, receiver = free_port(), SlowReceiver(port=free_port())  # nobody listens there yet
    async with service(tmp_path, port, receiver) as process:
        await fire(port)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert keys_of(receiver) == []
    await receiver.start()
    async with service(tmp_path, port, receiver):
        await arrived(receiver, 1)
    assert len(keys_of(receiver)) == 1
    await receiver.stop()


async def test_killed_between_sent_and_marked_sends_again_under_the_same_key(tmp_path: Path) -> None:
    port, receiver = free_port(), await SlowReceiver(is_answering=False).start()
    async with service(tmp_path, port, receiver) as process:
        await fire(port)
        await arrived(receiver, 1)  # it has the message, and its answer is still on its way
        process.send_signal(signal.SIGKILL)
        await process.wait()
    receiver.is_answering = True
    async with service(tmp_path, port, receiver):
        await arrived(receiver, 2)
    assert len(set(keys_of(receiver))) == 1
    await receiver.stop()
