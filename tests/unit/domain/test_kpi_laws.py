"""Laws of the figures, for whatever events come: no order and no repetition changes them; groups fit in their total."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.events import Event
from ioc.kpis import Figure
from tests.unit.domain.making import (
    Shown,
    all_figures,
    at,
    calls,
    catalog,
    channel,
    dossier,
    heartbeat,
    local,
    report,
    report_status,
    shown,
    status,
)

Pick = Callable[..., Any]
"""Picks one of its arguments."""


def a_dossier(draw: Pick, when: str) -> Event:
    return dossier(
        draw("D1", "D2"),
        submitted=when,
        agency_code=draw("H14.01", "H14.02", None),
        channel=draw("online", "counter"),
        due_at=at(draw("20T08:00", "21T08:00", "21T20:00")),
        deleted=draw(False, False, False, True),
    )


def a_status(draw: Pick, when: str) -> Event:
    return status(draw("resolved", "resolved", "supplement", "in_process"), when, draw("D1", "D2"))


def a_report(draw: Pick, when: str) -> Event:
    ward = draw("24781", "24778", None)
    return report(draw("R1", "R2"), submitted=when, ward_code=ward, due_at=at("21T08:00"))


def a_report_status(draw: Pick, when: str) -> Event:
    return report_status(draw("resolved", "reopened"), when, draw("R1", "R2"))


def a_channel(draw: Pick, when: str) -> Event:
    unit = draw("24781", "24778", None)
    return channel(when, channel_id=draw("C1", "C2"), up=draw(True, False), admin_unit=unit)


def a_minute_of_calls(draw: Pick, when: str) -> Event:
    made = draw(0, 1, 7)
    return calls(f"07:{draw(50, 55, 59)}", made, made // 3, event_id=f"at {when}")


def a_heartbeat(draw: Pick, when: str) -> Event:
    return heartbeat(f"07:59:{when[-2:]}", camera_id=draw("cam-01", "cam-02"), online=draw(True, False))


MAKERS = (a_dossier, a_status, a_report, a_report_status, a_channel, a_minute_of_calls, a_heartbeat)


@st.composite
def some_events(draw: st.DrawFn) -> list[Event]:
    """Up to 14 events of few entities within two days and a half, so that they meet."""

    def pick(*choices: Any) -> Any:
        return draw(st.sampled_from(choices))

    makers = draw(st.lists(st.sampled_from(MAKERS), max_size=14))
    start = local("19T20:00")
    facts = []
    for make in makers:
        when = start + timedelta(minutes=draw(st.integers(0, 60 * 60)))
        facts.append(make(pick, when.strftime("%Y-%m-%dT%H:%M")))
    return each_id_once(facts)


def each_id_once(facts: Sequence[Event]) -> list[Event]:
    """Of events that share entity, source and id only the first: the others would be duplicates with another body."""
    return list({(fact.type.entity, fact.entity_id, fact.source, fact.id): fact for fact in reversed(facts)}.values())


def counted(figures: Sequence[Figure]) -> dict[tuple[str, str, str, str], Shown]:
    """The figures that count something: a group that everybody left may be there as 0, or not at all."""
    return {key: value for key, value in shown(figures).items() if value[1] or value[2]}


@settings(max_examples=60, deadline=None)
@given(some_events(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_same_figures(facts: list[Event], chance: random.Random) -> None:
    shuffled = [*facts, *chance.sample(facts, len(facts) // 2)]
    chance.shuffle(shuffled)
    found, expected = all_figures(shuffled), all_figures(facts)
    assert counted(found) == counted(expected)
    assert [f.as_of_us for f in found if f.admin_unit == "*" and not f.agency] == [
        f.as_of_us for f in expected if f.admin_unit == "*" and not f.agency
    ]


@settings(max_examples=60, deadline=None)
@given(some_events())
def test_groups_never_add_up_to_more_than_their_total(facts: list[Event]) -> None:
    found = shown(all_figures(facts))
    for (kpi, unit, agency, window), (_, numerator, denominator) in found.items():
        if numerator is None or catalog().kpi(kpi).form != "ratio":
            continue
        assert 0 <= numerator <= (numerator if denominator is None else denominator)
        if unit == "*" and agency == "":
            of_groups = [v for k, v in found.items() if k[0] == kpi and k[3] == window and (k[1] != "*" or k[2])]
            assert sum(v[1] or 0 for v in of_groups) <= numerator
            assert sum(v[2] or 0 for v in of_groups) <= (denominator or 0)
