"""The shadow detector beside the live ones: counted, listed, and never in their way."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detectors.base import BgrImage, Candidate, Observation
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.catalog.cameras import Camera, Pose
from ioc.detections import Box, Detection
from ioc.frames import Frame, sha256_hex
from streams.shadow_alerts import SHADOW_ALERTS_FILE, ShadowAlerts
from streams.shadow_metrics import ShadowMetrics
from streams.shadow_watch import ShadowWatch
from tests.unit.domain.making import catalog
from tests.unit.streams.test_detections_to_incidents import detection
from tests.unit.streams.test_frames_to_detections import AT, JPEG, a_frame

BOX = Box(0.5, 0.4, 0.1, 0.1)
IMAGE = np.zeros((48, 64, 3), np.uint8)


class Shadow:
    """Alarms at `BOX` on the minutes that it is told; waits where it is told to."""

    name, version = "smoke", "1"

    def __init__(self) -> None:
        self.minutes: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        if int((at - AT).total_seconds() // 60) not in self.minutes:
            return Observation()
        seen = Candidate(label="smoke", tier="alarm", score=0.8, box=BOX, first_seen_at=at)
        return Observation(candidates=(seen,))


@dataclass
class Bench:
    folder: Path
    evidence: EvidenceStore = field(default_factory=lambda: open_evidence("memory:"))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    shadow: Shadow = field(default_factory=Shadow)
    is_behind: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.listed = ShadowAlerts(self.folder / SHADOW_ALERTS_FILE)
        self.watch = ShadowWatch(
            catalog=catalog(),
            make=self.make,
            names=("free", "hpwren@0.6"),
            evidence=self.evidence,
            listed=self.listed,
            metrics=ShadowMetrics(self.registry),
            is_behind=lambda: self.is_behind(),
        )

    def make(self, camera: Camera, pose: Pose) -> Shadow:
        return self.shadow

    def offer(self, minute: int, *live: Detection) -> Frame:
        frame = a_frame(captured_at=AT + timedelta(minutes=minute))
        self.watch.offer(frame, IMAGE, live)
        return frame

    def count(self, what: str, outcome: str) -> float:
        labels = {"detector": "smoke", "outcome": outcome}
        return self.registry.get_sample_value(f"ioc_shadow_{what}_total", labels) or 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.shadow.gate.set()
    bench.watch.close()


def alarm(**changes: object) -> Detection:
    return replace(detection(), tier="alarm", **changes)


def test_what_it_would_gain_and_lose_is_counted_and_listed_with_the_picture(bench: Bench) -> None:
    elsewhere = alarm(box=Box(0.1, 0.1, 0.1, 0.1))
    bench.shadow.minutes = {2}
    for minute in range(20):
        bench.offer(minute, *([elsewhere] if minute == 4 else []))
    bench.watch.settle(10)
    assert [bench.count("alerts", outcome) for outcome in ("kept", "gained", "lost")] == [0, 1, 1]
    assert bench.count("frames", "analysed") == 20
    gained, lost = ShadowAlerts(bench.folder / SHADOW_ALERTS_FILE).read()
    assert (gained.live, gained.shadow, gained.alert.outcome, gained.alert.box) == ("free", "hpwren@0.6", "gained", BOX)
    assert (lost.alert.outcome, lost.alert.pose) == ("lost", "cam-01:p0")
    assert sha256_hex(bench.evidence.get(gained.alert.frame)) == sha256_hex(JPEG)


def test_only_alarms_of_live_smoke_are_compared(bench: Bench) -> None:
    for minute in range(20):
        bench.offer(minute, detection(), alarm(detector="camera_health"))
    bench.watch.settle(10)
    assert bench.listed.read() == []


def test_a_slow_shadow_holds_nobody_and_what_it_had_no_time_for_is_counted(bench: Bench) -> None:
    bench.shadow.gate.clear()
    for minute in range(100):
        bench.offer(minute)
    assert bench.count("frames", "skipped") == 68, "32 wait with their pixels"
    bench.shadow.gate.set()
    bench.watch.settle(10)
    assert bench.count("frames", "analysed") == 32


def test_while_the_live_detectors_are_behind_it_looks_at_nothing(bench: Bench) -> None:
    bench.is_behind = lambda: True
    bench.offer(0, alarm())
    bench.watch.settle(10)
    assert (bench.count("frames", "skipped"), bench.count("frames", "analysed")) == (1, 0)


def test_a_defect_of_the_shadow_is_counted_and_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.shadow.error = ValueError("a defect")
    for minute in range(3):
        bench.offer(minute)
    bench.watch.settle(10)
    assert bench.count("frames", "failed") == 3
    assert len(caplog.records) == 1


def test_the_list_goes_on_after_a_restart_and_a_broken_line_costs_only_itself(bench: Bench) -> None:
    path = bench.folder / SHADOW_ALERTS_FILE
    path.write_bytes(b'{"live": "broken\n')
    bench.offer(0, alarm())
    bench.offer(15)
    bench.watch.settle(10)
    assert [told.alert.outcome for told in ShadowAlerts(path).read()] == ["lost"]
    assert len(path.read_bytes().splitlines()) == 2
