import csv
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest

from ioc.detections import Box
from ioc.errors import ConfigurationError, PermanentError
from ioc.frames import INLINE_LIMIT_BYTES, inspect_jpeg
from ioc.permits import Zone
from ioc.simulate.export import render_within_limit, write_scenes
from ioc.simulate.scenes import (
    BUILDING_ZONE_ID,
    Scene,
    SceneSpec,
    building_zone_polygon,
    demo_scenes,
)

SMALL = {"width": 320, "height": 180}


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {camera_id: Scene(spec) for camera_id, spec in demo_scenes(7, **SMALL).items()}


def _sha(scene: Scene, indices: list[int]) -> dict[int, str]:
    return {index: hashlib.sha256(scene.render_jpeg(index)).hexdigest() for index in indices}


def test_same_seed_gives_the_same_bytes_in_any_order(scenes: dict[str, Scene]) -> None:
    indices = [0, 13, 39]
    for camera_id in ("cam-02", "cam-04"):
        again = Scene(demo_scenes(7, **SMALL)[camera_id])
        assert _sha(scenes[camera_id], indices) == _sha(again, indices[::-1])


def test_another_seed_is_another_place(scenes: dict[str, Scene]) -> None:
    other = Scene(demo_scenes(8, **SMALL)["cam-03"])
    difference = np.abs(scenes["cam-03"].render(0).astype(int) - other.render(0).astype(int))
    assert difference.mean() > 8


def test_frames_are_bgr_pictures_of_the_asked_size_with_light_and_shade(scenes: dict[str, Scene]) -> None:
    for scene in scenes.values():
        image = scene.render(3)
        assert image.shape == (180, 320, 3)
        assert image.dtype == np.uint8
        assert image.std() > 25
        assert inspect_jpeg(scene.render_jpeg(3)) == (320, 180)


def test_ground_stays_while_light_moves(scenes: dict[str, Scene]) -> None:
    """The same place correlates with itself minutes later, though no pixel needs to be equal."""
    first, later = (scenes["cam-03"].render(index)[80:].astype(float).ravel() for index in (0, 30))
    assert np.corrcoef(first, later)[0, 1] > 0.8
    assert np.abs(first - later).mean() > 2


def test_smoke_begins_at_its_frame_and_its_box_grows(scenes: dict[str, Scene]) -> None:
    scene = scenes["cam-01"]
    assert [scene.plume_box(index) for index in range(12)] == [None] * 12
    boxes = [scene.plume_box(index) for index in (14, 20, 28, 39)]
    areas = [box.w * box.h for box in boxes if box is not None]
    assert len(areas) == 4
    assert areas == sorted(areas)
    assert areas[-1] > 4 * areas[0]


@pytest.mark.parametrize("seed", [3])
def test_smoke_changes_the_pixels_of_its_box_and_few_others(seed: int) -> None:
    smoky = Scene(demo_scenes(seed, **SMALL)["cam-01"])
    clear = Scene(demo_scenes(seed, **SMALL, plume=False)["cam-01"])
    box = smoky.plume_box(32)
    assert box is not None
    difference = np.abs(smoky.render(32).astype(int) - clear.render(32).astype(int)).max(axis=2)
    x0, y0, x1, y1 = box.edges
    inside = np.zeros(difference.shape, dtype=bool)
    inside[round(y0 * 180) : round(y1 * 180), round(x0 * 320) : round(x1 * 320)] = True
    assert difference[inside].mean() > 5
    assert difference[~inside].mean() < 1


def test_building_rises_inside_its_zone_from_its_frame_on(scenes: dict[str, Scene]) -> None:
    scene = scenes["cam-02"]
    zone = Zone(zone_id=BUILDING_ZONE_ID, kind="residential", polygon=building_zone_polygon())
    assert [scene.building_box(index) for index in range(8)] == [None] * 8
    boxes = [scene.building_box(index) for index in range(8, 40)]
    assert all(box is not None and zone.holds(box) for box in boxes)
    assert _height(boxes[-1]) > 1.3 * _height(boxes[3])
    empty = Scene(demo_scenes(7, **SMALL, building=False)["cam-02"])
    plot = np.s_[125:143, 160:200]
    assert np.abs(scene.render(35)[plot].astype(int) - empty.render(35)[plot].astype(int)).mean() > 25
    assert np.abs(scene.render(5).astype(int) - empty.render(5).astype(int)).max() == 0


def _height(box: Box | None) -> float:
    assert box is not None
    return box.h


def test_folder_holds_pictures_and_a_manifest_with_true_boxes(tmp_path: Path) -> None:
    specs = {
        camera_id: spec for camera_id, spec in demo_scenes(7, **SMALL).items() if camera_id in ("cam-01", "cam-03")
    }
    assert write_scenes(specs, tmp_path, frames=16) == 32
    with (tmp_path / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows[:2]] == ["cam-01/000.jpg", "cam-01/001.jpg"]
    assert all((tmp_path / row["path"]).is_file() and row["interval_s"] == "60" for row in rows)
    assert {row["sequence"]: row["label"] for row in rows} == {"cam-01-707": "smoke", "cam-03-709": "none"}
    assert [row["frame"] for row in rows if row["bbox"]] == ["12", "13", "14", "15"]
    (box,) = json.loads(rows[15]["bbox"])
    assert len(box) == 4
    with pytest.raises(ConfigurationError, match="is not empty"):
        write_scenes(specs, tmp_path, frames=1)


def test_frame_over_the_record_limit_is_refused_with_advice(scenes: dict[str, Scene]) -> None:
    class Large(Scene):
        def __init__(self) -> None:
            self.spec = SceneSpec(seed=1)

        def render_jpeg(self, index: int, quality: int = 85) -> bytes:
            return bytes(INLINE_LIMIT_BYTES + 1)

    with pytest.raises(PermanentError, match="give a smaller --size"):
        render_within_limit(Large(), 0, "cam-01")
    assert len(render_within_limit(scenes["cam-01"], 0, "cam-01")) < INLINE_LIMIT_BYTES


def test_a_small_frame_is_drawn_quickly(scenes: dict[str, Scene]) -> None:
    """A guard against a lost local composite, not a benchmark: some 3 ms are usual."""
    began_s = time.process_time()
    for index in range(20, 30):
        scenes["cam-01"].render(index)
    assert (time.process_time() - began_s) / 10 < 0.05
