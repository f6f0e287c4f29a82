"""Real pictures without smoke, from the folder of evaluation data: where composites with a known onset take place.

The windows and the ground were drawn by hand after looking at every sequence, not found by a detector: no labelled box
of the whole sequence touches a window, and no smoke drifts through it. None of the pictures is part of the product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detectors.manifest import LabelledSequence, read_manifest
from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.simulate.composites import Backdrop
from ioc.simulate.perspective import BgrImage

__all__ = ["CLIP", "read_backdrops", "require_data"]

CLIP = "test_smoke.mp4"
_VIDEO = "test_bg.mp4"
_LEAST_WIDTH_PX = 640  # smaller windows are enlarged, so that a plume has the pixels that a camera would give it

Shares = tuple[float, float, float, float]
"""Left, top, right, bottom: shares of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A part of a sequence's frames. `ground`, in shares of the window, is where a fire may stand."""

    name: str
    sequence: str
    window: Shares
    ground: Shares
    most_frames: int | None = None


_WINDOWS = (
    _Window(name="valley", sequence=_VIDEO, window=(0, 0, 1, 1), ground=(0.12, 0.44, 0.95, 0.70)),
    _Window(name="valley-left", sequence=_VIDEO, window=(0, 0.26, 0.58, 0.84), ground=(0.15, 0.32, 0.95, 0.56)),
    _Window(name="valley-right", sequence=_VIDEO, window=(0.42, 0.26, 1, 0.84), ground=(0.05, 0.32, 0.95, 0.52)),
    _Window(name="helipad", sequence="hpwren01c", window=(0, 0.2167, 0.55, 0.7667), ground=(0.10, 0.58, 0.70, 0.74)),
    _Window(name="clouds", sequence="hpwren02c", window=(0, 0.2667, 0.475, 0.7417), ground=(0.05, 0.45, 0.90, 0.62)),
    _Window(name="plain", sequence="hpwren06c", window=(0, 0.2667, 0.45, 0.7167), ground=(0.25, 0.32, 0.95, 0.70)),
    _Window(
        name="cumulus", sequence="hpwren07c", window=(0.5125, 0.2667, 0.9875, 0.7417), ground=(0.05, 0.50, 0.90, 0.72)
    ),
    _Window(name="ridges", sequence="hpwren08c", window=(0, 0.1167, 0.75, 0.8667), ground=(0.12, 0.54, 0.75, 0.76)),
    _Window(name="cars", sequence="hpwren17c", window=(0, 0.2167, 0.575, 0.7917), ground=(0.05, 0.50, 0.95, 0.66)),
    # Smoke hazes the sky of these two later on: the first frames only.
    _Window(
        name="mast", sequence="hpwren09c_neg0", window=(0, 0, 1, 1), ground=(0.05, 0.55, 0.45, 0.75), most_frames=8
    ),
    _Window(
        name="mast-grey", sequence="hpwren09m_neg0", window=(0, 0, 1, 1), ground=(0.05, 0.55, 0.45, 0.75), most_frames=8
    ),
)


def require_data(folder: Path) -> Path:
    """Returns the folder that holds the manifest and the clips: `folder` or its `smoke`.

    Raises:
        ConfigurationError: neither does; names what is missing.
    """
    for place in (folder, folder / "smoke"):
        if all((place / name).is_file() for name in ("manifest.csv", _VIDEO, CLIP)):
            return place
    raise ConfigurationError(
        f"--data {folder}: no manifest.csv, {_VIDEO} and {CLIP} there; give the folder of evaluation data"
    )


def read_backdrops(data: Path) -> tuple[Backdrop, ...]:
    """Returns the backdrops of the folder; a sequence that the manifest does not list is left out.

    Raises:
        ConfigurationError: the manifest is wrong.
    """
    sequences = {sequence.name: sequence for sequence in read_manifest(data / "manifest.csv")}
    return tuple(_backdrops(data, sequences))


def _backdrops(data: Path, sequences: dict[str, LabelledSequence]) -> Iterator[Backdrop]:
    video = _video(data / _VIDEO)
    for window in _WINDOWS:
        if window.sequence == _VIDEO:
            site, frames = "pyrosynth", video
        elif window.sequence in sequences:
            sequence = sequences[window.sequence]
            site, frames = sequence.site, [_picture(frame.path) for frame in sequence.frames]
        else:
            continue
        cut = tuple(_cut(frame, window.window) for frame in frames[: window.most_frames])
        yield Backdrop(name=window.name, site=site, frames=cut, ground=window.ground)


def _cut(image: BgrImage, window: Shares) -> BgrImage:
    height, width = image.shape[:2]
    left, top, right, bottom = window
    part = image[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    if part.shape[1] >= _LEAST_WIDTH_PX:
        return np.ascontiguousarray(part)
    size = (_LEAST_WIDTH_PX, round(part.shape[0] * _LEAST_WIDTH_PX / part.shape[1]))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _picture(path: Path) -> BgrImage:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigurationError(f"{path}: not readable as a picture; copy the evaluation data anew")
    return np.asarray(image, dtype=np.uint8)


def _video(path: Path) -> list[BgrImage]:
    capture = cv2.VideoCapture(str(path))
    frames: list[BgrImage] = []
    while True:
        is_frame, frame = capture.read()
        if not is_frame:
            return frames
        frames.append(np.asarray(frame, dtype=np.uint8))
