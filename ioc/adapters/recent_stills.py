"""The last minutes of every pose, on this machine's disk: what was there before an incident, at hand at once.

One file a still, named by its time, in a folder a pose: whoever looks into the folder sees what the camera saw. A
restart finds them again. What can't be written is told and forgotten: a full disk must not stop detection.
"""

import logging
import os
import re
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["RecentStills", "pose_folder", "still_time"]

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{8}T\d{6}_\d{3})\.jpg")
_TIME = "%Y%m%dT%H%M%S"
_MOST_OF_A_POSE = 1000  # fifteen minutes at one a second, and some


class RecentStills:
    """Not thread-safe for one pose: the frames agent looks at one frame of a pose at a time."""

    def __init__(self, folder: Path, *, keep: timedelta = timedelta(minutes=10)) -> None:
        self._folder, self._keep = folder, keep
        self._names: dict[str, deque[str]] = {}
        self._is_complaining = False

    def put(self, pose: str, at: datetime, jpeg: bytes) -> bool:
        """Keeps a still of `pose` (`camera_id:pose_id`); returns whether it is on the disk."""
        folder = self._folder / pose_folder(pose)
        name = _file_name(at)
        try:
            names = self._known(pose, folder)
            part = folder / (name + ".part")
            part.write_bytes(jpeg)
            os.replace(part, folder / name)
            if not names or names[-1] != name:  # the same still is told again where its frame is tried again
                names.append(name)
            self._forget_old(folder, names, at)
        except OSError as error:
            if not self._is_complaining:
                logger.warning(
                    "recent stills can't be kept in %s: %s; incidents will lack the minutes before",
                    folder,
                    error.strerror or error,
                )
            self._is_complaining = True
            return False
        self._is_complaining = False
        return True

    def between(self, pose: str, first: datetime, last: datetime) -> list[tuple[datetime, bytes]]:
        """Returns the stills of `pose` taken from `first` to `last`, oldest first; what is gone is left out."""
        folder = self._folder / pose_folder(pose)
        found = []
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name))
        except OSError:
            return []
        for name in names:
            at = _time_of(name)
            if first <= at <= last:
                try:
                    found.append((at, (folder / name).read_bytes()))
                except OSError:
                    continue
        return found

    def _known(self, pose: str, folder: Path) -> deque[str]:
        names = self._names.get(pose)
        if names is None:
            folder.mkdir(parents=True, exist_ok=True)
            names = deque(sorted(entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)))
            self._names[pose] = names
        return names

    def _forget_old(self, folder: Path, names: deque[str], at: datetime) -> None:
        while names and (len(names) > _MOST_OF_A_POSE or _time_of(names[0]) < at - self._keep):
            (folder / names.popleft()).unlink(missing_ok=True)


def pose_folder(pose: str) -> str:
    """Returns the name of a pose's folder: an id may hold anything but a control character, a folder's name may not."""
    return re.sub(r"[^\w.-]", lambda found: f"%{ord(found[0]):x}", pose).lstrip(".") or "%"


def _file_name(at: datetime) -> str:
    moment = at.astimezone(UTC)
    return f"{moment.strftime(_TIME)}_{moment.microsecond // 1000:03}.jpg"


def still_time(name: str) -> datetime | None:
    """Returns when the still in a file of this name was taken; None where the name is another's."""
    try:
        return _time_of(name) if _NAME.fullmatch(name) else None
    except ValueError:
        return None


def _time_of(name: str) -> datetime:
    stamp, thousandths = name.removesuffix(".jpg").split("_")
    return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC, microsecond=int(thousandths) * 1000)
