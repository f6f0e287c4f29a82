import json
from pathlib import Path

import numpy as np
import pytest

from detectors.smoke.network import CELL_PX, MODELS, SmokeNetwork
from ioc.errors import ConfigurationError

_ANSWERS = json.loads(Path(__file__).with_name("smoke_network_answers.json").read_text())


def _drawn() -> np.ndarray:
    """As in deploy/training/smoke/publish.py: a grey blot that the backgrounds do not have."""
    y, x = np.mgrid[0:48, 0:80]
    ground = np.stack([(7 * x + 13 * y) % 97 + 60, (5 * x + 11 * y) % 89 + 70, (3 * x + 17 * y) % 83 + 50], 2)
    blot = np.maximum(0, 400 - (x - 40) ** 2 - (y - 24) ** 2)[..., None]
    now = (ground * (500 - blot) + 190 * blot) // 500
    fast = (ground * (800 - blot) + 190 * blot) // 800
    return np.stack([now, ground, fast]).astype(np.uint8)


@pytest.mark.parametrize("name", sorted(_ANSWERS))
def test_a_shipped_model_answers_what_it_answered_in_training(name: str) -> None:
    network = SmokeNetwork.load(MODELS / f"{name}.onnx")
    answer = network.probabilities(*_drawn())
    assert answer.shape == (3, 5)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, _ANSWERS[name], atol=1e-4)


def test_every_shipped_model_is_small_and_has_a_known_answer_and_a_data_card() -> None:
    shipped = sorted(MODELS.glob("*.onnx"))
    assert [path.stem for path in shipped] == sorted(_ANSWERS)
    for path in shipped:
        assert path.stat().st_size < 1_000_000
        assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("size", [(360, 640), (480, 640), (240, 320), (50, 33), (16, 16)])
def test_every_cell_of_a_picture_of_any_size_is_answered(size: tuple[int, int]) -> None:
    network = SmokeNetwork.load(MODELS / "smoke-free.onnx")
    picture = np.full((*size, 3), 90, dtype=np.uint8)
    answer = network.probabilities(picture, picture, picture)
    assert answer.shape == (-(-size[0] // CELL_PX), -(-size[1] // CELL_PX))
    assert bool(((answer >= 0) & (answer <= 1)).all())


def test_one_network_serves_poses_of_several_sizes_in_turn() -> None:
    network = SmokeNetwork.load(MODELS / "smoke-free.onnx")
    first = network.probabilities(*_drawn())
    other = np.zeros((96, 64, 3), dtype=np.uint8)
    network.probabilities(other, other, other)
    np.testing.assert_array_equal(network.probabilities(*_drawn()), first)


def test_pictures_of_different_sizes_are_refused() -> None:
    network = SmokeNetwork.load(MODELS / "smoke-free.onnx")
    small, large = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 48, 3), np.uint8)
    with pytest.raises(ValueError, match="different sizes"):
        network.probabilities(small, small, large)


def _field(number: int, value: bytes) -> bytes:
    size, length = bytearray(), len(value)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + value


def _model(channels: int, stride: int) -> bytes:
    """An ONNX file by hand (IR 7, opset 12): one convolution of `stride` × `stride` pixels, then a sigmoid."""

    def port(name: bytes) -> bytes:
        dims = b"".join(_field(1, b"\x08%c" % size) for size in (1, channels, 48, 80))
        return _field(1, name) + _field(2, _field(1, b"\x08\x01" + _field(2, dims)))

    numbers = np.random.default_rng(3).normal(0, 1e-3, (1, channels, stride, stride)).astype("<f4")
    weights = b"\x08\x01\x08%c\x08%c\x08%c\x10\x01" % (channels, stride, stride)
    weights += _field(8, b"w") + _field(9, numbers.tobytes())
    sizes = b"".join(b"\x40%c" % stride for _ in range(2))
    strides = _field(1, b"strides") + sizes + b"\xa0\x01\x07"
    kernel = _field(1, b"kernel_shape") + sizes + b"\xa0\x01\x07"
    conv = _field(1, b"x") + _field(1, b"w") + _field(2, b"c") + _field(4, b"Conv")
    conv += _field(5, kernel) + _field(5, strides)
    sigmoid = _field(1, b"c") + _field(2, b"y") + _field(4, b"Sigmoid")
    graph = _field(1, conv) + _field(1, sigmoid) + _field(2, b"g") + _field(5, weights)
    graph += _field(11, port(b"x")) + _field(12, port(b"y"))
    return b"\x08\x07" + _field(8, b"\x10\x0c") + _field(7, graph)


def test_another_model_of_the_right_shape_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(_model(channels=9, stride=16))
    assert SmokeNetwork.load(path).probabilities(*_drawn()).shape == (3, 5)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("empty", lambda data: b""),
        ("text", lambda data: b"no model at all\n" * 50),
        ("cut in half", lambda data: data[: len(data) // 2]),
        ("cut at the end", lambda data: data[:-200]),
        ("cut at the start", lambda data: data[1000:]),
        ("made for one picture", lambda data: _model(channels=3, stride=16)),
        ("made for two pictures", lambda data: _model(channels=6, stride=16)),
        ("made for more pictures", lambda data: _model(channels=12, stride=16)),
        ("of another stride", lambda data: _model(channels=9, stride=8)),
    ],
)
def test_a_bad_model_file_is_named_with_what_to_do(what: str, change: object, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(change((MODELS / "smoke-free.onnx").read_bytes()))  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="smoke model") as refused:
        SmokeNetwork.load(path)
    assert str(path) in str(refused.value)
    assert "smoke_model" in str(refused.value)


def test_a_missing_model_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.onnx can't be read .* set smoke_model to"):
        SmokeNetwork.load(tmp_path / "nothing.onnx")
