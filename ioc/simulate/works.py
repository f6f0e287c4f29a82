"""Building works on a plot, from the first bulldozer to the roof, and what stands on a kerb: what they look like.

Pure functions of a work and a day. Whether a work is lawful is no matter of pictures: permits decide it elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ioc.detections import Box
from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, draw_solid, fill

__all__ = [
    "Cover",
    "Obstacle",
    "ObstacleKind",
    "Plot",
    "Stage",
    "Work",
    "WorkState",
    "draw_machine",
    "draw_obstacle",
    "draw_work",
]

Stage = Literal["cleared", "foundation", "frame", "roof", "finished"]
Cover = Literal["tarpaulin", "sheet_metal"]
ObstacleKind = Literal["stall", "parked_vehicle", "dumped_material"]
Metres = tuple[float, float]

_STOREY_M = 3.6
_CONCRETE: Colour = (168, 172, 174)
_BRICK: Colour = (84, 106, 172)
_EARTH: Colour = (62, 92, 150)  # red basalt soil
_STAGES: tuple[Stage, ...] = ("cleared", "foundation", "frame", "roof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A parcel on the valley floor: centre and size in metres (x to the right of the camera, z ahead)."""

    plot_id: str
    x_m: float
    z_m: float
    width_m: float
    depth_m: float

    @property
    def corners_m(self) -> tuple[Metres, ...]:
        half_w, half_d = self.width_m / 2, self.depth_m / 2
        around = ((-half_w, -half_d), (half_w, -half_d), (half_w, half_d), (-half_w, half_d))
        return tuple((self.x_m + a, self.z_m + b) for a, b in around)

    def solid(self) -> Solid:
        """The plot as a flat box, for keeping other things off it."""
        return Solid(
            x_m=self.x_m, z_m=self.z_m, width_m=self.width_m, depth_m=self.depth_m, height_m=0.0, turn=0.0,
            wall=(0, 0, 0), roof=(0, 0, 0),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One house that goes up. Days count from the first day of the year that is simulated.

    `stage_days`: how long clearing, foundation, frame (all storeys and walls) and roof take. `dx_m`, `dz_m`: the
    house's middle from the plot's; `hours`: minutes of the day between which people and machines are there;
    `cover` hides it between `cover_days` (first, last).
    """

    work_id: str
    plot: Plot
    first_day: int
    storeys: int
    stage_days: tuple[int, int, int, int] = (8, 14, 50, 10)
    width_m: float = 12.0
    depth_m: float = 10.0
    dx_m: float = 0.0
    dz_m: float = 0.0
    turn: float = 0.2
    plaster: Colour = (178, 208, 222)
    roof: Colour = (66, 74, 158)
    hours: tuple[int, int] = (420, 1010)
    cover: Cover | None = None
    cover_days: tuple[int, int] = (0, 0)

    @property
    def last_day(self) -> int:
        """The first day on which the house is finished."""
        return self.first_day + sum(self.stage_days)

    def state(self, day: int) -> "WorkState | None":
        """How far the work is in the course of `day`; None before it begins."""
        passed = day - self.first_day + 1
        if passed <= 0:
            return None
        shares = []
        for length in self.stage_days:
            shares.append(min(1.0, max(0.0, passed / length)))
            passed -= length
        begun = sum(share > 0 for share in shares)
        stage: Stage = "finished" if day >= self.last_day else _STAGES[begun - 1]
        cover = self.cover if self.cover_days[0] <= day <= self.cover_days[1] else None
        return WorkState(stage=stage, shares=(shares[0], shares[1], shares[2], shares[3]), cover=cover, of=self)

    def footprint_m(self) -> tuple[Metres, ...]:
        """The house's corners on the ground."""
        cos, sin = float(np.cos(self.turn)), float(np.sin(self.turn))
        half_w, half_d = self.width_m / 2, self.depth_m / 2
        middle_x, middle_z = self.plot.x_m + self.dx_m, self.plot.z_m + self.dz_m
        around = ((-half_w, -half_d), (half_w, -half_d), (half_w, half_d), (-half_w, half_d))
        return tuple((middle_x + a * cos - b * sin, middle_z + a * sin + b * cos) for a, b in around)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkState:
    """A work on one day. `shares` (0–1): how far clearing, foundation, frame and roof are."""

    stage: Stage
    shares: tuple[float, float, float, float]
    cover: Cover | None
    of: Work

    @property
    def risen(self) -> float:
        """Storeys as a person would count them, with the one in work as a share: the frame runs ahead of the walls."""
        return self.of.storeys * min(1.0, self.shares[2] / 0.8)

    @property
    def storeys(self) -> int:
        """Storeys whose ceiling is on."""
        return int(self.risen + 1e-6)

    @property
    def walled(self) -> float:
        return self.of.storeys * float(np.clip((self.shares[2] - 0.25) / 0.75, 0.0, 1.0))

    @property
    def height_m(self) -> float:
        house = 0.7 * self.shares[1] + _STOREY_M * self.risen + 2.6 * self.shares[3]
        return max(house, 2.5 if self.cover else 0.0)

    def ground_m(self) -> tuple[Metres, ...]:
        """The cleared ground: it eats into the plot from its near edge."""
        plot = self.of.plot
        grown = 0.3 + 0.7 * self.shares[0]
        near = plot.z_m - plot.depth_m / 2
        far, half = near + plot.depth_m * grown, plot.width_m / 2 * (0.65 + 0.35 * grown)
        edge = (
            (-0.96, 0.04),
            (-0.4, -0.02),
            (0.3, 0.03),
            (1.0, 0.02),
            (0.97, 0.6),
            (0.9, 1.0),
            (0.1, 0.97),
            (-0.9, 1.0),
        )
        return tuple((plot.x_m + half * a, near + (far - near) * b) for a, b in edge)

    def box(self, view: Projection) -> Box:
        """The tight box of all that has changed so far, in shares of the picture."""
        points = [view.point(x, z) for x, z in self.ground_m()]
        if self.shares[1] > 0:
            points += [view.point(x, z, up) for x, z in self.of.footprint_m() for up in (0.0, self.height_m)]
        xs = [min(1.0, max(0.0, x / view.width)) for x, _ in points]
        ys = [min(1.0, max(0.0, y / view.height)) for _, y in points]
        return Box.from_edges(min(xs), min(ys), max(xs), max(ys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A thing that stands where it should not (or may): from frame `first_frame` to before `end_frame`."""

    obstacle_id: str
    kind: ObstacleKind
    x_m: float
    z_m: float
    first_frame: int
    end_frame: int
    colour: Colour
    turn: float = 0.1

    def solid(self) -> Solid:
        width, depth, height = {
            "stall": (3.2, 2.6, 2.3), "parked_vehicle": (1.9, 4.5, 1.6), "dumped_material": (4.5, 4.0, 0.5),
        }[self.kind]  # fmt: skip
        dark: Colour = tuple(0.8 * c for c in self.colour)  # type: ignore[assignment]  # three channels
        return Solid(
            x_m=self.x_m, z_m=self.z_m, width_m=width, depth_m=depth, height_m=height, turn=self.turn,
            wall=dark, roof=self.colour, roof_m=1.4 if self.kind == "dumped_material" else 0.0,
        )  # fmt: skip

    def box(self, view: Projection) -> Box:
        solid = self.solid()
        reach = max(solid.width_m, solid.depth_m) / 2
        points = [
            view.point(self.x_m + a * reach, self.z_m + b * reach, up)
            for a in (-1, 1) for b in (-1, 1) for up in (0.0, solid.height_m + solid.roof_m)
        ]  # fmt: skip
        xs = [min(1.0, max(0.0, x / view.width)) for x, _ in points]
        ys = [min(1.0, max(0.0, y / view.height)) for _, y in points]
        return Box.from_edges(min(xs), min(ys), max(xs), max(ys))


def draw_work(image: BgrImage, view: Projection, state: WorkState) -> None:
    """Paints the work."""
    work = state.of
    if state.stage != "finished":
        fill(image, [view.point(x, z) for x, z in state.ground_m()], _EARTH)
        _draw_heaps(image, view, work)
    else:  # a yard of gravel and concrete remains
        fill(image, [view.point(x, z) for x, z in state.ground_m()], (132, 146, 152))
    if state.shares[1] > 0:
        grown = 0.35 + 0.65 * state.shares[1]
        draw_solid(image, view, _block(work, _CONCRETE, 0.0, 0.7 * state.shares[1], grown))
    _draw_storeys(image, view, state)
    if state.shares[3] > 0:
        top = 0.7 + work.storeys * _STOREY_M
        roof = _block(work, work.roof, top, 0.25, 1.06)
        draw_solid(image, view, replace(roof, roof_m=2.4 * state.shares[3]))
    if state.cover is not None:
        _draw_cover(image, view, state)


def draw_obstacle(image: BgrImage, view: Projection, obstacle: Obstacle) -> None:
    solid = obstacle.solid()
    if obstacle.kind == "stall":  # an awning on posts over a counter
        counter = replace(solid, height_m=0.9, roof=(96, 120, 140), wall=(80, 90, 100))
        awning = replace(solid, base_m=2.0, height_m=0.15, roof_m=0.5, width_m=solid.width_m * 1.15)
        draw_solid(image, view, counter)
        draw_solid(image, view, awning)
        return
    draw_solid(image, view, solid)
    if obstacle.kind == "parked_vehicle":
        cab = replace(solid, base_m=0.9, height_m=0.7, depth_m=2.4, wall=(60, 56, 52))
        draw_solid(image, view, cab)


def _block(work: Work, colour: Colour, base_m: float, height_m: float, grown: float) -> Solid:
    return Solid(
        x_m=work.plot.x_m + work.dx_m, z_m=work.plot.z_m + work.dz_m, width_m=work.width_m * grown,
        depth_m=work.depth_m * grown, height_m=height_m, turn=work.turn, wall=colour, roof=colour, base_m=base_m,
    )  # fmt: skip


def _draw_storeys(image: BgrImage, view: Projection, state: WorkState) -> None:
    work = state.of
    plaster = float(np.clip((state.shares[2] - 0.85) / 0.15, 0, 1))
    colour: Colour = tuple(b * (1 - plaster) + c * plaster for b, c in zip(_BRICK, work.plaster, strict=True))  # type: ignore[assignment]  # three channels
    for storey in range(work.storeys):
        up = float(np.clip(state.risen - storey, 0.0, 1.0))
        if up <= 0:
            return
        base = 0.7 + storey * _STOREY_M
        wall = float(np.clip(state.walled - storey, 0.0, 1.0))
        if wall < 1:
            _draw_columns(image, view, work, base, _STOREY_M * min(1.0, up * 1.4))
        if wall > 0:
            block = _block(work, colour, base, (_STOREY_M - 0.4) * wall, 0.97)
            draw_solid(image, view, block, windows=3 if wall > 0.8 and view.pixels_per_m(work.plot.z_m) > 1.2 else 0)
        if up > 0.7:
            draw_solid(image, view, _block(work, _CONCRETE, base + _STOREY_M - 0.4, 0.4, 1.03))


def _draw_columns(image: BgrImage, view: Projection, work: Work, base_m: float, height_m: float) -> None:
    middle_x, middle_z = work.plot.x_m + work.dx_m, work.plot.z_m + work.dz_m
    corners = np.array(work.footprint_m()) * 0.96 + np.array([[middle_x, middle_z]]) * 0.04
    sides = [corners[k] * (1 - share) + corners[(k + 1) % 4] * share for k in range(4) for share in (0.0, 0.5)]
    thick = max(1.0, 0.6 * view.pixels_per_m(work.plot.z_m))
    for x, z in sorted(((float(x), float(z)) for x, z in sides), key=lambda place: -place[1]):
        foot, head = view.point(x, z, base_m), view.point(x, z, base_m + height_m)
        left, right = foot[0] - thick / 2, foot[0] + thick / 2
        fill(image, [(left, foot[1]), (right, foot[1]), (right, head[1]), (left, head[1])], (150, 154, 156))


def _draw_cover(image: BgrImage, view: Projection, state: WorkState) -> None:
    """Tarpaulin over the work, or a fence of sheet metal around the plot: blue, green, or bare."""
    work = state.of
    if state.cover == "tarpaulin":
        colours: Sequence[Colour] = ((176, 96, 40), (80, 130, 60), (60, 120, 200))
        colour = colours[work.first_day % 3]
        sheet = _block(work, colour, 0.0, max(2.0, state.height_m * 0.75), 1.08)
        draw_solid(image, view, replace(sheet, roof=tuple(min(255.0, 1.12 * c) for c in colour)))  # type: ignore[arg-type]  # three channels
        return
    plot = work.plot
    colour = ((176, 170, 160), (150, 120, 80), (90, 130, 90))[work.first_day % 3]
    near, half = plot.z_m - plot.depth_m / 2, plot.width_m / 2
    for x, z, width, depth in (
        (plot.x_m, plot.z_m + plot.depth_m / 2, plot.width_m, 0.3),
        (plot.x_m - half, plot.z_m, 0.3, plot.depth_m),
        (plot.x_m + half, plot.z_m, 0.3, plot.depth_m),
        (plot.x_m, near, plot.width_m, 0.3),
    ):
        fence = Solid(x_m=x, z_m=z, width_m=width, depth_m=depth, height_m=2.5, turn=0.0, wall=colour, roof=colour)
        draw_solid(image, view, fence)


def _draw_heaps(image: BgrImage, view: Projection, work: Work) -> None:
    near = work.plot.z_m - work.plot.depth_m / 2
    for share, size, colour in ((-0.36, 2.8, (120, 150, 168)), (0.33, 2.2, (80, 100, 160))):
        heap = Solid(
            x_m=work.plot.x_m + share * work.plot.width_m, z_m=near + 2.5, width_m=size, depth_m=size, height_m=0.4,
            turn=0.4, wall=colour, roof=colour, roof_m=size * 0.5,
        )  # fmt: skip
        draw_solid(image, view, heap)


def draw_machine(image: BgrImage, view: Projection, work: Work, rng: np.random.Generator) -> None:
    """Paints a digger somewhere on the plot: people are at work."""
    x = work.plot.x_m + float(rng.uniform(-0.38, 0.38)) * work.plot.width_m
    z = work.plot.z_m - work.plot.depth_m * float(rng.uniform(0.30, 0.47))
    turn = float(rng.uniform(-1.2, 1.2))
    yellow: Colour = (40, 172, 226)
    body = Solid(x_m=x, z_m=z, width_m=3.6, depth_m=2.4, height_m=1.6, turn=turn, wall=yellow, roof=yellow, base_m=0.7)
    cab = Solid(
        x_m=x - 0.7,
        z_m=z,
        width_m=1.5,
        depth_m=1.8,
        height_m=1.2,
        turn=turn,
        wall=(60, 120, 150),
        roof=yellow,
        base_m=2.3,
    )
    for part in (body, cab):
        draw_solid(image, view, part)
