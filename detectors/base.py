"""What every detector is: fed the frames of ONE pose of one camera in order, it says what it sees.

A detector keeps its background models itself. They are disposable: where nothing keeps them over a restart, they are
rebuilt from the next frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box, Tier

__all__ = ["BgrImage", "Candidate", "Detector", "Observation", "SeenWork", "State"]

BgrImage = NDArray[np.uint8]
"""Height × width × 3, BGR, 0–255."""

State = Literal["warming_up", "ok", "degraded", "suspended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWork:
    """What a camera can say of building work.

    `stage` is cleared, foundation, frame, roof or finished, "" where none can be told; `storeys` the least number that
    is certain, None where the scale of the picture is not known; `footprint` corners on the ground in shares of the
    picture (0–1), empty where none can be told; `is_active`: people or machines are at it at this hour; `worked_at`:
    work certainly went on after it, None where that is not known.
    """

    stage: str = ""
    storeys: int | None = None
    footprint: tuple[tuple[float, float], ...] = ()
    is_active: bool = False
    worked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing seen on this frame. `cues` name what fired, for the operator; `score` is 0–1.

    `work` is there where a detector of building saw work.
    """

    label: str
    tier: Tier
    score: float
    box: Box
    first_seen_at: datetime
    cues: tuple[str, ...] = ()
    zone_id: str = ""
    work: SeenWork | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A detector's answer to one frame.

    `rejected` counts regions that looked like something and were refused, by reason; `state` other than `ok` says that
    seeing nothing means nothing, and `note` says why (`camera_moved`, `exposure_jump`, …).
    """

    candidates: tuple[Candidate, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    state: State = "ok"
    note: str = ""


class Detector(Protocol):
    """One instance for each (camera, pose). Not thread-safe: one frame at a time, in order of `at`."""

    @property
    def name(self) -> str:
        """Stable name, a label of metrics: `smoke`, `construction`."""

    @property
    def version(self) -> str:
        """Changes whenever the same pixels may give another answer."""

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        """Returns what is seen on `image`, captured at `at` (aware).

        A frame not newer than the last one is answered with nothing and `rejected={"repeated_frame": 1}`.
        """
