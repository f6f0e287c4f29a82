"""A map that needs no tiles and no outside address: bearings, rings of distance, and where the fire lies. Pure.

The middle is what the incident's coordinates are of: the fire with its ellipse where it was located, and the bearings
come in from the cameras' sides; else the camera with the fan that it sees the fire in.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape

from ioc.incidents import Incident, Sighting
from ioc.places.ellipse import Ellipse

__all__ = ["map_svg"]

_REACHES_M = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)
_CAMERA_REACH_M = 5_000
_RING_SHARES = (0.2, 0.6, 1.0)
_MARGIN = 1.5  # of the outermost ring to the ellipse
VIEW_DEG = 30.0  # half of the fan where a bearing's error is not known; a fan too wide misleads less
_LEAST_VIEW_DEG = 3.0  # a fan that is still seen as one
_SIZE = 320
_CENTRE = _SIZE / 2
_RADIUS = 138.0  # of the outermost ring, in pixels
_NAMES = {"vi": ("B", "Đ", "N", "T"), "en": ("N", "E", "S", "W")}


def map_svg(incident: Incident, *, language: str, label: str) -> str:
    """Returns an SVG with north up; `label` is plain text for those who can't see it. No fan without a bearing."""
    ellipse = incident.ellipse if incident.located_by != "camera" else None
    reach_m = _CAMERA_REACH_M if ellipse is None else _reach_m(ellipse)
    rings = "".join(_ring(share, reach_m, language) for share in _RING_SHARES)
    drawn = _fans(incident) if ellipse is None else _located(incident.sightings, ellipse, reach_m)
    names = "".join(
        f'<text class="compass" x="{x:.0f}" y="{y:.0f}" text-anchor="middle" dominant-baseline="middle">{name}</text>'
        for name, (x, y) in zip(_NAMES[language], _compass(), strict=True)
    )
    here = "here" if ellipse is None else "fire"
    return (
        f'<svg class="map" viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{escape(label)}">'
        f'{rings}<path class="cross" d="M{_CENTRE} 22V{_SIZE - 22}M22 {_CENTRE}H{_SIZE - 22}"/>{drawn}'
        f'<circle class="{here}" cx="{_CENTRE}" cy="{_CENTRE}" r="6"/>{names}</svg>'
    )


def _reach_m(ellipse: Ellipse) -> int:
    wanted_m = ellipse.semi_major_m * _MARGIN
    return next((reach_m for reach_m in _REACHES_M if reach_m >= wanted_m), _REACHES_M[-1])


def _ring(share: float, reach_m: int, language: str) -> str:
    radius, distance_m = _RADIUS * share, reach_m * share
    x, y = _at(135.0, radius)
    text = f"{distance_m:.0f} m" if distance_m < 1000 else f"{distance_m / 1000:g} km"
    return (
        f'<circle class="ring" cx="{_CENTRE}" cy="{_CENTRE}" r="{radius:.1f}"/>'
        f'<text class="scale" x="{x + 3:.1f}" y="{y + 10:.1f}">{text.replace(".", ",") if language == "vi" else text}'
        "</text>"
    )


# ---- not located: the camera in the middle ---------------------------------------------------------------------------


def _fans(incident: Incident) -> str:
    """What the camera in the middle has seen, from all its poses; other cameras' places are not known here."""
    own = [(azimuth, s.azimuth_sd_deg) for s, azimuth in _bearings(incident.sightings, incident.camera_id)]
    if not own and incident.azimuth_deg is not None:
        own = [(incident.azimuth_deg, None)]
    return "".join(_fan(azimuth_deg, sd_deg) for azimuth_deg, sd_deg in own)


def _fan(azimuth_deg: float, sd_deg: float | None) -> str:
    """As wide as the bearing is known with 95 %."""
    half_deg = VIEW_DEG if sd_deg is None else max(_LEAST_VIEW_DEG, min(2 * sd_deg, VIEW_DEG))
    (x1, y1), (x2, y2) = (_at(azimuth_deg + side, _RADIUS) for side in (-half_deg, half_deg))
    tip_x, tip_y = _at(azimuth_deg, _RADIUS)
    return (
        f'<path class="fan" d="M{_CENTRE} {_CENTRE}L{x1:.1f} {y1:.1f}A{_RADIUS} {_RADIUS} 0 0 1 {x2:.1f} {y2:.1f}Z"/>'
        f'<path class="axis" d="M{_CENTRE} {_CENTRE}L{tip_x:.1f} {tip_y:.1f}"/>'
    )


# ---- located: the fire in the middle ---------------------------------------------------------------------------------


def _located(sightings: Sequence[Sighting], ellipse: Ellipse, reach_m: int) -> str:
    """The ellipse, and each bearing from its camera's side with the camera's name; the misfit of bearings to the place
    is within the ellipse and not drawn."""
    across, along = (_RADIUS * axis_m / reach_m for axis_m in (ellipse.semi_minor_m, ellipse.semi_major_m))
    across, along = min(across, _RADIUS), min(along, _RADIUS)
    turn = f"rotate({ellipse.azimuth_deg:.1f} {_CENTRE} {_CENTRE})"
    size = f'cx="{_CENTRE}" cy="{_CENTRE}" rx="{max(across, 2):.1f}" ry="{max(along, 2):.1f}"'
    return f'<ellipse class="fan" {size} transform="{turn}"/>' + "".join(
        _ray(sighting.camera_id, azimuth_deg) for sighting, azimuth_deg in _bearings(sightings)
    )


def _ray(camera_id: str, azimuth_deg: float) -> str:
    x, y = _at(azimuth_deg + 180, _RADIUS)
    name_x, name_y = _at(azimuth_deg + 180, _RADIUS * 0.8)
    aside, anchor = (-4, "end") if name_x > _CENTRE else (4, "start")  # towards the middle: a long id is not cut
    return (
        f'<path class="axis" d="M{x:.1f} {y:.1f}L{_CENTRE} {_CENTRE}"/><text class="scale" text-anchor="{anchor}" '
        f'x="{name_x + aside:.1f}" y="{name_y:.1f}">{escape(camera_id)}</text>'
    )


def _bearings(sightings: Iterable[Sighting], camera_id: str = "") -> list[tuple[Sighting, float]]:
    return [
        (sighting, sighting.azimuth_deg)
        for sighting in sightings
        if sighting.azimuth_deg is not None and sighting.camera_id == (camera_id or sighting.camera_id)
    ]


def _at(azimuth_deg: float, radius: float) -> tuple[float, float]:
    """North is up, degrees go clockwise."""
    angle = math.radians(azimuth_deg % 360)
    return _CENTRE + radius * math.sin(angle), _CENTRE - radius * math.cos(angle)


def _compass() -> list[tuple[float, float]]:
    return [_at(azimuth_deg, _RADIUS + 12) for azimuth_deg in (0, 90, 180, 270)]
