"""`ioc demo` as a newcomer runs it: alerts, no false ones, and nothing left behind however it ends."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.running import Running, eventually, start_ioc

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

START_S = 60.0  # broker, topics, worker and on-call; 12 s on two quiet cores


@contextmanager
def demo(*arguments: str, name: str, folder: Path) -> Iterator[Running]:
    """A demo in the background with its own broker; whatever is left of its processes is killed at the end."""
    with start_ioc("demo", *arguments, name=name, broker="", folder=folder) as running:
        family = Family(running)
        try:
            yield running
        finally:
            family.watch()
            if running.is_running:
                running.kill()
            family.kill()


class Family:
    """Every process that a demo has ever been seen to have."""

    def __init__(self, running: Running) -> None:
        self._top = psutil.Process(running.pid)
        self.seen: set[psutil.Process] = set()

    def watch(self) -> set[psutil.Process]:
        """Adds who is there now; returns everybody seen so far."""
        with suppress(psutil.NoSuchProcess):
            self.seen.update(self._top.children(recursive=True))
        return self.seen

    def left(self, within_s: float) -> list[psutil.Process]:
        """Who is still there after `within_s` seconds."""
        still: list[psutil.Process] = psutil.wait_procs(self.seen, timeout=within_s)[1]
        return still

    def kill(self) -> None:
        for process in self.seen:
            if process.is_running():  # compares the start time too: a process id may have been given again
                process.kill()


def programs(processes: set[psutil.Process]) -> set[str]:
    """What the processes are: `java` and the first word after `ioc`."""
    found = set()
    for process in processes:
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if words and words[0].endswith("java"):
            found.add("java")
        elif "ioc" in words:
            found.add(words[words.index("ioc") + 1])
    return found


def await_whole(family: Family, running: Running) -> None:
    """Returns once everything that a demo consists of runs."""

    def whole() -> None:
        assert programs(family.watch()) >= {"java", "worker", "oncall", "simulate"}

    eventually(whole, within_s=START_S, alive=[running])


def await_java(family: Family, running: Running) -> None:
    def there() -> None:
        assert "java" in programs(family.watch())

    eventually(there, within_s=START_S, alive=[running])


# ---- two whole runs, at the same time --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A demo that has ended by itself, and what it wrote down."""

    log: str
    code: int | None
    output: str
    summary: dict[str, Any]


def result(running: Running, path: Path, within_s: float) -> Run:
    running.process.wait(within_s)
    written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Run(log=running.log(), code=running.code, output=running.output(), summary=written)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run with plume and building, and beside it one without: the second finds its ports taken and takes others."""
    folder = tmp_path_factory.mktemp("demo")
    full, clean = folder / "full.json", folder / "clean.json"
    with demo("--for", "40s", "--summary", str(full), name="full", folder=folder) as first:
        await_whole(Family(first), first)  # the ports are probed before the services take them
        arguments = ("--no-plume", "--no-building", "--for", "30s", "--summary", str(clean))
        with demo(*arguments, name="clean", folder=folder) as second:
            return {"full": result(first, full, 40 + 40), "clean": result(second, clean, START_S + 30)}


@pytest.mark.parametrize("name", ["full", "clean"])
def test_a_demo_ends_by_itself_with_code_0(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    assert run.code == 0, f"{run.log}\n{run.output[-3000:]}"
    assert "Traceback" not in run.log


def test_smoke_and_construction_are_alerted_in_one_run(runs: dict[str, Run]) -> None:
    found = runs["full"].summary
    assert found["incidents"]["smoke"] >= 1, found
    assert found["incidents"]["construction"] >= 1, found
    assert found["alerts_delivered"] >= 2
    assert 0 < found["first_frame_to_alert_s"] < 30
    kinds = {incident["kind"]: incident for incident in found["incident_list"]}
    assert kinds["construction"]["permit_rule"] == "no_permit"
    assert all(incident["place_vi"] and incident["evidence"] for incident in kinds.values())


def test_scenes_without_smoke_and_building_alert_nobody(runs: dict[str, Run]) -> None:
    found = runs["clean"].summary
    assert (found["incidents"]["smoke"], found["incidents"]["construction"]) == (0, 0), found["incident_list"]
    assert found["alerts_delivered"] == 0
    assert found["first_frame_to_alert_s"] is None
    assert found["frames"] >= 4 * 15, "four cameras, a frame a second"


@pytest.mark.parametrize("name", ["full", "clean"])
def test_every_event_is_accounted_for_and_sixty_figures_are_shown(runs: dict[str, Run], name: str) -> None:
    found = runs[name].summary
    events = found["events"]
    assert events["in"] == events["accepted"] + events["duplicate"] + events["rejected"]
    assert events["in"] > 7_000, "the stock of all departments has 4,000, the history of dossiers and reports 3,000"
    assert events["duplicate"] > 0
    assert events["rejected"] > 0
    assert found["kpis_exported"] >= 60, f"no value: {', '.join(found['kpis_without_value'])}"
    assert found["failure"] == ""
    assert found["frames"] == sum(found["frames_by_outcome"].values())
    assert set(found["frames_by_outcome"]) == {"analysed"}
    assert {"detections", "incidents", "alerts_delivered"} <= found.keys()


# ---- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [await_java, await_whole], ids=["while it starts", "in the middle"])
def test_ctrl_c_ends_it_within_five_seconds_and_no_process_is_left(
    tmp_path: Path, moment: Callable[[Family, Running], None]
) -> None:
    with demo("--for", "5m", name="demo", folder=tmp_path) as running:
        family = Family(running)
        moment(family, running)
        began = time.monotonic()
        running.signal(signal.SIGINT)
        running.process.wait(15)
        seconds = time.monotonic() - began
        assert family.left(within_s=1) == []
        assert seconds < 5, f"took {seconds:.1f} s"
        assert running.code == 0, running.log()
        assert "Traceback" not in running.log()


def test_no_process_outlives_a_demo_that_was_killed_hard(tmp_path: Path) -> None:
    with demo("--for", "5m", name="demo", folder=tmp_path) as running:
        family = Family(running)
        await_whole(family, running)
        running.kill()
        assert family.left(within_s=5) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--frames", "/nowhere/pictures"), "/nowhere/pictures"),
        (("--summary", "/nowhere/out.json"), "--summary"),
        (("--for", "soon"), "--for"),
    ],
    ids=["no such folder", "no place for the summary", "no duration"],
)
def test_a_wrong_option_is_a_sentence_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    with demo(*arguments, name="demo", folder=tmp_path) as running:
        assert running.process.wait(20) == 2
        assert told in running.log()
        assert "Traceback" not in running.log()
