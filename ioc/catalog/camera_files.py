"""What cameras.yaml may hold, and what it becomes."""

from collections.abc import Collection, Mapping
from datetime import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from shapely import Polygon

from ioc.catalog.cameras import AZIMUTH_SD_DEG, HEALTH_GRACE_S, RANGE_M, Camera, Mask, MaskKind, Pose
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.geography import Geography
from ioc.ground import ControlPoint, GroundMap
from ioc.permits import Zone, read_outline
from ioc.places.landmarks import Landmark, reversed_place
from ioc.places.terrain_line import TerrainPoint, check_terrain

__all__ = ["CameraEntry", "PoseEntry", "ZoneEntry", "cameras_of"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"  # a text: unquoted, YAML reads 06:00 as 360


class ZoneEntry(_File):
    kind: str
    polygon: tuple[tuple[float, float], ...] = ()  # x, y in 0-1 of the picture
    outline: dict[str, Any] | None = None  # or on the ground: a GeoJSON Polygon
    parcel_id: str = ""
    name_vi: str = ""
    name_en: str = ""
    work_from: str = Field("06:00", pattern=_TIME_OF_DAY)
    work_until: str = Field("21:00", pattern=_TIME_OF_DAY)
    dwell_s: float = Field(1800.0, ge=0, le=30 * 86_400)
    agency: str = ""


class ControlPointEntry(_File):
    at: tuple[float, float]  # x, y in 0-1 of the picture
    lon: float
    lat: float


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
    control_points: tuple[ControlPointEntry, ...] = ()
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


def cameras_of(
    path: Path, declared: Mapping[str, CameraEntry], geography: Geography, agencies: Collection[str] = ()
) -> dict[str, Camera]:
    """Returns the cameras that `path` declares.

    Raises:
        ConfigurationError: a unit or a place that can't be, a point outside the picture, a terrain line or a ground map
            that is none, an outline that crosses itself or lies outside the picture, an agency that nobody declared.
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
            poses={
                pose_id: _pose(f"{path}: {camera_id}.poses.{pose_id}", pose_id, spec, pose, agencies)
                for pose_id, pose in spec.poses.items()
            },
        )
    return cameras


def _pose(where: str, pose_id: str, camera: CameraEntry, spec: PoseEntry, agencies: Collection[str]) -> Pose:
    ground = _ground(f"{where}.control_points", spec.control_points)
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
            _zone(f"{where}.zones.{zone_id}", zone_id, zone, ground, agencies) for zone_id, zone in spec.zones.items()
        ),
        masks=tuple(Mask(kind=mask.kind, polygon=mask.polygon) for mask in spec.masks.values()),
        ground=ground,
    )


def _ground(where: str, points: tuple[ControlPointEntry, ...]) -> GroundMap | None:
    if not points:
        return None
    try:
        return GroundMap([ControlPoint(x=point.at[0], y=point.at[1], lon=point.lon, lat=point.lat) for point in points])
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _zone(where: str, zone_id: str, spec: ZoneEntry, ground: GroundMap | None, agencies: Collection[str]) -> Zone:
    if spec.agency and spec.agency not in agencies:
        raise ConfigurationError(f"{where}.agency: {spec.agency!r} is not in agencies.yaml; declare it there")
    return Zone(
        zone_id=zone_id,
        polygon=_zone_polygon(where, spec, ground),
        work_from=time.fromisoformat(spec.work_from),
        work_until=time.fromisoformat(spec.work_until),
        **spec.model_dump(include={"kind", "parcel_id", "name_vi", "name_en", "dwell_s", "agency"}),
    )


def _zone_polygon(where: str, spec: ZoneEntry, ground: GroundMap | None) -> tuple[tuple[float, float], ...]:
    if bool(spec.polygon) == bool(spec.outline):
        raise ConfigurationError(f"{where}: give either polygon (in the picture) or outline (GeoJSON, on the ground)")
    if spec.outline is None:
        if len(spec.polygon) < 3:
            raise ConfigurationError(f"{where}.polygon: {len(spec.polygon)} corners; three or more make a zone")
        _refuse_outside(f"{where}.polygon", spec.polygon)
        if not Polygon(spec.polygon).is_valid:
            raise ConfigurationError(
                f"{where}.polygon: the zone crosses itself; give the corners in their order around it"
            )
        return spec.polygon
    if ground is None:
        raise ConfigurationError(f"{where}.outline: a zone on the ground needs the pose's control_points")
    try:
        shown = ground.in_picture(read_outline(spec.outline, field="outline"))
    except InvalidRecord as error:
        raise ConfigurationError(f"{where}: {error.en}") from None
    if not shown:
        raise ConfigurationError(f"{where}.outline: nothing of it is in the picture; is it another pose's?")
    return shown


def _refuse_outside(where: str, points: "list[tuple[float, float]] | tuple[tuple[float, float], ...]") -> None:
    if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in points):
        raise ConfigurationError(f"{where}: every x and y lies between 0 and 1")


def _refuse_misplaced(where: str, mark: LandmarkEntry, camera: CameraEntry) -> None:
    if camera.lon is None or camera.lat is None:
        raise ConfigurationError(f"{where}: a landmark calibrates nothing without the camera's own lon and lat")
    problem = reversed_place(mark.lon, mark.lat, camera.lon, camera.lat)
    if problem:
        raise ConfigurationError(f"{where}: {problem}")
