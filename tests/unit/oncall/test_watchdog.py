"""The dead man's switch: which rounds came back, what is said of those that did not, and what counts as silence."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from detectors.canary import CanaryDetector
from detectors.preprocess import decode_jpeg
from ioc.canary import MAX_MARK, Answer, answer_record, cells_of, mark_of
from ioc.oncall.canary import Canary, CanaryConfig, CanaryMetrics, draw, poses_of
from ioc.oncall.desk import Desk
from ioc.oncall.heartbeat import Heartbeat, HeartbeatMetrics
from ioc.oncall.lifecycle import Actor, Dismiss
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.rounds import Rounds, Silent
from ioc.oncall.store import Store
from ioc.oncall.watchdog import AlertPath, Diagnosis, Watchdog, ask_worker, blind_trouble
from ioc.oncall_plan import duty_plan
from ioc.partitioning import partitioner
from tests.unit.oncall.making import NOW, MovingClock, opened

MINUTE = timedelta(minutes=1)
PARTS = ("0", "1")


def minutes(count: float) -> timedelta:
    return MINUTE * count


def rounds_of(*, frames_back: int, events_back: int, sent: int = 4) -> Rounds:
    """One round a minute from NOW on, of which the first few came back two seconds later."""
    rounds = Rounds(patience=MINUTE / 2)
    for number in range(sent):
        for half, back in (("frames", frames_back), ("events", events_back)):
            rounds.sent(half, PARTS, number, NOW + minutes(number))  # type: ignore[arg-type]  # a literal each
            for part in PARTS if number < back else ():
                on_its_way = rounds.answered(half, part, number, NOW + minutes(number) + timedelta(seconds=2))  # type: ignore[arg-type]
                assert on_its_way == timedelta(seconds=2)
    return rounds


# ---- rounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames_back", "events_back", "at_min", "silent"),
    [
        pytest.param(4, 4, 3.1, [], id="all are back"),
        pytest.param(3, 4, 3.9, [], id="one is late"),
        pytest.param(2, 4, 3.4, [], id="the second one has its time still"),
        pytest.param(2, 4, 3.6, ["frames"], id="two frames in a row"),
        pytest.param(4, 2, 3.6, ["events"], id="two events in a row"),
        pytest.param(0, 0, 1.6, ["frames", "events"], id="nothing ever came back"),
    ],
)
def test_two_missed_rounds_in_a_row_are_silence(
    frames_back: int, events_back: int, at_min: float, silent: list[str]
) -> None:
    sent = min(4, int(at_min) + 1)
    found = rounds_of(frames_back=frames_back, events_back=events_back, sent=sent).silent(NOW + minutes(at_min))
    assert [one.half for one in found] == silent
    assert all(one.parts == PARTS and one.of_parts == 2 for one in found)


def test_one_silent_partition_is_named_while_the_others_answer() -> None:
    rounds = rounds_of(frames_back=4, events_back=4)
    for number in (4, 5):
        rounds.sent("events", PARTS, number, NOW + minutes(number))
        rounds.answered("events", "0", number, NOW + minutes(number))
    (silent,) = rounds.silent(NOW + minutes(6))
    assert (silent.half, silent.parts, silent.of_parts, silent.since) == ("events", ("1",), 2, NOW + minutes(4))


def test_a_late_round_settles_those_before_it_and_none_after() -> None:
    rounds = rounds_of(frames_back=0, events_back=4)
    assert rounds.answered("frames", "0", 1, NOW + minutes(4)) == minutes(3)
    (silent,) = rounds.silent(NOW + minutes(4))
    assert silent.parts == PARTS  # 2 and 3 of the one, all of the other
    rounds.answered("frames", "1", 3, NOW + minutes(4))
    (silent,) = rounds.silent(NOW + minutes(4))
    assert silent.parts == ("0",)


@pytest.mark.parametrize(("part", "mark"), [("0", 99), ("7", 1), ("0", 1)])
def test_an_answer_that_nobody_waits_for_is_nothing(part: str, mark: int) -> None:
    rounds = rounds_of(frames_back=2, events_back=4)
    before = rounds.silent(NOW + minutes(4))
    assert rounds.answered("frames", part, mark, NOW) is None
    assert rounds.silent(NOW + minutes(4)) == before


def test_rounds_of_a_dead_chain_do_not_pile_up() -> None:
    rounds = rounds_of(frames_back=0, events_back=0, sent=500)
    assert len(rounds.silent(NOW + minutes(501))) == 2
    assert rounds.answered("frames", "0", 3, NOW + minutes(501)) is None


# ---- the mark ------------------------------------------------------------------------------------------------------


@given(st.integers(0, MAX_MARK))
def test_a_mark_is_read_as_it_was_written(mark: int) -> None:
    assert mark_of(cells_of(mark)) == mark


@pytest.mark.parametrize("mark", [0, 1, 0x5A5A5A5A, MAX_MARK])
def test_the_detector_reads_the_drawn_mark_from_its_jpeg(mark: int) -> None:
    (seen,) = CanaryDetector().observe(decode_jpeg(draw(mark)), NOW).candidates
    assert (seen.label, seen.tier, seen.cues) == ("canary", "alarm", (str(mark),))


@pytest.mark.parametrize("flip", [0, 31, 32, 63])
def test_a_picture_that_is_no_mark_is_none(flip: int) -> None:
    image = decode_jpeg(draw(7)).copy()
    row, column = flip // 8 * 16, flip % 8 * 16
    image[row : row + 16, column : column + 16] = 255 - image[row : row + 16, column : column + 16]
    observation = CanaryDetector().observe(image, NOW)
    assert (observation.candidates, observation.rejected) == ((), {"no_mark": 1})


@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_the_poses_reach_every_partition(partitions: int) -> None:
    keys = [f"canary:{pose}".encode() for pose in poses_of(partitions)]
    assert partitioner(partitions)(keys) == list(range(partitions))


def test_only_an_answer_of_this_service_is_measured() -> None:
    rounds, registry, clock = Rounds(patience=MINUTE), CollectorRegistry(), MovingClock()
    rounds.sent("frames", ["3"], 5, NOW)
    canary = Canary(
        CanaryConfig(partitions=4),
        broker="127.0.0.1:9",
        province="lam-dong",
        rounds=rounds,
        metrics=CanaryMetrics(registry),
        clock=clock,
    )
    clock.advance(seconds=2)
    for answer in (Answer(half="frames", part="3", mark=6), *[Answer(half="frames", part="3", mark=5)] * 2):
        canary.take(*answer_record(answer, province="lam-dong", at=NOW))
    canary.take(b"{", ())
    labels = {"half": "frames"}
    assert registry.get_sample_value("ioc_oncall_canary_seconds_count", labels) == 1
    assert registry.get_sample_value("ioc_oncall_canary_seconds_sum", labels) == 2


# ---- what is told --------------------------------------------------------------------------------------------------


def test_the_trouble_names_the_half_the_place_and_the_hour() -> None:
    silent = Silent(half="frames", since=NOW, parts=("1",), of_parts=4)
    worker = Diagnosis(sending="", reading="", worker_vi="không trả lời", worker_en="does not answer")
    trouble = blind_trouble([silent], worker)
    assert trouble is not None
    assert "khung hình" in trouble.title_vi
    assert "sự kiện" not in trouble.title_vi
    assert "frames 1/4" in trouble.text_en
    assert "08:30:00 22/11/2026" in trouble.text_vi
    assert "Worker: does not answer" in trouble.text_en
    assert blind_trouble([], worker) is None


@dataclass(slots=True)
class Bench:
    """A watchdog over a real database, with rounds and a clock of the test's own."""

    store: Store
    clock: MovingClock
    desk: Desk
    rounds: Rounds
    path: AlertPath
    watchdog: Watchdog
    reading: str = ""

    async def state(self, kind: str) -> str:
        view = await self.store.incident(kind)
        return view.row.life.state if view is not None else ""

    def send(self, count: int) -> None:
        """That many rounds, a minute apart, and half a minute more."""
        for _ in range(count):
            self.clock.advance(minutes=1)
            for half in ("frames", "events"):
                self.rounds.sent(half, PARTS, int(self.clock.now.timestamp()), self.clock.now)  # type: ignore[arg-type]
        self.clock.advance(seconds=31)

    def answer(self) -> None:
        for half in ("frames", "events"):
            for part in PARTS:
                mark = int((self.clock.now - timedelta(seconds=31)).timestamp())
                assert self.rounds.answered(half, part, mark, self.clock.now) is not None  # type: ignore[arg-type]


def a_bench(store: Store, clock: MovingClock) -> Bench:
    keeper = PlanKeeper(duty_plan(("console",), "duty"), clock=clock)
    desk = Desk(store, keeper, clock=clock, wake=lambda: None)
    rounds, path = Rounds(patience=MINUTE / 2), AlertPath(desk)

    async def reading() -> str:
        return ""

    async def ask() -> tuple[str, str]:
        return "không trả lời", "does not answer"

    watchdog = Watchdog(
        desk=desk, clock=clock, alert_path=path, interval=MINUTE, rounds=rounds, reading=reading, ask=ask
    )
    return Bench(store, clock, desk, rounds, path, watchdog)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as store:
        yield a_bench(store, MovingClock())


async def test_silence_opens_a_critical_incident_once_and_the_first_round_back_resolves_it(bench: Bench) -> None:
    bench.send(1)
    await bench.watchdog.look()
    assert await bench.state("canary_silent") == ""
    bench.send(1)
    for _ in range(3):
        await bench.watchdog.look()
    view = await bench.store.incident("canary_silent")
    assert view is not None
    assert (view.row.severity, view.row.life.state, len(view.notices)) == ("critical", "open", 1)
    assert view.row.payload["runbook"] == "/runbooks/canary_silent"
    bench.answer()
    await bench.watchdog.look()
    assert await bench.state("canary_silent") == "resolved"


async def comes_back_and_is_silent_again(bench: Bench) -> None:
    bench.answer()
    await bench.watchdog.look()
    bench.send(2)
    await bench.watchdog.look()
    view = await bench.store.incident("canary_silent")
    assert view is not None
    assert (view.row.life.state, view.row.life.episode, len(view.notices)) == ("open", 2, 2)


async def test_what_is_silent_again_a_minute_later_is_told_again(bench: Bench) -> None:
    bench.send(2)
    await bench.watchdog.look()
    await comes_back_and_is_silent_again(bench)


async def test_what_a_person_closed_stays_closed_until_it_was_over(bench: Bench) -> None:
    bench.send(2)
    await bench.watchdog.look()
    person = Actor(actor_id="lan", name="Lan", role="operator", door="web")
    await bench.desk.act("canary_silent", Dismiss(verdict="true_positive"), person)
    bench.send(1)
    await bench.watchdog.look()
    assert await bench.state("canary_silent") == "dismissed"
    await comes_back_and_is_silent_again(bench)


async def test_a_restart_in_the_middle_of_a_silence_opens_no_second_incident(bench: Bench) -> None:
    bench.send(2)
    await bench.watchdog.look()
    again = a_bench(bench.store, bench.clock)
    for _ in range(3):
        await again.watchdog.look()
        again.send(1)
    await again.watchdog.look()
    view = await bench.store.incident("canary_silent")
    assert view is not None
    assert (view.row.life.state, view.row.life.episode, len(view.notices)) == ("open", 1, 1)
    again.answer()
    await again.watchdog.look()
    assert await again.state("canary_silent") == "resolved"


async def test_what_a_person_closed_stays_closed_over_a_restart_until_it_was_over(bench: Bench) -> None:
    bench.send(2)
    await bench.watchdog.look()
    person = Actor(actor_id="lan", name="Lan", role="operator", door="web")
    await bench.desk.act("canary_silent", Dismiss(verdict="true_positive"), person)
    again = a_bench(bench.store, bench.clock)
    again.send(2)
    await again.watchdog.look()
    assert await again.state("canary_silent") == "dismissed"
    await comes_back_and_is_silent_again(again)


async def test_a_restart_is_no_sign_of_life_of_prometheus(bench: Bench) -> None:
    await bench.path.heard()
    bench.clock.advance(minutes=6)
    await bench.watchdog.look()
    again = a_bench(bench.store, bench.clock)
    for _ in range(2):
        await again.watchdog.look()
        assert await again.state("alerts_silent") == "open"
        bench.clock.advance(minutes=6)
    await again.watchdog.look()
    view = await bench.store.incident("alerts_silent")
    assert view is not None
    assert (view.row.life.episode, len(view.notices)) == (1, 1)
    await again.path.heard()
    await again.watchdog.look()
    assert await again.state("alerts_silent") == "resolved"


async def test_prometheus_is_missed_only_where_it_was_heard_before(bench: Bench) -> None:
    bench.clock.advance(hours=1)
    await bench.watchdog.look()
    assert await bench.state("alerts_silent") == ""
    await bench.path.heard()
    bench.clock.advance(minutes=4)
    await bench.watchdog.look()
    assert await bench.state("alerts_silent") == ""
    bench.clock.advance(minutes=2)
    await bench.watchdog.look()
    assert await bench.state("alerts_silent") == "open"
    await bench.path.heard()
    await bench.watchdog.look()
    assert await bench.state("alerts_silent") == "resolved"


async def test_what_was_not_heard_while_on_call_was_down_is_no_silence(bench: Bench) -> None:
    await bench.path.heard()
    bench.clock.advance(hours=1)
    again = a_bench(bench.store, bench.clock)
    await again.watchdog.look()
    assert await again.state("alerts_silent") == ""
    bench.clock.advance(minutes=6)
    await again.watchdog.look()
    assert await again.state("alerts_silent") == "open"


# ---- outside -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        pytest.param(200, '{"ready": true}', "ready", id="ready"),
        pytest.param(503, '{"parts": {"frames": false, "events": true}}', "not ready: frames", id="a part is not"),
        pytest.param(503, "[]", "not ready: HTTP 503", id="nonsense"),
        pytest.param(302, "", "not ready: HTTP 302", id="a redirect is not followed"),
    ],
)
async def test_the_worker_says_how_it_stands(status: int, body: str, words: str) -> None:
    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "http://127.0.0.1:1/"})

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        assert words in (await ask_worker(session, str(server.make_url("/readyz"))))[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/readyz", "nonsense", "file:///etc/passwd"])
async def test_a_worker_that_does_not_answer_is_said_in_both_languages(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        vi, en = await ask_worker(session, url)
    assert vi.startswith("không trả lời")
    assert en.startswith("does not answer")


@pytest.mark.parametrize(
    ("trouble", "status", "beats", "sent", "failed"),
    [
        pytest.param("", 200, 1, 1, None, id="well"),
        pytest.param("", 500, 1, None, 1, id="the watcher is unwell"),
        pytest.param("the database is away", 200, 0, None, None, id="in trouble it does not beat"),
    ],
)
async def test_the_heart_beats_while_on_call_can_work(
    trouble: str, status: int, beats: int, sent: float | None, failed: float | None
) -> None:
    heard: list[str] = []

    async def ping(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response(status=status)

    async def own() -> str:
        return trouble

    app = web.Application()
    app.router.add_get("/ping", ping)
    registry, clock = CollectorRegistry(), MovingClock()
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        heart = Heartbeat(
            url=str(server.make_url("/ping")),
            interval=MINUTE,
            session=session,
            trouble=own,
            metrics=HeartbeatMetrics(registry),
            clock=clock,
        )
        await heart.beat()
    assert len(heard) == beats
    assert registry.get_sample_value("ioc_oncall_heartbeat_timestamp_seconds") == beats * NOW.timestamp()
    assert registry.get_sample_value("ioc_oncall_heartbeats_total", {"outcome": "sent"}) == sent
    assert registry.get_sample_value("ioc_oncall_heartbeats_total", {"outcome": "failed"}) == failed
