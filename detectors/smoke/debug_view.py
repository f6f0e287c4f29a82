"""One picture of what the detector knows of a pose: backgrounds, cues, masks, probabilities, and what it answered."""

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Observation
from detectors.preprocess import Plane
from detectors.smoke.masks import Terrain
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
    seen = _terrain_drawn(_tile(picture, size), terrain)
    for candidate in observation.candidates:
        left, top, right, bottom = candidate.box.edges
        corners = (round(left * size[0]), round(top * size[1])), (round(right * size[0]), round(bottom * size[1]))
        cv2.rectangle(seen, *corners, _TIER_COLOURS[candidate.tier], 2)
    cues = _tinted(_tile(_heat(np.clip(rise / 0.12, 0, 1)), size), rule, _RED)
    looked = _tile(_heat(np.zeros((1, 1), np.float32) if network is None else network), size)
    tiles = [
        (seen, observation.note or observation.state),
        (_tile(slow, size), "slow background"),
        (_tile(fast, size), "fast background"),
        (cues, "rise of the dark channel; red: rule"),
        (_tinted(looked, wanted, _BLUE, share=0.25), "network; blue: asked"),
        (_tile(_heat(np.zeros((1, 1), np.float32) if pooled is None else pooled), size), "network, pooled"),
    ]
    named = [_named(tile, name) for tile, name in tiles]
    return np.vstack([np.hstack(named[:3]), np.hstack(named[3:])])


def _tile(picture: BgrImage, size: tuple[int, int]) -> BgrImage:
    small = picture.shape[1] < size[0]
    method = cv2.INTER_NEAREST if small else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)


def _heat(plane: Plane) -> BgrImage:
    grey = (np.clip(plane, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _tinted(tile: BgrImage, cells: NDArray[np.bool_], colour: tuple[int, int, int], *, share: float = 0.6) -> BgrImage:
    height, width = tile.shape[:2]
    inside = cv2.resize(cells.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    tile[inside] = ((1 - share) * tile[inside] + share * np.array(colour)).astype(np.uint8)
    return tile


def _terrain_drawn(tile: BgrImage, terrain: Terrain) -> BgrImage:
    height, width = tile.shape[:2]
    rows, columns = terrain.hidden.shape
    tile = _tinted(tile, terrain.hidden, (0, 0, 0), share=0.7)
    points = [((n + 0.5) * width / columns, row * height / rows) for n, row in enumerate(terrain.rows)]
    cv2.polylines(tile, [np.array(points, dtype=np.int32)], False, _GREEN, 1)
    return tile


def _named(tile: BgrImage, name: str) -> BgrImage:
    cv2.putText(tile, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(tile, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile
