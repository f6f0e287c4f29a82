"""When a rendered fire begins for a person who looks on: the frame from which waiting is counted."""

from dataclasses import replace

import numpy as np

from ioc.simulate.composites import LEAST_BOX
from ioc.simulate.scenes import Scene, SceneSpec

__all__ = ["LEAST_CONTRAST", "STILL_SEEN_AFTER", "onset_of"]

LEAST_CONTRAST = 5.0  # grey levels, at the onset and after: below it a person would not see it on this background
STILL_SEEN_AFTER = 5  # frames
_SMOKE = 0.1  # opacity


def onset_of(spec: SceneSpec, *, within: int) -> int | None:
    """Returns the first frame with smoke that a person would point at, None where the first `within` show none.

    As of the composite onsets: a box of 0.2 % of the picture, and 5 grey levels on what the smoke covers, then and five
    frames later.
    """
    scene, still = Scene(spec), Scene(replace(spec, plume=False))
    for index in range(spec.plume_start_frame, spec.plume_start_frame + within):
        box = scene.plume_box(index)
        if box is None or box.w * box.h < LEAST_BOX or _contrast(scene, still, index) < LEAST_CONTRAST:
            continue
        return index if _contrast(scene, still, index + STILL_SEEN_AFTER) >= LEAST_CONTRAST else None
    return None


def _contrast(scene: Scene, still: Scene, index: int) -> float:
    """How much the smoke of frame `index` changes what it covers, in grey levels."""
    smoke = scene.smoke(index)
    if smoke is None or not (smoke > _SMOKE).any():
        return 0.0
    change = np.abs(scene.render(index).astype(np.int16) - still.render(index)).mean(axis=2)
    return float(change[smoke > _SMOKE].mean())
