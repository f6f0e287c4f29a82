"""One picture of what the construction detector knows of a pose: reference, what is new on it, candidates and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation
from detectors.construction.zone_masks import ZoneMask
from detectors.preprocess import Plane
from detectors.tiles import Colour, heat, lettered, sheet, tile, tinted
from ioc.opencv import cv2

__all__ = ["Inside", "drawn"]

Grey = NDArray[np.uint8]
_TILE_PX = 320
_RED, _AMBER, _GREEN, _BLUE = (60, 60, 230), (40, 180, 255), (90, 200, 90), (220, 140, 60)
_TIER_COLOURS: Mapping[str, Colour] = {"alarm": _RED, "watch": _AMBER}
_FULL = 3.0  # times what is needed: white


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """The last frame's work: pictures of the working size, planes in cells; `hits` of `of` medians."""

    reference: Grey
    laid: Grey
    median: Grey
    left_over: Plane
    needed: Plane
    changed: NDArray[np.bool_]
    hits: NDArray[np.int_]
    of: int


def drawn(inside: Inside, masks: Sequence[ZoneMask], observation: Observation) -> BgrImage:
    """Returns six tiles of 320 pixels width: frame, reference, median; what is new, how often, candidates in words.

    All lie over the reference, the frame too; boxes are the candidates' as told, on the frame.
    """
    height, width = inside.reference.shape
    size = (_TILE_PX, max(1, round(_TILE_PX * height / width)))
    seen = _with_zones(tile(inside.laid, size), masks)
    for candidate in observation.candidates:
        left, top, right, bottom = candidate.box.edges
        corners = (round(left * size[0]), round(top * size[1])), (round(right * size[0]), round(bottom * size[1]))
        cv2.rectangle(seen, *corners, _TIER_COLOURS[candidate.tier], 2)
    new = tile(heat(inside.left_over / (_FULL * inside.needed)), size)
    return sheet(
        [
            (seen, observation.note or observation.state),
            (_with_zones(tile(inside.reference, size), masks), "reference"),
            (tile(inside.median, size), "median of the last frames"),
            (tinted(new, inside.changed, _RED, share=0.5), "new structure; red: enough"),
            (_with_zones(tile(heat(_share(inside.hits, inside.of)), size), masks), f"how often, of {inside.of}"),
            (lettered(_lines(inside, masks, observation), size), "candidates and reasons"),
        ]
    )


def _with_zones(picture: BgrImage, masks: Sequence[ZoneMask]) -> BgrImage:
    height, width = picture.shape[:2]
    for mask in masks:
        corners = np.array([(x * width, y * height) for x, y in mask.zone.polygon], dtype=np.int32)
        cv2.polylines(picture, [corners], True, _BLUE if mask.is_kept_free else _GREEN, 1)
    return picture


def _lines(inside: Inside, masks: Sequence[ZoneMask], observation: Observation) -> list[str]:
    told: dict[str, list[Candidate]] = {}
    for candidate in observation.candidates:
        told.setdefault(candidate.zone_id, []).append(candidate)
    lines = []
    for mask in masks:
        for candidate in told.get(mask.zone.zone_id, []):
            lines += _words(candidate)
        if mask.zone.zone_id not in told:
            most = int(inside.hits[mask.inside].max(initial=0))
            cells = int((inside.changed & mask.inside).sum())
            lines.append(f"{mask.zone.zone_id}: nothing ({cells} cells new now, at most {most} times)")
    return lines + [f"refused: {reason}" for reason in observation.rejected]


def _words(candidate: Candidate) -> list[str]:
    lines = [f"{candidate.zone_id}: {candidate.tier} {candidate.score:.2f}, {', '.join(candidate.cues)}"]
    work = candidate.work
    if work is not None:
        storeys = "" if work.storeys is None else f", storeys {work.storeys}+"
        active = ", at work" if work.is_active else ""
        since = "" if work.worked_at is None else f", grew after {work.worked_at:%d.%m. %H:%M}"
        lines.append(f"    {work.stage}{storeys}{active}{since}")
    return lines


def _share(hits: NDArray[np.int_], of: int) -> Plane:
    return np.asarray(hits / max(1, of), dtype=np.float32)
