from functools import partial

import numpy as np
import pytest

from detectors.registration import Registration, features_of, on_current, register, warp
from detectors.structure import unexplained_structure
from ioc.detections import Box
from ioc.opencv import cv2


def town(height: int = 240, width: int = 320, seed: int = 3) -> np.ndarray:
    """Grey blocks with edges: something that features hold on to."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 120, np.uint8)
    for _ in range(150):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = (int(value) for value in rng.integers(6, 30, 2))
        cv2.rectangle(image, (x, y), (x + w, y + h), int(rng.integers(20, 235)), -1)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), dtype=np.uint8)


def moved(image: np.ndarray, *, dx: float = 0, dy: float = 0, angle_deg: float = 0, scale: float = 1) -> np.ndarray:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, scale)
    matrix[:, 2] += (dx, dy)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), dtype=np.uint8)


def found(reference: np.ndarray, current: np.ndarray) -> Registration | None:
    return register(reference, partial(features_of, reference), current)


@pytest.mark.parametrize(
    ("move", "method"),
    [
        ({"dx": 2, "dy": -1}, "phase"),
        ({"dx": 40, "dy": 12}, "features"),
        ({"angle_deg": 4, "scale": 1.05, "dx": 5}, "features"),
    ],
    ids=["sway", "pan", "turn_and_zoom"],
)
def test_moved_picture_is_laid_over_its_reference(move: dict[str, float], method: str) -> None:
    reference = town()
    registration = found(reference, moved(reference, **move))
    assert registration is not None
    assert registration.method == method
    laid, covered = warp(moved(reference, **move), registration, (240, 320))
    inner = covered[20:-20, 50:-50]
    apart = np.abs(laid.astype(int) - reference.astype(int))[20:-20, 50:-50][inner]
    assert float(np.median(apart)) < 4


@pytest.mark.parametrize(
    "current",
    [town(seed=8), np.full((240, 320), 90, np.uint8), np.zeros((12, 12), np.uint8)],
    ids=["other", "flat", "tiny"],
)
def test_picture_of_another_place_is_not_registered(current: np.ndarray) -> None:
    assert found(town(), current) is None


def test_box_follows_the_camera_and_stays_inside() -> None:
    shift = Registration(matrix=np.array([[1.0, 0, -32], [0, 1, 0], [0, 0, 1]]), method="features", quality=50)
    assert on_current(Box(0.5, 0.5, 0.2, 0.2), shift, (240, 320), (240, 320)).as_list() == [0.6, 0.5, 0.2, 0.2]
    assert on_current(Box(0.95, 0.5, 0.1, 0.2), shift, (240, 320), (240, 320)).edges[2] <= 1


@pytest.mark.parametrize(
    ("change", "stays_low"),
    [
        (lambda image: image * 0.5, True),
        (lambda image: image * 0.5 + 90, True),
        (lambda image: np.full_like(image, 200), True),
        (lambda image: np.where(np.indices(image.shape).sum(axis=0) % 16 < 8, 40, 220), False),
    ],
    ids=["shadow", "haze", "covered_by_smoke", "new_pattern"],
)
def test_only_new_structure_is_left_unexplained(change: object, stays_low: bool) -> None:
    assert callable(change)
    reference = town()
    current = np.clip(change(reference.astype(np.float32)), 0, 255).astype(np.uint8)
    left_over = unexplained_structure(reference, current)
    assert (float(np.median(left_over)) < 2) is stays_low
    assert stays_low or float(np.median(left_over)) > 40
