"""One fire that several cameras see is one incident, with its place; two fires stay two; nobody is called twice."""

from itertools import permutations
from typing import Any

import pytest

from ioc import incident_book
from ioc.detections import Box, Detection, Tier
from ioc.incident_book import IncidentBook
from ioc.incidents import KINDS, Incident, Place
from ioc.place_words import place_words
from ioc.places.terrain_line import TerrainPoint
from tests.unit.places.scenery import CAMERAS, FIRE, OTHER_FIRE, distance_m, smoke, view

WORDS = Place(admin_unit="24778", place_vi="Đồi", place_en="Hill", lon=108.0, lat=12.0)


class Province:
    """A book, what it told, and how it stands for somebody who reads along."""

    def __init__(self) -> None:
        self.book = IncidentBook()
        self.told: list[Incident] = []

    def see(self, *detections: Detection, **geometry: Any) -> list[Incident]:
        told = [
            incident
            for detection in detections
            for incident in self.book.observe(detection, place=WORDS, view=view(detection.camera_id, **geometry))
        ]
        self.told += told
        return told

    def standing(self) -> dict[str, Incident]:
        """The newest word on each incident that is open."""
        newest = {incident.incident_id: incident for incident in self.told}
        return {name: incident for name, incident in newest.items() if incident.state == "open"}

    def alerts(self) -> int:
        """How many incidents people were called for."""
        return len({incident.incident_id for incident in self.told if incident.state == "open"})


def cameras(incident: Incident) -> set[str]:
    return {sighting.camera_id for sighting in incident.sightings}


def off_m(incident: Incident, place: tuple[float, float]) -> float:
    assert incident.lon is not None
    assert incident.lat is not None
    return distance_m((incident.lon, incident.lat), place)


# ---- one fire --------------------------------------------------------------------------------------------------------


def test_a_fire_that_two_cameras_see_is_one_incident_at_its_place_and_calls_people_once() -> None:
    province = Province()
    (first,) = province.see(smoke("cam-a", FIRE))
    assert (first.located_by, first.place_reason, first.uncertainty_m) == ("camera", "one_bearing", None)
    (joined,) = province.see(smoke("cam-b", FIRE, 1))
    assert (joined.incident_id, joined.revision, joined.state) == (first.incident_id, 2, "open")
    assert cameras(joined) == {"cam-a", "cam-b"}
    assert (joined.located_by, joined.place_reason) == ("crossing", "")
    assert joined.uncertainty_m is not None
    assert off_m(joined, FIRE) < 20
    assert 50 < joined.uncertainty_m < 500
    assert (joined.first_frame_at, joined.last_seen_at) == (first.first_frame_at, smoke("cam-b", FIRE, 1).frame_at)
    assert joined.detections == 2
    assert province.alerts() == 1


def test_the_frame_that_opened_an_incident_stays_its_picture_when_others_join() -> None:
    province = Province()
    (first,) = province.see(smoke("cam-a", FIRE))
    (joined,) = province.see(smoke("cam-b", FIRE, 1))
    assert (joined.camera_id, joined.box, joined.evidence) == ("cam-a", first.box, first.evidence)
    of_b = next(s for s in joined.sightings if s.camera_id == "cam-b")
    assert (of_b.evidence, of_b.pose_id) == ("evidence://cam-b/1", "p0")


def test_a_third_camera_makes_the_place_more_certain() -> None:
    province = Province()
    province.see(smoke("cam-a", FIRE, off_deg=0.4), smoke("cam-b", FIRE, 1, off_deg=-0.3))
    (two,) = province.standing().values()
    province.see(smoke("cam-c", FIRE, 2, off_deg=0.2))
    (three,) = province.standing().values()
    assert cameras(three) == set(CAMERAS)
    assert three.uncertainty_m is not None
    assert two.uncertainty_m is not None
    assert three.uncertainty_m < two.uncertainty_m
    assert province.alerts() == 1


def test_a_candidate_of_another_camera_is_closed_when_its_alarm_joins_and_never_calls_anybody() -> None:
    province = Province()
    (opened,) = province.see(smoke("cam-a", FIRE))
    (candidate,) = province.see(smoke("cam-b", FIRE, 1, tier="watch"))
    assert candidate.state == "candidate"
    revised, closed = province.see(smoke("cam-b", FIRE, 2))
    assert (revised.incident_id, cameras(revised)) == (opened.incident_id, {"cam-a", "cam-b"})
    assert (closed.incident_id, closed.state, closed.revision) == (candidate.incident_id, "resolved", 2)
    assert (closed.joined_into, closed.opened_at, closed.severity) == (opened.incident_id, None, "info")
    assert province.alerts() == 1


def test_while_one_camera_sees_a_fire_it_is_not_over_for_the_others() -> None:
    province = Province()
    province.see(smoke("cam-a", FIRE), smoke("cam-b", FIRE, 1))
    province.see(*[smoke("cam-b", FIRE, minute) for minute in range(2, 60, 2)])
    province.see(smoke("cam-a", FIRE, 60))
    assert province.alerts() == 1
    quiet = KINDS["smoke"].quiet.total_seconds() / 60
    province.see(smoke("cam-a", FIRE, 61 + quiet))
    assert province.alerts() == 2


def test_a_joined_incident_is_told_again_every_few_minutes_not_once_for_each_camera() -> None:
    province = Province()
    province.see(*[smoke(camera, FIRE, minute) for minute in range(21) for camera in CAMERAS])
    (incident,) = province.standing().values()
    assert incident.revision <= 3 + 20 / 5
    assert [i.revision for i in province.told] == list(range(1, incident.revision + 1))
    assert incident.detections > 50


# ---- two fires -------------------------------------------------------------------------------------------------------


def test_two_fires_one_of_them_seen_by_three_cameras_are_two_incidents_at_their_places() -> None:
    province = Province()
    province.see(
        smoke("cam-a", FIRE), smoke("cam-a", OTHER_FIRE, 0.5), smoke("cam-b", FIRE, 1), smoke("cam-c", FIRE, 2)
    )
    standing = province.standing().values()
    assert sorted(len(cameras(incident)) for incident in standing) == [1, 3]
    of_three = next(incident for incident in standing if len(cameras(incident)) == 3)
    assert off_m(of_three, FIRE) < 20


def test_two_fires_that_begin_together_before_two_cameras_are_told_apart_from_their_ghosts() -> None:
    """Four crossings are possible: nobody can know which two are true. All that is seen is told, and the doubt too."""
    province = Province()
    for camera in ("cam-a", "cam-b"):
        province.see(smoke(camera, FIRE), smoke(camera, OTHER_FIRE))
    standing = province.standing()
    assert len(standing) == 4
    last = province.told[-1]
    assert last.located_by == "camera"
    assert set(last.maybe_same) <= set(standing)
    assert len(last.maybe_same) == 2, "of the other camera"


def test_a_third_camera_tells_two_fires_from_their_ghosts() -> None:
    province = Province()
    for camera in CAMERAS:
        province.see(smoke(camera, FIRE), smoke(camera, OTHER_FIRE))
    standing = list(province.standing().values())
    assert [len(cameras(incident)) for incident in standing] == [3, 3]
    assert sorted(off_m(incident, FIRE) < 20 for incident in standing) == [False, True]
    assert all(not incident.maybe_same for incident in standing)
    closed = [incident for incident in province.told if incident.state == "resolved"]
    assert {incident.joined_into for incident in closed} <= set(province.standing())


def test_a_wrong_joining_is_taken_back_when_a_third_camera_shows_it() -> None:
    """Camera a sees only the other fire, camera b only this one: their bearings cross at a ghost."""
    province = Province()
    province.see(smoke("cam-a", OTHER_FIRE), smoke("cam-b", FIRE, 1))
    (ghost,) = province.standing().values()
    assert ghost.located_by == "crossing"
    province.see(smoke("cam-a", FIRE, 2), smoke("cam-c", FIRE, 3))
    standing = province.standing().values()
    assert sorted(len(cameras(incident)) for incident in standing) == [1, 3]
    (alone,) = [incident for incident in standing if len(cameras(incident)) == 1]
    assert (alone.incident_id, alone.located_by) == (ghost.incident_id, "camera"), "it has no place any more"


def test_what_begins_in_the_same_direction_hours_later_is_another_fire() -> None:
    province = Province()
    province.see(smoke("cam-a", FIRE))
    province.see(smoke("cam-b", FIRE, 45))
    assert len(province.standing()) == 2


def test_kinds_that_are_not_joined_stay_apart() -> None:
    province = Province()
    province.see(smoke("cam-a", FIRE, label="construction"), smoke("cam-b", FIRE, 1, label="construction"))
    assert len(province.standing()) == 2
    assert all(incident.located_by == "camera" for incident in province.told)


def test_a_camera_without_geometry_stays_alone_and_says_why() -> None:
    province = Province()
    province.see(smoke("cam-a", FIRE))
    (told,) = province.book.observe(smoke("cam-b", FIRE, 1), place=WORDS, view=None)
    assert (told.state, told.place_reason, told.located_by) == ("open", "no_geometry", "camera")


def test_a_defect_in_the_geometry_costs_the_joining_and_no_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    province = Province()
    province.see(smoke("cam-a", FIRE))
    monkeypatch.setattr(incident_book, "divide", defect)
    (told,) = province.see(smoke("cam-b", FIRE, 1))
    assert told.state == "open"
    assert province.alerts() == 2


# ---- in words --------------------------------------------------------------------------------------------------------


def test_people_read_where_it_is_how_sure_that_is_and_who_sees_it() -> None:
    province = Province()
    (alone,) = province.see(smoke("cam-a", FIRE))
    assert place_words(alone) == (
        "Chưa định vị được: Chỉ một hướng nhìn, không có khoảng cách.",
        "No position yet: One bearing and no distance.",
    )
    (joined,) = province.see(smoke("cam-b", FIRE, 1))
    vi, en = place_words(joined)
    assert vi.startswith("Vị trí 11.9906")
    assert vi.endswith("giao hướng nhìn của 2 camera: cam-a, cam-b.")
    assert "m with 95 %" in en
    terrain = (TerrainPoint(row=0.95, distance_m=800), TerrainPoint(row=0.4, distance_m=9_000))
    (far,) = Province().see(smoke("cam-a", FIRE), terrain=terrain)
    assert "terrain line of cam-a" in place_words(far)[1]
    assert place_words(Province().see(smoke("cam-a", FIRE, label="construction"))[0]) == ("", "")


def test_doubt_and_joining_are_said_in_words() -> None:
    province = Province()
    for camera in ("cam-a", "cam-b"):
        province.see(smoke(camera, FIRE), smoke(camera, OTHER_FIRE))
    doubtful = province.told[-1]
    assert "Maybe the same fire as: smoke-cam-a-p0-" in place_words(doubtful)[1]
    province.see(smoke("cam-c", FIRE, 1), smoke("cam-c", OTHER_FIRE, 1))
    closed = next(incident for incident in province.told if incident.joined_into)
    assert "Đã gộp vào: smoke-cam-a-p0-" in place_words(closed)[0]


# ---- in any order, once and again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(CAMERAS)), ids="-".join)
def test_whichever_camera_is_first_it_is_one_incident_at_one_place(order: tuple[str, ...]) -> None:
    province = Province()
    province.see(*[smoke(camera, FIRE, number) for number, camera in enumerate(order)])
    (incident,) = province.standing().values()
    assert incident.camera_id == order[0]
    assert cameras(incident) == set(CAMERAS)
    assert off_m(incident, FIRE) < 20
    assert province.alerts() == 1


def test_the_same_detections_again_change_nothing() -> None:
    seen = [smoke(camera, fire, number) for number, camera in enumerate(CAMERAS) for fire in (FIRE, OTHER_FIRE)]
    province = Province()
    province.see(*seen)
    province.book.changed.clear()
    assert province.see(*seen) == []
    assert province.book.changed == set()


def test_every_incident_counts_its_revisions_without_a_gap() -> None:
    province = Province()
    for minute in range(12):
        province.see(*[smoke(camera, fire, minute) for camera in CAMERAS for fire in (FIRE, OTHER_FIRE)])
    for name in {incident.incident_id for incident in province.told}:
        revisions = [incident.revision for incident in province.told if incident.incident_id == name]
        assert revisions == list(range(1, len(revisions) + 1)), name
    assert all(Incident.from_json(told.as_json()).as_json() == told.as_json() for told in province.told)


# ---- what is over by itself ------------------------------------------------------------------------------------------


def fault(minute: float, tier: Tier = "alarm", label: str = "covered") -> Detection:
    """What the whole picture of a camera shows."""
    return smoke(
        "cam-a", FIRE, minute, label=label, tier=tier, box=Box(0.5, 0.5, 1.0, 1.0), detection_id=f"{label}{minute}"
    )


def test_a_camera_fault_that_is_over_is_resolved_once_and_the_next_one_is_another_incident() -> None:
    province = Province()
    (opened,) = province.see(fault(0))
    assert (opened.severity, opened.runbook) == ("warning", "/runbooks/camera-fault")
    (over,) = province.see(fault(3), fault(6, "clear"))
    assert (over.incident_id, over.state, over.revision) == (opened.incident_id, "resolved", 2)
    assert over.last_seen_at > opened.last_seen_at
    assert province.see(fault(7, "clear")) == []
    (again,) = province.see(fault(9))
    assert again.incident_id != opened.incident_id


def test_a_clear_ends_its_own_kind_only_and_never_a_fire() -> None:
    province = Province()
    (fire,) = province.see(smoke("cam-a", FIRE))
    (covered,) = province.see(fault(0))
    assert province.see(fault(1, "clear", "moved"), fault(1, "clear", "smoke")) == []
    assert set(province.standing()) == {fire.incident_id, covered.incident_id}


def test_a_clear_from_before_the_fault_does_not_end_it() -> None:
    province = Province()
    (opened,) = province.see(fault(5))
    assert province.see(fault(1, "clear")) == []
    assert set(province.standing()) == {opened.incident_id}
