"""Building permits, zones of a picture, and the judgement that joins them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ioc.detections import Box

__all__ = ["Judgement", "Permit", "Zone", "judge", "point_in_polygon"]

PermitStatus = Literal["valid", "suspended", "revoked", "expired"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A construction permit of one parcel; both dates count as valid days, in local time."""

    permit_id: str
    parcel_id: str
    valid_from: date
    valid_to: date
    status: PermitStatus = "valid"
    floors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of one pose's picture where building is watched. `polygon`: (x, y) in shares of width and height."""

    zone_id: str
    kind: str
    polygon: tuple[Point, ...]
    parcel_id: str = ""
    name_vi: str = ""
    name_en: str = ""

    def holds(self, box: Box) -> bool:
        """Whether the middle of `box` lies in the zone."""
        return point_in_polygon((box.cx, box.cy), self.polygon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`rule` is a stable code: `permit_valid`, `no_permit`, `permit_revoked`, `permit_suspended`, `outside_dates`."""

    is_violation: bool
    rule: str
    permit_id: str = ""


def judge(zone: Zone, permits: Iterable[Permit], on: date) -> Judgement:
    """Whether work seen in `zone` on the local day `on` is covered by a permit of its parcel.

    A valid permit wins over every other of the same parcel; else the most telling reason is named.
    """
    own = [permit for permit in permits if zone.parcel_id and permit.parcel_id == zone.parcel_id]
    for permit in own:
        if permit.status == "valid" and permit.valid_from <= on <= permit.valid_to:
            return Judgement(is_violation=False, rule="permit_valid", permit_id=permit.permit_id)
    for permit in sorted(own, key=lambda permit: permit.valid_to, reverse=True):
        rule = f"permit_{permit.status}" if permit.status in ("revoked", "suspended") else "outside_dates"
        return Judgement(is_violation=True, rule=rule, permit_id=permit.permit_id)
    return Judgement(is_violation=True, rule="no_permit")


def point_in_polygon(point: Point, polygon: Sequence[Point]) -> bool:
    """Even-odd rule; a point on the left or lower edge counts as inside."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside
