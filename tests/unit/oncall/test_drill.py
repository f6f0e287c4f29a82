"""Exercises: marked everywhere, published like an incident, scored by what people did."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from ioc.cli import oncall
from ioc.cli.oncall_drill import _steps
from ioc.errors import ConfigurationError, TransientError
from ioc.incidents import Incident
from ioc.oncall.drill import DRILL, Score, exercise_incident, exercise_record, past_exercises, score_of
from ioc.oncall.intake import parse_incident
from ioc.oncall.lifecycle import Acknowledge, Actor, Clear, Resolve, Tick
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.store import Store
from ioc.oncall_plan import Address, Level, Person, Plan, Policy, Route, Target
from tests.unit.oncall.making import NOW, MovingClock, ScriptedChannel, opened, outlet_of

LAN = Actor(actor_id="lan", name="Lan", role="operator", door="link")
PEOPLE = {
    name: Person(person_id=name, name=name.title(), addresses=(Address(channel="scripted"),))
    for name in ("lan", "chief")
}
PLAN = Plan(
    people=PEOPLE,
    rosters={},
    policies={
        "fire": Policy(
            name="fire",
            levels=(Level(targets=(Target(kind="person", name="lan"),), acknowledge_within=timedelta(minutes=2)),),
            fallback=(Target(kind="person", name="chief"),),
        )
    },
    routes=(Route(policy="fire"),),
    cooldown={},
)


def an_exercise(kind: str = "smoke", **changes: Any) -> Incident:
    whole = {"unit": "24846", "unit_names": ("Phường Lang Biang", "Lang Biang ward"), "mark": "ab12cd", "now": NOW}
    return exercise_incident(kind, **{**whole, **changes})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        yield store


async def delivered(store: Store, clock: MovingClock) -> None:
    await outlet_of(ScriptedChannel(), store, clock, OncallMetrics(CollectorRegistry())).deliver_due()


async def score(store: Store, incident_id: str) -> Score:
    view = await store.incident(incident_id)
    assert view is not None
    return score_of(view)


def test_an_exercise_is_an_incident_that_on_call_reads_and_nobody_can_take_for_real() -> None:
    key, value, headers = exercise_record(an_exercise(), province="lam-dong")
    read = parse_incident(value, headers)
    assert read == an_exercise()
    assert key == read.incident_id.encode()
    assert (read.place_vi, read.place_en) == ("DIỄN TẬP: Phường Lang Biang", "EXERCISE: Lang Biang ward")
    assert (read.extra["exercise"], json.loads(value)["exercise"]) == ("true", True)
    assert "DIỄN TẬP" in read.extra["description_vi"]
    assert an_exercise("construction", unit="", unit_names=("", "")).place_en == "EXERCISE"


async def test_who_takes_it_in_time_has_passed(store: Store) -> None:
    clock = MovingClock()
    incident = an_exercise()
    await store.take([incident], PLAN, clock())
    clock.advance(seconds=1)
    await delivered(store, clock)
    clock.advance(seconds=29)
    await store.act(incident.incident_id, Acknowledge(), LAN, PLAN, clock())
    await store.act(incident.incident_id, Tick(step="1. Xem ảnh", is_done=True), LAN, PLAN, clock())
    clock.advance(seconds=30)
    await store.act(incident.incident_id, Resolve(verdict="true_positive"), LAN, PLAN, clock())
    found = await score(store, incident.incident_id)
    assert (found.first_notice_s, found.acknowledged_s, found.closed_s) == (1.0, 30.0, 60.0)
    assert (found.acknowledged_by, found.escalations, found.steps_ticked) == ("Lan", 0, 1)
    assert (found.called[0], found.state, found.is_passed) == ("Lan", "resolved", True)


async def test_what_nobody_takes_escalates_and_fails(store: Store) -> None:
    clock = MovingClock()
    incident = an_exercise()
    await store.take([incident], PLAN, clock())
    await delivered(store, clock)
    clock.advance(minutes=3)
    await store.fire(await store.claim_timers(clock(), 10), PLAN, clock())
    await delivered(store, clock)
    await store.act(incident.incident_id, Clear(), DRILL, PLAN, clock())
    found = await score(store, incident.incident_id)
    assert (found.escalations, found.acknowledged_s, found.state) == (1, None, "resolved")
    assert not found.is_passed
    assert found.called == ("Lan", "Chief")
    assert _steps(found)[1] == "  lên tuyến / escalated: 1"


async def test_every_action_about_an_exercise_says_that_it_is_one(store: Store) -> None:
    clock = MovingClock()
    incident = an_exercise()
    await store.take([incident], PLAN, clock())
    await delivered(store, clock)
    await store.act(incident.incident_id, Acknowledge(), LAN, PLAN, clock())
    actions = await store.due("actions", clock(), 10)
    assert {row.payload["action"] for row in actions} == {"notified", "acknowledged"}
    assert all(row.payload["exercise"] is True for row in actions)


async def test_the_history_shows_exercises_alone_newest_first(store: Store) -> None:
    real = exercise_incident("smoke", unit="", unit_names=("", ""), mark="real", now=NOW)
    real.extra.clear()
    older, newer = an_exercise(mark="1"), an_exercise(mark="2")
    await store.take([older, real], PLAN, NOW)
    await store.take([newer], PLAN, NOW + timedelta(hours=1))
    found = await past_exercises(store, limit=10)
    assert [one.incident_id for one in found] == [newer.incident_id, older.incident_id]
    assert found[0].as_json()["passed"] is False


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    oncall.register(app)
    return app


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        pytest.param(["--kind", "flood"], ConfigurationError, "smoke, construction", id="unknown kind"),
        pytest.param(["--unit", "99999"], ConfigurationError, "not a unit", id="unknown unit"),
        pytest.param(["--for", "soon"], ConfigurationError, "--for", id="no duration"),
        pytest.param([], ConfigurationError, "start ioc oncall first", id="on-call never ran here"),
        pytest.param(["--list"], ConfigurationError, "start ioc oncall first", id="no history"),
    ],
)
def test_what_can_not_be_played_is_a_sentence(
    app: typer.Typer, tmp_path: Path, arguments: list[str], error: type[Exception], sentence: str
) -> None:
    result = CliRunner().invoke(app, ["oncall", "drill", *arguments], env={"IOC_STATE": str(tmp_path)})
    assert isinstance(result.exception, error)
    assert sentence in str(result.exception)


async def _made(folder: Path) -> None:
    async with opened(folder) as store:
        await store.take([an_exercise()], PLAN, NOW)


def test_no_exercise_begins_while_on_call_does_not_run_and_the_history_is_shown_all_the_same(
    app: typer.Typer, tmp_path: Path
) -> None:
    asyncio.run(_made(tmp_path))
    environment = {"IOC_STATE": str(tmp_path), "IOC_BROKER": "127.0.0.1:1"}
    result = CliRunner().invoke(app, ["oncall", "drill"], env=environment)
    assert isinstance(result.exception, TransientError)
    assert "start it" in str(result.exception)
    listed = CliRunner().invoke(app, ["oncall", "drill", "--list"], env=environment)
    assert listed.exit_code == 0
    assert "FAILED  notice -  acknowledged -" in listed.output
    as_json = CliRunner().invoke(app, ["oncall", "drill", "--list", "--json"], env=environment)
    assert [one["kind"] for one in json.loads(as_json.output)] == ["smoke"]


def test_help_holds_an_example(app: typer.Typer) -> None:
    assert "ioc oncall drill --kind smoke" in CliRunner().invoke(app, ["oncall", "drill", "--help"]).output
