import numpy as np
import pytest

from ioc.errors import ConfigurationError
from ioc.simulate.camera_faults import FAULTS, CameraFault, FaultyScene
from ioc.simulate.perspective import BgrImage


class Chessboard:
    """A scene that is quick to draw: squares, brighter to the right, and one that wanders."""

    def render(self, index: int) -> BgrImage:
        y, x = np.mgrid[:90, :160]
        image = 60 + 70 * ((x // 10 + y // 10) % 2) + x // 4 + 25 * ((x // 10 == index % 16) & (y // 10 == 4))
        return np.repeat(image.astype(np.uint8)[..., None], 3, axis=2)


def _changed(fault: CameraFault, index: int) -> float:
    faulty = FaultyScene(Chessboard(), fault).render(index)
    return float(np.abs(faulty.astype(int) - Chessboard().render(index).astype(int)).mean())


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_shows_between_its_frames_only_and_is_repeatable(kind: str) -> None:
    fault = CameraFault(kind=kind, start_frame=5, end_frame=9, seed=3)
    assert [_changed(fault, index) for index in (0, 4, 9, 20)] == [0, 0, 0, 0]
    assert all(_changed(fault, index) > 0 for index in (5, 6, 7, 8))
    first, second = (FaultyScene(Chessboard(), fault) for _ in range(2))
    frames = [first.render(index) for index in (5, 6, 7, 8)]
    assert all(np.array_equal(second.render(index), frames[index - 5]) for index in (8, 6, 5, 7))
    assert frames[0].shape == (90, 160, 3)
    assert frames[0].dtype == np.uint8


@pytest.mark.parametrize("kind", sorted(set(FAULTS) - {"frozen", "moved"}))
def test_stronger_fault_changes_more(kind: str) -> None:
    weak, strong = (CameraFault(kind=kind, start_frame=0, strength=strength, seed=2) for strength in (0.2, 1.0))
    assert _changed(strong, 8) > _changed(weak, 8)


def test_frozen_camera_repeats_the_frame_before() -> None:
    scene = FaultyScene(Chessboard(), CameraFault(kind="frozen", start_frame=4))
    before = scene.render(3)
    assert all(np.array_equal(scene.render(index), before) for index in (4, 5, 90))
    assert not np.array_equal(scene.render(2), before)


def test_faults_add_up() -> None:
    both = FaultyScene(
        Chessboard(), CameraFault(kind="dirty_lens", start_frame=0), CameraFault(kind="under_exposed", start_frame=2)
    )
    assert both.render(3).mean() < 0.5 * both.render(1).mean()
    assert both.render_jpeg(3)[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("kind", "strength", "sentence"),
    [
        ("offline", 0.5, "no camera fault 'offline'; there are frozen, covered"),
        ("covered", 0.0, "over 0 and at most 1"),
    ],
)
def test_impossible_fault_is_refused_in_a_sentence(kind: str, strength: float, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        CameraFault(kind=kind, start_frame=0, strength=strength)
