"""What a pose looks like without anything new: made of clear frames, refreshed slowly where nothing is new."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from detectors.construction.kept import KeptReference, kept_array
from detectors.preprocess import Plane, cells
from detectors.registration import Features, features_of
from detectors.structure import unexplained_structure
from ioc.opencv import cv2

__all__ = ["Reference", "contrast_against"]

Grey = NDArray[np.uint8]
_WINDOW = (15, 15)


class Reference:
    """`grey` is what frames are compared with; `noise` what is usually left over, in cells."""

    def __init__(self, grey: Grey, frames: Sequence[Grey], cell_px: int) -> None:
        self._level = grey.astype(np.float32)
        self.grey = grey
        self.first = grey  # frames are laid over it for ever: laid over what is refreshed, the view would creep
        self.features: Callable[[], Features] = cache(partial(features_of, grey))  # a steady camera never asks
        left_over = [cells(unexplained_structure(grey, frame), cell_px) for frame in frames]
        empty = cells(np.zeros(grey.shape, np.float32), cell_px)
        self.noise: Plane = np.median(np.stack(left_over), axis=0).astype(np.float32) if left_over else empty

    @classmethod
    def resumed(cls, kept: KeptReference) -> "Reference":
        """Returns the reference that was kept.

        Raises:
            ValueError: what was kept does not fit together.
        """
        first, level = kept.first.array(), kept.level.array()
        reference = cls(first, [], 1)
        if level.shape != first.shape:
            raise ValueError("its reference does not fit together")
        reference._level, reference.noise = level, kept.noise.array()
        reference.grey = np.asarray(cv2.convertScaleAbs(level), dtype=np.uint8)
        return reference

    def kept(self) -> KeptReference:
        return KeptReference(level=kept_array(self._level), first=kept_array(self.first), noise=kept_array(self.noise))

    @property
    def shape(self) -> tuple[int, int]:
        return self.grey.shape[0], self.grey.shape[1]

    def learn_noise(self, left_over: Plane, where: NDArray[np.bool_], share: float) -> None:
        """Takes `share` of what is left over (both in cells) into what is usual, where `where`."""
        self.noise += np.float32(share) * where * (left_over - self.noise)

    def refresh(self, stack: Grey, quiet: NDArray[np.bool_], share: float) -> None:
        """Takes `share` of `stack` (this size) into the cells that are `quiet`: seasons, growth, dust."""
        size = (self.grey.shape[1], self.grey.shape[0])
        where = cv2.resize(quiet.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        self._level += np.float32(share) * where * (stack - self._level)
        self.grey = np.asarray(cv2.convertScaleAbs(self._level), dtype=np.uint8)


def contrast_against(reference: Grey, current: Grey) -> float:
    """Returns how much of the reference's fine structure is to be seen: 1 in the same light, near 0 in thick fog."""
    return _fineness(current) / max(_fineness(reference), 1e-3)


def _fineness(grey: Grey) -> float:
    return float(cv2.mean(cv2.absdiff(grey, cv2.blur(grey, _WINDOW)))[0])
