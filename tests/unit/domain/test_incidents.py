"""Incidents: detections of one thing at one place are one incident; people are called once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.building_case import BuildingCase, Judged
from ioc.detections import Box, Detection
from ioc.incidents import KINDS, Incident, Place
from ioc.pose_incidents import Tracked, observe
from tests.unit.domain.making import local

PLACE = Place(
    admin_unit="24846",
    place_vi="Đỉnh Lang Biang, Phường Lang Biang - Đà Lạt",
    place_en="Lang Biang",
    lon=108.4309,
    lat=12.0137,
    azimuth_deg=325.0,
)
HERE = Box(0.5, 0.5, 0.1, 0.1)
THERE = Box(0.2, 0.5, 0.1, 0.1)


def seen(when: str, *, tier: str = "alarm", box: Box = HERE, label: str = "smoke", **more: Any) -> Detection:
    values: dict[str, Any] = {
        "detection_id": f"{label}-{when}-{tier}-{box.cx}",
        "camera_id": "cam-01",
        "pose_id": "p0",
        "label": label,
        "tier": tier,
        "score": 0.5,
        "box": box,
        "frame_at": local(when),
        "frame_sha256": f"sha-{when}",
        "frame_ref": f"evidence://{when}",
        "detector": "smoke_rule",
        "detector_version": "1",
        "first_seen_at": local(when),
        "persisted_s": 0.0,
    }
    return Detection(**(values | more))


def told_of(*detections: Detection) -> tuple[tuple[Tracked, ...], list[Incident]]:
    """The pose's incidents after the detections, and what was published."""
    tracked: tuple[Tracked, ...] = ()
    published = []
    for detection in detections:
        tracked, incident = observe(tracked, detection, place=PLACE)
        if incident is not None:
            published.append(incident)
    return tracked, published


def states(published: Sequence[Incident]) -> list[tuple[str, int]]:
    return [(incident.state, incident.revision) for incident in published]


# ---- candidate and open --------------------------------------------------------------------------------------------


def test_a_watch_is_a_candidate_that_calls_nobody_and_an_alarm_opens_it() -> None:
    tracked, published = told_of(
        seen("10:00", tier="watch"),
        seen("10:01", tier="watch"),
        seen("10:02", score=0.8, cues=("dark_channel",)),
    )
    assert states(published) == [("candidate", 1), ("open", 2)]
    first, opened = published
    assert (first.severity, first.opened_at) == ("info", None)
    assert (opened.severity, opened.opened_at) == ("critical", local("10:02"))
    assert opened.incident_id == first.incident_id
    assert opened.first_frame_at == local("10:00")
    assert (opened.evidence, opened.evidence_sha256) == ("evidence://10:02", "sha-10:02"), "the frame that opened it"
    assert (opened.peak_score, opened.detections, opened.cues) == (0.8, 3, ("dark_channel",))
    assert [t.incident for t in tracked] == [opened]


def test_an_alarm_without_a_candidate_opens_at_once_with_where_and_what_to_do() -> None:
    _, (incident,) = told_of(seen("10:00", azimuth_deg=310.0))
    assert (incident.state, incident.revision, incident.opened_at) == ("open", 1, local("10:00"))
    assert (incident.place_vi, incident.admin_unit, incident.lon, incident.lat) == (
        PLACE.place_vi,
        "24846",
        108.4309,
        12.0137,
    )
    assert incident.azimuth_deg == 310.0, "of the box, not of the pose"
    assert incident.runbook == "/runbooks/smoke"
    assert incident.box == HERE


def test_a_bearing_that_the_detection_lacks_is_that_of_the_pose() -> None:
    _, (incident,) = told_of(seen("10:00"))
    assert incident.azimuth_deg == 325.0


def test_a_candidate_is_followed_as_the_plume_grows_so_that_its_alarm_finds_it() -> None:
    drifting = [seen(f"10:0{minute}", tier="watch", box=Box(0.5 + 0.08 * minute, 0.5, 0.1, 0.1)) for minute in range(4)]
    _, published = told_of(*drifting, seen("10:04", box=Box(0.8, 0.5, 0.1, 0.1)))
    assert states(published) == [("candidate", 1), ("open", 2)]


# ---- the same place ------------------------------------------------------------------------------------------------


def test_detections_at_one_place_less_than_30_minutes_apart_are_one_incident() -> None:
    _, published = told_of(seen("10:00"), seen("10:29:59"), seen("10:59:58"))
    assert {incident.incident_id for incident in published} == {published[0].incident_id}


def test_what_comes_back_after_more_than_30_minutes_is_another_incident() -> None:
    tracked, published = told_of(seen("10:00"), seen("10:30:01"))
    assert states(published) == [("open", 1), ("open", 1)]
    assert published[0].incident_id != published[1].incident_id
    assert [t.incident for t in tracked] == [published[1]], "what is over is forgotten"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(seen("10:01", box=THERE), id="another place"),
        pytest.param(seen("10:01", label="construction"), id="another kind"),
        pytest.param(seen("10:01", zone_id="plot-2"), id="another zone"),
    ],
)
def test_another_thing_is_another_incident(other: Detection) -> None:
    tracked, published = told_of(seen("10:00"), other)
    assert len({incident.incident_id for incident in published}) == 2
    assert len(tracked) == 2


def test_a_box_that_shivers_beside_the_last_is_the_same_place() -> None:
    _, published = told_of(seen("10:00", box=Box(0.5, 0.5, 0.1, 0.1)), seen("10:06", box=Box(0.62, 0.5, 0.1, 0.1)))
    assert states(published) == [("open", 1), ("open", 2)]


def test_a_puff_that_drifts_off_its_plume_is_no_second_fire_and_another_fire_is() -> None:
    plume, puff, other = Box(0.40, 0.4, 0.1, 0.12), Box(0.56, 0.24, 0.08, 0.1), Box(0.85, 0.4, 0.1, 0.1)
    _, published = told_of(seen("10:00", box=plume), seen("10:01", box=puff), seen("10:02", box=other))
    assert states(published) == [("open", 1), ("open", 1)]
    assert published[1].box == other


def test_an_open_incident_is_preferred_to_a_candidate_at_the_same_place() -> None:
    left, right = Box(0.30, 0.5, 0.08, 0.1), Box(0.62, 0.5, 0.08, 0.1)
    _, published = told_of(
        seen("10:00", tier="watch", box=left), seen("10:00", box=right), seen("10:06", box=Box(0.46, 0.5, 0.1, 0.1))
    )
    assert states(published) == [("candidate", 1), ("open", 1), ("open", 2)]


def test_a_building_site_stands_still_over_a_weekend() -> None:
    _, published = told_of(seen("16T17:00", label="construction"), seen("19T07:00", label="construction"))
    assert states(published) == [("open", 1), ("open", 2)]
    assert published[0].severity == "warning"


# ---- said again ----------------------------------------------------------------------------------------------------


def test_an_open_incident_says_again_how_it_stands_every_five_minutes_not_with_every_frame() -> None:
    frames = [seen(f"10:{minute:02}", score=0.5 + minute / 100) for minute in range(13)]
    _, published = told_of(*frames)
    assert states(published) == [("open", 1), ("open", 2), ("open", 3)]
    assert [incident.last_seen_at for incident in published] == [local("10:00"), local("10:05"), local("10:10")]
    assert {incident.opened_at for incident in published} == {local("10:00")}
    assert published[-1].box == HERE


def test_a_candidate_is_told_once() -> None:
    _, published = told_of(*[seen(f"10:{minute:02}", tier="watch") for minute in range(20)])
    assert states(published) == [("candidate", 1)]


# ---- repeated and late ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["watch", "alarm"])
def test_the_same_detection_again_changes_nothing(tier: str) -> None:
    first = seen("10:00", tier=tier)
    once, _ = told_of(first)
    twice, published = told_of(first, first)
    assert twice == once
    assert len(published) == 1


def test_a_detection_of_some_minutes_ago_again_changes_nothing() -> None:
    frames = [seen("10:00", tier="watch"), seen("10:01"), seen("10:08")]
    once, _ = told_of(*frames)
    again, published = told_of(*frames, *frames)
    assert again == once
    assert len(published) == 3


def test_a_late_detection_joins_its_incident_without_moving_it_back() -> None:
    tracked, published = told_of(seen("10:10"), seen("10:04"))
    assert states(published) == [("open", 1)]
    (kept,) = tracked
    assert kept.incident.last_seen_at == local("10:10")


def test_a_late_alarm_opens_its_candidate_at_its_own_time() -> None:
    tracked, published = told_of(seen("10:10", tier="watch"), seen("10:04"))
    assert states(published) == [("candidate", 1), ("open", 2)]
    (kept,) = tracked
    assert (kept.incident.opened_at, kept.incident.last_seen_at) == (local("10:04"), local("10:10"))
    assert kept.incident.first_frame_at == local("10:04")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["watch", "alarm"])), min_size=1, max_size=8, unique=True)
)
def test_within_the_quiet_time_any_order_gives_one_incident_and_opens_it_at_most_once(
    moments: list[tuple[int, str]],
) -> None:
    tracked, published = told_of(*[seen(f"10:{minute:02}", tier=tier) for minute, tier in moments])
    assert len(tracked) == 1
    assert {incident.incident_id for incident in published} == {tracked[0].incident.incident_id}
    assert [incident.revision for incident in published] == list(range(1, len(published) + 1))
    has_alarm = any(tier == "alarm" for _, tier in moments)
    assert tracked[0].incident.state == ("open" if has_alarm else "candidate")
    assert tracked[0].incident.last_seen_at == max(local(f"10:{minute:02}") for minute, _ in moments)
    kinds = [incident.state for incident in published]
    assert kinds == sorted(kinds), "never from open back to candidate"
    assert len({incident.opened_at for incident in published if incident.state == "open"}) <= 1


# ---- permits, words ------------------------------------------------------------------------------------------------


def test_an_incident_carries_the_rule_and_the_permit_it_was_judged_by() -> None:
    _, incident = observe(
        (),
        seen("10:00", label="construction", zone_id="plot-1"),
        place=PLACE,
        case=BuildingCase(judgements=(Judged(at=seen("10:00").frame_at, rule="permit_revoked", permit_id="GP-1"),)),
    )
    assert incident is not None
    assert (incident.permit_rule, incident.permit_id, incident.zone_id) == ("permit_revoked", "GP-1", "plot-1")


def test_a_kind_that_nobody_described_is_an_incident_all_the_same() -> None:
    _, (incident,) = told_of(seen("10:00", label="flood"))
    assert (incident.severity, incident.runbook) == ("warning", "/runbooks/flood")


def test_every_kind_says_how_long_it_may_be_unseen() -> None:
    assert KINDS["smoke"].quiet == timedelta(minutes=30)
    assert all(kind.quiet > timedelta(0) for kind in KINDS.values())


def test_an_incident_reads_the_same_after_it_was_published() -> None:
    for detection in (seen("10:00", cues=("a", "b")), seen("10:00", tier="watch")):
        _, (incident,) = told_of(detection)
        assert Incident.from_json(incident.as_json()) == incident
    _, unplaced = observe((), seen("10:00"), place=Place(admin_unit="", place_vi="", place_en=""))
    assert unplaced is not None
    assert unplaced.as_json()["geo"] is None
    assert Incident.from_json(unplaced.as_json()) == unplaced


@pytest.mark.parametrize("broken", [{}, {"bbox": [1, 2]}, {"bbox": [0, 0, 1, 1], "colour": "red"}])
def test_anything_else_is_no_incident(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Incident.from_json(broken)
