"""What cameras.yaml may say of a pose's geometry."""

from datetime import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from shapely import Polygon

from ioc.catalog.camera_files import CameraEntry, cameras_of
from ioc.catalog.cameras import Camera
from ioc.errors import ConfigurationError
from tests.unit.domain.making import catalog

POSE = {"azimuth_deg": 325, "fov_deg": 60}
# A hillside of 400 m by 1 km, seen as a trapezium: the far edge is half as wide in the picture.
CONTROL = [
    {"at": [0.0, 1.0], "lon": 108.440, "lat": 11.940},
    {"at": [1.0, 1.0], "lon": 108.444, "lat": 11.940},
    {"at": [0.75, 0.5], "lon": 108.444, "lat": 11.949},
    {"at": [0.25, 0.5], "lon": 108.440, "lat": 11.949},
]


def outline(west: float, south: float, east: float, north: float) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def zone(**keys: object) -> dict[str, object]:
    return {"control_points": CONTROL, "zones": {"z": {"kind": "lake_shore", **keys}}}


CROSSED = {"type": "Polygon", "coordinates": [[[108.44, 11.94], [108.441, 11.941], [108.441, 11.94], [108.44, 11.941]]]}
SWAPPED = {"type": "Polygon", "coordinates": [[[11.94, 108.44], [11.94, 108.441], [11.941, 108.441]]]}
INSIDE = outline(108.441, 11.941, 108.442, 11.942)
TRIANGLE = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]


def read(pose: dict[str, object], **camera: object) -> Camera:
    values = {"name_vi": "Đồi", "lon": 108.43, "lat": 12.01, "poses": {"p0": {**POSE, **pose}}, **camera}
    declared = TypeAdapter(dict[str, CameraEntry]).validate_python({"cam-01": values})
    return cameras_of(Path("cameras.yaml"), declared, catalog().geography, {"H36.07"})["cam-01"]


def test_a_pose_has_a_view_where_its_geometry_is_declared() -> None:
    camera = read(
        {"tilt_deg": -4, "roll_deg": 1, "azimuth_sd_deg": 0.3, "terrain": [[0.9, 500], [0.5, 4000]]}, range_m=12_000
    )
    view = camera.view("p0")
    assert view is not None
    assert (view.tilt_deg, view.roll_deg, view.azimuth_sd_deg, view.range_m) == (-4, 1, 0.3, 12_000)
    assert [point.distance_m for point in view.terrain] == [500, 4000]
    assert camera.view("never-described") is None
    assert read({}, lon=None).view("p0") is None
    assert read({"fov_deg": None}).view("p0") is None


def test_the_cameras_of_the_starting_catalogue_all_have_a_view() -> None:
    assert all(camera.view("p0") is not None for camera in catalog().cameras.values())


def test_landmarks_are_kept_with_their_place() -> None:
    (mark,) = read({"landmarks": {"chùa": {"at": [0.2, 0.5], "lon": 108.40, "lat": 12.05}}}).pose("p0").landmarks
    assert (mark.name, mark.x, mark.lon, mark.lat, mark.height_m) == ("chùa", 0.2, 108.40, 12.05, None)


@pytest.mark.parametrize(
    ("pose", "sentence"),
    [
        ({"landmarks": {"chùa": {"at": [0.2, 0.5], "lon": 12.05, "lat": 108.40}}}, "p0.landmarks.chùa: .*reversed"),
        ({"landmarks": {"chùa": {"at": [1.2, 0.5], "lon": 108.40, "lat": 12.05}}}, "chùa.at: every x and y"),
        ({"terrain": [[0.5, 4000], [0.9, 500]]}, "p0.terrain: after row 0.5 at 4000 m"),
        ({"terrain": [[0.5, 4000]]}, "p0.terrain: one point is no line"),
        ({"terrain": [[1.5, 400], [0.5, 4000]]}, "p0.terrain: every x and y"),
        ({"zones": {"z": {"kind": "road", "polygon": [[0, 0], [1, 0], [1, 2]]}}}, "zones.z.polygon: every x and y"),
        (zone(polygon=[[0, 0], [1, 1], [1, 0], [0, 1]]), "zones.z.polygon: the zone crosses itself"),
        (zone(polygon=[[0, 0], [1, 1]]), "zones.z.polygon: 2 corners"),
        (zone(), "zones.z: give either polygon"),
        (zone(polygon=TRIANGLE, outline=INSIDE), "zones.z: give either polygon"),
        (zone(outline=CROSSED), "zones.z: outline crosses itself"),
        (zone(outline=SWAPPED), "zones.z: outline has latitude before longitude"),
        (zone(outline=outline(108.44, 11.5, 108.45, 11.6)), "zones.z.outline: nothing of it is in the picture"),
        ({"zones": {"z": {"kind": "road", "outline": INSIDE}}}, "zones.z.outline: .* needs the pose's control_points"),
        (zone(polygon=TRIANGLE, agency="H99"), "zones.z.agency: 'H99' is not in agencies.yaml"),
        ({"control_points": CONTROL[:3]}, "p0.control_points: 3 control points"),
        ({"control_points": [{**CONTROL[0], "lon": 11.94, "lat": 108.44}, *CONTROL[1:]]}, "control_points: .*swapped"),
        (
            {"control_points": [{"at": [n / 9, n / 9], "lon": 108 + n / 900, "lat": 11 + n / 900} for n in range(5)]},
            "p0.control_points: .* lie on a line",
        ),
    ],
)
def test_geometry_that_can_not_be_is_refused_with_its_key(pose: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^cameras.yaml: cam-01.poses.{sentence}|{sentence}"):
        read(pose)


def test_a_zone_on_the_ground_is_drawn_into_the_picture_by_the_control_points() -> None:
    pose = read(zone(outline=outline(108.44, 11.94, 108.444, 11.949))).pose("p0")
    (found,) = pose.zones
    whole = Polygon([(0, 1), (1, 1), (0.75, 0.5), (0.25, 0.5)])
    assert Polygon(found.polygon).symmetric_difference(whole).area < 0.001
    assert pose.ground is not None


def test_of_a_zone_that_reaches_behind_the_camera_or_beside_the_picture_the_part_that_is_seen_counts() -> None:
    (found,) = read(zone(outline=outline(108.43, 11.90, 108.442, 11.949))).pose("p0").zones
    left = Polygon([(0, 1), (0.5, 1), (0.5, 0.5), (0, 0.5)])
    assert Polygon(found.polygon).symmetric_difference(left).area < 0.01
    (all_of_it,) = read(zone(outline=outline(107.9, 11.4, 108.9, 12.4))).pose("p0").zones
    assert 0.5 < Polygon(all_of_it.polygon).area < 1, "the sky is above the horizon"


def test_a_zone_has_hours_an_agency_and_words() -> None:
    (found,) = (
        read(zone(polygon=TRIANGLE, work_from="07:30", work_until="18:00", agency="H36.07", dwell_s=60))
        .pose("p0")
        .zones
    )
    assert (found.work_from, found.work_until, found.agency, found.dwell_s) == (time(7, 30), time(18), "H36.07", 60)
    assert found.kind_words == ("hành lang bảo vệ hồ", "lake shore")
    (plain,) = read(zone(polygon=TRIANGLE, kind="đất chợ")).pose("p0").zones
    assert (plain.work_from, plain.work_until, plain.kind_words) == (time(6), time(21), ("đất chợ", "đất chợ"))


@pytest.mark.parametrize("hour", ["24:00", "6:00", "06h00", 360, "06:60"])
def test_an_hour_that_is_none_or_that_yaml_read_as_a_number_is_refused(hour: object) -> None:
    with pytest.raises(ValidationError, match="work_from"):
        read(zone(polygon=TRIANGLE, work_from=hour))
