from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ioc.oncall.lifecycle import (
    SYSTEM,
    Acknowledge,
    Assign,
    Changed,
    Clear,
    Command,
    Comment,
    Dismiss,
    Escalate,
    Expire,
    Life,
    Open,
    Refusal,
    Reopen,
    Resolve,
    See,
    Snooze,
    Tick,
    apply,
)
from tests.unit.oncall.making import NOW
from tests.unit.oncall.plans import OPERATOR, OTHER, VIEWER

SOON = NOW + timedelta(minutes=30)
OPEN = Life(state="open", episode=1, opened_at=NOW)
HELD = replace(OPEN, state="acknowledged", owner="lan", owner_name="Lan", acknowledged_at=NOW)
OVER = replace(OPEN, state="resolved", closed_at=NOW, closed_by="lan", verdict="true_positive")
REAL = Resolve(verdict="true_positive")
FALSE = Dismiss(verdict="false_positive")


@pytest.mark.parametrize(
    ("life", "command", "actor", "state", "effects"),
    [
        (Life(state="candidate"), Open(), SYSTEM, "open", ["start_escalation"]),
        (OPEN, Acknowledge(eta_at=SOON), OPERATOR, "acknowledged", ["stop_escalation", "publish_acknowledged"]),
        (HELD, Acknowledge(eta_at=SOON), OPERATOR, "acknowledged", []),
        (HELD, Assign(person_id="minh"), OTHER, "open", ["stop_escalation", "publish_assigned", "start_escalation"]),
        (OPEN, Snooze(until=SOON), OPERATOR, "open", ["stop_escalation", "set_snooze", "publish_snoozed"]),
        (OPEN, REAL, OPERATOR, "resolved", ["stop_escalation", "publish_verdict", "publish_resolved"]),
        (HELD, FALSE, OTHER, "dismissed", ["stop_escalation", "publish_verdict", "publish_dismissed"]),
        (
            Life(state="candidate"),
            FALSE,
            OPERATOR,
            "dismissed",
            ["stop_escalation", "publish_verdict", "publish_dismissed"],
        ),
        (HELD, Clear(), SYSTEM, "resolved", ["stop_escalation", "publish_resolved"]),
        (Life(state="candidate"), Clear(), SYSTEM, "dismissed", ["stop_escalation", "publish_dismissed"]),
        (OVER, Reopen(), OPERATOR, "open", ["publish_reopened", "start_escalation"]),
        (OVER, Clear(), SYSTEM, "resolved", []),
        (replace(OPEN, snoozed_until=NOW), Expire(), SYSTEM, "open", ["start_escalation"]),
        (replace(HELD, snoozed_until=NOW), Expire(), SYSTEM, "acknowledged", ["remind_owner"]),
        (replace(OPEN, snoozed_until=SOON), Expire(), SYSTEM, "open", []),
        (OPEN, Comment(text="đang tới"), OPERATOR, "open", []),
        (OPEN, Tick(step="call", is_done=True), OPERATOR, "open", []),
    ],
)
def test_command_leads_to_a_state_and_its_effects(
    life: Life, command: Command, actor: Any, state: str, effects: list[str]
) -> None:
    outcome = apply(life, command, actor, NOW)
    assert isinstance(outcome, Changed)
    assert (outcome.life.state, list(outcome.effects)) == (state, effects)


@pytest.mark.parametrize(
    ("life", "command", "actor", "reason"),
    [
        (OPEN, Acknowledge(), VIEWER, "not_allowed"),
        (OPEN, Comment(text="x"), VIEWER, "not_allowed"),
        (OPEN, Open(), OPERATOR, "not_allowed"),
        (HELD, Acknowledge(), OTHER, "already_acknowledged"),
        (OVER, Acknowledge(), OPERATOR, "closed"),
        (Life(state="candidate"), Acknowledge(), OPERATOR, "not_open"),
        (Life(state="candidate"), REAL, OPERATOR, "not_open"),
        (OPEN, Resolve(), OPERATOR, "no_verdict"),
        (OVER, REAL, OPERATOR, "closed"),
        (OPEN, Reopen(), OPERATOR, "not_closed"),
        (OPEN, Snooze(until=NOW), OPERATOR, "bad_snooze"),
        (OPEN, Snooze(until=NOW + timedelta(days=2)), OPERATOR, "bad_snooze"),
        (OPEN, Acknowledge(eta_at=NOW - timedelta(minutes=1)), OPERATOR, "bad_eta"),
        (OPEN, Comment(text="  "), OPERATOR, "bad_comment"),
        (OPEN, Comment(text="x" * 4001), OPERATOR, "bad_comment"),
        (OPEN, Tick(step="a\nb", is_done=True), OPERATOR, "bad_step"),
    ],
)
def test_refusal_says_why_in_both_languages(life: Life, command: Command, actor: Any, reason: str) -> None:
    outcome = apply(life, command, actor, NOW)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == reason
    assert outcome.vi
    assert outcome.en


@pytest.mark.parametrize(
    ("life", "minutes_after", "state"),
    [
        pytest.param(OVER, 9, "resolved", id="smoke lingers"),
        pytest.param(OVER, 11, "open", id="seen again after the patience"),
        pytest.param(replace(OVER, state="dismissed"), 600, "dismissed", id="dismissed stays so"),
        pytest.param(replace(OVER, state="dismissed", episode=0), 1, "open", id="an alarm after a dismissed candidate"),
        pytest.param(HELD, 600, "acknowledged", id="somebody has it"),
    ],
)
def test_new_evidence_reopens_what_was_resolved(life: Life, minutes_after: float, state: str) -> None:
    see = See(seen_at=NOW + timedelta(minutes=minutes_after), reopen_after=timedelta(minutes=10))
    outcome = apply(life, see, SYSTEM, see.seen_at)
    assert isinstance(outcome, Changed)
    assert outcome.life.state == state
    assert ("start_escalation" in outcome.effects) == (state == "open")


ACTORS = st.sampled_from([OPERATOR, OTHER, VIEWER])
VERDICTS = st.sampled_from(["true_positive", "false_positive", "other_smoke", "unsure"])


class IncidentLife(RuleBasedStateMachine):
    """Any row of commands at any times: people are being called exactly while it is open and not snoozed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.life = Life(state="candidate")
        self.is_calling = False

    def do(self, command: Command, actor: Any) -> None:
        before = self.life
        outcome = apply(before, command, actor, self.now)
        if isinstance(outcome, Refusal):
            return
        self.life = outcome.life
        for effect in outcome.effects:
            if effect in ("start_escalation", "stop_escalation"):
                self.is_calling = effect == "start_escalation"
        assert outcome.is_news or outcome.life == before
        if before.state == "acknowledged" and self.life.state == "acknowledged":
            assert before.owner == self.life.owner  # nobody takes it over in silence
        if actor is VIEWER:
            assert outcome.life == before

    @rule(minutes=st.integers(0, 90))
    def pass_time(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(actor=ACTORS)
    def acknowledge(self, actor: Any) -> None:
        self.do(Acknowledge(), actor)

    @rule(actor=ACTORS, person=st.sampled_from(["lan", "minh", "chief"]))
    def assign(self, actor: Any, person: str) -> None:
        self.do(Assign(person_id=person), actor)

    @rule(actor=ACTORS, minutes=st.integers(1, 60))
    def snooze(self, actor: Any, minutes: int) -> None:
        self.do(Snooze(until=self.now + timedelta(minutes=minutes)), actor)

    @rule(actor=ACTORS, verdict=VERDICTS, is_dismissal=st.booleans())
    def close(self, actor: Any, verdict: Any, is_dismissal: bool) -> None:
        self.do(Dismiss(verdict=verdict) if is_dismissal else Resolve(verdict=verdict), actor)

    @rule(actor=ACTORS)
    def reopen(self, actor: Any) -> None:
        self.do(Reopen(), actor)

    @rule(command=st.sampled_from([Open(), Clear(), Expire(), Escalate(level=2)]))
    def system(self, command: Command) -> None:
        self.do(command, SYSTEM)

    @rule()
    def see(self) -> None:
        self.do(See(seen_at=self.now, reopen_after=timedelta(minutes=10)), SYSTEM)

    @invariant()
    def has_an_owner_exactly_while_acknowledged(self) -> None:
        assert bool(self.life.owner) == (self.life.state == "acknowledged")

    @invariant()
    def calls_people_exactly_while_open_and_not_snoozed(self) -> None:
        assert self.is_calling == self.life.is_calling

    @invariant()
    def is_closed_with_a_time(self) -> None:
        assert (self.life.closed_at is not None) == (self.life.state in ("resolved", "dismissed"))


TestIncidentLife = IncidentLife.TestCase
TestIncidentLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
