"""The recount against figures worked out by hand, and the stream against what it promises to hold."""

import ast
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.recount.accepting import HANOI
from tests.recount.generator import Stream, generate
from tests.recount.invalid import SORTS
from tests.recount.recount import Recount, window_bounds
from tests.recount.wire import Event, encode

CLOCK = datetime(2026, 3, 5, 9, 37, 21, tzinfo=HANOI)
CAMERAS = {"cam-01": "24846", "cam-02": "24778", "cam-03": "24778"}
SOURCES = {
    "dossier": "/lam-dong/onestop/motcua",
    "report": "/lam-dong/citizen/app",
    "network": "/lam-dong/network/vnpt",
    "lgsp": "/lam-dong/lgsp",
    "camera": "/lam-dong/camera/edge",
}
TOPICS = {
    "dossier": "ioc.onestop.dossiers",
    "report": "ioc.citizen.reports",
    "network": "ioc.network.channels",
    "lgsp": "ioc.lgsp.calls",
    "camera": "ioc.camera.health",
}


@dataclass
class Teller:
    """Says events to a recount, one after the other; ids are 01, 02, … unless given."""

    recount: Recount
    number: int = 0

    def say(
        self, kind: str, data: dict[str, object], *, time: str = "2026-03-05T08:00:00+07:00", event_id: str = ""
    ) -> str:
        """Returns what became of the event: accepted, duplicate or rejected."""
        self.number += 1
        family = kind.split(".")[0]
        topic, source = TOPICS[family], SOURCES[family]
        event = Event(
            topic=topic,
            key="k",
            entity=(family,),
            type=f"vn.ioc.{kind}.v1",
            source=source,
            id=event_id or f"{self.number:02d}",
            time=time,
            data=data,
        )
        before = Counter(self.recount.outcomes[topic])
        self.recount.read([encode([event], b"k", "structured")])
        (outcome,) = (self.recount.outcomes[topic] - before).keys() - {"in"}
        return outcome

    def submitted(self, *, time: str = "2026-03-01T08:00:00+07:00", **fields: object) -> str:
        data = {"dossier_id": "D", "channel": "online", "service_level": "full", "submitted_at": time, **fields}
        return self.say("dossier.submitted", data, time=time)

    def status(self, status: str, at: str, **fields: object) -> str:
        return self.say("dossier.status_changed", {"dossier_id": "D", "status": status, "at": at, **fields})

    def total(self, kpi: str, window: str) -> tuple[int, int]:
        return self.recount.figures()[kpi, "*", "", window]


@pytest.fixture
def teller() -> Teller:
    return Teller(Recount(CLOCK, CAMERAS))


def _march(day: int, time: str = "08:00") -> str:
    return f"2026-03-{day:02d}T{time}:00+07:00"


SUPPLEMENTS = {
    # due on the 2nd, 08:00; what the citizen was asked for stops the clock
    "resolved at the very due time": ([("resolved", _march(2))], 1),
    "resolved a minute late": ([("resolved", _march(2, "08:01"))], 0),
    "one day of supplement": ([("supplement", _march(1)), ("in_process", _march(2)), ("resolved", _march(3))], 1),
    "one day is not enough": (
        [("supplement", _march(1)), ("in_process", _march(2)), ("resolved", _march(3, "08:01"))],
        0,
    ),
    "supplement until resolved": ([("supplement", _march(2)), ("resolved", _march(4))], 1),
    "two of them, one after the other": (
        [("supplement", _march(1)), ("supplement", _march(2)), ("received", _march(3)), ("resolved", _march(4))],
        1,
    ),
    "supplement after the answer stops nothing": (
        [("resolved", _march(3)), ("supplement", _march(3)), ("resolved", _march(4))],
        0,
    ),
    "the first answer counts": ([("resolved", _march(2)), ("in_process", _march(3)), ("resolved", _march(4))], 1),
}


@pytest.mark.parametrize(("statuses", "on_time"), SUPPLEMENTS.values(), ids=SUPPLEMENTS)
def test_time_in_supplement_extends_the_due_date(teller: Teller, statuses: list[tuple[str, str]], on_time: int) -> None:
    for status, at in reversed(statuses):  # the last comes first: only the times matter, then the ids
        teller.status(status, at)
    teller.submitted(due_at=_march(2))
    assert teller.total("dossiers_on_time", "mtd") == (on_time, 1)


def test_without_a_due_date_nothing_is_on_time(teller: Teller) -> None:
    teller.submitted()
    teller.status("resolved", _march(2))
    assert teller.total("dossiers_on_time", "mtd") == (0, 1)


def test_the_due_date_of_the_earliest_event_stands_whatever_type_it_is(teller: Teller) -> None:
    teller.submitted(time=_march(2), due_at=_march(1, "12:00"))
    teller.status("resolved", _march(3))
    assert teller.total("dossiers_on_time", "mtd") == (0, 1)
    teller.status("received", _march(1), due_at=_march(4))
    assert teller.total("dossiers_on_time", "mtd") == (1, 1)


def test_a_status_before_its_dossier_counts_in_the_total_and_moves_to_the_agency_when_it_comes(teller: Teller) -> None:
    teller.status("resolved", _march(2), result_channel="postal")
    assert teller.total("dossiers_fully_online", "mtd") == (0, 1)
    assert not [series for series in teller.recount.figures() if series[2]]
    teller.submitted(agency_code="H1")
    figures = teller.recount.figures()
    assert figures["dossiers_fully_online", "*", "", "mtd"] == (1, 1)
    assert figures["dossiers_fully_online", "*", "H1", "mtd"] == (1, 1)
    assert figures["dossiers_online", "*", "H1", "ytd"] == (1, 1)


def test_a_correction_wins_per_field_and_null_erases_nothing(teller: Teller) -> None:
    teller.submitted(time=_march(3), channel="counter", agency_code=None)
    teller.submitted(time=_march(2), agency_code="H1")
    figures = teller.recount.figures()
    assert figures["dossiers_online", "*", "", "mtd"] == (0, 1)
    assert figures["dossiers_online", "*", "H1", "mtd"] == (0, 1)


def test_a_corrected_date_moves_the_dossier_to_its_month(teller: Teller) -> None:
    teller.submitted()
    assert teller.total("dossiers_online", "mtd") == (1, 1)
    teller.submitted(time=_march(2), submitted_at="2026-02-28T23:59:59.999+07:00")
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    assert teller.total("dossiers_online", "ytd") == (1, 1)


def test_equal_times_are_ordered_by_id_as_text(teller: Teller) -> None:
    for event_id, channel in (("9", "online"), ("10", "counter")):
        data: dict[str, object] = {"dossier_id": "D", "channel": channel, "service_level": "full"}
        teller.say("dossier.submitted", {**data, "submitted_at": _march(1)}, event_id=event_id)
    assert teller.total("dossiers_online", "mtd") == (1, 1)


def test_a_tombstone_takes_the_entity_away_until_a_later_fact_restores_it(teller: Teller) -> None:
    teller.submitted()
    teller.submitted(time=_march(2), deleted=True)
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    teller.status("received", _march(1))
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    teller.status("received", _march(3))
    assert teller.total("dossiers_online", "mtd") == (1, 1)


def test_a_repeated_id_is_a_duplicate_whatever_its_body_but_not_of_another_entity(teller: Teller) -> None:
    body: dict[str, object] = {"channel_id": "K1", "up": True, "at": _march(4)}
    assert teller.say("network.channel_state", {**body, "up": 1}, event_id="x") == "rejected"  # uses nothing up
    assert teller.say("network.channel_state", body, event_id="x") == "accepted"
    assert teller.say("network.channel_state", {**body, "up": False, "at": _march(5)}, event_id="x") == "duplicate"
    assert teller.say("network.channel_state", {**body, "channel_id": "K2"}, event_id="x") == "accepted"
    assert teller.total("wan_channels_up", "now") == (2, 2)


def test_reports_are_late_after_their_first_due_date_and_counted_by_ward(teller: Teller) -> None:
    data: dict[str, object] = {"report_id": "R", "ward_code": "24778", "submitted_at": _march(4), "due_at": _march(5)}
    teller.say("report.submitted", data, time=_march(4))
    teller.say("report.status_changed", {"report_id": "R", "status": "extended", "at": _march(4), "due_at": _march(9)})
    teller.say("report.status_changed", {"report_id": "R", "status": "resolved", "at": _march(5, "09:00")})
    figures = teller.recount.figures()
    assert figures["reports_on_time", "24778", "", "r30d"] == (0, 1)
    assert figures["reports_received", "24778", "", "mtd"] == (1, 0)
    assert figures["reports_received", "*", "", "day"] == (0, 0)


def test_a_camera_is_online_while_its_newest_picture_is_two_minutes_old_at_most(teller: Teller) -> None:
    for camera_id, at, age_s in (("cam-01", "09:35:22", 1), ("cam-02", "09:35:22", 1.25)):
        data: dict[str, object] = {"camera_id": camera_id, "online": True, "last_frame_age_s": age_s, "blurred": True}
        teller.say("camera.heartbeat", {**data, "at": f"2026-03-05T{at}+07:00"})
    figures = teller.recount.figures()
    assert figures["camera_online", "*", "", "now"] == (1, 3)
    assert figures["camera_online", "24846", "", "now"] == (1, 1)
    assert figures["camera_online", "24778", "", "now"] == (0, 2)


MINUTES = {
    "too early for 5m": ("09:31", {"5m": (0, 0), "1h": (9, 10), "day": (9, 10)}),
    "first of 5m": ("09:32", {"5m": (9, 10), "1h": (9, 10), "day": (9, 10)}),
    "the running one": ("09:37", {"5m": (9, 10), "1h": (9, 10), "day": (9, 10)}),
    "the next one": ("09:38", {"5m": (0, 0), "1h": (0, 0), "day": (9, 10)}),
    "first of 1h": ("08:37", {"5m": (0, 0), "1h": (9, 10), "day": (9, 10)}),
    "too early for 1h": ("08:36", {"5m": (0, 0), "1h": (0, 0), "day": (9, 10)}),
}


@pytest.mark.parametrize(("minute", "expected"), MINUTES.values(), ids=MINUTES)
def test_sliding_windows_hold_whole_minutes_and_the_running_one(
    teller: Teller, minute: str, expected: dict[str, tuple[int, int]]
) -> None:
    data: dict[str, object] = {"service_id": "S", "consumer": "C", "calls": 10, "errors": 1}
    teller.say("lgsp.service_call", {**data, "window_start": f"2026-03-05T{minute}:00+07:00"})
    assert {window: teller.total("lgsp_success", window) for window in expected} == expected


def test_one_minute_written_in_two_offsets_is_one_entity(teller: Teller) -> None:
    data: dict[str, object] = {"service_id": "S", "consumer": "C", "calls": 10, "errors": 1}
    teller.say("lgsp.service_call", {**data, "window_start": "2026-03-05T09:37:00+07:00"})
    teller.say("lgsp.service_call", {**data, "window_start": "2026-03-05T02:37:00Z", "calls": 20})
    assert teller.total("lgsp_success", "5m") == (19, 20)


@pytest.mark.parametrize(
    ("window", "first", "after"),
    [
        ("5m", "2026-12-31T23:47:00", "2026-12-31T23:53:00"),
        ("1h", "2026-12-31T22:52:00", "2026-12-31T23:53:00"),
        ("day", "2026-12-31T00:00:00", "2027-01-01T00:00:00"),
        ("mtd", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("ytd", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("r30d", "2026-12-02T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_windows_at_the_end_of_a_year(window: str, first: str, after: str) -> None:
    clock = datetime(2026, 12, 31, 23, 52, 10, tzinfo=HANOI)
    bounds = window_bounds(window, clock)
    assert bounds == tuple(datetime.fromisoformat(f"{text}+07:00") for text in (first, after))


@pytest.mark.parametrize(("seconds", "outcome"), [(900, "accepted"), (901, "rejected")])
def test_a_fact_may_be_fifteen_minutes_ahead_and_no_more(teller: Teller, seconds: int, outcome: str) -> None:
    at = (CLOCK + timedelta(seconds=seconds)).isoformat()
    assert teller.say("network.channel_state", {"channel_id": "K", "up": True, "at": at}) == outcome


# --- the stream -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stream() -> Stream:
    return generate(7, events=3_000, invalid=0.02)


def test_the_same_seed_gives_the_same_records(stream: Stream) -> None:
    again = generate(7, events=3_000, invalid=0.02)
    assert again.records == stream.records


def test_every_flaw_is_refused_and_nothing_else(stream: Stream) -> None:
    refused: Counter[str] = Counter()
    for event in stream.events:
        recount = Recount(stream.clock, {f"cam-{number:02d}": "24778" for number in range(1, 38)})
        recount.read([encode([event], b"k", "structured"), encode([event], b"k", "binary")])
        rejected = recount.outcomes[event.topic]["rejected"]
        assert rejected == (2 if event.flaw else 0), (event, recount.reasons)
        refused[event.flaw] += rejected
    assert {flaw for flaw, count in refused.items() if count} == set(SORTS)


def test_shares_are_exact_and_batches_hold_more_than_one(stream: Stream) -> None:
    recount = Recount(stream.clock, {f"cam-{number:02d}": "24778" for number in range(1, 38)})
    recount.read(stream.records)
    total = sum((Counter(outcomes) for outcomes in recount.outcomes.values()), Counter())
    assert total == {"in": 3_000, "duplicate": 150, "rejected": 60, "accepted": 2_790}
    assert len(stream.records) < 3_000


def _hard_cases(stream: Stream) -> dict[str, bool]:
    events = [event for event in stream.events if not event.flaw]
    ids_of_entities = Counter(
        (event.source, event.id) for event in {(e.entity, e.source, e.id): e for e in events}.values()
    )
    sources_of_ids = Counter((entity, name) for entity, name, _ in {(e.entity, e.id, e.source) for e in events})
    bodies = Counter((e.entity, e.source, e.id, str(sorted(e.data.items()))) for e in events)
    repeated = Counter((e.entity, e.source, e.id) for e in events)
    statuses = {e.entity for e in events if e.type == "vn.ioc.dossier.status_changed.v1"}
    submitted = Counter(e.entity for e in events if e.type == "vn.ioc.dossier.submitted.v1")
    ahead = [e for e in events if e.data.get("at") and datetime.fromisoformat(str(e.data["at"])) > stream.clock]
    cameras = {e.data["camera_id"] for e in events if "camera_id" in e.data}
    return {
        "a tombstone": any(e.data.get("deleted") is True for e in events),
        "a fact ahead of the clock": bool(ahead),
        "an id of two entities": max(ids_of_entities.values()) > 1,
        "an id of two sources of one entity": max(sources_of_ids.values()) > 1,
        "a duplicate with another body": any(
            count > bodies[key]
            for e in events
            for key in [(e.entity, e.source, e.id, str(sorted(e.data.items())))]
            for count in [repeated[key[:3]]]
        ),
        "a status whose dossier never comes": bool(statuses - submitted.keys()),
        "a corrected dossier": max(submitted.values()) > 1,
        "a due date in a status": any("status" in e.data and "due_at" in e.data for e in events),
        "a null": any(None in e.data.values() for e in events),
        "a heartbeat without its own time": any("online" in e.data and "at" not in e.data for e in events),
        "cameras never heard": 30 < len(cameras) < 37,
        "a record without the partition key": any(record.key in (None, b"some other key") for record in stream.records),
    }


def test_the_stream_holds_the_hard_cases(stream: Stream) -> None:
    missing = [name for name, is_there in _hard_cases(stream).items() if not is_there]
    assert not missing


def test_what_the_recount_is_made_of_is_not_the_product() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"ioc", "streams", "detectors"}, path.name
