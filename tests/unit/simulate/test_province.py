import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.simulate.envelopes import SimulatedEvent, encode_binary, encode_structured, structured_json
from ioc.simulate.province import ProvinceSimulator

START = datetime(2026, 11, 22, 5, 6, 7, tzinfo=UTC)
UNITS = tuple(str(24700 + n) for n in range(124))
CAMERAS = {f"cam-{n:02d}": UNITS[n] for n in range(1, 38)}

# Written off kpis.yaml by hand: topic, kind, partition key, required fields.
CONTRACT = {
    "dossier.submitted": "ioc.onestop.dossiers dossier_id channel service_level submitted_at",
    "dossier.status_changed": "ioc.onestop.dossiers dossier_id at status",
    "dossier.digitised": "ioc.onestop.dossiers dossier_id components_digitised components_total",
    "dossier.paid": "ioc.onestop.payments dossier_id method status",
    "dossier.rated": "ioc.onestop.dossiers dossier_id",
    "report.submitted": "ioc.citizen.reports report_id submitted_at",
    "report.status_changed": "ioc.citizen.reports report_id at status",
    "report.rated": "ioc.citizen.reports report_id",
    "network.channel_state": "ioc.network.channels channel_id up",
    "lgsp.service_call": "ioc.lgsp.calls service_id calls consumer errors window_start",
    "lgsp.connection": "ioc.lgsp.connections system_id connected required",
    "camera.heartbeat": "ioc.camera.health camera_id last_frame_age_s online",
}


def _event_type(name: str, line: str) -> EventType:
    topic, key, *_ = line.split()
    return EventType(
        number=0,
        name=name,
        ce_type=f"vn.ioc.{name}.v1",
        topic=topic,
        partition_key=key,
        kind="fact",
        entity="",
        entity_key=(key,),
        time_field="ce_time",
        fields=(),
    )


TYPES: Mapping[str, EventType] = {name: _event_type(name, line) for name, line in CONTRACT.items()}
ENUMS = {
    "vn.ioc.dossier.submitted.v1": {
        "channel": {"online", "counter", "postal"},
        "service_level": {"full", "partial", "info"},
    },
    "vn.ioc.dossier.status_changed.v1": {
        "status": {"received", "supplement", "in_process", "resolved", "returned", "rejected", "withdrawn"},
        "result_channel": {"online", "postal", "counter", None},
    },
    "vn.ioc.dossier.paid.v1": {
        "method": {"online", "cash", "transfer"},
        "status": {"success", "failed", "refunded"},
    },
    "vn.ioc.dossier.rated.v1": {"score": {1, 2, 3, 4, 5}},
    "vn.ioc.report.status_changed.v1": {
        "status": {"accepted", "rejected", "assigned", "on_site", "reported", "resolved", "reopened", "extended"},
    },
    "vn.ioc.report.rated.v1": {"rating": {"satisfied", "accept", "unsatisfied"}},
    "vn.ioc.network.channel_state.v1": {"level": {"province", "commune"}},
    "vn.ioc.lgsp.connection.v1": {"owner": {"ministry", "province"}},
}


def _simulator(seed: int = 7, **shares: float) -> ProvinceSimulator:
    """A province whose catalogue holds the base types only; test_departments.py has the whole one."""
    return ProvinceSimulator(seed, start=START, units=UNITS, cameras=CAMERAS, event_types=TYPES, **shares)


def _stream(simulator: ProvinceSimulator) -> list[SimulatedEvent]:
    return [*simulator.history(days=30, count=3000), *simulator.live(rate_per_s=50, count=2000)]


@pytest.fixture(scope="module")
def stream() -> list[SimulatedEvent]:
    return _stream(_simulator())


def _lines(events: Iterable[SimulatedEvent]) -> list[bytes]:
    return [structured_json(event) for event in events]


def test_same_seed_and_start_give_the_same_bytes(stream: list[SimulatedEvent]) -> None:
    assert _lines(stream) == _lines(_stream(_simulator()))
    assert _lines(stream[:500]) != _lines(islice(_stream(_simulator(8)), 500))


def test_another_start_repeats_no_id(stream: list[SimulatedEvent]) -> None:
    later = ProvinceSimulator(7, start=START + timedelta(hours=1), units=UNITS, cameras=CAMERAS, event_types=TYPES)
    ids = {event.ce["id"] for event in stream}
    assert len(ids) == len(stream)
    assert not ids & {event.ce["id"] for event in later.history(days=30, count=500)}


def test_every_event_keeps_the_contract_of_its_type(stream: list[SimulatedEvent]) -> None:
    assert {event.ce["type"] for event in stream} == {f"vn.ioc.{name}.v1" for name in CONTRACT}
    for event in stream:
        ce_type = event.ce["type"]
        topic, key, *required = CONTRACT[ce_type.removeprefix("vn.ioc.").removesuffix(".v1")].split()
        assert (event.topic, event.key) == (topic, event.data[key])
        assert set(required) <= event.data.keys()
        assert all(event.data[name] is not None for name in required)
        assert event.ce["source"].split("/")[:3] == ["", "lam-dong", topic.split(".")[1]]
        for name, values in ENUMS.get(ce_type, {}).items():
            assert event.data.get(name) in values


def test_times_carry_an_offset_and_facts_are_not_ahead_of_their_publication(stream: list[SimulatedEvent]) -> None:
    for event in stream:
        moment = datetime.fromisoformat(event.ce["time"])
        assert START - timedelta(days=30) - timedelta(seconds=1) <= moment <= START + timedelta(seconds=60)
        for name in ("at", "submitted_at", "window_start", "last_ok_at"):
            if name in event.data:
                own = datetime.fromisoformat(str(event.data[name]))
                assert own.tzinfo is not None
                assert own <= moment


def test_history_is_in_order_counts_as_asked_and_ends_at_the_start(stream: list[SimulatedEvent]) -> None:
    past = stream[:3000]
    assert [event.at for event in past] == sorted(event.at for event in past)
    assert past[-1].at == START
    for count in (0, 1, 300, 700):
        assert len(list(_simulator().history(days=30, count=count))) == count


def test_history_tells_every_state_of_the_province(stream: list[SimulatedEvent]) -> None:
    past = stream[:3000]
    channels = {event.key: event.data for event in past if event.ce["type"] == "vn.ioc.network.channel_state.v1"}
    assert len(channels) == 184
    assert 1 <= sum(not data["up"] for data in channels.values()) <= 5
    assert {event.key for event in past if event.ce["type"] == "vn.ioc.camera.heartbeat.v1"} == set(CAMERAS)
    minutes = Counter(
        (event.key, event.data["consumer"], event.data["window_start"])
        for event in past
        if event.ce["type"] == "vn.ioc.lgsp.service_call.v1"
    )
    assert set(minutes.values()) == {1}


def test_live_calls_tell_no_minute_twice(stream: list[SimulatedEvent]) -> None:
    simulator = _simulator()
    events = [*simulator.history(days=1, count=600), *simulator.live(rate_per_s=20, duration=timedelta(minutes=4))]
    calls = Counter(
        (event.key, event.data["consumer"], event.data["window_start"])
        for event in events
        if event.ce["type"] == "vn.ioc.lgsp.service_call.v1"
    )
    assert set(calls.values()) == {1}
    assert len(calls) >= (13 + 3) * 12


def test_lives_begin_with_their_submission_and_resolve_once(stream: list[SimulatedEvent]) -> None:
    seen: set[str] = set()
    resolved: Counter[str] = Counter()
    for event in stream:
        if "dossier_id" in event.data or "report_id" in event.data:
            if event.ce["type"].endswith("submitted.v1"):
                assert event.key not in seen
                seen.add(event.key)
            assert event.key in seen
            resolved[event.key] += event.data.get("status") == "resolved"
    assert max(resolved.values()) == 1
    assert sum(resolved.values()) > 200


def test_reports_follow_the_published_mix_of_da_lat() -> None:
    simulator = _simulator(11)
    codes = Counter(
        event.data["service_code"]
        for event in simulator.history(days=60, count=16_000)
        if event.ce["type"] == "vn.ioc.report.submitted.v1"
    )
    published = {"construction_order": 593, "urban_order": 473, "traffic_security": 270, "environment": 179}
    published |= {"culture_tourism": 160, "food_safety": 33, "forest": 24, "prices": 12}
    assert codes.total() > 600
    for code, number in published.items():
        assert codes[code] / codes.total() == pytest.approx(number / 2017, abs=0.05)


def test_dossier_shares_are_those_of_the_seed_articles() -> None:
    past = list(_simulator(5).history(days=60, count=8_000))
    submitted = {e.key: e for e in past if e.ce["type"] == "vn.ioc.dossier.submitted.v1"}
    online = sum(event.data["channel"] == "online" for event in submitted.values()) / len(submitted)
    assert online == pytest.approx(0.817, abs=0.04)
    resolved = [e for e in past if e.ce["type"] == "vn.ioc.dossier.status_changed.v1"]
    done = [e for e in resolved if e.data["status"] == "resolved"]
    fully = sum(
        submitted[e.key].data["service_level"] == "full"
        and submitted[e.key].data["channel"] == "online"
        and e.data["result_channel"] in ("online", "postal")
        for e in done
    )
    assert fully / len(done) == pytest.approx(0.536, abs=0.05)
    late = sum(e.at > datetime.fromisoformat(str(submitted[e.key].data["due_at"])) for e in done)
    assert 0.005 < late / len(done) < 0.08


@pytest.mark.parametrize("rate", [1, 7, 50, 200])
def test_live_events_are_evenly_spaced_and_reach_both_states_and_dossiers(rate: int) -> None:
    events = list(_simulator().live(rate_per_s=rate, duration=timedelta(seconds=20)))
    assert len(events) == 20 * rate
    assert [event.at for event in events[:3]] == [START + timedelta(seconds=n / rate) for n in range(3)]
    kinds = {event.topic for event in events}
    assert "ioc.onestop.dossiers" in kinds
    assert "ioc.network.channels" in kinds


def test_live_heartbeats_stay_fresh_and_channels_keep_to_one_percent_down() -> None:
    events = list(_simulator().live(rate_per_s=20, duration=timedelta(minutes=3)))
    last: dict[str, datetime] = {}
    for event in events:
        if event.topic == "ioc.camera.health":
            assert event.at - last.get(event.key, event.at) <= timedelta(seconds=45)
            last[event.key] = event.at
    assert set(last) == set(CAMERAS)
    states = [event.data["up"] for event in events if event.topic == "ioc.network.channels"]
    assert 0.001 < states.count(False) / len(states) < 0.05


def test_duplicates_repeat_an_event_and_contradictions_have_an_id_of_their_own() -> None:
    events = _stream(_simulator(duplicate_share=0.05, invalid_share=0.02))
    kinds = Counter(event.kind for event in events)
    assert kinds["duplicate"] / len(events) == pytest.approx(0.05, abs=0.012)
    assert kinds["invalid"] / len(events) == pytest.approx(0.02, abs=0.008)
    first: dict[str, SimulatedEvent] = {}
    for event in events:
        known = first.setdefault(event.ce["id"], event)
        assert (event.kind == "duplicate") == (known is not event)
        assert encode_binary(known) == encode_binary(event)


def test_binary_and_structured_mode_carry_the_same_event(stream: list[SimulatedEvent]) -> None:
    event = stream[0]
    key, value, headers = encode_binary(event)
    attributes = {name.removeprefix("ce_"): text.decode() for name, text in headers if name.startswith("ce_")}
    same_key, body, content = encode_structured(event)
    envelope = json.loads(body)
    assert key == same_key == event.key.encode()
    assert envelope.pop("data") == json.loads(value)
    assert envelope == {**attributes, "datacontenttype": "application/json"}
    assert content == [("content-type", b"application/cloudevents+json")]
    assert ("content-type", b"application/json") in headers


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"units": ()}, "no commune"),
        ({"start": datetime(2026, 11, 22)}, "no offset"),  # noqa: DTZ001  (that is the point)
        ({"duplicate_share": 0.7, "invalid_share": 0.4}, "shares"),
        ({"invalid_share": -0.1}, "shares"),
        ({"event_types": {}}, r"event_types.yaml has no dossier.submitted"),
    ],
    ids=["no units", "naive start", "shares over one", "negative share", "a type is missing"],
)
def test_impossible_province_is_refused_in_a_sentence(change: dict[str, object], sentence: str) -> None:
    values: dict[str, object] = {
        "start": START,
        "units": UNITS,
        "cameras": CAMERAS,
        "event_types": TYPES,
        **change,
    }
    with pytest.raises(ConfigurationError, match=sentence):
        ProvinceSimulator(1, **values)  # type: ignore[arg-type]  # some are wrong on purpose


def test_rate_must_be_positive() -> None:
    with pytest.raises(ConfigurationError, match="rate of 0"):
        next(_simulator().live(rate_per_s=0))
