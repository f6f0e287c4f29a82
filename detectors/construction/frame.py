"""One frame, laid over the reference of its pose."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.registration import Registration
from ioc.opencv import cv2

__all__ = ["LaidFrame", "laid_frame"]

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFrame:
    """`laid` and the `median` of the last ones: height × width of the reference. `found`: how the frame was laid.

    `colour` answers the frame laid over the reference in BGR: warped once, and only where somebody asks.
    """

    at: datetime
    laid: Grey
    median: Grey
    found: Registration
    colour: Callable[[], BgrImage]


def laid_frame(*, at: datetime, small: BgrImage, laid: Grey, median: Grey, found: Registration) -> LaidFrame:
    """Returns the frame; `small` is it as it came, in the working size."""
    return LaidFrame(
        at=at, laid=laid, median=median, found=found, colour=cache(partial(_warped, small, found, laid.shape))
    )


def _warped(small: BgrImage, found: Registration, shape: tuple[int, ...]) -> BgrImage:
    size = (shape[1], shape[0])
    return np.asarray(
        cv2.warpPerspective(small, found.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )
