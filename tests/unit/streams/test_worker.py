"""The worker's own decisions: which roles, what ends it, and that every role is stopped."""

import asyncio
import signal
from pathlib import Path

import pytest

import streams.worker
from ioc.errors import ConfigurationError, TransientError
from streams.worker import ROLES, Worker, parse_roles, stop_on_signals
from tests.unit.domain.making import NOW, catalog


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("frames", ("frames",)),
        ("figures, events", ("events", "figures")),
        ("incidents,frames,incidents,", ("frames", "incidents")),
        (",".join(reversed(ROLES)), ROLES),
    ],
)
def test_roles_come_in_their_natural_order_once_each(text: str, expected: tuple[str, ...]) -> None:
    assert parse_roles(text) == expected


@pytest.mark.parametrize("text", ["", " , ", "frame", "events,figure", "EVENTS"])
def test_an_unknown_role_is_named_with_the_choice(text: str) -> None:
    with pytest.raises(ConfigurationError, match="frames, incidents, events, figures"):
        parse_roles(text)


class Role:
    """A role that ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.is_ready = False
        self.calls: list[str] = []
        self.over = asyncio.Event()
        self.error = error
        self.start_error: Exception | None = None
        self.stop_error: Exception | None = None
        self.is_stuck = False

    async def start(self) -> None:
        self.calls.append("start")
        if self.start_error is not None:
            raise self.start_error
        self.is_ready = True

    async def stop(self) -> None:
        self.calls.append("stop")
        if self.stop_error is not None:
            raise self.stop_error
        if self.is_stuck:
            await asyncio.Event().wait()

    def lag(self) -> dict[str, int]:
        return {"ioc.lgsp.calls": 3}

    async def failed(self) -> None:
        await self.over.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Role]:
    roles = {"events": Role(), "figures": Role()}
    monkeypatch.setattr(streams.worker, "_build", lambda role, **_: roles[role])
    monkeypatch.setattr(streams.worker, "spare_the_collector", lambda: None)  # process wide
    monkeypatch.setattr(streams.worker, "use_slim_records", lambda: None)
    monkeypatch.setattr(streams.worker, "HealthServer", Door)  # the real one takes half a second to stop
    return roles


class Door:
    """The HTTP door, without a socket."""

    def __init__(self, host: str, port: int, **answers: object) -> None:
        self.address = f"{host}:{port}"

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


def a_worker(tmp_path: Path) -> Worker:
    return Worker(
        ("events", "figures"),
        broker="127.0.0.1:1",
        catalog=catalog(),
        clock=lambda: NOW,
        state=tmp_path,
        flush_s=0.5,
        http_host="127.0.0.1",
        http_port=0,
    )


async def test_a_worker_that_is_asked_to_stop_stops_every_role_and_all_went_well(
    tmp_path: Path, made: dict[str, Role]
) -> None:
    stop = asyncio.Event()
    stop.set()
    assert await asyncio.wait_for(a_worker(tmp_path).run(stop=stop), 5)
    assert [role.calls for role in made.values()] == [["start", "stop"]] * 2


@pytest.mark.parametrize(
    ("error", "told"),
    [(TransientError("Kafka is away"), "role figures stopped: Kafka is away"), (None, "it ended by itself")],
    ids=["with a reason", "silently"],
)
async def test_a_role_that_dies_ends_the_worker_with_its_reason(
    tmp_path: Path, made: dict[str, Role], caplog: pytest.LogCaptureFixture, error: Exception | None, told: str
) -> None:
    made["figures"].error = error
    made["figures"].over.set()
    assert not await asyncio.wait_for(a_worker(tmp_path).run(stop=asyncio.Event()), 5)
    assert told in caplog.text
    assert [role.calls for role in made.values()] == [["start", "stop"]] * 2


async def test_a_role_that_cannot_start_is_raised_and_the_started_ones_are_stopped(
    tmp_path: Path, made: dict[str, Role]
) -> None:
    made["figures"].start_error = TransientError("no broker")
    with pytest.raises(TransientError, match="no broker"):
        await asyncio.wait_for(a_worker(tmp_path).run(stop=asyncio.Event()), 5)
    assert made["events"].calls == ["start", "stop"]


async def test_a_role_that_fails_or_hangs_while_stopping_does_not_keep_the_others_from_it(
    tmp_path: Path, made: dict[str, Role], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams.worker, "_STOP_TIMEOUT_S", 0.05)
    made["events"].is_stuck = True
    made["figures"].stop_error = TransientError("can't say goodbye")
    stop = asyncio.Event()
    stop.set()
    assert await asyncio.wait_for(a_worker(tmp_path).run(stop=stop), 5)
    assert "stop events took longer" in caplog.text
    assert "can't say goodbye" in caplog.text


async def test_a_signal_asks_for_the_stop() -> None:
    stop = asyncio.Event()
    stop_on_signals(stop, [signal.SIGUSR1])
    signal.raise_signal(signal.SIGUSR1)
    try:
        await asyncio.wait_for(stop.wait(), 5)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
