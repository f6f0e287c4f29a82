"""What is built where in a simulated year: plots on each pose's valley floor, works on most, obstacles at the kerb."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ioc.simulate.landscapes import LANDSCAPES, Landscape
from ioc.simulate.perspective import Colour, Projection, Solid
from ioc.simulate.works import Cover, Obstacle, ObstacleKind, Plot, Work

__all__ = ["FRAMES_PER_DAY", "clearance", "drawn_plots", "drawn_work", "kerb_obstacles", "landscape_of", "with_habits"]

FRAMES_PER_DAY = 4
_ROAD_X_M = (-104.0, -46.0)  # the road bends within these
_PLASTERS: tuple[Colour, ...] = ((178, 208, 222), (206, 212, 206), (150, 196, 222), (170, 190, 210), (200, 200, 196))
_ROOFS: tuple[Colour, ...] = ((66, 74, 158), (150, 112, 74), (112, 116, 118), (80, 120, 70), (96, 104, 168))


def landscape_of(rng: np.random.Generator) -> Landscape:
    """Country where people build: fields, plain, the edge of a town."""
    return LANDSCAPES[("highland", "plain", "town")[int(rng.choice(3, p=(0.5, 0.25, 0.25)))]]


def drawn_plots(rng: np.random.Generator, pose: str, count: int, view: Projection) -> tuple[Plot, ...]:
    """Returns `count` plots (fewer only where no room is found), none before another: a tall house hides much."""
    best: list[Plot] = []
    for _ in range(30):
        plots = _tried_plots(rng, pose, count, view)
        if len(plots) > len(best):
            best = plots
        if len(best) == count:
            break
    return tuple(best)


def _tried_plots(rng: np.random.Generator, pose: str, count: int, view: Projection) -> list[Plot]:
    nearest_m = max(170.0, float(view.depth_m(np.array([0.93 * view.height], dtype=np.float32))[0]) + 16)
    plots: list[Plot] = []
    for _ in range(300):
        z = nearest_m * float(rng.uniform(1.0, 2.3))
        plot = Plot(
            plot_id=f"{pose}-{len(plots) + 1}",
            x_m=float(rng.uniform(-0.43, 0.43)) * z / view.focal,
            z_m=z,
            width_m=float(rng.uniform(18, 26)),
            depth_m=float(rng.uniform(20, 30)),
        )
        if _is_off_road(plot) and all(_is_apart(plot, other) for other in plots):
            plots.append(plot)
        if len(plots) == count:
            break
    return plots


def clearance(plot: Plot) -> Solid:
    """The plot and the ground before it, which would hide it if things stood there."""
    near, far = 0.76 * (plot.z_m - plot.depth_m / 2), plot.z_m + plot.depth_m / 2
    return Solid(
        x_m=plot.x_m * 0.88, z_m=(near + far) / 2, width_m=plot.width_m, depth_m=far - near, height_m=0.0, turn=0.0,
        wall=(0, 0, 0), roof=(0, 0, 0),
    )  # fmt: skip


def drawn_work(rng: np.random.Generator, work_id: str, plot: Plot, days: int) -> Work:
    """Returns a house on `plot` that begins within the year and keeps to the plot and to the day's hours."""
    storeys = int(rng.choice((1, 2, 3, 4), p=(0.2, 0.4, 0.25, 0.15)))
    clearing, foundation = int(rng.integers(5, 13)), int(rng.integers(9, 20))
    stage_days = (clearing, foundation, int(storeys * rng.integers(13, 25)), int(rng.integers(7, 14)))
    first = int(rng.integers(20, max(21, days - 90)))
    width, depth = float(rng.uniform(8, 0.66 * plot.width_m)), float(rng.uniform(8, 0.55 * plot.depth_m))
    cover, cover_days = _cover(rng, first, stage_days)
    return Work(
        work_id=work_id,
        plot=plot,
        first_day=first,
        storeys=storeys,
        stage_days=stage_days,
        width_m=width,
        depth_m=depth,
        dx_m=float(rng.uniform(-0.1, 0.1)) * plot.width_m,
        dz_m=float(rng.uniform(0.0, 0.15)) * plot.depth_m,
        turn=float(rng.uniform(-0.3, 0.3)),
        plaster=_PLASTERS[int(rng.integers(len(_PLASTERS)))],
        roof=_ROOFS[int(rng.integers(len(_ROOFS)))],
        hours=(430, 1010),
        cover=cover,
        cover_days=cover_days,
    )


def with_habits(rng: np.random.Generator, works: Sequence[Work]) -> tuple[Work, ...]:
    """Returns the works with one in eighteen that goes on from seven in the morning until eight at night, and one in
    twelve whose house stands across the plot's edge; drawn from different works."""
    order = rng.permutation(len(works))
    late, across = round(len(works) / 18), round(len(works) / 12)
    found = list(works)
    for index in order[:late]:
        found[index] = replace(found[index], hours=(420, 1200))
    for index in order[late : late + across]:
        aside = float(rng.choice((-1, 1))) * 0.5 * found[index].plot.width_m
        found[index] = replace(found[index], dx_m=aside)
    return tuple(found)


def kerb_obstacles(
    rng: np.random.Generator, pose: str, road: Sequence[tuple[float, float]], frames: int
) -> tuple[Obstacle, ...]:
    """Returns stalls, parked vehicles and dumped material along the road: some for hours, some for weeks."""
    kinds: tuple[ObstacleKind, ...] = ("stall", "parked_vehicle", "dumped_material")
    obstacles = []
    near = [place for place in road if place[1] < 420] or list(road)
    for number in range(int(rng.integers(14, 30))):
        kind = kinds[int(rng.choice(3, p=(0.3, 0.5, 0.2)))]
        x, z = near[int(rng.integers(len(near)))]
        first = int(rng.integers(0, frames))
        stays = int(np.exp(rng.uniform(np.log(1), np.log(40 * FRAMES_PER_DAY))))
        tone = float(rng.uniform(50, 225))
        bright: Colour = tuple(float(c) for c in rng.uniform(40, 230, 3))  # type: ignore[assignment]  # three channels
        colour: Colour = bright if kind == "stall" else (tone, tone * 0.96, tone)
        if kind == "dumped_material":
            colour = (120, 148, 166)
        side = float(rng.choice((-1, 1)))
        obstacles.append(
            Obstacle(
                obstacle_id=f"{pose}-o{number + 1}",
                kind=kind,
                x_m=x + side * 5.4,
                z_m=z,
                first_frame=first,
                end_frame=min(frames, first + stays),
                colour=colour,
                turn=float(rng.normal(0.1, 0.15)),
            )
        )
    return tuple(obstacles)


def _cover(
    rng: np.random.Generator, first: int, stage_days: tuple[int, int, int, int]
) -> tuple[Cover | None, tuple[int, int]]:
    if rng.random() < 0.6:
        return None, (0, 0)
    begun = first + stage_days[0]
    if rng.random() < 0.5:  # a tarpaulin over some weeks of the work
        start = begun + int(rng.integers(0, stage_days[1] + stage_days[2] // 2))
        return "tarpaulin", (start, start + int(rng.integers(8, 30)))
    return "sheet_metal", (first + stage_days[0] // 2, first + sum(stage_days))


def _is_off_road(plot: Plot) -> bool:
    # The road and its corridor come from the left; what lies before it may be built on only at the right.
    reach = plot.width_m / 2 + 8
    return plot.x_m - reach > _ROAD_X_M[1] or plot.x_m + reach < _ROAD_X_M[0] - 20


def _is_apart(plot: Plot, other: Plot) -> bool:
    sight = abs(plot.x_m / plot.z_m - other.x_m / other.z_m) > (
        plot.width_m / 2 / plot.z_m + other.width_m / 2 / other.z_m + 0.03
    )
    ratio = max(plot.z_m, other.z_m) / min(plot.z_m, other.z_m)
    return sight or ratio > 1.6
