"""What cameras.yaml may say of a pose's geometry."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from ioc.catalog.camera_files import CameraEntry, cameras_of
from ioc.catalog.cameras import Camera
from ioc.errors import ConfigurationError
from tests.unit.domain.making import catalog

POSE = {"azimuth_deg": 325, "fov_deg": 60}


def read(pose: dict[str, object], **camera: object) -> Camera:
    values = {"name_vi": "Đồi", "lon": 108.43, "lat": 12.01, "poses": {"p0": {**POSE, **pose}}, **camera}
    declared = TypeAdapter(dict[str, CameraEntry]).validate_python({"cam-01": values})
    return cameras_of(Path("cameras.yaml"), declared, catalog().geography)["cam-01"]


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
    ],
    ids=["reversed", "landmark outside", "from afar", "one point", "row outside", "zone outside"],
)
def test_geometry_that_can_not_be_is_refused_with_its_key(pose: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^cameras.yaml: cam-01.poses.{sentence}|{sentence}"):
        read(pose)
