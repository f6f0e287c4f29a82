"""Entity rows, by semantics.md: duplicates, order, `null`, tombstones, restoring, and views that figures read."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.entities import DUPLICATE, NEW, Fact, Row, decode_row, encode_row, fold
from ioc.entity_columns import Column, EntityDefinition
from ioc.entity_views import compile_view
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.event_types import StoredValue
from ioc.events import Event
from ioc.expressions import Value
from tests.unit.domain.making import (
    NOW_US,
    at,
    catalog,
    channel,
    dossier,
    event,
    report_status,
    row_of,
    status,
    us,
)


def columns(*events: Event) -> dict[str, Value] | None:
    """The named values of the entity after the events; None where it counts nowhere."""
    definition = next(entity for entity in catalog().entities if entity.name == events[0].type.entity)
    view = compile_view(definition)
    values = view.read(row_of(*events), NOW_US)
    return None if values is None else {name: values[place] for name, place in view.columns.items()}


def told(*events: Event) -> dict[str, Value]:
    found = columns(*events)
    assert found is not None
    return found


# ---- duplicates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "other"),
    [
        pytest.param(
            lambda: status("resolved", "21T08:00", event_id="x"),
            lambda: status("returned", "21T09:00", event_id="x"),
            id="fact",
        ),
        pytest.param(
            lambda: channel("07:00", up=True, event_id="x"),
            lambda: channel("07:30", up=False, event_id="x"),
            id="state",
        ),
    ],
)
def test_the_same_source_and_id_is_a_duplicate_whatever_its_body_and_the_first_stands(
    first: Callable[[], Event], other: Callable[[], Event]
) -> None:
    row = row_of(first())
    assert fold(row, other()) == DUPLICATE
    assert [fact[5] for fact in row.facts] == [first().values]


def test_two_sources_may_use_the_same_id() -> None:
    here = event(
        "network.channel_state", {"channel_id": "C1", "up": True, "at": at("07:00")}, source="/lam-dong/network/a"
    )
    there = event(
        "network.channel_state", {"channel_id": "C1", "up": False, "at": at("07:10")}, source="/lam-dong/network/b"
    )
    row = row_of(here)
    assert fold(row, there) == NEW
    assert told(here, there)["is_up"] is False


def test_an_id_repeated_for_another_entity_is_another_event() -> None:
    one, two = channel("07:00", channel_id="C1", event_id="x"), channel("07:00", channel_id="C2", event_id="x")
    assert one.entity_id != two.entity_id
    assert fold(row_of(), one)
    assert fold(row_of(), two)


def test_a_duplicate_is_known_after_the_row_was_written_and_read_back() -> None:
    for item in (status("received", "20T09:00"), channel("07:00")):
        row = decode_row(encode_row(row_of(item)))
        assert fold(row, item) == DUPLICATE
        assert row.facts == row_of(item).facts


# ---- order ---------------------------------------------------------------------------------------------------------


def test_facts_stand_by_time_then_by_the_greater_id_then_by_source_however_they_came() -> None:
    base = channel("07:00", event_id="b")
    facts = [
        channel("06:00", event_id="z"),
        channel("07:00", event_id="a"),
        base,
        base._replace(source="/lam-dong/network/z"),
    ]
    for order in permutations([replace_up(item, up=index == 3) for index, item in enumerate(facts)]):
        assert told(*order)["is_up"] is True


def replace_up(item: Event, *, up: bool) -> Event:
    values = list(item.values)
    values[item.type.position("up")] = up
    return item._replace(values=tuple(values))


def test_ids_are_compared_as_code_points_and_not_normalised() -> None:
    composed, decomposed = channel("07:00", event_id="\u00e9"), channel("07:00", event_id="e\u0301", up=False)
    row = row_of(composed)
    assert fold(row, decomposed) != DUPLICATE
    assert told(decomposed, composed)["is_up"] is True  # U+00E9 is greater than U+0065


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["24781", "24778", None]), st.booleans(), st.integers(0, 4)),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_a_state_is_the_same_in_any_order_and_with_any_repetition(
    told_facts: list[tuple[int, str | None, bool, int]], chance: random.Random
) -> None:
    facts = [
        channel(f"0{hour}:00", admin_unit=unit, up=up, event_id=f"{index}", deleted=kind == 0)
        for index, (hour, unit, up, kind) in enumerate(told_facts)
    ]
    shuffled = [*facts, *facts[::2]]
    chance.shuffle(shuffled)
    if facts:
        assert columns(*shuffled) == columns(*facts) == newest_wins(facts)


def newest_wins(facts: list[Event]) -> dict[str, Value] | None:
    """The sentence itself: newest wins per field, null erases nothing, the newest of all may be a tombstone."""
    ordered = sorted(facts, key=lambda fact: (fact.order_us, fact.id, fact.source))
    if ordered[-1].is_tombstone:
        return None
    found: dict[str, Value] = {"unit": None, "is_up": None, "clock": NOW_US}
    for fact in ordered:
        for column, name in (("unit", "admin_unit"), ("is_up", "up")):
            value = fact.values[fact.type.position(name)]
            if value is not None and not fact.is_tombstone:
                found[column] = value
    return found


# ---- null, corrections, tombstones ---------------------------------------------------------------------------------


def test_null_means_not_known_and_erases_nothing() -> None:
    assert told(channel("06:00", admin_unit="24781"), channel("07:00", admin_unit=None))["unit"] == "24781"


def test_a_later_correction_wins_and_an_earlier_one_that_comes_late_does_not() -> None:
    first = dossier(channel="counter", submitted="20T08:00")
    second = dossier(channel="postal", submitted="20T09:00")
    assert told(first, second)["channel"] == told(second, first)["channel"] == "postal"


def test_a_tombstone_counts_nowhere_until_a_later_fact_restores_it() -> None:
    submitted = dossier(submitted="20T08:00")
    tombstone = dossier(submitted="20T09:00", deleted=True)
    before = status("received", "20T08:30")
    after = status("received", "20T10:00")
    assert tombstone.is_tombstone
    assert columns(submitted, tombstone) is None
    assert columns(tombstone, before, submitted) is None, "an older fact that comes late restores nothing"
    assert told(submitted, tombstone, after)["agency"] == told(after, tombstone, submitted)["agency"]
    assert told(submitted, tombstone, after)["channel"] == "online"


def test_a_tombstone_needs_no_more_than_the_entity() -> None:
    tombstone = event("dossier.submitted", {"dossier_id": "D1", "deleted": True}, time="21T08:00")
    assert columns(dossier(), tombstone) is None


def test_deleted_false_is_no_tombstone() -> None:
    assert told(dossier(deleted=False))["channel"] == "online"


# ---- what views read -----------------------------------------------------------------------------------------------


def test_resolved_is_the_first_status_resolved_also_when_reopened_and_resolved_again() -> None:
    facts = [status("resolved", "21T09:00"), status("in_process", "21T10:00"), status("resolved", "21T11:00")]
    for order in permutations(facts):
        assert told(*order)["resolved_at"] == us("21T09:00")


@pytest.mark.parametrize("name", ["returned", "rejected", "withdrawn"])
def test_other_ends_are_not_resolved(name: str) -> None:
    assert told(status(name, "21T09:00"))["resolved_at"] is None


def test_due_is_the_date_of_the_earliest_event_that_carries_one_of_either_type() -> None:
    submitted = dossier(submitted="20T08:00")
    earlier = status("received", "20T09:00", due_at=at("25T17:00"))
    later = status("in_process", "20T10:00", due_at=at("30T17:00"))
    for order in permutations([submitted, earlier, later]):
        assert told(*order)["due_at"] == us("25T17:00")
    assert told(dossier(due_at=at("23T17:00")), earlier, later)["due_at"] == us("23T17:00")


@pytest.mark.parametrize(
    ("steps", "hours"),
    [
        pytest.param(
            [("supplement", "20T10:00"), ("in_process", "20T13:00"), ("resolved", "21T08:00")], 3, id="one pause"
        ),
        pytest.param(
            [
                ("supplement", "20T10:00"),
                ("in_process", "20T11:00"),
                ("supplement", "20T12:00"),
                ("received", "20T14:00"),
                ("resolved", "21T08:00"),
            ],
            3,
            id="pauses are summed",
        ),
        pytest.param([("supplement", "21T06:00"), ("resolved", "21T08:00")], 2, id="cut at resolution"),
        pytest.param(
            [("supplement", "21T06:00"), ("supplement", "21T07:00"), ("resolved", "21T08:00")],
            2,
            id="supplement asked twice",
        ),
        pytest.param([("resolved", "21T08:00"), ("supplement", "21T09:00")], 0, id="after resolution"),
        pytest.param(
            [
                ("supplement", "21T07:00"),
                ("resolved", "21T08:00"),
                ("in_process", "21T09:00"),
                ("resolved", "21T10:00"),
            ],
            1,
            id="only up to the first resolution",
        ),
        pytest.param([("supplement", "20T10:00"), ("in_process", "20T13:00")], 0, id="not resolved"),
    ],
)
def test_time_in_supplement_runs_to_the_next_status_and_ends_with_resolution(
    steps: list[tuple[str, str]], hours: float
) -> None:
    facts = [status(name, when) for name, when in steps]
    assert told(dossier(), *facts)["supplement"] == hours * 3_600_000_000
    assert told(*reversed(facts))["supplement"] == hours * 3_600_000_000


def test_a_status_whose_dossier_has_not_come_is_known_without_a_group() -> None:
    found = told(status("resolved", "21T08:00"))
    assert (found["resolved_at"], found["agency"], found["submitted_at"]) == (us("21T08:00"), None, None)


# ---- bounds --------------------------------------------------------------------------------------------------------


def test_an_entity_that_gets_events_without_end_is_refused_by_name() -> None:
    row = row_of()
    template = report_status("accepted", "20T08:00")
    for number in range(1_000):
        fold(row, template._replace(id=f"{number}"))
    with pytest.raises(InvalidRecord, match="R1") as refused:
        fold(row, template._replace(id="one more"))
    assert refused.value.reason == "entity_full"
    assert len(row.facts) == 1_000
    assert fold(row, template._replace(id="7")) == DUPLICATE, "what it holds is still known"


def test_a_state_keeps_what_still_tells_however_long_it_is_told() -> None:
    row = row_of(channel("00:00", admin_unit="24781"))
    template = channel("01:00")
    for second in range(1_500):
        assert fold(row, template._replace(id=f"{second}", order_us=template.order_us + second))
    assert len(row.facts) == 2, "the newest, and the one that says the unit"


def test_a_row_reads_the_same_after_it_was_written() -> None:
    facts = [dossier(due_at=at("25T17:00")), status("supplement", "20T10:00"), status("resolved", "21T10:00")]
    row = row_of(*facts)
    again = decode_row(encode_row(row))
    assert (again.facts, list(again.seen), again.size_bytes) == (row.facts, list(row.seen), row.size_bytes)
    assert isinstance(again, Row)


# ---- definitions ---------------------------------------------------------------------------------------------------


def of_dossier(*wanted: Column) -> EntityDefinition:
    return replace(next(entity for entity in catalog().entities if entity.name == "dossier"), columns=wanted)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (Column(name="x", operator="newest", argument="nothing"), "no type of this entity stores a field 'nothing'"),
        (Column(name="x", operator="newest", argument="channel", of=("report.rated",)), "no event type of this entity"),
        (
            Column(name="x", operator="first", argument="at", of=("dossier.status_changed",), where="stat == 1"),
            "no value named",
        ),
        (Column(name="x", operator="time_in", argument="status == 1", until="x"), "exactly one type in `of`"),
        (
            Column(name="x", operator="time_in", argument="status == 1", of=("dossier.status_changed",), until="y"),
            "`until` must name an earlier column",
        ),
    ],
)
def test_a_wrong_column_is_a_sentence_with_its_file_and_key(column: Column, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^entities\.yaml: dossier\.x: ") as refused:
        compile_view(of_dossier(column))
    assert sentence in str(refused.value)


def test_a_preference_is_asked_only_of_the_types_that_tell_the_field() -> None:
    """`service_level` is a field of dossier.submitted; the entity's other types know nothing of it."""
    column = Column(name="x", operator="newest", argument="service_level", prefer='service_level == "full"')
    facts = [dossier(service_level="full"), dossier(service_level="partial", submitted="20T10:00")]
    row = row_of(*facts, status("received", "21T10:00"))
    assert compile_view(of_dossier(column)).read(row, NOW_US) == ["full", NOW_US]


def test_a_row_is_read_back_as_it_was_with_sources_and_times_named_once() -> None:
    moved = status("in_process", "20T09:00")
    facts = [dossier(), moved, moved._replace(id="other", source="/lam-dong/onestop/x"), status("resolved", "21T08:00")]
    row = row_of(*facts)
    written = encode_row(row)
    assert decode_row(written) == row
    assert written.count(b"/lam-dong/onestop") == 2, "one for each source"


def _fact(order_us: int, fact_id: str, source: str, number: int, values: tuple[StoredValue, ...]) -> Fact:
    return order_us, fact_id, source, number, False, values


def test_a_text_that_the_fact_before_told_is_written_once() -> None:
    values: tuple[StoredValue, ...] = (None, "", "24781", True, False, 1, 1.0, 0, [], ["24781"], NOW_US)
    others: tuple[StoredValue, ...] = (None, "", "24781", False, True, 1.0, 1, 1, ["24781"], [], NOW_US + 1)
    facts = [
        _fact(NOW_US, "a", "/x", 3, values),
        _fact(NOW_US + 1, "b", "/x", 5, ("a telling text", NOW_US)),
        _fact(NOW_US + 1, "c", "/x", 3, others),
        _fact(NOW_US + 2, "d", "/x", 5, ("a telling text", NOW_US + 2)),
        _fact(NOW_US + 3, "e", "/x", 5, ("another text", NOW_US + 2)),
        _fact(NOW_US + 4, "f", "/x", 3, values),
    ]
    again = decode_row(encode_row(Row(facts, {}, 7)))
    assert [[(value.__class__, value) for value in fact[5]] for fact in again.facts] == [
        [(value.__class__, value) for value in fact[5]] for fact in facts
    ]
    assert again == Row(facts, {}, 7)
    assert encode_row(again).count(b"a telling text") == 1
