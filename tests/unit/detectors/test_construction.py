"""Parts of the construction detector, each on a picture small enough to follow by hand."""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.base import Candidate
from detectors.construction import ConstructionDetector, ConstructionThresholds
from detectors.construction.activity import Activity
from detectors.construction.claims import Claims
from detectors.construction.growth import Growth
from detectors.construction.new_surfaces import new_surfaces
from detectors.construction.reference import Reference, contrast_against
from detectors.construction.stack import FrameStack, median_of
from detectors.construction.standing import Standing, Track
from detectors.construction.surface import Surfaces, slab_share
from detectors.construction.works import Outline, height_m, outline_of, stage_of, storeys_of
from detectors.construction.zone_masks import ZoneMask, zone_mask
from ioc.cli.bench_construction import construction_parts
from ioc.cli.bench_construction_kerb import KerbScore
from ioc.cli.bench_construction_pairs import f1_of
from ioc.cli.bench_construction_papers import KINDS, NEW_YEAR, permits_of
from ioc.detections import Box
from ioc.errors import ConfigurationError
from ioc.ground import ControlPoint, GroundMap
from ioc.opencv import cv2
from ioc.permits import Zone
from ioc.simulate.site_year import SiteYear

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
PLOT = Zone(zone_id="plot", kind="residential", polygon=((0.4, 0.6), (0.6, 0.6), (0.6, 0.7), (0.4, 0.7)))
ROAD = Zone(zone_id="road", kind="road_corridor", polygon=PLOT.polygon)
T = ConstructionThresholds()
Grey = NDArray[np.uint8]


def field(seed: int = 1, *, side: int = 256) -> np.ndarray:
    """Green ground with texture, height × width × 3."""
    rng = np.random.default_rng(seed)
    ground = np.full((side, side, 3), (50, 110, 80), np.float32) + rng.normal(0, 14, (side, side, 1))
    return np.clip(cv2.GaussianBlur(ground, (3, 3), 0), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7])
def test_median_is_the_lower_median_of_each_pixel(count: int) -> None:
    pictures = np.random.default_rng(count).integers(0, 256, (count, 9, 7), dtype=np.uint8)
    assert np.array_equal(median_of(tuple(pictures)), np.sort(pictures, axis=0)[(count - 1) // 2])


def test_what_passes_is_not_in_the_median() -> None:
    stack = FrameStack(5)
    for index in range(5):
        frame = np.full((20, 40), 90, np.uint8)
        frame[5:10, 8 * index : 8 * index + 8] = 250
        stack.add(frame)
    assert (stack.median() == 90).all()


def test_reference_follows_quiet_cells_only() -> None:
    reference = Reference(np.full((40, 40), 100, np.uint8), [], 4)
    quiet = np.ones((10, 10), bool)
    quiet[:, 6:] = False
    for _ in range(200):
        reference.refresh(np.full((40, 40), 180, np.uint8), quiet, 0.03)
    assert (reference.grey[:, :20] > 175).all()
    assert (reference.grey[:, 30:] == 100).all()


def test_fog_lowers_the_contrast_and_shade_less_so() -> None:
    ground = field()[:, :, 1]
    fog = (0.15 * ground + 170).astype(np.uint8)
    assert contrast_against(ground, fog) < T.least_contrast < contrast_against(ground, (0.7 * ground).astype(np.uint8))


def test_new_grey_roof_is_found_and_a_road_or_an_old_roof_is_not() -> None:
    before, after = field(), field(2)
    for picture in (before, after):
        cv2.rectangle(picture, (30, 30), (70, 60), (120, 120, 120), -1)
        picture[30:60:6, 30:70] = 60
    cv2.rectangle(after, (150, 150), (195, 185), (130, 130, 130), -1)
    cv2.rectangle(after, (0, 220), (255, 227), (130, 130, 130), -1)
    found = new_surfaces(before, after)
    assert found[155:180, 155:190].mean() > 0.8
    assert found[:140].mean() < 0.01
    assert found[215:].mean() < 0.01


def standing_on(mask: ZoneMask, rows: slice, columns: slice) -> Standing:
    present = np.zeros_like(mask.inside)
    present[rows, columns] = True
    return Standing(mask=present, cells=int((present & mask.inside).sum()), strength=8.0, box=Box(0.5, 0.5, 0.1, 0.1))


def ground_map() -> GroundMap:
    """Some 60 m across the picture at the plot; a hundredth of a degree is 1.1 km."""
    corners = ((0.1, 0.5, 0.0, 0.0009), (0.9, 0.5, 0.0009, 0.0009), (0.9, 0.9, 0.0007, 0.0), (0.1, 0.9, 0.0002, 0.0))
    return GroundMap([ControlPoint(x=x, y=y, lon=108.4 + lon, lat=11.9 + lat) for x, y, lon, lat in corners])


def test_ground_that_changed_is_cleared_and_a_house_has_height_and_a_place() -> None:
    mask = zone_mask(PLOT, (360, 640), T.cell_px)
    rows, columns = np.nonzero(mask.inside)
    flat = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    assert outline_of(mask, standing_on(mask, *flat)) is None
    assert stage_of(None, None) == "cleared"
    tall = slice(rows.min() - 12, rows.max() + 1), slice(columns.min() + 8, columns.min() + 20)
    house = outline_of(mask, standing_on(mask, *tall))
    assert house is not None
    high_m = height_m(house, ground_map(), mask.inside.shape)
    assert high_m is not None
    assert storeys_of(high_m) >= 1
    assert stage_of(house, high_m) == "frame"
    assert height_m(house, None, mask.inside.shape) is None


def test_shadow_beside_a_house_is_not_of_it_and_a_wing_across_the_edge_is() -> None:
    mask = zone_mask(PLOT, (360, 640), T.cell_px)
    rows, columns = np.nonzero(mask.inside)
    house = standing_on(mask, slice(rows.min() - 10, rows.max() + 1), slice(columns.max() - 12, columns.max() + 1)).mask
    beside = slice(columns.max() + 1, columns.max() + 9)

    def right(top: int) -> float:
        present = house.copy()
        present[top : rows.max() + 1, beside] = True
        found = outline_of(mask, Standing(mask=present, cells=100, strength=8.0, box=Box(0.5, 0.5, 0.1, 0.1)))
        assert found is not None
        return found.right

    assert right(int(rows.min())) < columns.max() + 1 < right(int(rows.min()) - 8)


@pytest.mark.parametrize(("storeys", "high_m"), [(0, 3.0), (1, 4.3), (1, 7.0), (2, 8.0), (2, 10.5), (4, 15.1)], ids=str)
def test_height_leaves_at_least_so_many_storeys(storeys: int, high_m: float) -> None:
    assert storeys_of(high_m) == storeys


def test_only_what_was_so_for_days_is_claimed_and_stays_claimed() -> None:
    mask, claims = zone_mask(PLOT, (360, 640), T.cell_px), Claims(thresholds=T)
    rows, columns = np.nonzero(mask.inside)

    def outline(right: int) -> Outline:
        found = outline_of(
            mask, standing_on(mask, slice(rows.min() - 8, rows.max() + 1), slice(columns.min() + 3, right))
        )
        assert found is not None
        return found

    house, shadow = outline(columns.min() + 14), outline(columns.max() + 1)
    for index in range(T.outline_frames - 1):
        claims.take(house, 30.0 if index % 6 == 5 else 8.0, mask.inside.shape)
        assert claims.footprint == ()
    claims.take(house, 8.0, mask.inside.shape)
    assert len(claims.footprint) == 4
    assert claims.storeys == 2
    told = claims.footprint
    for index in range(T.outline_frames):
        claims.take((house, shadow)[index % 2], 8.0, mask.inside.shape)
    assert claims.footprint == told
    claims.interrupt()
    assert (claims.footprint, claims.storeys) == (told, 2)
    claims.forget()
    assert (claims.footprint, claims.storeys) == ((), None)


@cache
def ground_of_plot() -> Grey:
    return np.asarray(cv2.resize(field(5, side=640)[:, :, 1], (640, 360)), dtype=np.uint8)


def plot_at(walls: int, *, machine: int | None = None, light: float = 1.0) -> Grey:
    """Textured ground with so many rows of wall on the plot, and a machine that stands before column `machine`."""
    grey = ground_of_plot().copy()
    for row in range(walls):
        grey[238 - 8 * row : 242 - 8 * row, 290:340] = 220
    if machine is not None:
        cv2.rectangle(grey, (machine, 240), (machine + 14, 250), (250,), -1)
    return np.asarray(np.clip(grey * light, 0, 255), dtype=np.uint8)


def test_work_went_on_until_the_last_storey_was_up() -> None:
    mask = zone_mask(PLOT, (360, 640), T.cell_px)
    growth, since = Growth(mask, T), START
    ends = 60
    for index in range(170):
        at = START + timedelta(hours=6 * index)
        grey = plot_at(min(index, ends) // 12, light=0.8 + 0.2 * (index % 4 == 1))
        growth.follow(grey, mask.around, since, at)
    assert growth.worked_at is not None
    built_up = START + timedelta(hours=6 * ends)
    assert built_up - timedelta(days=6) < growth.worked_at <= built_up
    assert growth.resting > T.finished_frames


def test_work_under_a_camera_that_looks_each_minute_is_not_finished_within_the_hour() -> None:
    mask = zone_mask(PLOT, (360, 640), T.cell_px)
    growth, grey = Growth(mask, T), plot_at(3)
    for index in range(90):
        growth.follow(grey, mask.around, START, START + timedelta(minutes=index))
    assert growth.resting == 1
    assert growth.worked_at == START


@pytest.mark.parametrize(
    ("hour", "is_there", "is_told"), [(17, True, True), (17, False, False), (8, True, True)], ids=str
)
def test_machine_that_is_somewhere_else_each_day_is_work_and_a_wall_that_grows_is_not(
    hour: int, is_there: bool, is_told: bool
) -> None:
    mask = zone_mask(PLOT, (360, 640), T.cell_px)
    activity, stack = Activity(mask, T), FrameStack(T.stack_frames)
    rng = np.random.default_rng(3)
    told = set()
    for day in range(14):
        for at_hour in (7, 8, 14, 17):
            machine = int(rng.integers(262, 360)) if is_there and at_hour == hour else None
            grey = plot_at(day // 3, machine=machine, light=0.7 if at_hour == 17 else 1.0)
            stack.add(grey)
            at = START.replace(hour=at_hour) + timedelta(days=day)
            if activity.at_work(stack.median(), grey, at):
                told.add(at_hour)
    assert told == ({hour} if is_told else set())


@pytest.mark.parametrize(("zone", "frames"), [(PLOT, 1), (ROAD, T.dwell_frames + 1)], ids=["plot", "road"])
def test_zone_that_is_kept_free_is_told_after_a_dwell(zone: Zone, frames: int) -> None:
    mask, track = zone_mask(zone, (360, 640), T.cell_px), Track()
    hits = np.where(mask.inside, T.pool_frames, 0)
    alarmed = []
    for index in range(12):
        track.follow(mask, hits, T, START + timedelta(hours=index))
        alarmed.append(track.is_alarmed)
    assert alarmed.index(True) == frames - 1
    track.follow(mask, np.zeros_like(hits), T, START + timedelta(hours=13))
    assert not track.is_alarmed


def test_reference_in_fog_is_begun_again_when_the_fog_lifts() -> None:
    clear = field(side=160)
    fog = (0.2 * clear + 180).astype(np.uint8)
    detector = ConstructionDetector((PLOT,))
    states = [
        detector.observe(image, START + timedelta(hours=index)).state
        for index, image in enumerate([fog, fog, clear, clear, clear, clear, clear, clear])
    ]
    assert states == ["warming_up"] * 7 + ["ok"]


def test_debug_view_is_one_picture_once_a_frame_was_compared() -> None:
    detector = ConstructionDetector((PLOT, ROAD), reference=field())
    assert detector.debug_view() is None
    detector.observe(field(), START)
    view = detector.debug_view()
    assert view is not None
    assert view.shape[1:] == (960, 3)


def test_f1_is_two_rights_over_everything_marked() -> None:
    assert f1_of([np.array([3, 1, 0]), np.array([1, 0, 3])]) == pytest.approx(8 / 12)
    assert f1_of([np.array([0, 0, 0])]) == 0


def test_thirty_of_ninety_works_break_one_rule_each_five_of_a_kind() -> None:
    year = SiteYear(4, poses=20, works=90)
    papers = permits_of(year)
    broken = [paper.breaks for paper in papers.values() if paper.breaks is not None]
    assert len(papers) == len(year.works)
    assert {kind: broken.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 5)


def test_papers_of_a_year_say_what_its_pictures_show() -> None:
    year = SiteYear(4, poses=20, works=90)
    papers = permits_of(year)
    works = {work.plot.plot_id: work for work in year.works}
    late = {plot for plot, work in works.items() if work.hours[1] > 1050}
    assert late == {plot for plot, paper in papers.items() if paper.breaks == "forbidden_hours"}
    for plot, paper in papers.items():
        days = [NEW_YEAR + timedelta(days=day) for day in (works[plot].first_day, works[plot].last_day)]
        covered = paper.permit is not None and all(paper.permit.is_valid_on(day) for day in days)
        assert covered == (paper.breaks not in ("no_permit", "outside_dates", "permit_revoked"))
        if paper.permit is not None and paper.breaks is None:
            assert (paper.permit.valid_to - days[1]).days <= 20


def test_unknown_part_of_the_bench_is_named() -> None:
    assert construction_parts("year, speed") == ("year", "speed")
    with pytest.raises(ConfigurationError, match="--only roofs"):
        construction_parts("roofs")


WALL, SLAB, ROOF, TARPAULIN = (200, 205, 205), (168, 172, 174), (66, 74, 158), (176, 96, 40)


@pytest.mark.parametrize(
    ("top", "wall", "is_roofed", "is_covered"),
    [
        (ROOF, WALL, True, False),
        ((112, 116, 118), WALL, True, False),
        (SLAB, (84, 106, 172), False, False),
        (TARPAULIN, TARPAULIN, False, True),
    ],
    ids=["tiles", "grey sheets", "bare slab on brick", "tarpaulin"],
)
def test_roof_is_darker_than_its_walls_and_a_tarpaulin_is_like_nothing_around(
    top: tuple[int, int, int], wall: tuple[int, int, int], *, is_roofed: bool, is_covered: bool
) -> None:
    picture = cv2.resize(field(5, side=640), (640, 360))
    cv2.rectangle(picture, (290, 200), (340, 245), wall, -1)
    cv2.rectangle(picture, (290, 200), (340, 215), top, -1)
    outline = Outline(left=72.5, right=85, top=50, rear=57, front=61, share=1.0, lean=0.0)
    surfaces = Surfaces(T)
    for index in range(T.sign_of):
        assert (surfaces.is_roofed, surfaces.is_covered) == (False, False) or index >= T.sign_frames
        surfaces.take(np.asarray(picture, dtype=np.uint8), outline, 8.0, 0.4)
    assert (surfaces.is_roofed, surfaces.is_covered) == (is_roofed, is_covered)
    surfaces.forget()
    assert not surfaces.is_covered


@pytest.mark.parametrize(
    ("high_m", "width_share", "is_covered"), [(2.5, 0.75, True), (2.5, 0.4, False), (8.0, 0.75, False)], ids=str
)
def test_sheet_metal_is_as_wide_as_the_plot_and_as_high_as_a_man_reaches(
    high_m: float, width_share: float, *, is_covered: bool
) -> None:
    surfaces, flat = Surfaces(T), Outline(left=70, right=71, top=58, rear=58, front=58, share=1.0, lean=0.0)
    for _ in range(T.sign_of):
        surfaces.take(field(side=256), flat, high_m, width_share)
    assert surfaces.is_covered is is_covered


def test_slab_is_pale_and_grey_on_the_earth_of_its_plot() -> None:
    plot = np.ones((40, 60), dtype=bool)
    earth = np.full((40, 60, 3), (62, 92, 150), np.uint8)
    assert slab_share(earth, plot, T.slab_chroma) == 0
    earth[10:24, 20:40] = SLAB
    assert slab_share(earth, plot, T.slab_chroma) == pytest.approx(280 / 2400)
    earth[:] = SLAB  # a yard of concrete, all of it, is no slab on a plot
    assert slab_share(earth, plot, T.slab_chroma) == 0
    assert slab_share(earth, ~plot, T.slab_chroma) == 0


def test_things_on_the_road_are_counted_by_how_long_they_stood() -> None:
    pose = SiteYear(3, poses=1, works=0, width=320, height=180).pose(0)
    shown = [thing for thing in pose.obstacles if min(thing.box(pose.projection).as_list()[2:]) > 0]
    long = next(thing for thing in shown if thing.end_frame - thing.first_frame >= 28)
    box = long.box(pose.projection)
    candidate = Candidate(label="encroachment", tier="alarm", score=0.5, box=box, first_seen_at=START)
    nowhere = Candidate(
        label="encroachment", tier="alarm", score=0.5, box=Box(0.99, 0.01, 0.01, 0.01), first_seen_at=START
    )
    score = KerbScore()
    score.take(pose, long.first_frame + 20, (candidate,))
    for index in range(3):
        score.take(pose, long.first_frame + 21 + index, (candidate, nowhere))
    score.finish(pose)
    assert score.told >= 1
    assert score.long == sum(thing.end_frame - thing.first_frame >= 28 for thing in shown)
    assert score.false == 1
    assert "on nothing 1 (0.50 / camera-month)" in score.line(2.0).figure
