"""A year of building: what is said to stand is what the pictures show, and where nothing is built nothing stands."""

from collections import Counter

import numpy as np
import pytest

from ioc.simulate.site_year import FRAME_MINUTES, FRAMES_PER_DAY, SitePose, SiteYear

YEAR = SiteYear(3, poses=2, works=10, width=320, height=180)


@pytest.fixture(scope="module")
def pose() -> SitePose:
    return YEAR.pose(0)


def test_frames_are_pure_functions_of_seed_pose_and_index(pose: SitePose) -> None:
    indices = [3, 700, 701, 1459]
    frames = {index: pose.render(index) for index in indices}
    again = SiteYear(3, poses=2, works=10, width=320, height=180).pose(0)
    assert all(np.array_equal(again.render(index), frames[index]) for index in reversed(indices))
    assert all(frame.shape == (180, 320, 3) and frame.dtype == np.uint8 for frame in frames.values())
    assert not np.array_equal(YEAR.pose(1).render(3), frames[3])


def test_every_work_goes_through_its_stages_in_order_and_reaches_its_storeys() -> None:
    assert len(YEAR.works) == 10
    for work in YEAR.works:
        states = [state for day in range(YEAR.days + 200) if (state := work.state(day)) is not None]
        assert list(Counter(state.stage for state in states)) == ["cleared", "foundation", "frame", "roof", "finished"]
        storeys = [state.storeys for state in states]
        assert storeys == sorted(storeys)
        assert storeys[-1] == work.storeys
        assert work.state(work.first_day - 1) is None


def test_works_change_their_box_and_truth_says_who_is_there(pose: SitePose) -> None:
    work = min(pose.works, key=lambda work: work.first_day)
    before = work.first_day * FRAMES_PER_DAY - 7
    assert not pose.truth(before)
    during = (work.first_day + sum(work.stage_days[:2]) + 6) * FRAMES_PER_DAY
    truth = {entry.work_id: entry for entry in pose.truth(during)}[work.work_id]
    x0, y0, x1, y1 = truth.box.edges
    cut = np.s_[int(y0 * 180) : int(y1 * 180) + 1, int(x0 * 320) : int(x1 * 320) + 1]

    def median(first: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.median([pose.render(index) for index in range(first, first + 28)], axis=0)

    change = np.abs(median(during) - median(before - 28)).max(axis=2)
    assert change[cut].mean() > 2.5 * np.median(change)
    by_slot = [
        {entry.work_id: entry.is_active for entry in pose.truth(during // 4 * 4 + slot)}[work.work_id]
        for slot in range(FRAMES_PER_DAY)
    ]
    day = during // FRAMES_PER_DAY
    wanted = [work.hours[0] <= minute <= work.hours[1] and day % 7 != 6 for minute in FRAME_MINUTES]
    assert by_slot == wanted


def test_plots_road_and_kerb_lie_in_the_picture(pose: SitePose) -> None:
    for plot in pose.plots:
        polygon = pose.plot_polygon(plot)
        assert all(-0.05 <= x <= 1.05 and 0.3 <= y <= 1.0 for x, y in polygon)
    assert len(pose.control_points()) == 4 * len(pose.plots)
    assert len(pose.road_polygon) >= 6
    assert {thing.kind for thing in pose.obstacles} == {"stall", "parked_vehicle", "dumped_material"}
    standing = pose.obstacles_at(pose.obstacles[0].first_frame)
    assert pose.obstacles[0] in standing


def test_a_year_without_works_has_seasons_and_weather_all_the_same() -> None:
    empty = SiteYear(4, poses=1, works=0, width=320, height=180)
    pose = empty.pose(0)
    assert empty.works == ()
    assert all(pose.truth(index) == () for index in range(0, pose.frames, 97))
    weathers = [pose.weather(index) for index in range(pose.frames)]
    assert 0.05 < np.mean([weather.rain > 0 for weather in weathers]) < 0.4
    assert 0.02 < np.mean([weather.fog > 0 for weather in weathers]) < 0.2
    fair = [index for index, w in enumerate(weathers) if w.rain == w.fog == 0 and w.cloud < 0.4 and index % 4 == 1]
    march = [index for index in fair if 60 < index // 4 < 95][:4]
    september = [index for index in fair if 230 < index // 4 < 290][:4]
    dry, wet = (np.mean([pose.render(i)[100:] for i in part], axis=(0, 1, 2)) for part in (march, september))
    assert dry[2] / dry[1] > wet[2] / wet[1], "the dry season is browner"
