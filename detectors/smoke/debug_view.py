"""One picture of what the detector knows of a pose: backgrounds, cues, masks, probabilities, and what it answered."""

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Observation
from detectors.preprocess import Plane
from detectors.smoke.masks import Terrain
from detectors.tiles import heat, sheet, tile, tinted
from ioc.opencv import cv2

__all__ = ["drawn"]

_TILE_PX = 320
_RED, _AMBER, _GREEN, _BLUE = (60, 60, 230), (40, 180, 255), (90, 200, 90), (220, 140, 60)
_TIER_COLOURS = {"alarm": _RED, "watch": _AMBER}


def drawn(
    *,
    picture: BgrImage,
    slow: BgrImage,
    fast: BgrImage,
    rise: Plane,
    rule: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    terrain: Terrain,
    network: Plane | None,
    pooled: Plane | None,
    observation: Observation,
) -> BgrImage:
    """Returns six tiles of 320 pixels width: frame, slow, fast; rise with evidence, where the network looked, pooled
    probability."""
    size = (_TILE_PX, max(1, round(_TILE_PX * picture.shape[0] / picture.shape[1])))
    seen = _terrain_drawn(tile(picture, size), terrain)
    for candidate in observation.candidates:
        left, top, right, bottom = candidate.box.edges
        corners = (round(left * size[0]), round(top * size[1])), (round(right * size[0]), round(bottom * size[1]))
        cv2.rectangle(seen, *corners, _TIER_COLOURS[candidate.tier], 2)
    cues = tinted(tile(heat(np.clip(rise / 0.12, 0, 1)), size), rule, _RED)
    looked = tile(heat(np.zeros((1, 1), np.float32) if network is None else network), size)
    tiles = [
        (seen, observation.note or observation.state),
        (tile(slow, size), "slow background"),
        (tile(fast, size), "fast background"),
        (cues, "rise of the dark channel; red: rule"),
        (tinted(looked, wanted, _BLUE, share=0.25), "network; blue: asked"),
        (tile(heat(np.zeros((1, 1), np.float32) if pooled is None else pooled), size), "network, pooled"),
    ]
    return sheet(tiles)


def _terrain_drawn(picture: BgrImage, terrain: Terrain) -> BgrImage:
    height, width = picture.shape[:2]
    rows, columns = terrain.hidden.shape
    drawn_on = tinted(picture, terrain.hidden, (0, 0, 0), share=0.7)
    points = [((n + 0.5) * width / columns, row * height / rows) for n, row in enumerate(terrain.rows)]
    cv2.polylines(drawn_on, [np.array(points, dtype=np.int32)], False, _GREEN, 1)
    return drawn_on
