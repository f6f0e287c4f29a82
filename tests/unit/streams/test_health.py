"""The worker's HTTP door on a real (loopback) socket."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, Counter

from ioc.errors import ConfigurationError
from streams.health import HealthServer


@dataclass
class Part:
    """What the door is asked about."""

    alive: bool = True
    parts: dict[str, bool] = field(default_factory=lambda: {"events": True, "figures": True})


def get(address: str, path: str) -> tuple[int, str, str]:
    """Returns (status, content type, body)."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


class Door:
    """One server for all tests here (stopping one takes half a second); `part` and `registry` are changed freely."""

    def __init__(self) -> None:
        self.part = Part()
        self.registry = CollectorRegistry()
        self.server = HealthServer(
            "127.0.0.1",
            0,
            registry=self.registry,
            is_alive=lambda: self.part.alive,
            readiness=lambda: self.part.parts,
        )

    def get(self, path: str) -> tuple[int, str, str]:
        return get(self.server.address, path)


@pytest.fixture(scope="module")
def opened() -> Iterator[Door]:
    door = Door()
    door.server.start()
    yield door
    door.server.stop()


@pytest.fixture
def door(opened: Door) -> Door:
    opened.part = Part()
    return opened


def test_healthz_says_whether_a_role_has_died(door: Door) -> None:
    assert door.get("/healthz")[::2] == (200, '{"alive": true}')
    door.part.alive = False
    assert door.get("/healthz")[::2] == (503, '{"alive": false}')


def test_readyz_is_200_only_when_every_part_is_ready_and_names_the_parts(door: Door) -> None:
    door.part.parts = {"events": False, "figures": True}
    status, kind, body = door.get("/readyz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"ready": False, "parts": {"events": False, "figures": True}}
    door.part.parts = {"events": True, "figures": True}
    assert door.get("/readyz")[0] == 200


def test_metrics_are_those_of_the_given_registry_in_prometheus_format(door: Door) -> None:
    Counter("ioc_frames", "Frames", ["camera"], registry=door.registry).labels("cam-01").inc(3)
    status, kind, body = door.get("/metrics?ignored=1")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'ioc_frames_total{camera="cam-01"} 3.0' in body


@pytest.mark.parametrize("path", ["/", "/metricsx", "/../etc/passwd", "/healthz/more"])
def test_any_other_path_is_not_found_and_says_what_there_is(door: Door, path: str) -> None:
    status, _, body = door.get(path)
    assert status == 404
    assert "/readyz" in body


def test_a_client_that_says_nothing_holds_up_nobody(door: Door) -> None:
    host, port = door.server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=5):
        assert door.get("/healthz")[0] == 200


def test_port_zero_picks_a_free_port_and_stopping_gives_it_back() -> None:
    door = Door()
    port = int(door.server.address.split(":")[1])
    assert port > 0
    door.server.start()
    assert door.get("/healthz")[0] == 200
    door.server.stop()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_a_taken_port_is_a_sentence_that_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"can't listen on 127\.0\.0\.1:{port}.*IOC_HTTP_PORT"):
            HealthServer("127.0.0.1", port, registry=CollectorRegistry(), is_alive=lambda: True, readiness=dict)
