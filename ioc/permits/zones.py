"""Zones of one pose's picture: what is watched there, and what the law allows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from ioc.detections import Box

__all__ = ["ZONE_KINDS", "Zone", "point_in_polygon"]

Point = tuple[float, float]

ZONE_KINDS = (
    "residential",
    "forest_land",
    "protected_landscape",
    "road_corridor",
    "lake_shore",
)
"""Kinds with words of their own on pages and in notices; a catalogue may name others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of one pose's picture where building is watched. `polygon`: (x, y) in shares of width and height.

    Work is allowed from `work_from` until `work_until`, local time; where both are the same, at any hour.
    """

    zone_id: str
    kind: str
    polygon: tuple[Point, ...]
    parcel_id: str = ""
    name_vi: str = ""
    name_en: str = ""
    # QCVN 26:2010/BTNMT: from 21 to 6 o'clock the lower limits of noise hold; towns set their own hours within.
    work_from: time = time(6)
    work_until: time = time(21)

    def holds(self, box: Box) -> bool:
        """Whether the middle of `box` lies in the zone."""
        return point_in_polygon((box.cx, box.cy), self.polygon)

    def allows_work_at(self, local: time) -> bool:
        """Whether `local` (time of day) lies in the hours of work; hours may pass midnight."""
        first, last = self.work_from, self.work_until
        if first == last:
            return True
        if first < last:
            return first <= local < last
        return local >= first or local < last


def point_in_polygon(point: Point, polygon: Sequence[Point]) -> bool:
    """Even-odd rule; a point on the left or lower edge counts as inside."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside
