"""Parts of the construction detector, each on a picture small enough to follow by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.construction import ConstructionDetector, ConstructionThresholds
from detectors.construction.new_surfaces import new_surfaces
from detectors.construction.reference import Reference, contrast_against
from detectors.construction.stack import FrameStack, median_of
from detectors.construction.standing import Standing, Track
from detectors.construction.works import describe
from detectors.construction.zone_masks import ZoneMask, zone_mask
from ioc.cli.bench_construction import construction_parts
from ioc.cli.bench_construction_pairs import f1_of
from ioc.cli.bench_construction_year import KINDS, permits_of
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
    cleared = describe(mask, standing_on(mask, *flat), ground_map(), is_active=False)
    assert (cleared.stage, cleared.storeys, cleared.footprint) == ("cleared", None, ())
    tall = standing_on(mask, slice(rows.min() - 12, rows.max() + 1), slice(columns.min() + 8, columns.min() + 20))
    house = describe(mask, tall, ground_map(), is_active=True)
    assert house.stage == "frame"
    assert house.is_active
    assert (house.storeys or 0) >= 1
    assert len(house.footprint) == 4
    assert describe(mask, tall, None, is_active=False).storeys is None


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


def test_f1_is_two_rights_over_everything_marked() -> None:
    assert f1_of([np.array([3, 1, 0]), np.array([1, 0, 3])]) == pytest.approx(8 / 12)
    assert f1_of([np.array([0, 0, 0])]) == 0


def test_thirty_of_ninety_works_break_one_rule_each_five_of_a_kind() -> None:
    year = SiteYear(4, poses=20, works=90)
    papers = permits_of(year)
    broken = [paper.breaks for paper in papers.values() if paper.breaks is not None]
    assert len(papers) == len(year.works)
    assert {kind: broken.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 5)


def test_unknown_part_of_the_bench_is_named() -> None:
    assert construction_parts("year, speed") == ("year", "speed")
    with pytest.raises(ConfigurationError, match="--only roofs"):
        construction_parts("roofs")
