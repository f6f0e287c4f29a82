"""Cameras of the catalogue: where they stand, the poses they take, the zones drawn on each pose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ioc.ground import GroundMap
from ioc.permits import Zone
from ioc.places.bearings import View
from ioc.places.landmarks import Landmark
from ioc.places.terrain_line import TerrainPoint

__all__ = ["AZIMUTH_SD_DEG", "HEALTH_GRACE_S", "RANGE_M", "Camera", "Mask", "MaskKind", "Pose"]

AZIMUTH_SD_DEG = 1.0
"""How well a pose is known where the catalogue does not say: an azimuth read from a map and a preset that returns to it
within half a degree. `ioc calibrate` tells the real figure."""
RANGE_M = 20_000.0
"""How far smoke is seen on a clear day where the catalogue does not say."""
HEALTH_GRACE_S = 120.0
"""How long a camera may be at fault before somebody is told: a person wipes the lens, a crew turns it away."""

MaskKind = Literal["sky", "occlusion", "private"]
"""sky: above the ridges, where smoke does not begin; occlusion: what stands before the camera; private: not to be
looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A part of a pose's picture, drawn by hand: corners (x, y) as shares of the picture."""

    kind: MaskKind
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One PTZ preset. Azimuth is of the picture's middle, clockwise from north; `fov_deg` its horizontal width.

    `tilt_deg` (up is positive) and `roll_deg` (clockwise seen from behind) are of the camera, `aspect` is the picture's
    width over its height; `azimuth_sd_deg` says how well the azimuth is known. `terrain` goes from the nearest ground
    up to the skyline. `ground` maps the picture to the ground where control points are declared.
    """

    pose_id: str
    azimuth_deg: float | None = None
    fov_deg: float | None = None
    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    aspect: float = 16 / 9
    azimuth_sd_deg: float = AZIMUTH_SD_DEG
    terrain: tuple[TerrainPoint, ...] = ()
    landmarks: tuple[Landmark, ...] = ()
    zones: tuple[Zone, ...] = ()
    masks: tuple[Mask, ...] = ()
    ground: GroundMap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A registered camera. `admin_unit` is the statistical code of its commune, "" where unknown; `height_m` is the
    lens's above sea level, `range_m` how far it sees smoke on a clear day. A fault of the camera that lasts for
    `health_grace_s` is told."""

    camera_id: str
    name_vi: str
    name_en: str = ""
    admin_unit: str = ""
    lon: float | None = None
    lat: float | None = None
    height_m: float | None = None
    range_m: float = RANGE_M
    health_grace_s: float = HEALTH_GRACE_S
    is_active: bool = True
    poses: Mapping[str, Pose]

    def pose(self, pose_id: str) -> Pose:
        """The declared pose, or a bare one: a camera may sweep presets that nobody has described yet."""
        return self.poses.get(pose_id) or Pose(pose_id=pose_id)

    def view(self, pose_id: str) -> View | None:
        """Where a pose looks; None where the camera's place, or the pose's azimuth or width, is not declared."""
        pose = self.pose(pose_id)
        if self.lon is None or self.lat is None or pose.azimuth_deg is None or pose.fov_deg is None:
            return None
        return View(
            lon=self.lon,
            lat=self.lat,
            azimuth_deg=pose.azimuth_deg,
            fov_deg=pose.fov_deg,
            tilt_deg=pose.tilt_deg,
            roll_deg=pose.roll_deg,
            aspect=pose.aspect,
            azimuth_sd_deg=pose.azimuth_sd_deg,
            range_m=self.range_m,
            terrain=pose.terrain,
        )
