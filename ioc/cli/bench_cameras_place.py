"""The part of `ioc bench cameras` about places: is a fire where its ellipse says, and is one fire one, and two two?

Everything is drawn from a seed: where the fire is, which way the cameras see it, how far their poses, boxes and pixels
are off. The product gets the declared pose and the box, as from a detector, and nothing else.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from geographiclib.geodesic import Geodesic

from ioc.cli.bench_table import Bound, Measure, judged
from ioc.detections import Box
from ioc.places.bearings import PIXEL_SD, View, pixel_of
from ioc.places.crossing import Fix, NoFix, Sight, locate, sight_of
from ioc.places.joining import Seen, divide
from ioc.places.terrain_line import TerrainPoint

__all__ = ["measure_place"]

_SEED = 1_000_000
_TRIALS = 4_000
_GROUPINGS = 150
_POSE_SD_DEG = 0.5
_INSIDE = Bound(floor=0.90, goal=0.94, is_upper=False)
_RIGHT = Bound(floor=None, goal=0.9, is_upper=False)
_WRONG = Bound(floor=None, goal=0.02)
_LON, _LAT = 108.45, 11.95
_T0 = datetime(2026, 11, 22, 1, tzinfo=UTC)
_ANGLES = (25.0, 155.0)  # between the bearings: cameras of one valley, neither side by side nor face to face

_Place = tuple[float, float]


def measure_place(*, trials: int = _TRIALS, groupings: int = _GROUPINGS, seed: int = _SEED) -> list[Measure]:
    """Returns the lines of the table; the first has the floor."""
    return [
        _coverage("two cameras, 5 km, pose error 0.5°", (5_000.0, 5_000.0), trials, seed, _INSIDE),
        _coverage(
            "three cameras, 5 km",
            (5_000.0, 5_000.0, 5_000.0),
            trials // 4,
            seed + 1,
            Bound(floor=None, goal=0.94, is_upper=False),
        ),
        _coverage(
            "two cameras, 3 and 12 km",
            (3_000.0, 12_000.0),
            trials // 4,
            seed + 2,
            Bound(floor=None, goal=0.94, is_upper=False),
        ),
        _terrain(trials // 4, seed + 3),
        *_joining(groupings, seed + 4),
    ]


# ---- one fire --------------------------------------------------------------------------------------------------------


def _coverage(name: str, distances_m: Sequence[float], trials: int, seed: int, bound: Bound) -> Measure:
    rng = random.Random(seed)  # noqa: S311  (a simulation)
    inside, offs, axes = 0, [], []
    for _ in range(trials):
        first = rng.uniform(0, 360)
        turns = [first, *(first + rng.choice((-1, 1)) * rng.uniform(*_ANGLES) for _ in distances_m[1:])]
        sights = [
            _seen_from(_away((_LON, _LAT), turn, away_m), (_LON, _LAT), rng)
            for turn, away_m in zip(turns, distances_m, strict=True)
        ]
        found = locate(sights)
        if isinstance(found, NoFix):
            continue  # refused (three whose errors disagree): not a place, so counted as one that is not told right
        inside += _holds(found, (_LON, _LAT))
        offs.append(_apart_m((found.lon, found.lat), (_LON, _LAT)))
        axes.append(found.ellipse.semi_major_m)
    share = inside / trials
    off, axis = _middle(offs), _middle(axes)
    figure = f"{share:.1%} of {trials} in the ellipse; off {off:.0f} m, long half axis {axis:.0f} m (median)"
    return judged(f"place: {name}", figure, share, bound)


def _terrain(trials: int, seed: int) -> Measure:
    """One camera over even ground, its terrain line read at four rows from a map that is off by a tenth."""
    rng = random.Random(seed)  # noqa: S311  (a simulation)
    mast_m, inside, axes = 120.0, 0, []
    for _ in range(trials):
        camera, away_m = _away((_LON, _LAT), rng.uniform(0, 360), rng.uniform(1_000, 6_000)), 0.0
        away_m = _apart_m(camera, (_LON, _LAT))
        view = _pose(camera, (_LON, _LAT), rng)
        slope = math.degrees(math.atan2(mast_m, away_m))
        line = []
        for ground_m in (600.0, 1_500.0, 4_000.0, 9_000.0):
            at = pixel_of(view, view.azimuth_deg, -math.degrees(math.atan2(mast_m, ground_m)))
            assert at is not None, "the ground before a camera is in its picture's plane"
            line.append(TerrainPoint(row=at[1], distance_m=ground_m * rng.gauss(1, 0.05)))
        box = _box(view, camera, (_LON, _LAT), rng, elevation_deg=-slope)
        found = locate([sight_of(replace(_declared(view, rng), terrain=tuple(line)), box)])
        if isinstance(found, Fix):
            inside += _holds(found, (_LON, _LAT))
            axes.append(found.ellipse.semi_major_m)
    share = inside / trials
    figure = f"{share:.1%} of {trials} in the ellipse; long half axis {_middle(axes):.0f} m (median)"
    return judged(
        "place: one camera and a terrain line, 1-6 km", figure, share, Bound(floor=None, goal=0.9, is_upper=False)
    )


# ---- one or two fires ------------------------------------------------------------------------------------------------


def _joining(trials: int, seed: int) -> list[Measure]:
    """Fires and cameras at random in a valley of 12 km; every camera sees every fire."""
    cases = (("one fire, 2 cameras", 1, 2), ("one fire, 3 cameras", 1, 3), ("two fires, 3 cameras", 2, 3))
    lines = []
    for number, (name, fires, cameras) in enumerate(cases):
        right, wrong = _groupings(trials, seed + number, fires, cameras)
        figure = f"{right:.1%} of {trials} told apart rightly, {wrong:.1%} with sights of two fires in one"
        lines.append(judged(f"joining: {name}", figure, right, _RIGHT))
    right, wrong = _groupings(trials, seed + 9, 2, 2)
    figure = f"{wrong:.1%} of {trials} joined into ghosts, {right:.1%} told apart rightly; the rest is left apart"
    lines.append(judged("joining: two fires at once, 2 cameras", figure, wrong, _WRONG))
    return lines


def _groupings(trials: int, seed: int, fires: int, cameras: int) -> tuple[float, float]:
    """The shares of trials in which each fire is one group, and in which some group holds sights of two fires."""
    rng = random.Random(seed)  # noqa: S311  (a simulation)
    right = wrong = 0
    for _ in range(trials):
        places = _scattered(fires, 1_500.0, 4_000.0, rng)
        masts = _scattered(cameras, 4_000.0, 6_000.0, rng)
        seen = [
            Seen(
                seen_id=f"{mast}-{fire}",
                camera_id=str(mast),
                pose_id="p0",
                sight=_seen_from(at, place, rng),
                first_at=_T0 + timedelta(seconds=rng.uniform(0, 120)),
                last_at=_T0 + timedelta(minutes=4),
            )
            for mast, at in enumerate(masts)
            for fire, place in enumerate(places)
        ]
        groups = divide(seen, ()).groups
        right += len(groups) == fires and all(len({name[-1] for name in group}) == 1 for group in groups)
        wrong += any(len({name[-1] for name in group}) > 1 for group in groups)
    return right / trials, wrong / trials


def _scattered(count: int, apart_m: float, reach_m: float, rng: random.Random) -> list[_Place]:
    """Places in a circle, no two nearer than `apart_m`."""
    places: list[_Place] = []
    while len(places) < count:
        place = _away((_LON, _LAT), rng.uniform(0, 360), reach_m * math.sqrt(rng.random()))
        if all(_apart_m(place, other) >= apart_m for other in places):
            places.append(place)
    return places


# ---- what a camera sees ----------------------------------------------------------------------------------------------


def _seen_from(camera: _Place, fire: _Place, rng: random.Random) -> Sight:
    view = _pose(camera, fire, rng)
    return sight_of(_declared(view, rng), _box(view, camera, fire, rng))


def _pose(camera: _Place, fire: _Place, rng: random.Random) -> View:
    """Where the camera truly looks: the fire is somewhere in its picture."""
    line = Geodesic.WGS84.Inverse(camera[1], camera[0], fire[1], fire[0])
    azimuth_deg = (float(line["azi1"]) + rng.uniform(-25, 25)) % 360
    return View(lon=camera[0], lat=camera[1], azimuth_deg=azimuth_deg, fov_deg=60.0, azimuth_sd_deg=_POSE_SD_DEG)


def _declared(view: View, rng: random.Random) -> View:
    """What cameras.yaml says: off by the error of the pose."""
    return replace(view, azimuth_deg=(view.azimuth_deg + rng.gauss(0, _POSE_SD_DEG)) % 360)


def _box(view: View, camera: _Place, fire: _Place, rng: random.Random, elevation_deg: float = -1.0) -> Box:
    """A detector's box: the fire's foot is somewhere in its width, and the box shivers."""
    line = Geodesic.WGS84.Inverse(camera[1], camera[0], fire[1], fire[0])
    at = pixel_of(view, float(line["azi1"]), elevation_deg)
    assert at is not None, "the fire is before the camera"
    width = rng.uniform(0.01, 0.06)
    centre = at[0] + rng.uniform(-0.5, 0.5) * width + rng.gauss(0, PIXEL_SD)
    return Box(centre, at[1] - 0.03, width, 0.06)


def _holds(found: Fix, place: _Place) -> bool:
    line = Geodesic.WGS84.Inverse(found.lat, found.lon, place[1], place[0])
    turn = math.radians(float(line["azi1"]) - found.ellipse.azimuth_deg)
    along, across = float(line["s12"]) * math.cos(turn), float(line["s12"]) * math.sin(turn)
    return (along / found.ellipse.semi_major_m) ** 2 + (across / found.ellipse.semi_minor_m) ** 2 <= 1


def _away(place: _Place, azimuth_deg: float, distance_m: float) -> _Place:
    end = Geodesic.WGS84.Direct(place[1], place[0], azimuth_deg, distance_m)
    return float(end["lon2"]), float(end["lat2"])


def _apart_m(one: _Place, other: _Place) -> float:
    return float(Geodesic.WGS84.Inverse(one[1], one[0], other[1], other[0])["s12"])


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else math.nan
