"""`ioc calibrate`: where a pose looks, from landmarks in its picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog.cameras import Camera
    from ioc.places.calibration import Calibration
    from ioc.places.landmarks import Landmark

__all__ = ["register"]

_EXAMPLE = (
    'Example: `ioc calibrate cam-01 p0 --size 1280x720 --landmark "chùa,212,401,11.9402,108.4583,1512" '
    '--landmark "tháp nước,980,377,11.9611,108.4711"`. Nothing is written: copy the lines into cameras.yaml.'
)
_COLUMNS = ("name", "px", "py", "lat", "lon", "elevation_m")
_OTHER_POSE_DEG = 10.0
_CHECK_DEG = 2.0  # landmarks that miss by more than that have moved, or the pose has

CameraArgument = Annotated[str, typer.Argument(metavar="CAMERA", help="as in cameras.yaml")]
PoseArgument = Annotated[str, typer.Argument(metavar="[POSE]", help="as in cameras.yaml; not needed with --check")]
LandmarkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--landmark",
        metavar="NAME,PX,PY,LAT,LON[,ELEVATION]",
        help="pixels from the left and the top; metres above sea level",
    ),
]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help=f"landmarks as a table with the columns {', '.join(_COLUMNS)}")
]
SizeOption = Annotated[str, typer.Option("--size", metavar="WxH", help="of the picture that the pixels are of")]
CheckOption = Annotated[
    bool, typer.Option("--check", help="only see whether the landmarks in cameras.yaml still fit their poses")
]
CatalogOption = Annotated[Path | None, typer.Option("--catalog", help="catalogue folder; else IOC_CATALOG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def register(app: typer.Typer) -> None:
    """Adds `ioc calibrate`."""
    app.command("calibrate", epilog=_EXAMPLE)(calibrate)


def calibrate(
    camera: CameraArgument,
    pose: PoseArgument = "",
    landmarks: LandmarkOption = None,
    csv: CsvOption = None,
    size: SizeOption = "1280x720",
    is_check: CheckOption = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Solve where a camera pose looks (azimuth, width, tilt, roll) from two landmarks or more, with its error.

    Four across the picture are better; with the camera's height_m and the landmarks' elevations, tilt and roll too.
    Exit code 1 where --check finds that landmarks don't fit their pose.
    """
    from ioc.catalog import load_catalog
    from ioc.settings import load_settings

    cameras = load_catalog(catalog or load_settings().catalog).cameras
    if camera not in cameras:
        raise ConfigurationError(f"{camera!r} is no camera of cameras.yaml; known: {', '.join(list(cameras)[:5])} …")
    known = cameras[camera]
    if known.lon is None or known.lat is None:
        raise ConfigurationError(
            f"cameras.yaml: {camera} has no lon and lat; survey the mast first: bearings begin there"
        )
    if is_check:
        _check(known, as_json)
        return
    width, height = _size(size)
    marks = [*(_mark(text.split(","), width, height) for text in landmarks or ()), *_table(csv, width, height)]
    if not pose:
        raise ConfigurationError("name the POSE that the picture is of, like `ioc calibrate cam-01 p0 …`")
    _solve(known, pose, marks, width, height, as_json)


def _solve(camera: "Camera", pose: str, marks: "Sequence[Landmark]", width: int, height: int, as_json: bool) -> None:
    from ioc.places.calibration import calibrate

    assert camera.lon is not None, "checked before"
    assert camera.lat is not None, "checked before"
    declared = camera.pose(pose)
    found = calibrate(
        marks,
        lon=camera.lon,
        lat=camera.lat,
        height_m=camera.height_m,
        aspect=width / height,
        tilt_deg=declared.tilt_deg,
        roll_deg=declared.roll_deg,
    )
    warnings = _warnings(camera, pose, found)
    if camera.height_m is None and any(mark.height_m is not None for mark in marks):
        warnings.append(
            (
                f"cameras.yaml không có height_m của {camera.camera_id}: độ cao các mốc không được dùng.",
                f"cameras.yaml has no height_m of {camera.camera_id}: the landmarks' elevations were not used.",
            )
        )
    if as_json:
        print(json.dumps(_json(found, warnings, width, height), ensure_ascii=False))
        return
    _print(camera.camera_id, pose, marks, found, warnings, width, height)


def _warnings(camera: "Camera", pose: str, found: "Calibration") -> list[tuple[str, str]]:
    """(vi, en) of what a person should look at before copying the figures."""
    from ioc.places.bearings import turn_deg

    warnings = []
    if not found.is_checked:
        warnings.append(
            (
                "Vừa đủ mốc để giải: một mốc sai sẽ không bị phát hiện. Thêm ít nhất một mốc nữa.",
                "just enough landmarks to solve: a wrong one would go unnoticed. Add one more at least.",
            )
        )
    for other in camera.poses.values():
        own = camera.pose(pose).azimuth_deg
        if other.pose_id == pose or other.azimuth_deg is None or own is None:
            continue
        azimuth_deg = found.view.azimuth_deg
        is_others = abs(turn_deg(other.azimuth_deg, azimuth_deg)) < _OTHER_POSE_DEG < abs(turn_deg(own, azimuth_deg))
        if is_others:
            warnings.append(
                (
                    f"Hướng {azimuth_deg:.1f}° là của góc quay {other.pose_id} trong cameras.yaml, không phải {pose}: "
                    "ảnh hoặc hai góc quay bị đổi chỗ?",
                    f"{azimuth_deg:.1f}° is the azimuth of pose {other.pose_id} in cameras.yaml, not of {pose}: are "
                    "the poses, or the pictures, swapped?",
                )
            )
    return warnings


# ---- check -----------------------------------------------------------------------------------------------------------


def _check(camera: "Camera", as_json: bool) -> None:
    from ioc.places.calibration import residuals_of

    poses: list[dict[str, Any]] = []
    for pose in camera.poses.values():
        view = camera.view(pose.pose_id)
        if view is None or not pose.landmarks:
            continue
        worst = max(residuals_of(view, pose.landmarks, camera.height_m), key=lambda r: abs(r.across_deg))
        is_sound = abs(worst.across_deg) <= _CHECK_DEG
        poses.append({"pose": pose.pose_id, "ok": is_sound, "worst": worst.name, "off_deg": round(worst.across_deg, 2)})
    if as_json:
        print(json.dumps({"camera": camera.camera_id, "poses": poses}, ensure_ascii=False))
    elif not poses:
        print(f"{camera.camera_id}: không có mốc nào trong cameras.yaml\n  no landmarks in cameras.yaml")
    else:
        for found in poses:
            mark, off = "✓" if found["ok"] else "✗", f"{found['worst']} {found['off_deg']:+.1f}°"
            print(f"{mark} {camera.camera_id} {found['pose']}: lệch nhiều nhất {off}\n  farthest off: {off}")
    if any(not found["ok"] for found in poses):
        raise typer.Exit(1)


# ---- what comes in ---------------------------------------------------------------------------------------------------


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) > 0 and int(height) > 0):
        raise ConfigurationError(f"--size {text!r} must be like 1280x720")
    return int(width), int(height)


def _mark(cells: Sequence[str], width: int, height: int) -> "Landmark":
    from ioc.places.landmarks import Landmark

    name, numbers = cells[0].strip(), [cell.strip() for cell in cells[1:]]
    try:
        if len(numbers) not in (4, 5):
            raise ValueError
        px, py, lat, lon = (float(number) for number in numbers[:4])
        height_m = float(numbers[4]) if len(numbers) == 5 and numbers[4] else None
    except ValueError:
        raise ConfigurationError(
            f"landmark {','.join(cells)!r} must be {','.join(_COLUMNS)} (the last may be left out), with decimal points"
        ) from None
    return Landmark(name=name or "?", x=px / width, y=py / height, lon=lon, lat=lat, height_m=height_m)


def _table(path: Path | None, width: int, height: int) -> "list[Landmark]":
    import csv

    if path is None:
        return []
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} can't be read as a table of landmarks: {error}") from None
    missing = [name for name in _COLUMNS[:5] if rows and rows[0].get(name) is None]
    if missing or not rows:
        raise ConfigurationError(
            f"{path}: needs a first line with the columns {','.join(_COLUMNS)}, and landmarks below"
        )
    return [_mark([row.get(name) or "" for name in _COLUMNS], width, height) for row in rows]


# ---- what goes out ---------------------------------------------------------------------------------------------------


def _figures(found: "Calibration") -> dict[str, float]:
    """The keys of a pose in cameras.yaml. The error is never told smaller than a preset's own: it returns to 0.1°."""
    view = found.view
    figures = {
        "azimuth_deg": round(view.azimuth_deg, 2) % 360,
        "fov_deg": round(view.fov_deg, 2),
        "tilt_deg": round(view.tilt_deg, 2),
        "roll_deg": round(view.roll_deg, 2),
        "aspect": round(view.aspect, 4),
        "azimuth_sd_deg": max(0.1, round(found.azimuth_sd_deg, 2)),
    }
    return {name: value for name, value in figures.items() if value or name not in ("tilt_deg", "roll_deg")}


def _json(found: "Calibration", warnings: list[tuple[str, str]], width: int, height: int) -> dict[str, Any]:
    return {
        **_figures(found),
        "sd": {
            "azimuth_deg": found.azimuth_sd_deg,
            "fov_deg": found.fov_sd_deg,
            "tilt_deg": found.tilt_sd_deg,
            "roll_deg": found.roll_sd_deg,
        },
        "rms_px": found.rms * width,
        "is_checked": found.is_checked,
        "residuals": [
            {"name": r.name, "px": r.x * width, "py": None if r.y is None else r.y * height, "deg": r.across_deg}
            for r in found.residuals
        ],
        "warnings": [{"vi": vi, "en": en} for vi, en in warnings],
    }


def _print(
    camera_id: str,
    pose: str,
    marks: "Sequence[Landmark]",
    found: "Calibration",
    warnings: list[tuple[str, str]],
    width: int,
    height: int,
) -> None:
    view = found.view
    print(
        f"{camera_id} {pose}: hướng {view.azimuth_deg:.2f}° ± {found.azimuth_sd_deg:.2f}, rộng {view.fov_deg:.2f}° ± "
        f"{found.fov_sd_deg:.2f}, sai số trung bình {found.rms * width:.1f} điểm ảnh"
    )
    print(
        f"  azimuth {view.azimuth_deg:.2f}° ± {found.azimuth_sd_deg:.2f}, width {view.fov_deg:.2f}° ± "
        f"{found.fov_sd_deg:.2f}, mean residual {found.rms * width:.1f} px"
    )
    if found.tilt_sd_deg is not None:
        print(f"  ngẩng / tilt {view.tilt_deg:+.2f}° ± {found.tilt_sd_deg:.2f}")
    if found.roll_sd_deg is not None:
        print(f"  nghiêng / roll {view.roll_deg:+.2f}° ± {found.roll_sd_deg:.2f}")
    print("  mốc / landmark: lệch / off")
    for residual in found.residuals:
        down = "" if residual.y is None else f", {residual.y * height:+.1f} px ↓"
        print(f"    {residual.name}: {residual.x * width:+.1f} px → ({residual.across_deg:+.2f}°){down}")
    for vi, en in warnings:
        print(f"! {vi}\n  {en}")
    print("\n# cameras.yaml")
    print(f"{camera_id}:\n  poses:\n    {pose}:")
    for name, value in _figures(found).items():
        print(f"      {name}: {value:g}")
    print("      landmarks:")
    for mark in marks:
        high = "" if mark.height_m is None else f", height_m: {mark.height_m:g}"
        print(
            f"        {json.dumps(mark.name, ensure_ascii=False)}: "
            f"{{at: [{mark.x:.4f}, {mark.y:.4f}], lon: {mark.lon:.6f}, lat: {mark.lat:.6f}{high}}}"
        )
