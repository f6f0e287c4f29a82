"""The recount against figures worked out by hand: dossiers, reports, channels, cameras, minutes and windows."""

from datetime import datetime, timedelta

import pytest

from tests.recount.accepting import HANOI
from tests.recount.kpis import window_bounds
from tests.recount.teller import CLOCK, Teller, a_teller, march


@pytest.fixture
def teller() -> Teller:
    return a_teller()


SUPPLEMENTS = {
    # due on the 2nd, 08:00; what the citizen was asked for stops the clock
    "resolved at the very due time": ([("resolved", march(2))], 1),
    "resolved a minute late": ([("resolved", march(2, "08:01"))], 0),
    "one day of supplement": ([("supplement", march(1)), ("in_process", march(2)), ("resolved", march(3))], 1),
    "one day is not enough": (
        [("supplement", march(1)), ("in_process", march(2)), ("resolved", march(3, "08:01"))],
        0,
    ),
    "supplement until resolved": ([("supplement", march(2)), ("resolved", march(4))], 1),
    "two of them, one after the other": (
        [("supplement", march(1)), ("supplement", march(2)), ("received", march(3)), ("resolved", march(4))],
        1,
    ),
    "supplement after the answer stops nothing": (
        [("resolved", march(3)), ("supplement", march(3)), ("resolved", march(4))],
        0,
    ),
    "the first answer counts": ([("resolved", march(2)), ("in_process", march(3)), ("resolved", march(4))], 1),
}


@pytest.mark.parametrize(("statuses", "on_time"), SUPPLEMENTS.values(), ids=SUPPLEMENTS)
def test_time_in_supplement_extends_the_due_date(teller: Teller, statuses: list[tuple[str, str]], on_time: int) -> None:
    for status, at in reversed(statuses):  # the last comes first: only the times matter, then the ids
        teller.status(status, at)
    teller.submitted(due_at=march(2))
    assert teller.total("dossiers_on_time", "mtd") == (on_time, 1)


def test_without_a_due_date_nothing_is_on_time(teller: Teller) -> None:
    teller.submitted()
    teller.status("resolved", march(2))
    assert teller.total("dossiers_on_time", "mtd") == (0, 1)


def test_the_due_date_of_the_earliest_event_stands_whatever_type_it_is(teller: Teller) -> None:
    teller.submitted(time=march(2), due_at=march(1, "12:00"))
    teller.status("resolved", march(3))
    assert teller.total("dossiers_on_time", "mtd") == (0, 1)
    teller.status("received", march(1), due_at=march(4))
    assert teller.total("dossiers_on_time", "mtd") == (1, 1)


def test_a_status_before_its_dossier_counts_in_the_total_and_moves_to_the_agency_when_it_comes(teller: Teller) -> None:
    teller.status("resolved", march(2), result_channel="postal")
    assert teller.total("dossiers_fully_online", "mtd") == (0, 1)
    assert not teller.groups("dossiers_fully_online")
    teller.submitted(agency_code="H1")
    assert teller.total("dossiers_fully_online", "mtd") == (1, 1)
    assert teller.total("dossiers_fully_online", "mtd", agency="H1") == (1, 1)
    assert teller.total("dossiers_online", "ytd", agency="H1") == (1, 1)


def test_a_correction_wins_per_field_and_null_erases_nothing(teller: Teller) -> None:
    teller.submitted(time=march(3), channel="counter", agency_code=None)
    teller.submitted(time=march(2), agency_code="H1")
    assert teller.total("dossiers_online", "mtd") == (0, 1)
    assert teller.total("dossiers_online", "mtd", agency="H1") == (0, 1)


def test_a_corrected_date_moves_the_dossier_to_its_month(teller: Teller) -> None:
    teller.submitted()
    assert teller.total("dossiers_online", "mtd") == (1, 1)
    teller.submitted(time=march(2), submitted_at="2026-02-28T23:59:59.999+07:00")
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    assert teller.total("dossiers_online", "ytd") == (1, 1)


def test_equal_times_are_ordered_by_id_as_text(teller: Teller) -> None:
    for event_id, channel in (("9", "online"), ("10", "counter")):
        data: dict[str, object] = {"dossier_id": "D", "channel": channel, "service_level": "full"}
        teller.say("dossier.submitted", {**data, "submitted_at": march(1)}, event_id=event_id)
    assert teller.total("dossiers_online", "mtd") == (1, 1)


def test_a_tombstone_takes_the_entity_away_until_a_later_fact_restores_it(teller: Teller) -> None:
    teller.submitted()
    teller.submitted(time=march(2), deleted=True)
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    teller.status("received", march(1))
    assert teller.total("dossiers_online", "mtd") == (0, 0)
    teller.status("received", march(3))
    assert teller.total("dossiers_online", "mtd") == (1, 1)


def test_a_repeated_id_is_a_duplicate_whatever_its_body_but_not_of_another_entity(teller: Teller) -> None:
    body: dict[str, object] = {"channel_id": "K1", "up": True, "at": march(4)}
    assert teller.say("network.channel_state", {**body, "up": 1}, event_id="x") == "rejected"  # uses nothing up
    assert teller.say("network.channel_state", body, event_id="x") == "accepted"
    assert teller.say("network.channel_state", {**body, "up": False, "at": march(5)}, event_id="x") == "duplicate"
    assert teller.say("network.channel_state", {**body, "channel_id": "K2"}, event_id="x") == "accepted"
    assert teller.total("wan_channels_up", "now") == (2, 2)


def test_reports_are_late_after_their_first_due_date_and_counted_by_ward(teller: Teller) -> None:
    data: dict[str, object] = {"report_id": "R", "ward_code": "24778", "submitted_at": march(4), "due_at": march(5)}
    teller.say("report.submitted", data, time=march(4))
    teller.say("report.status_changed", {"report_id": "R", "status": "extended", "at": march(4), "due_at": march(9)})
    teller.say("report.status_changed", {"report_id": "R", "status": "resolved", "at": march(5, "09:00")})
    assert teller.total("reports_on_time", "r30d", unit="24778") == (0, 1)
    assert teller.total("reports_received", "mtd", unit="24778") == (1, None)
    assert teller.total("reports_received", "day") == (0, None)


def test_a_camera_is_online_while_its_newest_picture_is_two_minutes_old_at_most(teller: Teller) -> None:
    for camera_id, at, age_s in (("cam-01", "09:35:22", 1), ("cam-02", "09:35:22", 1.25)):
        data: dict[str, object] = {"camera_id": camera_id, "online": True, "last_frame_age_s": age_s, "blurred": True}
        teller.say("camera.heartbeat", {**data, "at": f"2026-03-05T{at}+07:00"})
    assert teller.total("camera_online", "now") == (1, 3)
    assert teller.total("camera_online", "now", unit="24846") == (1, 1)
    assert teller.total("camera_online", "now", unit="24778") == (0, 2)


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
