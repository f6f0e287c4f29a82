"""Which pose a picture was taken from, by laying it over a reference picture of each pose. Pure.

A preset comes back within some per cent of the picture; the neighbouring preset of a sweep overlaps by a third or more.
So a reference only counts where it lies almost where it was, and two that do are no answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import decode_jpeg
from detectors.registration import Features, Registration, features_of, register
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.opencv import cv2

__all__ = ["ReferencePoses"]

_WIDTH_PX = 480
_LARGEST_OFFSET = 0.08  # of the width: presets of cheap heads come back within 1–2°, of a lens of 60° that is 3 %
_CLEARLY_BETTER = 2.0  # in inliers or phase response, than the next reference

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    pose_id: str
    grey: Grey


class ReferencePoses:
    """Tells the pose of a JPEG from `pictures`, a JPEG of each pose in daylight. Safe to call from threads.

    Raises:
        ConfigurationError: a reference picture can't be read.
    """

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        references = []
        for pose_id, jpeg in pictures.items():
            try:
                references.append(_Reference(pose_id=pose_id, grey=_small(jpeg)))
            except InvalidRecord as error:
                raise ConfigurationError(
                    f"the reference picture of pose {pose_id} can't be used ({error.en}); give another JPEG"
                ) from None
        self._references = tuple(references)
        self._features = lru_cache(maxsize=None)(self._features_of)

    def __call__(self, jpeg: bytes) -> str | None:
        """Returns the pose, or None where no reference fits or two do (fog, night, another view).

        Raises:
            InvalidRecord: the picture can't be decoded.
        """
        current = _small(jpeg)
        fits = []
        for index, reference in enumerate(self._references):
            found = register(reference.grey, partial(self._features, index), current)
            if found is not None and _offset(found, current.shape[1], current.shape[0]) <= _LARGEST_OFFSET:
                fits.append((found.method == "phase", found.quality, reference.pose_id))
        fits.sort(reverse=True)
        if len(fits) > 1 and fits[0][0] == fits[1][0] and fits[0][1] < _CLEARLY_BETTER * fits[1][1]:
            return None
        return fits[0][2] if fits else None

    def _features_of(self, index: int) -> Features:
        return features_of(self._references[index].grey)


def _small(jpeg: bytes) -> Grey:
    grey = cv2.cvtColor(decode_jpeg(jpeg), cv2.COLOR_BGR2GRAY)
    height = max(16, round(grey.shape[0] * _WIDTH_PX / grey.shape[1]))
    return np.asarray(cv2.resize(grey, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _offset(found: Registration, width: int, height: int) -> float:
    """How far the middle of the picture lies from the reference's, as a share of the width."""
    middle = np.array([width / 2, height / 2, 1.0])
    there = found.matrix @ middle
    return float(np.hypot(*(there[:2] / there[2] - middle[:2])) / width)
