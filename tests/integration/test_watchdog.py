"""The dead man's switch with real parts: broker, worker and on-call are processes of their own; one hangs, two die."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import Running, eventually, own_broker, run_ioc, start_ioc, start_worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

ROLES = "frames,incidents,events"
INTERVAL_S = 2.0  # a minute in production
TOLD_S = 2.5 * INTERVAL_S + 7.0  # what the switch promises, and what a busy machine needs besides


def blind(oncall: Running) -> dict[str, Any] | None:
    """The incident of the switch, if there is one; beside it only the exercise may ever be there."""
    status, body = oncall.get("/api/incidents")
    assert status == 200
    found = [i for i in json.loads(body)["incidents"] if i["extra"].get("exercise") != "true"]
    assert {incident["kind"] for incident in found} <= {"canary_silent"}
    return found[0] if found else None


def state(oncall: Running) -> str:
    status, body = oncall.get("/api/incidents")
    assert status == 200
    totals = json.loads(body)["totals"].get("canary_silent", {})
    return ",".join(sorted(totals))


def test_what_dies_is_told_by_on_call_alone_and_a_canary_counts_nowhere(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with own_broker(tmp_path) as broker, start_worker(ROLES, broker=broker.address, folder=tmp_path) as worker:
        worker.await_ready()
        door = {"IOC_ONCALL_CANARY_S": str(INTERVAL_S), "IOC_ONCALL_WORKER_URL": f"{worker.address}/readyz"}
        with start_ioc("oncall", name="oncall", broker=broker.address, folder=tmp_path, **door) as oncall:
            oncall.await_ready()
            _comes_back_and_counts_nowhere(worker, oncall)
            _an_exercise_nobody_takes_has_failed_and_is_over(broker.address, tmp_path, oncall)
            worker.signal(signal.SIGSTOP)
            eventually(lambda: _tells(oncall, "Worker: does not answer"), within_s=TOLD_S, alive=[oncall])
            worker.signal(signal.SIGCONT)
            eventually(lambda: _is(oncall, "resolved"), within_s=60, alive=[oncall, worker])
            worker.kill()
            broker.stop()
            eventually(lambda: _tells(oncall, "takes nothing"), within_s=TOLD_S + 15, alive=[oncall])


def _comes_back_and_counts_nowhere(worker: Running, oncall: Running) -> None:
    def back() -> None:
        shown = oncall.metrics()
        for half in ("frames", "events"):
            assert shown.total("ioc_oncall_canary_seconds_count", half=half) >= 8, half  # two rounds of four parts

    eventually(back, within_s=30, alive=[worker, oncall])
    assert blind(oncall) is None
    counted = worker.metrics()
    for name in ("ioc_frames_total", "ioc_detections_total", "ioc_incidents_total", "ioc_events_total"):
        assert counted.total(name) == 0, name


def _an_exercise_nobody_takes_has_failed_and_is_over(broker: str, folder: Path, oncall: Running) -> None:
    played = run_ioc("oncall", "drill", "--for", "2s", "--json", broker=broker, state=folder / "state", timeout_s=30)
    assert played.returncode == 1, played.stderr
    score = json.loads(played.stdout)
    assert (score["passed"], score["acknowledged_s"], score["state"]) == (False, None, "resolved")
    assert score["first_notice_s"] is not None, "the console took it"
    assert "[DIỄN TẬP]" in oncall.output()
    assert "[EXERCISE]" in oncall.output()


def _tells(oncall: Running, words: str) -> None:
    incident = blind(oncall)
    assert incident is not None, "nothing is told"
    assert state(oncall) == "open"
    assert incident["severity"] == "critical"
    assert "frames and events" in incident["place_en"]
    assert words in incident["extra"]["description_en"]
    assert "THE CENTRE IS BLIND" in oncall.output()


def _is(oncall: Running, wanted: str) -> None:
    assert state(oncall) == wanted
