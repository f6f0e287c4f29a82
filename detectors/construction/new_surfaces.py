"""New roofs and slabs between two pictures of one place from above (aerial pairs, months or years apart). Pure.

Colour and brightness tell little between two flights: season and camera change them all over. What was built is grey,
compact, and looks nothing like what was there before. Every size is a share of the picture's shorter side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["NewSurfaces", "new_surfaces", "surface_score"]

_DIRECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSurfaces:
    """Every number of the rule. Found on seven aerial pairs of 256×256 with masks; `threshold` tells most."""

    threshold: float = 0.4
    grown_threshold: float = 0.05  # below `threshold`: a surface goes on where it is less certain
    grey_chroma: float = 9.0  # of CIE Lab a, b: half grey at it, not grey at all from twice of it on
    brightest: float = 190.0  # Lab lightness of 255 beyond which bare earth and glare are more likely than a roof
    least_side: float = 17 / 256  # what is narrower in any direction is a path or a car
    longest_side: float = 81 / 256  # what is longer in some direction is a road
    road_weight: float = 0.3
    window: float = 41 / 256
    reach: float = 6 / 256  # roofs lean with the flight's angle: unchanged ones match this far away
    unchanged: float = 0.4  # local correlation with the earlier picture from which on nothing is new
    grown_unchanged: float = 0.1  # above `unchanged`, where a surface goes on
    opening: float = 9 / 256
    rim: float = 3 / 256  # eaves: what is grey and wide ends before the roof does


def new_surfaces(before: BgrImage, after: BgrImage, rule: NewSurfaces | None = None) -> NDArray[np.bool_]:
    """Returns where `after` has a surface that `before` (both height × width × 3, of one place) lacks."""
    rule = rule or NewSurfaces()
    score, likeness = surface_score(after, rule), _likeness(before, after, rule)
    kernel = _square(rule.opening, after)
    certain = _opening((score > rule.threshold) & (likeness < rule.unchanged), kernel)
    possible = (score > rule.threshold - rule.grown_threshold) & (likeness < rule.unchanged + rule.grown_unchanged)
    whole = _opening(_touching(possible, certain), kernel)
    return np.asarray(cv2.dilate(whole.astype(np.uint8), _square(rule.rim, after)) > 0)


def _opening(mask: NDArray[np.bool_], kernel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0)


def _touching(possible: NDArray[np.bool_], certain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of `possible` that hold something of `certain`."""
    count, labels = cv2.connectedComponents(possible.astype(np.uint8), connectivity=4)
    is_held = np.zeros(count, dtype=bool)
    is_held[labels[certain & possible]] = True
    return np.asarray(is_held[labels] & possible)


def _square(share: float, image: BgrImage) -> NDArray[np.uint8]:
    side = _odd(share, image)
    return np.ones((side, side), np.uint8)


def surface_score(image: BgrImage, rule: NewSurfaces) -> Plane:
    """Returns how much each pixel is part of a grey, compact surface: some −0.3 to 1, height × width.

    A line that fits into the surface in every direction (the least opening over eight directions) says that it is
    wide; a long line that fits in one says that it is a road, and counts against it (after the morphological building
    index of Huang and Zhang, 2011).
    """
    grey = _greyness(image, rule)
    wide: Plane = np.full(grey.shape, 9.0, np.float32)
    long: Plane = np.zeros(grey.shape, np.float32)
    for step in range(_DIRECTIONS):
        angle = np.pi * step / _DIRECTIONS
        wide = np.minimum(wide, _opened(grey, _odd(rule.least_side, image), angle))
        long = np.maximum(long, _opened(grey, _odd(rule.longest_side, image), angle))
    return np.asarray(wide - rule.road_weight * long, dtype=np.float32)


def _greyness(image: BgrImage, rule: NewSurfaces) -> Plane:
    lightness, a, b = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32))
    sigma = min(image.shape[:2]) / 256
    chroma = np.hypot(cv2.GaussianBlur(a - 128, (0, 0), sigma), cv2.GaussianBlur(b - 128, (0, 0), sigma))
    grey = np.clip(1 - chroma / (2 * rule.grey_chroma), 0, 1)
    return np.asarray(grey * np.clip((rule.brightest - lightness) / 30, 0, 1), dtype=np.float32)


def _opened(plane: Plane, length_px: int, angle: float) -> Plane:
    kernel = np.zeros((length_px, length_px), np.uint8)
    middle = length_px // 2
    dx, dy = round(np.cos(angle) * middle), round(np.sin(angle) * middle)
    cv2.line(kernel, (middle - dx, middle - dy), (middle + dx, middle + dy), (1,))
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_OPEN, kernel), dtype=np.float32)


def _likeness(before: BgrImage, after: BgrImage, rule: NewSurfaces) -> Plane:
    """The local correlation of the two pictures, −1 to 1, the best of small shifts."""
    earlier = cv2.cvtColor(before, cv2.COLOR_BGR2GRAY).astype(np.float32)
    later = cv2.cvtColor(after, cv2.COLOR_BGR2GRAY).astype(np.float32)
    side = _odd(rule.window, after)
    window = (side, side)
    mean = cv2.blur(later, window)
    spread = cv2.blur(later * later, window) - mean * mean
    best: Plane = np.full(later.shape, -1.0, np.float32)
    reach = rule.reach * min(after.shape[:2])
    for dy in np.linspace(-reach, reach, 7):
        for dx in np.linspace(-reach, reach, 7):
            shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
            shifted = cv2.warpAffine(earlier, shift, earlier.shape[::-1], borderMode=cv2.BORDER_REFLECT)
            mean_there = cv2.blur(shifted, window)
            spread_there = cv2.blur(shifted * shifted, window) - mean_there * mean_there
            both = cv2.blur(shifted * later, window) - mean * mean_there
            best = np.maximum(best, both / np.sqrt(np.maximum(spread * spread_there, 25.0)))
    return np.asarray(best, dtype=np.float32)


def _odd(share: float, image: BgrImage) -> int:
    return max(1, 2 * int(share * min(image.shape[:2]) // 2) + 1)
