"""What outlives a restart of what the construction detector knows, part by part. Pure data, for msgspec.

Everything is kept exactly: a detector that goes on from it answers as one that was never stopped.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box

__all__ = [
    "KeptActivity",
    "KeptArray",
    "KeptClaims",
    "KeptGrowth",
    "KeptPending",
    "KeptPlot",
    "KeptPose",
    "KeptReference",
    "KeptStanding",
    "KeptSurfaces",
    "KeptTrack",
    "kept_array",
    "kept_arrays",
]


class KeptArray(msgspec.Struct, frozen=True, kw_only=True):
    """An array, row by row."""

    dtype: Literal["uint8", "float32", "bool"]
    shape: tuple[int, ...]
    data: bytes

    def array(self) -> NDArray[Any]:
        """Returns it anew, to be written to.

        Raises:
            ValueError: the bytes are not as many as the shape says.
        """
        return np.frombuffer(self.data, self.dtype).reshape(self.shape).copy()


def kept_array(array: NDArray[Any]) -> KeptArray:
    return msgspec.convert(
        {"dtype": array.dtype.name, "shape": array.shape, "data": array.tobytes()}, KeptArray
    )  # checks the type


def kept_arrays(arrays: Iterable[NDArray[Any]]) -> list[KeptArray]:
    return [kept_array(array) for array in arrays]


class KeptReference(msgspec.Struct, kw_only=True):
    level: KeptArray
    first: KeptArray
    noise: KeptArray


class KeptStanding(msgspec.Struct, kw_only=True):
    mask: KeptArray
    cells: int
    strength: float
    box: Box


class KeptTrack(msgspec.Struct, kw_only=True):
    standing: KeptStanding | None
    since: datetime | None
    frames: int
    is_alarmed: bool


class KeptPending(msgspec.Struct, kw_only=True):
    hour: int
    laid: KeptArray
    new: KeptArray


class KeptActivity(msgspec.Struct, kw_only=True):
    same_hour: dict[int, list[KeptArray]]
    seen: dict[int, list[bool]]
    pending: list[KeptPending]


class KeptGrowth(msgspec.Struct, kw_only=True):
    earlier: list[tuple[datetime, KeptArray]]
    pool: list[KeptArray]
    times: list[datetime]
    settled: KeptArray | None
    worked_at: datetime | None
    resting: int


class KeptClaims(msgspec.Struct, kw_only=True):
    footprint: tuple[tuple[float, float], ...]
    storeys: int | None
    outlines: list[dict[str, float]]
    heights: list[float]


class KeptSurfaces(msgspec.Struct, kw_only=True):
    roofs: list[bool]
    covers: list[bool]
    slabs: list[bool]


class KeptPlot(msgspec.Struct, kw_only=True):
    activity: KeptActivity
    growth: KeptGrowth
    claims: KeptClaims
    surfaces: KeptSurfaces


class KeptPose(msgspec.Struct, kw_only=True):
    """All of a pose, as of its last usable frame at `at`; `shape`: height × width of the working picture."""

    at: datetime
    shape: tuple[int, int]
    first: list[KeptArray]
    stack: list[KeptArray]
    pool: list[KeptArray]
    tracks: dict[str, KeptTrack]
    reference: KeptReference | None
    plots: dict[str, KeptPlot]
