"""Three cameras round a valley and two fires in it: what each camera's pose would see, by geodesics."""

import math
from datetime import timedelta
from typing import Any

from geographiclib.geodesic import Geodesic

from ioc.detections import Box, Detection
from ioc.places.bearings import View, pixel_of
from tests.unit.domain.making import NOW

LON, LAT = 108.45, 11.95
START = NOW - timedelta(hours=1)

Place = tuple[float, float]
"""(longitude, latitude)"""


def spot(east_m: float, north_m: float) -> Place:
    end = Geodesic.WGS84.Direct(LAT, LON, math.degrees(math.atan2(east_m, north_m)), math.hypot(east_m, north_m))
    return float(end["lon2"]), float(end["lat2"])


def azimuth(origin: Place, target: Place) -> float:
    return float(Geodesic.WGS84.Inverse(origin[1], origin[0], target[1], target[0])["azi1"]) % 360


def distance_m(origin: Place, target: Place) -> float:
    return float(Geodesic.WGS84.Inverse(origin[1], origin[0], target[1], target[0])["s12"])


CAMERAS: dict[str, Place] = {"cam-a": spot(0, 0), "cam-b": spot(6_000, 0), "cam-c": spot(2_000, 9_000)}
FIRE, OTHER_FIRE = spot(2_500, 4_500), spot(4_800, 3_500)
MIDDLE = spot(3_000, 4_000)


def view(camera_id: str, **changes: Any) -> View:
    """A pose that looks at the valley's middle."""
    lon, lat = CAMERAS[camera_id]
    values: dict[str, Any] = {"azimuth_deg": azimuth((lon, lat), MIDDLE), "fov_deg": 90.0, "azimuth_sd_deg": 0.5}
    return View(lon=lon, lat=lat, **values | changes)


def box_of(camera_id: str, fire: Place, *, off_deg: float = 0.0) -> Box:
    """Where the fire is in the camera's picture, with an error of the pose."""
    at = pixel_of(view(camera_id), azimuth(CAMERAS[camera_id], fire) + off_deg, -1.0)
    assert at is not None
    return Box(at[0], at[1], 0.02, 0.03)


def smoke(camera_id: str, fire: Place, minute: float = 0, *, off_deg: float = 0.0, **changes: Any) -> Detection:
    at = START + timedelta(minutes=minute)
    box = box_of(camera_id, fire, off_deg=off_deg)
    values: dict[str, Any] = {
        "detection_id": f"{camera_id}-{box.cx:.4f}-{minute}",
        "camera_id": camera_id,
        "pose_id": "p0",
        "label": "smoke",
        "tier": "alarm",
        "score": 0.7,
        "box": box,
        "frame_at": at,
        "frame_sha256": "ab" * 32,
        "frame_ref": f"evidence://{camera_id}/{minute}",
        "detector": "smoke",
        "detector_version": "1",
        "first_seen_at": at,
        "persisted_s": 0.0,
    }
    return Detection(**values | changes)
