"""Pictures of a detector's inside, side by side: a row of named tiles of one size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["Colour", "heat", "lettered", "sheet", "tile", "tinted"]

Colour = tuple[int, int, int]
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_PX = 15


def tile(picture: NDArray[np.uint8], size: tuple[int, int]) -> BgrImage:
    """Returns a grey or BGR picture as BGR of `size` (width, height); cells stay squares."""
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    method = cv2.INTER_NEAREST if picture.shape[1] < size[0] else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)


def heat(plane: Plane) -> NDArray[np.uint8]:
    """Returns 0–1 as grey."""
    return np.asarray(np.clip(plane, 0, 1) * 255, dtype=np.uint8)


def tinted(picture: BgrImage, cells: NDArray[np.bool_], colour: Colour, *, share: float = 0.6) -> BgrImage:
    """Returns the picture with `share` of `colour` where `cells` (of any size) are set."""
    height, width = picture.shape[:2]
    inside = cv2.resize(cells.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    painted = picture.copy()
    painted[inside] = ((1 - share) * picture[inside] + share * np.array(colour)).astype(np.uint8)
    return painted


def lettered(lines: Sequence[str], size: tuple[int, int]) -> BgrImage:
    """Returns white lines of text on black; what does not fit is left out."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for number, line in enumerate(lines[: max(0, (size[1] - 24) // _LINE_PX)]):
        cv2.putText(picture, line, (6, 34 + _LINE_PX * number), _FONT, 0.34, (225, 225, 225), 1, cv2.LINE_AA)
    return picture


def sheet(tiles: Sequence[tuple[BgrImage, str]], columns: int = 3) -> BgrImage:
    """Returns tiles of one size with their names, row by row; the last row is filled up with black."""
    named = [_named(picture, name) for picture, name in tiles]
    while len(named) % columns:
        named.append(np.zeros_like(named[0]))
    return np.vstack([np.hstack(named[at : at + columns]) for at in range(0, len(named), columns)])


def _named(picture: BgrImage, name: str) -> BgrImage:
    picture = picture.copy()
    cv2.putText(picture, name, (6, 16), _FONT, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, name, (6, 16), _FONT, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return picture
