"""Laying a picture over a reference of the same pose: a small shift by phase correlation, else features. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import shift_between
from ioc.detections import Box
from ioc.opencv import cv2

__all__ = ["Features", "Registration", "features_of", "on_current", "register", "warp"]

Grey = NDArray[np.uint8]
Homography = NDArray[np.float64]

_GOOD_RESPONSE = (
    0.25  # phase correlation of a steady camera answers 0.47–1.0 on the shared sites, another scene 0.02–0.1
)
_SMALL_SHIFT = 0.03  # of the width: mast sway and preset slack; more asks the features
_FEATURES = 800
_RATIO = 0.75  # Lowe 2004: rejects 90 % of false matches
_REPROJECTION_PX = 3.0
_LEAST_INLIERS = 25  # the shared pairs of one site give 65–206, unrelated pictures 4–11
_LEAST_SIDE_PX = 16  # of a picture that phase correlation can tell anything about
_LARGEST_MOVE = 0.35  # of the width, at the corners: beyond it another scene is in view


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """SIFT keypoints of the reference, found once."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """`matrix` maps the current picture's pixels onto the reference's; `quality` is inliers or 0–1 by `method`."""

    matrix: Homography
    method: str
    quality: float


def features_of(grey: Grey, *, most: int = _FEATURES) -> Features:
    """Returns up to `most` SIFT features; none on a flat picture."""
    keypoints, descriptors = cv2.SIFT.create(nfeatures=most).detectAndCompute(grey, None)
    if descriptors is None:
        return Features(points=np.zeros((0, 2), np.float32), descriptors=np.zeros((0, 128), np.float32))
    points = np.array([keypoint.pt for keypoint in keypoints], dtype=np.float32)
    return Features(points=points, descriptors=np.asarray(descriptors, dtype=np.float32))


def register(reference: Grey, reference_features: Callable[[], Features], current: Grey) -> Registration | None:
    """Returns how `current` lies over `reference` (height × width each), or None where nothing fits.

    A shift up to 3 % of the width is found by phase correlation (3 ms); only where that fails the features are
    asked for, SIFT and RANSAC (some 30 ms).
    """
    if reference.shape == current.shape and min(reference.shape) >= _LEAST_SIDE_PX:
        quick = _by_phase(reference, current)
        if quick is not None:
            return quick
    return _by_features(reference_features(), current)


def _by_phase(reference: Grey, current: Grey) -> Registration | None:
    dx, dy, response = shift_between(reference.astype(np.float32), current.astype(np.float32))
    if response < _GOOD_RESPONSE or max(abs(dx), abs(dy)) > _SMALL_SHIFT * reference.shape[1]:
        return None
    matrix = np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy], [0.0, 0.0, 1.0]])
    return Registration(matrix=matrix, method="phase", quality=response)


def _by_features(reference: Features, current: Grey) -> Registration | None:
    found = features_of(current)
    if min(len(reference.points), len(found.points)) < _LEAST_INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(found.descriptors, reference.descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(good) < _LEAST_INLIERS:
        return None
    cv2.setRNGSeed(0)  # RANSAC draws from a process-wide generator: the same pictures must give the same answer
    matrix, inliers = cv2.findHomography(
        found.points[[match.queryIdx for match in good]],
        reference.points[[match.trainIdx for match in good]],
        cv2.RANSAC,
        _REPROJECTION_PX,
    )
    if matrix is None or int(inliers.sum()) < _LEAST_INLIERS:
        return None
    homography = np.asarray(matrix, dtype=np.float64)
    if not _is_plausible(homography, current.shape):
        return None
    return Registration(matrix=homography, method="features", quality=float(inliers.sum()))


def _is_plausible(matrix: Homography, shape: tuple[int, ...]) -> bool:
    """Whether no corner moves further than a camera of the same pose could have moved."""
    height, width = shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    moved = _mapped(corners, matrix)
    return bool(np.isfinite(moved).all() and np.abs(moved - corners).max() <= _LARGEST_MOVE * width)


def _mapped(points: NDArray[np.float64], matrix: Homography) -> NDArray[np.float64]:
    return np.asarray(cv2.perspectiveTransform(points[None], matrix)[0], dtype=np.float64)


def warp(current: Grey, found: Registration, shape: tuple[int, int]) -> tuple[Grey, NDArray[np.bool_]]:
    """Returns `current` in the reference's place, height × width of `shape`, and where it has pixels."""
    size = (shape[1], shape[0])
    laid = cv2.warpPerspective(current, found.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if found.method == "phase" and np.abs(found.matrix[:2, 2]).max() < 1.0:
        return np.asarray(laid, dtype=np.uint8), np.ones(shape, dtype=bool)
    whole = np.full(current.shape[:2], 255, dtype=np.uint8)
    covered = cv2.warpPerspective(whole, found.matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(laid, dtype=np.uint8), np.asarray(covered > 0)


def on_current(box: Box, found: Registration, reference_shape: tuple[int, int], current_shape: tuple[int, int]) -> Box:
    """Returns a box of the reference as the upright box that holds it on the current picture, cut at its edges."""
    height, width = reference_shape
    x0, y0, x1, y1 = box.edges
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * (width, height)
    there = _mapped(corners, np.asarray(np.linalg.inv(found.matrix), dtype=np.float64)) / (
        current_shape[1],
        current_shape[0],
    )
    low, high = np.clip(there.min(axis=0), 0, 1), np.clip(there.max(axis=0), 0, 1)
    return Box.from_edges(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
