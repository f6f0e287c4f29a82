"""`capture.yaml`: where the province's cameras are, how often they are looked at, and how their pose is known.

It lies beside the catalogue's other files and holds no secret: a password comes from a file of its own or from the
environment. No error shows an address's credentials or a value that could be one.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ioc.capture.pacing import parse_duration_s
from ioc.capture.poses import DailyStop, PatrolStop
from ioc.capture.stills import check_id
from ioc.catalog.yaml_files import RepeatedKey, parsed
from ioc.errors import ConfigurationError

__all__ = [
    "CAMERA_FILE",
    "CameraAddress",
    "CameraPlan",
    "PictureWay",
    "PoseWay",
    "ScheduleWay",
    "SidecarWay",
    "camera_address",
    "password_variable",
    "read_cameras",
]

CAMERA_FILE = "capture.yaml"
_SCHEMES = ("rtsp", "rtsps", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraAddress:
    """`url` with its credentials; `shown` without them and without the query, where cameras often put a password."""

    url: str
    shown: str

    def __repr__(self) -> str:
        return f"CameraAddress({self.shown})"

    @property
    def is_rtsp(self) -> bool:
        return self.url.lower().startswith("rtsp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWay:
    patrol: tuple[PatrolStop, ...] = ()
    daily: tuple[DailyStop, ...] = ()
    starts_at: time = time(0)
    settle_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarWay:
    url: str
    field: str
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureWay:
    """`pictures`: pose to the file of its reference picture."""

    pictures: Mapping[str, Path]


PoseWay = str | ScheduleWay | SidecarWay | PictureWay
"""How a camera's pose is known; a string is a pose that never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPlan:
    """One camera as `capture.yaml` says. `jpeg_scale`: 2 (best) to 31, of FFmpeg's encoder."""

    camera_id: str
    address: CameraAddress
    interval_s: float
    pose: PoseWay = "p0"
    transport: Literal["tcp", "udp"] = "tcp"
    timeout_s: float = 10.0
    jpeg_scale: int = 3


def _duration(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}"
    try:
        return parse_duration_s(str(value), "it")
    except ConfigurationError:
        raise ValueError("write a length of time like 500ms, 5s or 2m") from None


def _time_of_day(value: Any) -> time:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 86_400:
        return time(value // 3600, value // 60 % 60, value % 60)  # YAML 1.1 reads 06:30:00 as a number of seconds
    try:
        return time.fromisoformat(str(value))
    except ValueError:
        raise ValueError('write a time of day like "06:30"') from None


Duration = Annotated[float, BeforeValidator(_duration)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Stop(_Entry):
    pose: str
    for_: Duration | None = Field(None, alias="for")
    at: TimeOfDay | None = None


class _PoseEntry(_Entry):
    schedule: list[_Stop] | None = Field(None, min_length=1)
    starts: TimeOfDay = time(0)
    settle: Duration = 3.0
    sidecar: str | None = None
    field: str = "pose"
    every: Duration = 1.0
    pictures: dict[str, Path] | None = Field(None, min_length=1)


class _CameraEntry(_Entry):
    url: str
    user: str = ""
    password_file: Path | None = None
    every: Duration | None = None
    pose: str | _PoseEntry = "p0"
    transport: Literal["tcp", "udp"] = "tcp"
    timeout: Duration = 10.0
    jpeg_scale: int | None = Field(None, ge=2, le=31)


class _File(_Entry):
    every: Duration = 5.0
    jpeg_scale: int = Field(3, ge=2, le=31)
    cameras: dict[str, _CameraEntry] = Field(min_length=1)


def read_cameras(
    path: Path,
    *,
    registered: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
) -> list[CameraPlan]:
    """Returns the cameras of the file, in its order; `only` keeps those named.

    `registered` are the catalogue's cameras: every camera of the file must be one of them.

    Raises:
        ConfigurationError: the file or a password file can't be read, a key is wrong, one id stands twice, or a camera
            is not registered. Names file and key, never a password.
    """
    entries = _read(path)
    unknown = [name for name in only if name not in entries.cameras]
    if unknown:
        raise ConfigurationError(f"{path}: has no camera {unknown[0]!r}; write it there, or correct --only")
    environment = os.environ if environment is None else environment
    plans = []
    for camera_id, entry in entries.cameras.items():
        where = f"{path}: cameras.{camera_id}"
        check_id(camera_id, f"{path}: camera id")
        if registered is not None and camera_id not in registered:
            raise ConfigurationError(
                f"{where}: is not in cameras.yaml, so its frames would be refused; register it there first"
            )
        if only and camera_id not in only:
            continue
        plans.append(_plan(camera_id, entry, entries, where, path.parent, environment))
    return plans


def _plan(
    camera_id: str, entry: _CameraEntry, file: _File, where: str, folder: Path, environment: Mapping[str, str]
) -> CameraPlan:
    return CameraPlan(
        camera_id=camera_id,
        address=camera_address(
            entry.url, where=f"{where}.url", user=entry.user, password=_password(camera_id, entry, where, environment)
        ),
        interval_s=entry.every or file.every,
        pose=_pose(entry.pose, where, folder),
        transport=entry.transport,
        timeout_s=entry.timeout,
        jpeg_scale=entry.jpeg_scale or file.jpeg_scale,
    )


def camera_address(url: str, *, where: str, user: str = "", password: str = "") -> CameraAddress:
    """Returns the address of a camera, with `user` and `password` put in.

    Raises:
        ConfigurationError: of another form, or it holds a password itself while this is a file (`user` would be the
            way); never shows the address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.scheme.lower() not in _SCHEMES or not host or any(ord(c) <= 32 for c in url):
        raise ConfigurationError(f"{where}: write the address like rtsp://HOST[:PORT]/PATH or http://HOST/snapshot.jpg")
    name = f"[{host}]" if ":" in host else host
    name += f":{port}" if port else ""
    user, password = user or unquote(parts.username or ""), password or unquote(parts.password or "")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return CameraAddress(
        url=urlunsplit((parts.scheme.lower(), login + name, parts.path, parts.query, "")),
        shown=urlunsplit((parts.scheme.lower(), name, parts.path, "…" if parts.query else "", "")),
    )


def password_variable(camera_id: str) -> str:
    """Returns the name of the variable that may hold a camera's password: `IOC_CAMERA_PASSWORD_CAM_01` for `cam-01`."""
    return "IOC_CAMERA_PASSWORD_" + re.sub(r"[^A-Z0-9]", "_", camera_id.upper())


def _password(camera_id: str, entry: _CameraEntry, where: str, environment: Mapping[str, str]) -> str:
    try:
        in_address = urlsplit(entry.url).password is not None
    except ValueError:
        in_address = False
    variable = password_variable(camera_id)
    if in_address:
        raise ConfigurationError(
            f"{where}.url: holds a password, and everybody who reads the catalogue would know it; write `user` and "
            f"`password_file`, or set {variable}"
        )
    if entry.password_file is None:
        return environment.get(variable, "")
    return _secret(entry.password_file, f"{where}.password_file")


def _secret(path: Path, where: str) -> str:
    if not path.is_absolute():
        raise ConfigurationError(f"{where}: write the whole path, outside the catalogue, like /etc/ioc/cameras/cam-01")
    try:
        mode = path.stat().st_mode
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{where}: {path} can't be read ({reason}); it must hold the password alone") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigurationError(f"{where}: everybody on this machine may read {path}; do: chmod 600 {path}")
    if not password:
        raise ConfigurationError(f"{where}: {path} is empty; it must hold the password alone")
    return password


def _pose(entry: str | _PoseEntry, where: str, folder: Path) -> PoseWay:
    if isinstance(entry, str):
        return check_id(entry, f"{where}.pose")
    ways = [name for name in ("schedule", "sidecar", "pictures") if getattr(entry, name) is not None]
    if len(ways) != 1:
        raise ConfigurationError(f"{where}.pose: write exactly one of schedule, sidecar and pictures, or a pose's name")
    if entry.sidecar is not None:
        address = camera_address(entry.sidecar, where=f"{where}.pose.sidecar")
        if address.is_rtsp:
            raise ConfigurationError(f"{where}.pose.sidecar: write an address like http://HOST/pose")
        return SidecarWay(url=address.url, field=entry.field, every_s=entry.every)
    if entry.pictures is not None:
        pictures = {
            check_id(pose, f"{where}.pose.pictures"): folder / picture for pose, picture in entry.pictures.items()
        }
        for pose, picture in pictures.items():
            if not picture.is_file():
                raise ConfigurationError(f"{where}.pose.pictures.{pose}: {picture}: no such file; put the JPEG there")
        return PictureWay(pictures=pictures)
    return _schedule(entry, where)


def _schedule(entry: _PoseEntry, where: str) -> ScheduleWay:
    stops = entry.schedule or []
    for stop in stops:
        check_id(stop.pose, f"{where}.pose.schedule")
    patrol = tuple(PatrolStop(pose_id=stop.pose, for_s=stop.for_) for stop in stops if stop.for_ is not None)
    daily = tuple(DailyStop(pose_id=stop.pose, at=stop.at) for stop in stops if stop.at is not None)
    if len(stops) not in (len(patrol), len(daily)) or (patrol and daily):
        raise ConfigurationError(
            f"{where}.pose.schedule: write `for` (a round) on every stop, or `at` (a time of day) on every stop"
        )
    if len({stop.at for stop in daily}) < len(daily):
        raise ConfigurationError(f"{where}.pose.schedule: one time of day stands twice; keep one pose for it")
    if any(stop.for_s <= entry.settle for stop in patrol):
        raise ConfigurationError(
            f"{where}.pose.schedule: a stop is not longer than `settle` ({entry.settle:g} s, the time a move takes)"
        )
    return ScheduleWay(patrol=patrol, daily=daily, starts_at=entry.starts, settle_s=entry.settle)


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file; write it (deploy/docs/cameras.md shows how), or name another with --cameras"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{path}: can't be read ({reason}); check its rights and its encoding") from None
    try:
        content = parsed(text)
    except RepeatedKey as repeated:
        raise ConfigurationError(
            f"{path}, line {repeated.line}: {repeated.key!r} stands twice; each camera has one id, and an id of its own"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(f"{path}{line}: not valid YAML; check the indentation and the colons") from None
    try:
        return _File.model_validate(content if content is not None else {})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part not in ("str", "_PoseEntry")) or "the file"
        raise ConfigurationError(f"{path}: {key}: {first['msg'].removeprefix('Value error, ')}") from None
