"""What cameras.yaml may hold, and what it becomes."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ioc.catalog.cameras import AZIMUTH_SD_DEG, HEALTH_GRACE_S, RANGE_M, Camera, Mask, MaskKind, Pose
from ioc.errors import ConfigurationError
from ioc.geography import Geography
from ioc.permits import Zone
from ioc.places.landmarks import Landmark, reversed_place
from ioc.places.terrain_line import TerrainPoint, check_terrain

__all__ = ["CameraEntry", "PoseEntry", "ZoneEntry", "cameras_of"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ZoneEntry(_File):
    kind: str
    polygon: tuple[tuple[float, float], ...] = Field(min_length=3)
    parcel_id: str = ""
    name_vi: str = ""
    name_en: str = ""


class MaskEntry(_File):
    kind: MaskKind
    polygon: tuple[tuple[float, float], ...] = Field(min_length=3)


class LandmarkEntry(_File):
    at: tuple[float, float]  # x, y in 0-1 of the picture
    lon: float
    lat: float
    height_m: float | None = Field(None, ge=-100, le=9000)


class PoseEntry(_File):
    azimuth_deg: float | None = Field(None, ge=0, lt=360)
    fov_deg: float | None = Field(None, gt=0, le=360)
    tilt_deg: float = Field(0.0, ge=-60, le=60)
    roll_deg: float = Field(0.0, ge=-30, le=30)
    aspect: float = Field(16 / 9, ge=0.3, le=10)
    azimuth_sd_deg: float = Field(AZIMUTH_SD_DEG, gt=0, le=20)
    terrain: tuple[tuple[float, float], ...] = ()  # row in 0-1, metres
    landmarks: dict[str, LandmarkEntry] = {}
    zones: dict[str, ZoneEntry] = {}
    masks: dict[str, MaskEntry] = {}


class CameraEntry(_File):
    name_vi: str
    name_en: str = ""
    admin_unit: str = ""
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)
    height_m: float | None = Field(None, ge=-100, le=9000)
    range_m: float = Field(RANGE_M, ge=100, le=100_000)
    health_grace_s: float = Field(HEALTH_GRACE_S, ge=0, le=86_400)
    active: bool = True
    poses: dict[str, PoseEntry] = {}


def cameras_of(path: Path, declared: Mapping[str, CameraEntry], geography: Geography) -> dict[str, Camera]:
    """Returns the cameras that `path` declares.

    Raises:
        ConfigurationError: a unit or a place that can't be, a point outside the picture, a terrain line that is none.
    """
    cameras: dict[str, Camera] = {}
    for camera_id, spec in declared.items():
        if ":" in camera_id:
            raise ConfigurationError(f"{path}: {camera_id}: a camera id must not hold a colon")
        if spec.admin_unit and spec.admin_unit not in geography:
            raise ConfigurationError(
                f"{path}: {camera_id}.admin_unit: {spec.admin_unit!r} is not a unit of the province"
            )
        cameras[camera_id] = Camera(
            camera_id=camera_id,
            name_vi=spec.name_vi,
            name_en=spec.name_en or spec.name_vi,
            admin_unit=spec.admin_unit,
            lon=spec.lon,
            lat=spec.lat,
            height_m=spec.height_m,
            range_m=spec.range_m,
            health_grace_s=spec.health_grace_s,
            is_active=spec.active,
            poses={pose_id: _pose(path, camera_id, pose_id, spec, pose) for pose_id, pose in spec.poses.items()},
        )
    return cameras


def _pose(path: Path, camera_id: str, pose_id: str, camera: CameraEntry, spec: PoseEntry) -> Pose:
    where = f"{path}: {camera_id}.poses.{pose_id}"
    for zone_id, zone in spec.zones.items():
        _refuse_outside(f"{where}.zones.{zone_id}.polygon", zone.polygon)
    for mask_id, mask in spec.masks.items():
        _refuse_outside(f"{where}.masks.{mask_id}.polygon", mask.polygon)
    for name, landmark in spec.landmarks.items():
        _refuse_outside(f"{where}.landmarks.{name}.at", [landmark.at])
        _refuse_misplaced(f"{where}.landmarks.{name}", landmark, camera)
    terrain = tuple(TerrainPoint(row=row, distance_m=distance_m) for row, distance_m in spec.terrain)
    _refuse_outside(f"{where}.terrain", [(0.0, point.row) for point in terrain])
    try:
        check_terrain(terrain)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.terrain: {error}") from None
    return Pose(
        pose_id=pose_id,
        **spec.model_dump(include={"azimuth_deg", "fov_deg", "tilt_deg", "roll_deg", "aspect", "azimuth_sd_deg"}),
        terrain=terrain,
        landmarks=tuple(
            Landmark(name=name, x=mark.at[0], y=mark.at[1], lon=mark.lon, lat=mark.lat, height_m=mark.height_m)
            for name, mark in spec.landmarks.items()
        ),
        zones=tuple(
            Zone(
                zone_id=zone_id,
                kind=zone.kind,
                polygon=zone.polygon,
                parcel_id=zone.parcel_id,
                name_vi=zone.name_vi,
                name_en=zone.name_en,
            )
            for zone_id, zone in spec.zones.items()
        ),
        masks=tuple(Mask(kind=mask.kind, polygon=mask.polygon) for mask in spec.masks.values()),
    )


def _refuse_outside(where: str, points: "list[tuple[float, float]] | tuple[tuple[float, float], ...]") -> None:
    if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in points):
        raise ConfigurationError(f"{where}: every x and y lies between 0 and 1")


def _refuse_misplaced(where: str, mark: LandmarkEntry, camera: CameraEntry) -> None:
    if camera.lon is None or camera.lat is None:
        raise ConfigurationError(f"{where}: a landmark calibrates nothing without the camera's own lon and lat")
    problem = reversed_place(mark.lon, mark.lat, camera.lon, camera.lat)
    if problem:
        raise ConfigurationError(f"{where}: {problem}")
