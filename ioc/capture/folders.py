"""An image folder as cameras: each subfolder is one camera, its pictures are what the camera sees, in order."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from ioc.capture.exif import exif_time
from ioc.capture.manifests import ManifestRow, find_manifest, read_manifest
from ioc.capture.pacing import Pacer
from ioc.capture.stills import CapturedStill, Tally, check_id
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.frames import MAX_FRAME_BYTES

__all__ = ["CameraFolder", "FolderSource", "Picture", "Times", "folder_cameras", "parse_names", "scan_folder"]

logger = logging.getLogger(__name__)

Times = Literal["clock", "manifest"]
"""`clock`: a picture is captured when it is read; `manifest`: when the manifest's `captured_at` (else EXIF) says."""

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe"})
OTHER_PICTURE_SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".avif", ".jp2"})
_EXIF_READ_BYTES = 128 * 1024  # EXIF's segment is at most 64 KiB and comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file, and its own time where it was asked for."""

    path: Path
    captured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFolder:
    """The pictures of one camera in the order they play; `ignored` counts files left out, by reason."""

    camera_id: str
    pictures: tuple[Picture, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)


def folder_cameras(root: Path) -> dict[str, list[Path]]:
    """Returns each camera's pictures in the order they play; the camera's id is its subfolder's name.

    Raises:
        ConfigurationError: as `scan_folder`.
    """
    return {camera.camera_id: [picture.path for picture in camera.pictures] for camera in scan_folder(root)}


def scan_folder(root: Path, *, names: Mapping[str, str] | None = None, times: Times = "clock") -> list[CameraFolder]:
    """Returns the cameras of `root`, in natural order of their subfolders' names.

    The order of pictures is the manifest's (its `frame` numbers where a camera has them on every row, else its rows),
    and where no manifest speaks of the camera, the natural order of file names. `names` renames subfolders to camera
    ids. With `times="manifest"` each picture carries its own time, and they play in that order.

    Raises:
        ConfigurationError: no such folder, no camera with a JPEG in it, a name that can't be a camera's id or is used
            twice, a link that leaves `root`, a wrong manifest, or a picture without its own time; names the file.
    """
    root = _real_folder(root)
    listed = _listed(root)
    names = dict(names or {})
    cameras: dict[str, CameraFolder] = {}
    for folder in _subfolders(root):
        files, ignored = _camera_files(folder, root, listed.get(folder))
        camera_id = names.pop(folder.name, folder.name)
        if not files:
            logger.warning("%s: no JPEG in it, so it is no camera", folder)
            continue
        if camera_id in cameras:
            raise ConfigurationError(f"{folder}: camera {camera_id!r} is taken by another subfolder; change --map")
        cameras[check_id(camera_id, f"{folder}: camera id")] = CameraFolder(
            camera_id=camera_id, pictures=_pictures(files, times), ignored=ignored
        )
    if names:
        raise ConfigurationError(f"--map names {next(iter(names))!r}, which is no subfolder of {root}; correct it")
    if not cameras:
        raise ConfigurationError(
            f"{root}: no subfolder holds a JPEG; make one subfolder for each camera, named with its id, "
            "and put its pictures there"
        )
    return list(cameras.values())


def _real_folder(root: Path) -> Path:
    try:
        real = root.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        real = root
    if not real.is_dir():
        raise ConfigurationError(f"{root}: no such folder; give the folder whose subfolders are the cameras")
    return real


def _listed(root: Path) -> dict[Path, list[ManifestRow]]:
    """The manifest's rows by the camera's subfolder."""
    manifest = find_manifest(root)
    by_folder: dict[Path, list[ManifestRow]] = {}
    for row in read_manifest(manifest, root) if manifest else ():
        by_folder.setdefault(row.path.parent, []).append(row)
    return by_folder


def _subfolders(root: Path) -> Iterator[Path]:
    for folder in sorted(root.iterdir(), key=_natural):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        _refuse_leaving(folder, root)
        yield folder


def _camera_files(
    folder: Path, root: Path, rows: list[ManifestRow] | None
) -> tuple[list[tuple[Path, datetime | None]], dict[str, int]]:
    """(path, the manifest's time) of each JPEG in order, and how many files were left out by reason."""
    found = [path for path in sorted(folder.iterdir(), key=_natural) if not path.name.startswith(".")]
    for path in found:
        _refuse_leaving(path, root)
    files = [path for path in found if path.suffix.lower() in JPEG_SUFFIXES and path.is_file()]
    others = [path for path in found if path.suffix.lower() in OTHER_PICTURE_SUFFIXES and path.is_file()]
    ignored: dict[str, int] = {}
    if others:
        logger.warning("%s: %d pictures are no JPEG and are left out (%s, …)", folder, len(others), others[0].name)
        ignored["not_jpeg_file"] = len(others)
    if rows is None:
        return [(path, None) for path in files], ignored
    if all(row.frame is not None for row in rows):
        rows = sorted(rows, key=lambda row: row.frame or 0)
    ordered = [(row.path, row.captured_at) for row in rows if row.path.suffix.lower() in JPEG_SUFFIXES]
    unlisted = len(set(files) - {path for path, _ in ordered})
    if unlisted:
        logger.warning("%s: %d pictures are not in the manifest and are left out", folder, unlisted)
        ignored["not_in_manifest"] = unlisted
    return ordered, ignored


def _pictures(files: list[tuple[Path, datetime | None]], times: Times) -> tuple[Picture, ...]:
    if times == "clock":
        return tuple(Picture(path=path) for path, _ in files)
    timed = [(at or _own_time(path), path) for path, at in files]
    return tuple(Picture(path=path, captured_at=at) for at, path in sorted(timed, key=lambda pair: pair[0]))


def _own_time(path: Path) -> datetime:
    try:
        moment = exif_time(_read(path, _EXIF_READ_BYTES))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read ({error.strerror}); check its rights") from None
    if moment is None:
        raise ConfigurationError(
            f"{path}: has no time of its own; fill the manifest's column captured_at, or leave --times manifest out"
        )
    return moment


def _refuse_leaving(path: Path, root: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise ConfigurationError(f"{path}: is a link that leaves {root}; put the files themselves there")


def _natural(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Sorts 2.jpg before 10.jpg."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", path.name)
    return [(0, int(part)) if part[0] in "0123456789" else (1, part.casefold()) for part in parts], path.name


def _read(path: Path, limit_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit_bytes)


class FolderSource:
    """The cameras of one folder, all advancing together at the pacer's rate."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock,
        pacer: Pacer,
        pose_id: str = "p0",
        names: Mapping[str, str] | None = None,
        times: Times = "clock",
        is_looping: bool = False,
    ) -> None:
        if is_looping and times == "manifest":
            raise ConfigurationError("--loop can't go with --times manifest: the times would run backwards; drop one")
        self._cameras = scan_folder(root, names=names, times=times)
        self._root = _real_folder(root)
        self._pose_id = check_id(pose_id, "--pose")
        self._clock, self._pacer, self._is_looping = clock, pacer, is_looping
        self.tally = Tally([camera.camera_id for camera in self._cameras])
        self.warnings = tuple(
            f"{camera.camera_id}: {number} files left out ({reason})"
            for camera in self._cameras
            for reason, number in camera.ignored.items()
        )

    @property
    def total(self) -> int | None:
        return None if self._is_looping else sum(len(camera.pictures) for camera in self._cameras)

    async def stills(self) -> AsyncGenerator[CapturedStill, None]:
        left = set(range(len(self._cameras)))
        async with aclosing(self._pacer.slots(len(self._cameras))) as slots:
            async for slot in slots:
                camera = self._cameras[slot.lane]
                if not self._is_looping and slot.step >= len(camera.pictures):
                    left.discard(slot.lane)
                    if not left:
                        return
                elif slot.is_missed:
                    self.tally.of(camera.camera_id).skipped += 1
                elif (still := await self._still(camera, slot.step)) is not None:
                    yield still

    async def _still(self, camera: CameraFolder, step: int) -> CapturedStill | None:
        picture = camera.pictures[step % len(camera.pictures)]
        try:
            _refuse_leaving(picture.path, self._root)  # it may have become a link since the scan
            # One byte more than allowed is enough to be refused for its size.
            jpeg = await asyncio.to_thread(_read, picture.path, MAX_FRAME_BYTES + 1)
        except (OSError, ConfigurationError) as error:
            self.tally.reject(camera.camera_id, "unreadable", f"{picture.path} can't be read: {error}")
            return None
        return CapturedStill(
            camera_id=camera.camera_id,
            pose_id=self._pose_id,
            jpeg=jpeg,
            captured_at=picture.captured_at or self._clock(),
            sequence=step,
            is_replay=self._pacer.is_every_frame or picture.captured_at is not None,
        )


def parse_names(pairs: list[str]) -> dict[str, str]:
    """Returns {subfolder: camera id} of `--map FOLDER=CAMERA` options.

    Raises:
        ConfigurationError: an option of another form, or a subfolder mapped twice.
    """
    names: dict[str, str] = {}
    for pair in pairs:
        folder, equals, camera = pair.partition("=")
        if not equals or not folder or not camera:
            raise ConfigurationError(f"--map {pair!r} is not of the form FOLDER=CAMERA, like north=cam-01")
        if folder in names:
            raise ConfigurationError(f"--map names {folder!r} twice; keep one")
        names[folder] = camera
    return names
