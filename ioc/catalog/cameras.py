"""Cameras of the catalogue: where they stand, the poses they take, the zones drawn on each pose."""

from collections.abc import Mapping
from dataclasses import dataclass

from ioc.permits import Zone

__all__ = ["Camera", "Pose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One PTZ preset. Azimuth is of the picture's middle, clockwise from north; `fov_deg` its horizontal width."""

    pose_id: str
    azimuth_deg: float | None = None
    fov_deg: float | None = None
    zones: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A registered camera. `admin_unit` is the statistical code of its commune, "" where unknown."""

    camera_id: str
    name_vi: str
    name_en: str = ""
    admin_unit: str = ""
    lon: float | None = None
    lat: float | None = None
    is_active: bool = True
    poses: Mapping[str, Pose]

    def pose(self, pose_id: str) -> Pose:
        """The declared pose, or a bare one: a camera may sweep presets that nobody has described yet."""
        return self.poses.get(pose_id) or Pose(pose_id=pose_id)
