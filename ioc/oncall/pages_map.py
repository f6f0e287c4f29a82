"""A map that needs no tiles and no outside address: the camera, the way it looks, and rings of distance. Pure."""

import math
from html import escape

__all__ = ["map_svg"]

RINGS_KM = (1, 3, 5)
VIEW_DEG = 30.0  # half of the fan; the catalogue does not know a lens's angle, and a fan too wide misleads less
_SIZE = 320
_CENTRE = _SIZE / 2
_RADIUS = 138.0  # of the outermost ring, in pixels
_NAMES = {"vi": ("B", "Đ", "N", "T"), "en": ("N", "E", "S", "W")}


def map_svg(azimuth_deg: float | None, *, language: str, label: str) -> str:
    """Returns an SVG with north up; `label` is plain text for those who can't see it. No fan without a bearing."""
    rings = "".join(_ring(km) for km in RINGS_KM)
    fan = _fan(azimuth_deg) if azimuth_deg is not None else ""
    names = "".join(
        f'<text class="compass" x="{x:.0f}" y="{y:.0f}" text-anchor="middle" dominant-baseline="middle">{name}</text>'
        for name, (x, y) in zip(_NAMES[language], _compass(), strict=True)
    )
    return (
        f'<svg class="map" viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{escape(label)}">'
        f'{rings}<path class="cross" d="M{_CENTRE} 22V{_SIZE - 22}M22 {_CENTRE}H{_SIZE - 22}"/>{fan}'
        f'<circle class="here" cx="{_CENTRE}" cy="{_CENTRE}" r="6"/>{names}</svg>'
    )


def _ring(km: int) -> str:
    radius = _RADIUS * km / RINGS_KM[-1]
    x, y = _at(135.0, radius)
    return (
        f'<circle class="ring" cx="{_CENTRE}" cy="{_CENTRE}" r="{radius:.1f}"/>'
        f'<text class="scale" x="{x + 3:.1f}" y="{y + 10:.1f}">{km} km</text>'
    )


def _fan(azimuth_deg: float) -> str:
    (x1, y1), (x2, y2) = (_at(azimuth_deg + side, _RADIUS) for side in (-VIEW_DEG, VIEW_DEG))
    tip_x, tip_y = _at(azimuth_deg, _RADIUS)
    return (
        f'<path class="fan" d="M{_CENTRE} {_CENTRE}L{x1:.1f} {y1:.1f}A{_RADIUS} {_RADIUS} 0 0 1 {x2:.1f} {y2:.1f}Z"/>'
        f'<path class="axis" d="M{_CENTRE} {_CENTRE}L{tip_x:.1f} {tip_y:.1f}"/>'
    )


def _at(azimuth_deg: float, radius: float) -> tuple[float, float]:
    """North is up, degrees go clockwise."""
    angle = math.radians(azimuth_deg % 360)
    return _CENTRE + radius * math.sin(angle), _CENTRE - radius * math.cos(angle)


def _compass() -> list[tuple[float, float]]:
    return [_at(azimuth_deg, _RADIUS + 12) for azimuth_deg in (0, 90, 180, 270)]
