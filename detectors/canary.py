"""Reads the mark of a canary frame: proof that its pixels were decoded and looked at. Watches no real camera."""

from datetime import datetime

import numpy as np

from detectors.base import BgrImage, Candidate, Observation
from ioc.canary import CAMERA, CELLS_PER_SIDE, mark_of
from ioc.detections import Box

__all__ = ["CanaryDetector"]

_BRIGHT = 128  # black is 0 and white 255 when it is drawn; JPEG moves the middle of a cell by a few levels


class CanaryDetector:
    """Without memory: every frame stands for itself. The mark is the only cue, as a decimal number."""

    name = CAMERA
    version = "1"

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        """Returns one alarm whose cue is the mark, or nothing where the picture holds none."""
        height, width = image.shape[:2]
        steps = (np.arange(CELLS_PER_SIDE) * 2 + 1) / (2 * CELLS_PER_SIDE)  # the cells' middles
        rows, columns = (steps * height).astype(int), (steps * width).astype(int)
        middles = image[rows][:, columns].mean(axis=2)
        mark = mark_of([bool(level >= _BRIGHT) for level in middles.flat])
        if mark is None:
            return Observation(rejected={"no_mark": 1})
        seen = Candidate(
            label=CAMERA, tier="alarm", score=1.0, box=Box(0.5, 0.5, 1.0, 1.0), first_seen_at=at, cues=(str(mark),)
        )
        return Observation(candidates=(seen,))
