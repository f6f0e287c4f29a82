"""Smoke blended on pictures: it begins when told to, stands where told to, and the rest of the picture lives too."""

from pathlib import Path

import numpy as np
import pytest

from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.simulate.composites import Backdrop, ClipSmoke, Composite, Ramped, SmokeClip, _forth_and_back, read_clip
from ioc.simulate.plume import Plume

SIZE = (240, 160)


def backdrop(frames: int = 5) -> Backdrop:
    rng = np.random.default_rng(3)
    still = rng.integers(40, 90, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    pictures = tuple(cv2.convertScaleAbs(still, alpha=1 + 0.01 * n).astype(np.uint8) for n in range(frames))
    return Backdrop(name="b", site="S", frames=pictures, ground=(0.1, 0.5, 0.9, 0.9))


def clip_smoke(lean: float = 0.0) -> ClipSmoke:
    frames = np.zeros((60, 80, 40), np.uint8)
    frames[:, 5:, 12:28] = 200
    clip = SmokeClip(frames=frames, foot_x=20)
    return ClipSmoke(
        clip, at=(120, 120), size=SIZE, rise_px=60, spread=1.0, lean=lean, step=5, grey=210, tint=(1.0, 1.0, 1.0)
    )


def test_smoke_begins_at_its_ignition_and_rises_from_its_foot() -> None:
    composite = Composite(backdrop(), Ramped(smoke=clip_smoke(), most=0.9, ramp_min=2), seed=1_000_000, ignition=4)
    assert [composite.box(index) is not None for index in (0, 3, 6, 9)] == [False, False, True, True]
    box = composite.box(9)
    assert box is not None
    left, top, right, bottom = box.edges
    assert left * SIZE[0] < 120 < right * SIZE[0]
    assert bottom * SIZE[1] == pytest.approx(120, abs=3)
    assert 35 < (bottom - top) * SIZE[1] < 62
    plain = Composite(backdrop(), None, seed=1_000_000)
    difference = composite.render(9).astype(int) - plain.render(9)
    inside = (slice(int(top * SIZE[1]) + 6, int(bottom * SIZE[1]) - 6), slice(114, 126))
    assert difference[inside].mean() > 40
    assert abs(difference[:, :60]).max() == 0
    assert composite.contrast(9) == pytest.approx(difference[inside].mean(), abs=25)


def test_wind_leans_the_smoke_to_its_side() -> None:
    boxes = []
    for lean in (-0.8, 0.8):
        box = Composite(backdrop(), clip_smoke(lean), seed=1).box(9)
        assert box is not None
        boxes.append(box)
    assert boxes[0].cx < 0.5 < boxes[1].cx


def test_drawn_smoke_serves_as_well() -> None:
    plume = Plume(np.random.default_rng(5), anchor_x=120, anchor_y=120, width=SIZE[0], height=SIZE[1], wind=0.5)
    composite = Composite(backdrop(), Ramped(smoke=plume, most=1.0, ramp_min=1), seed=2, ignition=3)
    assert composite.box(2) is None
    assert composite.box(8) is not None


def test_frames_repeat_for_a_seed_and_never_stand_still() -> None:
    composite, again = Composite(backdrop(1), None, seed=7), Composite(backdrop(1), None, seed=7)
    assert composite.render_jpeg(3) == again.render_jpeg(3)
    assert composite.render_jpeg(3) != composite.render_jpeg(4)


def test_a_short_backdrop_is_shown_forth_and_back() -> None:
    assert [_forth_and_back(i, 4, 0) for i in range(10)] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert [_forth_and_back(i, 4, 2) for i in range(8)] == [0, 1, 2, 3, 2, 3, 2, 3]
    assert [_forth_and_back(i, 1, 0) for i in range(4)] == [0, 0, 0, 0]


def test_a_clip_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a video clip"):
        read_clip(tmp_path / "none.mp4")
