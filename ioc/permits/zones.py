"""Zones of one pose's picture: what is watched there, and what the law allows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from types import MappingProxyType

from ioc.detections import Box

__all__ = ["PUBLIC_KINDS", "ZONE_KINDS", "ZONE_WORDS", "Zone", "point_in_polygon"]

Point = tuple[float, float]

ZONE_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "residential": ("đất ở", "residential land"),
        "forest_land": ("đất lâm nghiệp", "forest land"),
        "protected_landscape": ("khu vực cảnh quan được bảo vệ", "protected landscape"),
        "road_corridor": ("hành lang an toàn đường bộ", "road corridor"),
        "lake_shore": ("hành lang bảo vệ hồ", "lake shore"),
    }
)
"""Kinds of zones in Vietnamese and English; a catalogue may name others, which are shown as they are written."""
ZONE_KINDS = tuple(ZONE_WORDS)
PUBLIC_KINDS = frozenset({"forest_land", "protected_landscape", "road_corridor", "lake_shore"})
"""Where nobody may leave a stall, a vehicle or material standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of one pose's picture where building is watched. `polygon`: (x, y) in shares of width and height.

    Work is allowed from `work_from` until `work_until`, local time; where both are the same, at any hour. What stands
    for `dwell_s` on public ground is an encroachment. `agency` is the code of who answers for the zone, "" for nobody.
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
    dwell_s: float = 1800.0
    agency: str = ""

    @property
    def kind_words(self) -> tuple[str, str]:
        """The kind in Vietnamese and in English."""
        return ZONE_WORDS.get(self.kind, (self.kind, self.kind))

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
