"""Every department's events against the starting catalogue, judged by the decoder that the worker uses."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

import ioc.catalog
from ioc.catalog import Catalog, load_catalog
from ioc.events import Event, Rejected
from ioc.oncall.intake import parse_incident
from ioc.simulate.disturbances import INVALID_REASONS
from ioc.simulate.envelopes import SimulatedEvent, encode_binary, structured_json
from ioc.simulate.province import PUBLISHERS, ProvinceSimulator
from ioc.windows import microseconds_of

START = datetime(2026, 11, 22, 5, 6, 7, tzinfo=UTC)
LIVE = timedelta(seconds=120)
Judged = list[tuple[SimulatedEvent, Event | Rejected]]
NOT_OF_A_DEPARTMENT = {
    "camera.coverage",
    "camera.frame",
    "camera.detection",
    "quality.rejected",
}  # the product's own parts write these


@cache
def _catalog() -> Catalog:
    return load_catalog(Path(ioc.catalog.__file__).parent / "lam-dong")


def _simulator(start: datetime = START, seed: int = 7) -> ProvinceSimulator:
    catalog = _catalog()
    return ProvinceSimulator(
        seed,
        start=start,
        units=[unit.code for unit in catalog.geography.in_force(start.date())],
        cameras={camera_id: camera.admin_unit for camera_id, camera in catalog.cameras.items()},
        event_types=catalog.event_types,
        duplicate_share=0.03,
        invalid_share=0.02,
    )


def _stream(simulator: ProvinceSimulator) -> list[SimulatedEvent]:
    return [
        *simulator.stock(),
        *simulator.past_incidents(),
        *simulator.history(days=30, count=1000),
        *simulator.live(rate_per_s=20, duration=LIVE),
    ]


@pytest.fixture(scope="module")
def stream() -> list[SimulatedEvent]:
    return _stream(_simulator())


@pytest.fixture(scope="module")
def judged(stream: list[SimulatedEvent]) -> Judged:
    """Each event with the decoder's answer at the moment of its publication."""
    decode = _catalog().decoder().decode
    answers: Judged = []
    for event in stream:
        _, value, headers = encode_binary(event)
        (answer,) = decode(event.topic, headers, value, microseconds_of(max(event.at, START)))
        answers.append((event, answer))
    return answers


def _name(event: SimulatedEvent) -> str:
    return event.ce["type"].removeprefix("vn.ioc.").removesuffix(".v1")


def test_same_seed_gives_the_same_events_and_another_seed_others(stream: list[SimulatedEvent]) -> None:
    lines = [structured_json(event) for event in stream]
    assert lines == [structured_json(event) for event in _stream(_simulator())]
    assert lines[:200] != [structured_json(event) for event in islice(_simulator(seed=8).stock(), 200)]


def test_every_type_that_a_department_publishes_occurs_in_the_past(stream: list[SimulatedEvent]) -> None:
    past = {_name(event) for event in stream if event.kind == "fresh" and event.at <= START}
    assert past == set(_catalog().event_types) - NOT_OF_A_DEPARTMENT


def test_every_department_speaks_in_the_live_part_within_its_time() -> None:
    live = {_name(event) for event in _simulator().live(rate_per_s=50, duration=LIVE)}
    often = {publisher.event for publisher in PUBLISHERS if publisher.every_s * 1.1 < LIVE.total_seconds()}
    offices = {publisher.event for publisher in PUBLISHERS if publisher.in_office_hours}
    assert often - offices <= live


def test_every_valid_event_is_accepted_and_every_broken_one_refused_for_its_reason(judged: Judged) -> None:
    refused: Counter[str] = Counter()
    for event, answer in judged:
        if event.kind == "invalid":
            assert isinstance(answer, Rejected), event
            assert answer.error.reason == INVALID_REASONS[event.reason], event
            refused[event.reason] += 1
        else:
            assert isinstance(answer, Event), (event, answer)
            assert answer.partition_key == event.key
    assert set(refused) == set(INVALID_REASONS)


def test_no_fact_is_told_before_it_happened(stream: list[SimulatedEvent]) -> None:
    ahead_by_nature = {"due_at", "promised_at", "expires", "expires_at", "due_publish_at"}
    for event in stream:
        if event.kind == "invalid":
            continue
        fields = {spec.name for spec in _catalog().event_types[_name(event)].fields if spec.type == "time"}
        times = [event.ce["time"], *(event.data.get(name) for name in fields - ahead_by_nature)]
        assert all(datetime.fromisoformat(str(time)) <= event.at for time in times if time), event


def test_facts_are_corrected_come_late_and_contradict_each_other(stream: list[SimulatedEvent], judged: Judged) -> None:
    times: dict[tuple[str, str], set[int]] = {}
    for event, answer in judged:
        if event.kind == "fresh" and isinstance(answer, Event):
            times.setdefault((_name(event), answer.entity_id), set()).add(answer.order_us)
    for name in ("postal.item", "document.exchanged", "telecom.site_alarm", "violation.recorded", "disaster.incident"):
        assert any(len(found) > 1 for (of, _), found in times.items() if of == name), name
    reasons = Counter(event.reason for event in stream if event.kind == "fresh")
    assert reasons["late"] > 30
    assert 5 < reasons["contradiction"] < 100


def test_without_contradictions_an_entity_is_told_one_thing_at_one_time(judged: Judged) -> None:
    told: dict[tuple[str, str, str, int], set[tuple[object, ...]]] = {}
    for event, answer in judged:
        if event.kind != "fresh":
            continue
        assert isinstance(answer, Event)
        if event.reason != "contradiction":
            place = (event.ce["source"], _name(event), answer.entity_id, answer.order_us)
            told.setdefault(place, set()).add(tuple(str(value) for value in answer.values))
    assert [place for place, values in told.items() if len(values) > 1] == []


def test_past_incidents_call_nobody_and_tell_what_was_done() -> None:
    events = list(_simulator().past_incidents())
    changed = [event for event in events if _name(event) == "incident.changed"]
    for event in changed:
        _, value, headers = encode_binary(event)
        incident = parse_incident(value, headers)
        assert incident.incident_id.startswith("sim-")
        assert incident.state != "open"  # the past calls nobody
        assert event.ce["source"] == "/lam-dong/incidents"
        assert incident.first_frame_at < START - timedelta(hours=1)
    actions = [event for event in events if _name(event) == "incident.action"]
    assert {event.ce["source"] for event in actions} == {"/lam-dong/incident"}
    told = Counter(str(event.data["action"]) for event in actions)
    assert told["notified"] == told["acknowledged"] == told["verdict"] == len(changed) == 35
    assert {event.data["kind"] for event in changed} == {"smoke", "construction"}


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 11, 30, 17, 5, tzinfo=UTC),  # 00:05 on the first of December in Đà Lạt
        datetime(2028, 2, 29, 16, 59, 59, tzinfo=UTC),
        datetime(2026, 12, 31, 17, 0, tzinfo=UTC),
    ],
    ids=["five past midnight on the first", "last second of a leap day", "new year"],
)
def test_the_past_is_accepted_at_the_turn_of_days_months_and_years(start: datetime) -> None:
    decode = _catalog().decoder().decode
    for event in _simulator(start).stock():
        _, value, headers = encode_binary(event)
        (answer,) = decode(event.topic, headers, value, microseconds_of(start))
        assert isinstance(answer, Rejected if event.kind == "invalid" else Event), event


def test_live_facts_are_told_at_the_moment_at_which_something_happens() -> None:
    facts = {publisher.event for publisher in PUBLISHERS if not publisher.is_state}
    live = [event for event in _simulator().live(rate_per_s=50, duration=LIVE) if event.kind == "fresh"]
    found = [event for event in live if _name(event) in facts and event.reason == ""]
    assert len(found) > 50
    assert all(event.at - datetime.fromisoformat(event.ce["time"]) < timedelta(hours=1) for event in found)


def test_figures_by_commune_cover_the_province_and_some_are_typed_by_hand(stream: list[SimulatedEvent]) -> None:
    reported = [event.data for event in stream if _name(event) == "indicator.reported" and event.kind == "fresh"]
    units = {str(data["admin_unit"]) for data in reported}
    assert len(units) == 124
    methods = Counter(data["method"] for data in reported)
    assert 0.05 < methods["manual"] / methods.total() < 0.25
    this_month = {str(data["admin_unit"]) for data in reported if data["period"] == "2026-11"}
    assert 100 < len(this_month) < 124
    assert all(0 <= float(str(data["numerator"])) <= float(str(data["denominator"])) for data in reported)


def test_all_operations_centres_but_one_were_heard_in_the_last_ten_minutes(judged: Judged) -> None:
    newest: dict[str, int] = {}
    for _, answer in judged:
        if isinstance(answer, Event) and answer.type.name == "indicator.reported":
            newest[answer.source] = max(newest.get(answer.source, 0), answer.order_us)
    heard = [source for source, at in newest.items() if at >= microseconds_of(START + LIVE - timedelta(minutes=10))]
    assert (len(newest), len(heard)) == (14, 13)
