"""What every source of stills yields, and the tally of what became of them. Pure."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ioc.errors import ConfigurationError

__all__ = ["CameraTally", "CaptureReport", "CapturedStill", "Source", "Tally", "check_id"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedStill:
    """One picture as a source gave it: its bytes are not yet checked.

    `captured_at` is aware. `sequence` counts the camera's moments from 0; a skipped one leaves a gap. `is_replay`: of a
    source that is played in full, whatever time its pictures are of.
    """

    camera_id: str
    pose_id: str
    jpeg: bytes
    captured_at: datetime
    sequence: int
    is_replay: bool = False


@dataclass(slots=True, kw_only=True)
class CameraTally:
    """Counts of one camera. `skipped`: due while the sink was busy; `rejected`: by reason; `failed`: not delivered."""

    published: int = 0
    skipped: int = 0
    failed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        return {
            "published": self.published,
            "skipped": self.skipped,
            "rejected": dict(self.rejected),
            "failed": self.failed,
        }


class Tally:
    """What became of each camera's stills so far. Filled by the source and by the publisher of one run."""

    def __init__(self, cameras: Sequence[str] = ()) -> None:
        self._cameras: dict[str, CameraTally] = {camera: CameraTally() for camera in cameras}

    def of(self, camera_id: str) -> CameraTally:
        return self._cameras.setdefault(camera_id, CameraTally())

    def reject(self, camera_id: str, reason: str, sentence: str) -> None:
        """Counts a still that can't be published; the first of each reason is worth a line in the log."""
        rejected = self.of(camera_id).rejected
        rejected[reason] += 1
        level = logging.WARNING if rejected[reason] == 1 else logging.DEBUG
        logger.log(level, "camera %s: a still was refused: %s", camera_id, sentence)

    def report(self, *, elapsed_s: float = 0.0, warnings: Sequence[str] = ()) -> "CaptureReport":
        return CaptureReport(cameras=dict(self._cameras), elapsed_s=elapsed_s, warnings=tuple(warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureReport:
    """The end of a run: counts by camera, seconds it took, and what was left out from the start."""

    cameras: Mapping[str, CameraTally]
    elapsed_s: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def published(self) -> int:
        return sum(tally.published for tally in self.cameras.values())

    @property
    def skipped(self) -> int:
        return sum(tally.skipped for tally in self.cameras.values())

    @property
    def rejected(self) -> int:
        return sum(tally.rejected.total() for tally in self.cameras.values())

    @property
    def failed(self) -> int:
        return sum(tally.failed for tally in self.cameras.values())

    def as_json(self) -> dict[str, object]:
        return {
            "published": self.published,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "failed": self.failed,
            "elapsed_s": round(self.elapsed_s, 3),
            "cameras": {camera: tally.as_json() for camera, tally in self.cameras.items()},
            "warnings": list(self.warnings),
        }


class Source(Protocol):
    """Cameras, or what stands in for them."""

    @property
    def tally(self) -> Tally:
        """Where the source counts what it skips or refuses; the publisher adds to the same one."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what was left out from the start."""

    @property
    def total(self) -> int | None:
        """How many moments there are in all; None for a source without an end."""

    def stills(self) -> AsyncGenerator[CapturedStill, None]:
        """Yields the stills as they fall due. Pulling late makes a live source skip, never pile up."""


def check_id(text: str, what: str) -> str:
    """Returns `text`, a camera or pose id that the frames' wire form can carry.

    Raises:
        ConfigurationError: empty, too long, or with a colon or control character (the record key is `camera:pose`).
    """
    if not text or len(text) > 100 or ":" in text or not text.isprintable():
        raise ConfigurationError(
            f"{what} {text!r} can't be used: 1 to 100 printable characters without a colon are needed; "
            "choose another, or rename it with --map FOLDER=CAMERA"
        )
    return text
