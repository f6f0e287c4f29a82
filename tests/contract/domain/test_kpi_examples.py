"""The worked examples of the starting catalogue hold, are of every kind that they should be, and tell the KPI from
everything that is nearly it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from ioc.errors import ConfigurationError
from ioc.events import Event, EventDecoder, Rejected
from ioc.kpis import BUILT_IN, KpiDefinition, KpiEngine
from ioc.kpis.examples import Example, ExampleRunner
from ioc.windows import LOCAL_ZONE, grain_of
from tests.unit.domain.kpi_mutants import Mutant, mutants_of, only_used
from tests.unit.domain.making import NOW, catalog, minutes

KPIS = [kpi.id for kpi in catalog().kpis]
ONE_PARTITION = "an example has one partition, with one row a source; test_source_figures holds two"
EQUIVALENT: dict[tuple[str, str], str] = {
    ("agencies_signing", "parts[0].counts both"): "every sender is in the denominator already, by part 1",
    ("ioc_centres", "each row counts"): ONE_PARTITION,
    ("source_alive", "each row counts"): ONE_PARTITION,
}
"""Mutants that no example can tell from the KPI, by (KPI, mutant), each with the reason."""


class RememberingDecoder(EventDecoder):
    """A decoder that reads the same record once: a thousand mutants are shown the same events."""

    def __init__(self, inner: EventDecoder) -> None:
        self._inner = inner
        self._known: dict[Any, list[Event | Rejected]] = {}

    def decode(self, topic: str, headers: Any, value: bytes | None, now_us: int) -> list[Event | Rejected]:
        key = (topic, tuple(headers), value, now_us)
        if key not in self._known:
            self._known[key] = self._inner.decode(topic, headers, value, now_us)
        return self._known[key]

    def own_source(self, source: str) -> str:
        return self._inner.own_source(source)


@cache
def decoder() -> EventDecoder:
    return RememberingDecoder(catalog().decoder())


def runner_of(mutant: Mutant) -> ExampleRunner | None:
    """None for a mutant that the engine refuses: nobody could declare it."""
    used = only_used(mutant.kpi, mutant.entities)
    try:
        engine = KpiEngine(used, [mutant.kpi], catalog().registers(), catalog().geography)
    except ConfigurationError:
        return None
    return ExampleRunner(
        engine,
        decoder(),
        event_types=catalog().event_types,
        province=catalog().province,
        promises=catalog().promises,
    )


def as_asked(examples: Sequence[Example], mutant: Mutant) -> list[Example]:
    """The examples with what they expect of a window asked of the mutant's window."""
    if mutant.windows is None:
        return list(examples)
    old, new = mutant.windows
    return [replace(example, expect={new: example.expect[old]}) for example in examples if old in example.expect]


def is_told(mutant: Mutant, runner: ExampleRunner, examples: Sequence[Example]) -> bool:
    try:
        return any(runner.problems(mutant.kpi.id, example) for example in examples)
    except TypeError:  # it compares what can't be compared
        return True


# ---- they hold -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kpi_id", KPIS)
def test_every_example_holds(kpi_id: str) -> None:
    kpi, entities = catalog().kpi(kpi_id), {entity.name: entity for entity in catalog().entities}
    runner = runner_of(Mutant(name="", missing="", kpi=kpi, entities=entities))
    assert runner is not None
    examples = catalog().examples[kpi_id]
    assert [problem for example in examples for problem in runner.problems(kpi_id, example)] == []
    assert len({example.name for example in examples}) == len(examples), "examples need names of their own"


# ---- mistakes in them ----------------------------------------------------------------------------------------------

UP = {"type": "network.channel_state", "channel_id": "k1", "up": True}
NAIVE = datetime(2026, 11, 22, 7)  # noqa: DTZ001  (as YAML reads a time without its offset)


@pytest.mark.parametrize(
    ("event", "wanted", "says"),
    [
        ({"received": NAIVE}, "1/1", "event 1: received: 2026-11-22 07:00:00: give the time with its offset"),
        ({"received": NAIVE.date()}, "1/1", "event 1: received: 2026-11-22: give the time with its offset"),
        ({"received": NOW + minutes(1)}, "1/1", "event 1: received: 2026-11-22 08:01:00+07:00 is after the example's"),
        ({"at": NAIVE}, "1/1", "event 1: 2026-11-22 07:00:00: give the time with its offset"),
        ({"latency_ms": 10**30}, "1/1", "event 1: no event can carry it: "),
        ({}, "1/one", "1h *: 1/one is no expectation"),
        ({}, {"manual": True}, "1h *: {'manual': True} is no expectation"),
        ({}, {"is": "1/1", "as_of": NAIVE}, "is no expectation"),
    ],
)
def test_a_mistake_in_an_example_is_a_sentence(event: dict[str, Any], wanted: Any, says: str) -> None:
    example = Example(name="x", now=NOW, events=(UP | event,), expect={"1h": {"*": wanted}})
    with pytest.raises(ConfigurationError) as refused:
        catalog().example_runner().problems("source_valid", example)
    assert str(refused.value).startswith("kpis/source_valid.yaml: example 'x': ")
    assert says in str(refused.value)


def test_a_time_of_null_is_the_clock_at_which_the_event_came() -> None:
    event = UP | {"at": None, "received": NOW - minutes(7)}
    wanted = {"is": "1/1", "as_of": NOW - minutes(7)}
    example = Example(name="x", now=NOW, events=(event,), expect={"now": {"*": wanted}})
    assert catalog().example_runner().problems("wan_channels_up", example) == []


# ---- they are of every kind ----------------------------------------------------------------------------------------


def has_duplicate(examples: Sequence[Example]) -> bool:
    """An id again, with another body."""
    return any(
        one.get("id") == other.get("id") and one.get("id") and one["type"] == other["type"] and one != other
        for example in examples
        for place, one in enumerate(example.events)
        for other in example.events[:place]
    )


def has_correction(examples: Sequence[Example]) -> bool:
    types = catalog().event_types

    def key(told: Any) -> tuple[Any, ...]:
        event_type = types[told["type"]]
        return (event_type.entity, *(told.get(name) for name in event_type.entity_key))

    return any(
        key(one) == key(other) and (one.get("id") is None or one.get("id") != other.get("id"))
        for example in examples
        for place, one in enumerate(example.events)
        for other in example.events[:place]
    )


def expectations(examples: Sequence[Example]) -> Iterator[tuple[str, str, Any]]:
    for example in examples:
        for window, expected in example.expect.items():
            for series, wanted in expected.items():
                yield window, series, wanted["is"] if isinstance(wanted, dict) and "is" in wanted else wanted


def is_nothing(kpi: KpiDefinition, wanted: Any) -> bool:
    if kpi.form == "p95":
        return isinstance(wanted, dict) and wanted.get("p95_s", 0) is None and wanted.get("samples") == 0
    if kpi.form == "number":
        return bool(wanted == 0)
    return isinstance(wanted, str) and (wanted.startswith("0/") if kpi.population else wanted == "0/0")


def times_in(examples: Sequence[Example]) -> set[tuple[int, int, int, int]]:
    """The local time of day of every time in the events: hour, minute, second, microsecond."""
    moments = [
        value.astimezone(LOCAL_ZONE)
        for example in examples
        for told in example.events
        for value in told.values()
        if isinstance(value, datetime)
    ]
    return {(moment.hour, moment.minute, moment.second, moment.microsecond) for moment in moments}


def missing_kinds(kpi: KpiDefinition, examples: Sequence[Example]) -> Iterator[str]:
    expected = list(expectations(examples))
    is_of_sources = all(part.entity in BUILT_IN for part in kpi.parts)
    if not has_duplicate(examples) and not is_of_sources:
        yield "a duplicate: the same id again with another body"
    if not has_correction(examples) and not is_of_sources:
        yield "a correction: the same entity, told again later"
    if not any(series == "*" and is_nothing(kpi, wanted) for _, series, wanted in expected):
        yield "nothing counted: a denominator of 0, a count of 0 or no sample"
    yield from (f"the window {window}" for window in kpi.windows if window not in {found for found, _, _ in expected})
    for mark, is_wanted in (
        ("dim", any(part.dim for part in kpi.parts)),
        ("group", any(part.group for part in kpi.parts) or kpi.population == "cameras"),
    ):
        of_mark = [w for _, series, w in expected if series != "*" and series.startswith("dim=") is (mark == "dim")]
        if is_wanted and {wanted == "absent" for wanted in of_mark} != {True, False}:
            yield f"a series of a {mark}, and one that is absent"
    yield from _missing_bounds(kpi, examples)


def _missing_bounds(kpi: KpiDefinition, examples: Sequence[Example]) -> Iterator[str]:
    """Times at the bounds of days and minutes, where the bucket is a time and not a date."""
    dates = {
        (entity.name, column.name)
        for entity in catalog().entities
        for column in entity.columns
        if column.operator == "period_start"
    }
    parts = [p for p in kpi.parts if p.bucket_by and p.entity not in BUILT_IN and (p.entity, p.bucket_by) not in dates]
    if not parts:
        return
    grains, times = {grain_of(window) for window in kpi.windows}, times_in(examples)
    if "day" in grains and not {(0, 0, 0, 0), (23, 59, 59, 999_999)} <= times:
        yield "local midnight, and the microsecond before"
    if "minute" in grains and not {(0, 0), (59, 999_999)} <= {(second, part) for _, _, second, part in times}:
        yield "the first microsecond of a minute, and the one before"


@pytest.mark.parametrize("kpi_id", KPIS)
def test_the_examples_are_of_every_kind(kpi_id: str) -> None:
    missing = list(missing_kinds(catalog().kpi(kpi_id), catalog().examples[kpi_id]))
    assert not missing, f"{kpi_id} lacks " + "; ".join(missing)


# ---- they tell the KPI from what is nearly it ----------------------------------------------------------------------


def survivors(kpi_id: str) -> Iterator[str]:
    entities = {entity.name: entity for entity in catalog().entities}
    examples = list(catalog().examples[kpi_id])
    for mutant in mutants_of(catalog().kpi(kpi_id), entities):
        runner = runner_of(mutant)
        if runner is None or (kpi_id, mutant.name) in EQUIVALENT:
            continue
        if not is_told(mutant, runner, as_asked(examples, mutant)):
            yield f"{kpi_id}: {mutant.name}: no example tells it; missing: {mutant.missing}"


@pytest.mark.parametrize("kpi_id", KPIS)
def test_the_examples_tell_every_slip_in_the_rule(kpi_id: str) -> None:
    found = list(survivors(kpi_id))
    assert not found, "\n".join(found)


def test_every_equivalent_mutant_is_still_one() -> None:
    """One that is told by now, or that nobody makes any more, needs no exception."""
    entities = {entity.name: entity for entity in catalog().entities}
    for kpi_id, name in EQUIVALENT:
        (mutant,) = [m for m in mutants_of(catalog().kpi(kpi_id), entities) if m.name == name]
        runner = runner_of(mutant)
        assert runner is not None
        assert not is_told(mutant, runner, as_asked(catalog().examples[kpi_id], mutant)), (kpi_id, name)
