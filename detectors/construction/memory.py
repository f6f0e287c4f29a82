"""Where the memory of a pose lies between two processes: weeks of pictures that a restart must not forget."""

import logging
import os
import time
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from detectors.construction.kept import KeptPose
from detectors.construction.thresholds import ConstructionThresholds
from ioc.ground import GroundMap
from ioc.permits import Zone

__all__ = ["PoseFile", "PoseMemory", "made_for"]

logger = logging.getLogger(__name__)

_EVERY_S = 60.0  # at most, of the process's own time: a camera that is looked at each few seconds
_LEVEL = 1  # of zlib: 6 makes the file a tenth smaller and takes three times as long
_MARK = b"IOC construction 1\n"  # of the form; another one is put aside


class PoseMemory(Protocol):
    """None of these ever raises: what can't be kept is forgotten, as it would be without a memory."""

    def load(self, made_for: str) -> KeptPose | None:
        """Returns what was kept by a detector `made_for` the same; None where there is nothing that fits."""

    def keep(self, made_for: str, pose: Callable[[], KeptPose]) -> None:
        """Keeps `pose()`, unless it is too soon."""

    def put_aside(self, reason: str) -> None:
        """Leaves what was kept to people: it is not read again."""


class PoseFile:
    """One file for a pose in `folder`, replaced as a whole, for its owner only; `now_s` is a clock that only grows.

    What can't be used is renamed to `….unused`, one for each pose.
    """

    def __init__(self, folder: Path, pose: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / f"{quote(pose, safe='')}.construction"
        self._now_s = now_s
        self._kept_s: float | None = None
        self._is_complaining = False

    def load(self, made_for: str) -> KeptPose | None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("%s can't be read (%s): building of this pose is learnt anew", self._path, error)
            return None
        try:
            return _unpacked(content, made_for)
        except (zlib.error, msgspec.MsgspecError, ValueError) as error:
            self.put_aside(str(error))
            return None

    def keep(self, made_for: str, pose: Callable[[], KeptPose]) -> None:
        now_s = self._now_s()
        if self._kept_s is not None and now_s - self._kept_s < _EVERY_S:
            return
        self._kept_s = now_s
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)  # one that others may read must not give its mode on
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(_packed(made_for, pose()))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path)
        except OSError as error:
            if not self._is_complaining:
                logger.warning("%s can't be written (%s): a restart forgets this pose's building", self._path, error)
            self._is_complaining = True
            return
        self._is_complaining = False

    def put_aside(self, reason: str) -> None:
        aside = self._path.with_suffix(".unused")
        try:
            os.replace(self._path, aside)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("%s is not used (%s) and can't be put aside (%s)", self._path, reason, error)
            return
        logger.warning("%s: %s; put aside as %s, building of this pose is learnt anew", self._path, reason, aside.name)


def made_for(
    version: str, zones: tuple[Zone, ...], ground: GroundMap | None, thresholds: ConstructionThresholds
) -> str:
    """Returns what a memory holds for: the detector's version, and a digest of where and by what numbers it looks."""
    places = [(zone.zone_id, zone.kind, zone.polygon) for zone in zones]
    corners = [(x / 4, y / 4) for x in range(5) for y in range(5)]
    mapped = [] if ground is None else [ground.to_lonlat(x, y) for x, y in corners]
    return f"{version} {sha256(repr((places, mapped, thresholds)).encode()).hexdigest()[:16]}"


def _packed(made_for: str, pose: KeptPose) -> bytes:
    return _MARK + made_for.encode() + b"\n" + zlib.compress(msgspec.msgpack.encode(pose), _LEVEL)


def _unpacked(content: bytes, wanted: str) -> KeptPose:
    """The inverse.

    Raises:
        ValueError, zlib.error, msgspec.MsgspecError: made for something else, or broken.
    """
    head, _, rest = content.removeprefix(_MARK).partition(b"\n")
    if not content.startswith(_MARK):
        raise ValueError("is of another form")
    if head != wanted.encode():
        raise ValueError("was made by another version of the detector or for other zones")
    return msgspec.msgpack.decode(zlib.decompress(rest), type=KeptPose)
