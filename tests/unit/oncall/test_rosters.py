"""Who stands when: rotations, overrides, holidays, calendars; and calendars that are broken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.errors import ConfigurationError
from ioc.oncall.rosters import check_roster, gaps, shifts, standing
from ioc.oncall_plan import Calendar, Override, Roster
from ioc.windows import LOCAL_ZONE
from tests.unit.oncall.plans import BEGAN, CENTRE, PEOPLE


def local(day: int, hour: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=LOCAL_ZONE)


def calendar(*events: str) -> Calendar:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", *event.split("|"), "END:VEVENT"]
    return Calendar(file="rosters/test.ics", text="\r\n".join([*lines, "END:VCALENDAR", ""]))


def roster(*events: str) -> Roster:
    return Roster(name="forest", calendar=calendar(*events))


DAILY = "DTSTART;TZID=Asia/Ho_Chi_Minh:20261101T070000|DTEND;TZID=Asia/Ho_Chi_Minh:20261101T190000|RRULE:FREQ=DAILY"


@pytest.mark.parametrize(
    ("of", "at", "people"),
    [
        pytest.param(CENTRE, local(1, 6), (), id="before the rotation begins"),
        pytest.param(CENTRE, local(1, 7), ("lan",), id="the first turn"),
        pytest.param(CENTRE, local(1, 19), ("minh",), id="the second"),
        pytest.param(CENTRE, local(22, 8), ("lan",), id="weeks later"),
        pytest.param(
            replace(CENTRE, overrides=(Override(begins_at=local(22, 7), ends_at=local(22, 9), person="chief"),)),
            local(22, 8),
            ("chief",),
            id="an override",
        ),
        pytest.param(roster(f"{DAILY}|SUMMARY:minh"), local(22, 8), ("minh",), id="by the short name"),
        pytest.param(
            roster(f"{DAILY}|SUMMARY:Ca ngày|ATTENDEE;CN=Lan:mailto:x@x"), local(22, 8), ("lan",), id="by an attendee"
        ),
        pytest.param(
            roster(f"{DAILY}|SUMMARY:-|ATTENDEE:mailto:lan@email.example"), local(22, 8), ("lan",), id="by mail"
        ),
        pytest.param(
            roster(f"{DAILY}|SUMMARY:lan", f"{DAILY}|SUMMARY:minh"), local(22, 8), ("lan", "minh"), id="two at once"
        ),
        pytest.param(roster(f"{DAILY}|SUMMARY:lan"), local(22, 20), (), id="outside every event"),
        pytest.param(
            roster("DTSTART;TZID=Europe/Paris:20260720T080000|DTEND;TZID=Europe/Paris:20260720T090000|SUMMARY:lan"),
            local(20, 13, month=7),
            ("lan",),
            id="another zone in its summer time",
        ),
        pytest.param(
            roster("DTSTART:20261122T000000Z|DTEND:20261122T010000Z|SUMMARY:lan"), local(22, 7), ("lan",), id="UTC"
        ),
        pytest.param(
            roster("DTSTART:20261122T080000|DTEND:20261122T090000|SUMMARY:lan"),
            local(22, 8),
            ("lan",),
            id="no zone is ours",
        ),
        pytest.param(roster("DTSTART;VALUE=DATE:20261122|SUMMARY:lan"), local(22, 23), ("lan",), id="a whole day"),
        pytest.param(
            roster(f"{DAILY}|EXDATE;TZID=Asia/Ho_Chi_Minh:20261122T070000|SUMMARY:lan"), local(22, 8), (), id="left out"
        ),
    ],
)
def test_roster_says_who_stands(of: Roster, at: datetime, people: tuple[str, ...]) -> None:
    assert standing(of, PEOPLE, at) == people


def test_holidays_have_turns_of_their_own_from_midnight_to_midnight() -> None:
    holiday = calendar("DTSTART;VALUE=DATE:20261121|DTEND;VALUE=DATE:20261123|SUMMARY:Tết")
    of = replace(CENTRE, holidays=(holiday,), on_holidays=("chief", "director"))
    found = [shift.people[0] for shift in shifts(of, PEOPLE, local(20, 20), local(23, 8))]
    assert found in (["minh", "chief", "director", "minh", "lan"], ["minh", "director", "chief", "minh", "lan"])
    assert standing(of, PEOPLE, local(22, 23)) != standing(of, PEOPLE, local(21, 23))
    override = Override(begins_at=local(22, 0), ends_at=local(22, 6), person="lan")
    assert standing(replace(of, overrides=(override,)), PEOPLE, local(22, 5)) == ("lan",)


def test_gaps_are_found_and_have_their_ends() -> None:
    found = gaps(roster(f"{DAILY}|SUMMARY:lan"), PEOPLE, local(22, 8), local(23, 8))
    assert [(gap.begins_at, gap.ends_at) for gap in found] == [(local(22, 19), local(23, 7))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "no calendar that can be read", id="empty"),
        pytest.param("this is no calendar\n", "no calendar that can be read", id="another text"),
        pytest.param(calendar().text, "no event", id="no event"),
        pytest.param(
            calendar("DTSTART:20261122T080000|SUMMARY:somebody").text, "names nobody: 'somebody'", id="unknown person"
        ),
        pytest.param(calendar("DTSTART:tomorrow|SUMMARY:lan").text, "no calendar that can be read", id="no time"),
        pytest.param(calendar("SUMMARY:lan").text, "no calendar that can be read", id="no start"),
        pytest.param(
            calendar("DTSTART:20200101T000000|RRULE:FREQ=SECONDLY|SUMMARY:lan").text, "by the minute", id="a bomb"
        ),
    ],
)
def test_broken_calendar_is_a_sentence(text: str, says: str) -> None:
    of = Roster(name="forest", calendar=Calendar(file="rosters/test.ics", text=text))
    with pytest.raises(ConfigurationError, match=rf"^rosters\.forest: rosters/test\.ics.*{says}"):
        check_roster(of, PEOPLE, local(1, 0), local(30, 0))


@given(st.integers(0, 10_000), st.integers(1, 5_000))
def test_shifts_cover_the_time_without_a_seam_and_agree_with_who_stands(start_min: int, length_min: int) -> None:
    begin = BEGAN + timedelta(minutes=start_min)
    end = begin + timedelta(minutes=length_min)
    found = shifts(CENTRE, PEOPLE, begin, end)
    assert (found[0].begins_at, found[-1].ends_at) == (begin, end)
    for one, after in pairwise(found):
        assert one.ends_at == after.begins_at
        assert one.people != after.people
    for shift in found:
        assert standing(CENTRE, PEOPLE, shift.begins_at) == shift.people
        assert standing(CENTRE, PEOPLE, shift.ends_at.astimezone(UTC) - timedelta(microseconds=1)) == shift.people
