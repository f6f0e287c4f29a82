"""A house that goes up on one plot: ground cleared, foundation, frame, walls, roof.

The plot lies at the same place of the picture whatever the seed, so that a catalogue can declare its zone.
"""

from dataclasses import replace

import numpy as np

from ioc.detections import Box
from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, draw_solid, fill

__all__ = ["PLOT", "ZONE_POLYGON", "building_extent", "draw_building"]

PLOT = Solid(x_m=14.0, z_m=262.0, width_m=34.0, depth_m=44.0, height_m=0.0, turn=0.0, wall=(0, 0, 0), roof=(0, 0, 0))

ZONE_POLYGON: tuple[tuple[float, float], ...] = ((0.455, 0.850), (0.675, 0.850), (0.655, 0.650), (0.475, 0.650))
"""The plot and the air a three-storey house takes above it, (x, y) in shares of the picture's width and height."""

_STOREYS = 3
_STOREY_M = 3.8
_WIDTH_M, _DEPTH_M, _TURN = 19.0, 13.0, 0.30
_CONCRETE: Colour = (168, 172, 174)
_BRICK: Colour = (84, 106, 172)
_EARTH: Colour = (62, 92, 150)  # red basalt soil
# Shares of the building time at which each stage begins and ends.
_CLEARING = (0.0, 0.14)
_FOUNDATION = (0.10, 0.24)
_FRAME = (0.22, 0.60)
_WALLS = (0.50, 0.86)
_ROOF = (0.86, 1.0)


def _share(progress: float, stage: tuple[float, float]) -> float:
    return float(np.clip((progress - stage[0]) / (stage[1] - stage[0]), 0.0, 1.0))


def building_extent(view: Projection, progress: float) -> Box | None:
    """The tight box of everything that the work has changed so far, in shares; None before it begins (progress 0)."""
    if progress <= 0:
        return None
    corners = _clearing(view, progress)
    up = _STOREY_M * _STOREYS * _share(progress, _FRAME) + 4.0 * _share(progress, _ROOF)
    if _share(progress, _FOUNDATION) > 0:
        corners += [
            view.point(PLOT.x_m + x, PLOT.z_m + z, up)
            for x in (-_WIDTH_M / 2, _WIDTH_M / 2)
            for z in (-_DEPTH_M / 2, _DEPTH_M / 2)
        ]
    xs, ys = [x / view.width for x, _ in corners], [y / view.height for _, y in corners]
    return Box.from_edges(min(xs), min(ys), max(xs), max(ys))


def draw_building(image: BgrImage, view: Projection, progress: float, rng: np.random.Generator) -> None:
    """Paints the plot as it looks at `progress` (0–1). `rng` is the frame's own: machines move, heaps don't."""
    if progress <= 0:
        return
    fill(image, _clearing(view, progress), _EARTH)
    _draw_tracks(image, view, progress)
    if _share(progress, _FOUNDATION) > 0:
        grown = 0.35 + 0.65 * _share(progress, _FOUNDATION)
        draw_solid(image, view, _block(_CONCRETE, 0.0, 0.7, grown))
    _draw_frame(image, view, progress)
    if _share(progress, _ROOF) > 0:
        top = _STOREYS * _STOREY_M
        roof = _block((66, 74, 158), top, 0.3, 1.06)
        draw_solid(image, view, replace(roof, roof_m=3.6 * _share(progress, _ROOF)))
    _draw_site(image, view, progress, rng)


def _clearing(view: Projection, progress: float) -> list[tuple[float, float]]:
    """The cleared ground: it eats into the plot from its near edge, and is never quite straight."""
    grown = 0.25 + 0.75 * _share(progress, _CLEARING)
    near, far = PLOT.z_m - PLOT.depth_m / 2, PLOT.z_m - PLOT.depth_m / 2 + PLOT.depth_m * grown
    half = PLOT.width_m / 2 * (0.6 + 0.4 * grown)
    edge = [(-0.97, 0.05), (-0.5, -0.02), (0.2, 0.03), (0.9, 0.0), (1.0, 0.4), (0.94, 0.95), (0.3, 1.0), (-0.4, 0.96)]
    edge += [(-1.0, 0.9), (-0.93, 0.5)]
    return [view.point(PLOT.x_m + half * a, near + (far - near) * b) for a, b in edge]


def _block(colour: Colour, base_m: float, height_m: float, grown: float) -> Solid:
    return Solid(
        x_m=PLOT.x_m, z_m=PLOT.z_m + 2, width_m=_WIDTH_M * grown, depth_m=_DEPTH_M * grown, height_m=height_m,
        turn=_TURN, wall=colour, roof=colour, base_m=base_m,
    )  # fmt: skip


def _draw_frame(image: BgrImage, view: Projection, progress: float) -> None:
    risen = _share(progress, _FRAME) * _STOREYS
    walled = _share(progress, _WALLS) * _STOREYS
    for storey in range(_STOREYS):
        up = float(np.clip(risen - storey, 0.0, 1.0))
        if up <= 0:
            return
        base = 0.7 + storey * _STOREY_M
        _draw_columns(image, view, base, _STOREY_M * min(1.0, up * 1.4))
        wall = float(np.clip(walled - storey, 0.0, 1.0))
        if wall > 0:
            plaster = _share(progress, (0.8, 1.0))
            colour = tuple(b * (1 - plaster) + c * plaster for b, c in zip(_BRICK, (178, 208, 222), strict=True))
            block = _block(colour, base, (_STOREY_M - 0.4) * wall, 0.97)  # type: ignore[arg-type]  # three channels
            draw_solid(image, view, block, windows=4 if wall > 0.8 else 0)
        if up > 0.7:
            draw_solid(image, view, _block(_CONCRETE, base + _STOREY_M - 0.4, 0.4, 1.03))


def _draw_columns(image: BgrImage, view: Projection, base_m: float, height_m: float) -> None:
    cos, sin = np.cos(_TURN), np.sin(_TURN)
    posts = [
        (a * _WIDTH_M * 0.48, b * _DEPTH_M * 0.48)
        for b in (1.0, 0.0, -1.0)
        for a in (-1.0, -0.5, 0.0, 0.5, 1.0)
        if b != 0.0 or abs(a) == 1.0
    ]
    placed = [(PLOT.x_m + a * cos - b * sin, PLOT.z_m + 2 + a * sin + b * cos) for a, b in posts]
    for x, z in sorted(placed, key=lambda place: -place[1]):
        post = Solid(
            x_m=float(x), z_m=float(z), width_m=0.7, depth_m=0.7, height_m=height_m, turn=_TURN,
            wall=(150, 154, 156), roof=_CONCRETE, base_m=base_m,
        )  # fmt: skip
        draw_solid(image, view, post)


def _draw_tracks(image: BgrImage, view: Projection, progress: float) -> None:
    """Wheel tracks and drier soil, so that the ground is not one flat colour."""
    half = PLOT.width_m / 2 * (0.25 + 0.75 * _share(progress, _CLEARING))
    near = PLOT.z_m - PLOT.depth_m / 2 + 2
    for a, tone in ((-0.6, 0.86), (-0.35, 1.12), (0.1, 0.9), (0.55, 1.1)):
        colour = tuple(channel * tone for channel in _EARTH)
        strip = [(a, 0.0), (a + 0.09, 0.0), (a + 0.16, 8.0), (a + 0.08, 8.0)]
        fill(image, [view.point(PLOT.x_m + half * s, near + z) for s, z in strip], colour)  # type: ignore[arg-type]  # BGR


def _draw_site(image: BgrImage, view: Projection, progress: float, rng: np.random.Generator) -> None:
    """Heaps of sand and brick, and a yellow machine that is somewhere else in every frame."""
    if progress >= 1.0:
        return
    for x, z, size, colour in ((-11.0, -15.0, 3.2, (120, 150, 168)), (9.0, -17.0, 2.6, (80, 100, 160))):
        heap = Solid(
            x_m=PLOT.x_m + x, z_m=PLOT.z_m + z, width_m=size, depth_m=size, height_m=0.4, turn=0.4,
            wall=colour, roof=colour, roof_m=size * 0.5,
        )  # fmt: skip
        draw_solid(image, view, heap)
    x, z = PLOT.x_m + float(rng.uniform(-9, 9)), PLOT.z_m - float(rng.uniform(10, 19))
    turn = float(rng.uniform(-1.2, 1.2))
    yellow: Colour = (40, 172, 226)
    body = Solid(x_m=x, z_m=z, width_m=3.6, depth_m=2.4, height_m=1.3, turn=turn, wall=yellow, roof=yellow, base_m=0.8)
    cab = Solid(
        x_m=x - 0.7, z_m=z, width_m=1.5, depth_m=1.8, height_m=1.5, turn=turn,
        wall=(60, 120, 150), roof=yellow, base_m=2.1,
    )  # fmt: skip
    tracks = Solid(
        x_m=x, z_m=z, width_m=4.0, depth_m=2.6, height_m=0.8, turn=turn, wall=(50, 50, 52), roof=(60, 60, 60)
    )
    for part in (tracks, body, cab):
        draw_solid(image, view, part)
