"""From landmarks to where a pose looks: azimuth and width, and tilt and roll where heights are known. Pure.

Least squares (Levenberg-Marquardt) on the pixels: each landmark's direction by geodesic (and by its height, the earth's
curve and refraction) is projected into the picture; what is left are the residuals. The error of each figure follows
from them, never below what one pixel of reading error gives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from geographiclib.geodesic import Geodesic

from ioc.errors import ConfigurationError
from ioc.places.bearings import View, pixel_of, turn_deg
from ioc.places.landmarks import Landmark, reversed_place

__all__ = ["Calibration", "Residual", "calibrate", "residuals_of"]

_READING_SD = 0.001
"""How well a person points at a landmark, in shares of the width: 1.3 pixels of 1280."""
_EFFECTIVE_RADIUS_M = 6_371_000 / (1 - 0.13)  # standard refraction bends a ray by 0.13 of the earth's curve
_MIN_SPAN = 0.15  # of the width: landmarks closer together tell no width
_MAX_RESIDUAL = 0.02  # of the width, 26 pixels of 1280: more is a landmark mistaken, or another pose
_SAME_PLACE_M = 20.0
_MAX_STEPS = 60
_ROLL_AT_LEAST = 3
_FOVS = (20.0, 40.0, 60.0, 90.0, 120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """How far a landmark lies from where the pose would show it: shares of the picture, and degrees across."""

    name: str
    x: float
    y: float | None
    across_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was solved. A standard deviation is None where the figure was not solved for."""

    view: View
    azimuth_sd_deg: float
    fov_sd_deg: float
    tilt_sd_deg: float | None
    roll_sd_deg: float | None
    residuals: tuple[Residual, ...]
    rms: float
    is_checked: bool
    """Whether there were more observations than unknowns: else the residuals are zero whatever was mistaken."""


def calibrate(
    landmarks: Sequence[Landmark],
    *,
    lon: float,
    lat: float,
    height_m: float | None,
    aspect: float,
    tilt_deg: float = 0.0,
    roll_deg: float = 0.0,
) -> Calibration:
    """Returns where the camera at `lon`, `lat` looks, from two landmarks or more.

    Tilt is solved where the camera's height and two landmarks' are known, roll from three; else they stay as given.

    Raises:
        ConfigurationError: too few landmarks, reversed coordinates, landmarks that tell no width (one above the other,
            or on one line of sight), or that fit no pose; a sentence that names the landmark.
    """
    _refuse_unusable(landmarks, lon, lat)
    high = [mark for mark in landmarks if mark.height_m is not None] if height_m is not None else []
    has_tilt, has_roll = len(high) >= 2, len(high) >= _ROLL_AT_LEAST
    rays = [_ray(mark, lon, lat, height_m) for mark in landmarks]
    _refuse_order(landmarks, rays)
    start = View(lon=lon, lat=lat, azimuth_deg=0.0, fov_deg=60.0, tilt_deg=tilt_deg, roll_deg=roll_deg, aspect=aspect)
    tries = [_solve(landmarks, rays, _first(start, fov, landmarks, rays), has_tilt, has_roll) for fov in _FOVS]
    solved = [found for found in tries if found is not None]
    if not solved:
        raise _refusal(
            "Không góc quay nào cho thấy các mốc ở những điểm này; kiểm tra tọa độ, và có đúng góc quay này không.",
            "no pose shows these landmarks at these points; check their coordinates, and that all are of this pose",
        )
    view, matrix, chi = min(solved, key=lambda found: found[2])
    residuals = residuals_of(view, landmarks, height_m if high else None)
    observations = len(landmarks) + (len(high) if has_tilt else 0)
    freedom = observations - 2 - has_tilt - has_roll
    _refuse_misfit(residuals, view)
    scale = max(1.0, chi / freedom) if freedom > 0 else 1.0
    errors = [math.sqrt(float(value) * scale) for value in np.diag(np.linalg.pinv(matrix))]
    rms = math.sqrt(sum(r.x**2 for r in residuals) / len(residuals))
    return Calibration(
        view=view,
        azimuth_sd_deg=errors[0],
        fov_sd_deg=errors[1],
        tilt_sd_deg=errors[2] if has_tilt else None,
        roll_sd_deg=errors[3] if has_roll else None,
        residuals=residuals,
        rms=rms,
        is_checked=freedom > 0,
    )


def residuals_of(view: View, landmarks: Sequence[Landmark], height_m: float | None) -> tuple[Residual, ...]:
    """How far each landmark lies from where `view` would show it; one that it would not show at all is a whole width
    away. `height_m` is the lens's; without it, and without a landmark's height, only what is across is told."""
    found = []
    for mark in landmarks:
        azimuth_deg, elevation_deg = _ray(mark, view.lon, view.lat, height_m)
        at = pixel_of(view, azimuth_deg, _level(view, elevation_deg, mark))
        if at is None:
            found.append(Residual(name=mark.name, x=1.0, y=None, across_deg=turn_deg(view.azimuth_deg, azimuth_deg)))
            continue
        found.append(
            Residual(
                name=mark.name,
                x=mark.x - at[0],
                y=mark.y - at[1] if elevation_deg is not None else None,
                across_deg=(mark.x - at[0]) * view.fov_deg,
            )
        )
    return tuple(found)


# ---- what can't be solved --------------------------------------------------------------------------------------------


def _refuse_unusable(landmarks: Sequence[Landmark], lon: float, lat: float) -> None:
    if len(landmarks) < 2:
        raise _refusal(
            f"{len(landmarks)} mốc không đủ để biết hướng và độ rộng; cần ít nhất hai mốc, tốt nhất là bốn.",
            f"{len(landmarks)} landmark tells no direction and width; give two, better four across the picture",
        )
    for mark in landmarks:
        problem = reversed_place(mark.lon, mark.lat, lon, lat)
        if problem:
            raise _refusal(
                f"Mốc {mark.name}: vĩ độ và kinh độ bị đảo hoặc sai (lat {mark.lat:g}, lon {mark.lon:g}).",
                f"landmark {mark.name}: {problem}",
            )
        if float(Geodesic.WGS84.Inverse(lat, lon, mark.lat, mark.lon)["s12"]) < _SAME_PLACE_M:
            raise _refusal(
                f"Mốc {mark.name} ở ngay chỗ đặt camera nên không có hướng.",
                f"landmark {mark.name} is where the camera itself stands; its direction means nothing",
            )
        if not (0 <= mark.x <= 1 and 0 <= mark.y <= 1):
            raise _refusal(
                f"Mốc {mark.name} nằm ngoài ảnh; kiểm tra tọa độ điểm ảnh và --size.",
                f"landmark {mark.name} lies outside the picture; check its pixels and --size",
            )
    span = max(mark.x for mark in landmarks) - min(mark.x for mark in landmarks)
    if span < _MIN_SPAN:
        raise _refusal(
            f"Các mốc chỉ trải {span:.0%} chiều rộng ảnh, gần như thẳng đứng; chọn thêm mốc gần mép trái và mép phải.",
            f"all landmarks lie within {span:.0%} of the picture's width, nearly one above the other: they tell no "
            "width; choose some near the left and the right edge",
        )


def _refuse_order(landmarks: Sequence[Landmark], rays: Sequence[tuple[float, float | None]]) -> None:
    """From left to right in a picture, azimuths turn clockwise; two far apart in it are not on one line of sight."""
    ordered = sorted(zip(landmarks, rays, strict=True), key=lambda pair: pair[0].x)
    (left, (left_deg, _)), (right, (right_deg, _)) = ordered[0], ordered[-1]
    turn, angles = turn_deg(left_deg, right_deg), f"({left_deg:.1f}°, {right_deg:.1f}°)"
    if abs(turn) < 1.0:
        raise _refusal(
            f"Mốc {left.name} và {right.name} nằm trên cùng một đường ngắm {angles} mà cách xa nhau trong ảnh; "
            "kiểm tra tọa độ.",
            f"landmarks {left.name} and {right.name} lie on one line of sight {angles}, yet far apart in the picture; "
            "check their coordinates",
        )
    if turn < 0:
        raise _refusal(
            f"Trong ảnh mốc {left.name} ở bên trái {right.name}, nhưng nhìn từ camera thì ở bên phải {angles}: hai "
            "mốc bị đổi chỗ, hoặc ảnh thuộc góc quay khác.",
            f"landmark {left.name} is left of {right.name} in the picture, but from the camera it lies to the right "
            f"{angles}: two landmarks are swapped, or the picture is another pose's",
        )


def _refuse_misfit(residuals: Sequence[Residual], view: View) -> None:
    worst = max(residuals, key=lambda residual: abs(residual.x))
    if abs(worst.x) > _MAX_RESIDUAL:
        best = f"{view.azimuth_deg:.1f}°, {view.fov_deg:.1f}°"
        raise _refusal(
            f"Các mốc không khớp với một góc quay nào: hướng và độ rộng khớp nhất ({best}) vẫn lệch "
            f"{abs(worst.across_deg):.1f}° ở mốc {worst.name}; kiểm tra tọa độ, điểm ảnh, và có đúng góc quay này.",
            f"the landmarks do not fit one pose: the best azimuth and width ({best}) still miss {worst.name} by "
            f"{abs(worst.across_deg):.1f}°; check its coordinates and pixels, and that all are of this pose",
        )


def _refusal(vi: str, en: str) -> ConfigurationError:
    return ConfigurationError(f"{vi}\n{en}")


# ---- least squares ---------------------------------------------------------------------------------------------------


def _ray(mark: Landmark, lon: float, lat: float, height_m: float | None) -> tuple[float, float | None]:
    """(azimuth, elevation) of a landmark from the lens, degrees; elevation None where a height is not known."""
    line = Geodesic.WGS84.Inverse(lat, lon, mark.lat, mark.lon)
    azimuth_deg, distance_m = float(line["azi1"]) % 360, float(line["s12"])
    if height_m is None or mark.height_m is None:
        return azimuth_deg, None
    drop_m = distance_m**2 / (2 * _EFFECTIVE_RADIUS_M)
    return azimuth_deg, math.degrees(math.atan2(mark.height_m - height_m - drop_m, distance_m))


def _level(view: View, elevation_deg: float | None, mark: Landmark) -> float:
    """The elevation to project: the known one, else the one at which the pose shows the landmark's row."""
    if elevation_deg is not None:
        return elevation_deg
    focal = 0.5 / math.tan(math.radians(min(view.fov_deg, 150.0)) / 2)
    return view.tilt_deg + math.degrees(math.atan2((0.5 - mark.y) / view.aspect, focal))


def _first(
    view: View, fov_deg: float, landmarks: Sequence[Landmark], rays: Sequence[tuple[float, float | None]]
) -> View:
    """A start: the azimuth that the middle of the landmarks gives for this width."""
    origin = rays[0][0]
    turn = sum(turn_deg(origin, ray[0]) for ray in rays) / len(rays)
    middle = sum(mark.x for mark in landmarks) / len(landmarks)
    return replace(view, fov_deg=fov_deg, azimuth_deg=(origin + turn - (middle - 0.5) * fov_deg) % 360)


_Solved = tuple[View, "np.ndarray[Any, Any]", float]


def _solve(
    landmarks: Sequence[Landmark],
    rays: Sequence[tuple[float, float | None]],
    start: View,
    has_tilt: bool,
    has_roll: bool,
) -> _Solved | None:
    """(view, normal matrix in degrees, χ²) of the least squares from `start`; None where they lead nowhere."""
    names = ("azimuth_deg", "fov_deg", *(("tilt_deg",) if has_tilt else ()), *(("roll_deg",) if has_roll else ()))
    view, step = start, 1e-4
    gaps = _gaps(landmarks, rays, view, has_tilt)
    damping = 1e-3
    for _ in range(_MAX_STEPS):
        if gaps is None:
            return None
        columns = []
        for name in names:
            moved = _gaps(landmarks, rays, replace(view, **{name: getattr(view, name) + step}), has_tilt)
            if moved is None:
                return None
            columns.append((gaps - moved) / step)
        design = np.stack(columns, axis=1)
        matrix = design.T @ design
        change = np.linalg.solve(matrix + damping * np.diag(np.diag(matrix) + 1e-12), design.T @ gaps)
        after = _moved(view, names, change)
        gaps_after = _gaps(landmarks, rays, after, has_tilt) if after is not None else None
        if after is None or gaps_after is None or float(gaps_after @ gaps_after) > float(gaps @ gaps):
            damping *= 10
            if damping > 1e8:
                break
            continue
        view, gaps, damping = after, gaps_after, max(damping / 10, 1e-9)
        if float(np.max(np.abs(change))) < 1e-7:
            break
    assert gaps is not None, "the loop leaves where there are none"
    return view, matrix, float(gaps @ gaps)


def _moved(view: View, names: Sequence[str], change: "np.ndarray[Any, Any]") -> View | None:
    values = {name: getattr(view, name) + float(value) for name, value in zip(names, change, strict=True)}
    if not 0.5 < values["fov_deg"] < 150 or abs(values.get("tilt_deg", 0.0)) > 80:
        return None
    return replace(view, **values | {"azimuth_deg": values["azimuth_deg"] % 360})


def _gaps(
    landmarks: Sequence[Landmark], rays: Sequence[tuple[float, float | None]], view: View, has_tilt: bool
) -> "np.ndarray[Any, Any] | None":
    """Seen minus projected, in reading errors: across of each landmark, and down of those whose height counts."""
    found: list[float] = []
    for mark, (azimuth_deg, elevation_deg) in zip(landmarks, rays, strict=True):
        at = pixel_of(view, azimuth_deg, _level(view, elevation_deg, mark))
        if at is None:
            return None
        found.append((mark.x - at[0]) / _READING_SD)
        if has_tilt and elevation_deg is not None:
            found.append((mark.y - at[1]) / (_READING_SD * view.aspect))
    return np.array(found)
