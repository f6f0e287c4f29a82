"""How uncertain a position is, and its outline on the map. Pure."""

import math
from dataclasses import dataclass
from typing import Any

from geographiclib.geodesic import Geodesic

__all__ = ["Ellipse", "ellipse_polygon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """Where the thing is with 95 %: half axes in metres, and the azimuth of the long one, 0–180."""

    semi_major_m: float
    semi_minor_m: float
    azimuth_deg: float

    def rounded(self) -> "Ellipse":
        """To tenths of a metre and of a degree: as it is told."""
        return Ellipse(
            semi_major_m=round(self.semi_major_m, 1),
            semi_minor_m=round(self.semi_minor_m, 1),
            azimuth_deg=round(self.azimuth_deg, 1) % 180,
        )


def ellipse_polygon(lon: float, lat: float, ellipse: Ellipse, *, corners: int = 36) -> dict[str, Any]:
    """The ellipse as a GeoJSON Polygon on the ellipsoid, its ring counter-clockwise."""
    ring = []
    for step in range(corners):
        angle = -2 * math.pi * step / corners
        along, across = ellipse.semi_major_m * math.cos(angle), ellipse.semi_minor_m * math.sin(angle)
        azimuth_deg = ellipse.azimuth_deg + math.degrees(math.atan2(across, along))
        end = Geodesic.WGS84.Direct(lat, lon, azimuth_deg, math.hypot(along, across))
        ring.append([round(float(end["lon2"]), 6), round(float(end["lat2"]), 6)])
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
