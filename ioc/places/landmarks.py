"""Landmarks: points of a picture whose place is known. They calibrate a pose, and tell when it has moved. Pure."""

from dataclasses import dataclass

from geographiclib.geodesic import Geodesic

__all__ = ["Landmark", "reversed_place"]

_REACH_M = 200_000.0  # nothing that a camera sees is farther: from 3,000 m the horizon is 200 km away


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """The point (x, y) of the picture, in shares of its width and height, is the place (lon, lat).

    `height_m` is above sea level, of the point that is seen (a mast's top, not its foot); None where it is not known.
    """

    name: str
    x: float
    y: float
    lon: float
    lat: float
    height_m: float | None = None


def reversed_place(lon: float, lat: float, near_lon: float, near_lat: float) -> str:
    """Returns what is wrong with a place that a camera at `near_lon`, `near_lat` is said to see, "" where nothing is.

    Latitude and longitude are reversed where the place is out of reach (or nowhere) and the reversed one is not.
    """
    if _is_within_reach(lon, lat, near_lon, near_lat):
        return ""
    if _is_within_reach(lat, lon, near_lon, near_lat):
        return f"latitude {lat:g} and longitude {lon:g} are reversed; write lat {lon:g}, lon {lat:g}"
    return (
        f"latitude {lat:g}, longitude {lon:g} is more than {_REACH_M / 1000:.0f} km from the camera; check both numbers"
    )


def _is_within_reach(lon: float, lat: float, near_lon: float, near_lat: float) -> bool:
    if abs(lat) > 90 or abs(lon) > 180:
        return False
    return float(Geodesic.WGS84.Inverse(near_lat, near_lon, lat, lon)["s12"]) <= _REACH_M
