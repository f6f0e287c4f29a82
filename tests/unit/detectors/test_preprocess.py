from collections.abc import Callable

import numpy as np
import pytest

from detectors.horizon import horizon_rows
from detectors.preprocess import as_bgr, cells, dark_channel, decode_jpeg, downscale, saturation, shift_between
from ioc.errors import InvalidRecord
from ioc.opencv import cv2


def jpeg_of(image: np.ndarray) -> bytes:
    ok, data = cv2.imencode(".jpg", image)
    assert ok
    return bytes(data.tobytes())


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_grey_jpeg_is_decoded_to_three_channels() -> None:
    image = decode_jpeg(jpeg_of(picture()[:, :, 0]))
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8


def broken_body(data: bytes) -> bytes:
    start = data.index(b"\xff\xda")
    return data[: start + 2] + b"\x00" * 20 + b"\xff\xd9"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: b"", "not_jpeg"),
        (lambda data: b"GIF89a" + data, "not_jpeg"),
        (lambda data: data[: len(data) // 2], "truncated_jpeg"),
        (broken_body, "undecodable_jpeg"),
    ],
    ids=["empty", "gif", "half", "scan_lost"],
)
def test_unfit_picture_is_refused_with_its_reason(spoil: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        decode_jpeg(spoil(jpeg_of(picture())))
    assert caught.value.reason == reason
    assert caught.value.vi


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4)])
def test_picture_of_any_channels_becomes_contiguous_bgr(shape: tuple[int, ...]) -> None:
    image = as_bgr(np.ones(shape, np.uint8)[::2, ::-1])
    assert image.shape == (10, 30, 3)
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    "wrong",
    [np.ones((4, 4, 3), np.float32), np.ones((0, 4, 3), np.uint8), np.ones((4, 4, 2), np.uint8), np.ones(4, np.uint8)],
)
def test_what_is_no_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture"):
        as_bgr(wrong)


@pytest.mark.parametrize(("width", "expected"), [(200, (100, 200)), (800, (160, 320)), (320, (160, 320))])
def test_downscaling_keeps_aspect_and_never_enlarges(width: int, expected: tuple[int, int]) -> None:
    assert downscale(picture(width // 2, width), 320).shape[:2] == expected


def test_shadow_leaves_saturation_while_smoke_lowers_it_and_raises_the_dark_channel() -> None:
    ground = np.full((20, 20, 3), (40, 100, 80), np.uint8)
    shadow = (ground * 0.5).astype(np.uint8)
    smoke = (ground * 0.6 + 200 * 0.4).astype(np.uint8)
    assert float(saturation(shadow).mean()) == pytest.approx(float(saturation(ground).mean()), abs=0.02)
    assert float(saturation(smoke).mean()) < float(saturation(ground).mean()) - 0.2
    assert float(dark_channel(shadow).mean()) < float(dark_channel(ground).mean()) < float(dark_channel(smoke).mean())


@pytest.mark.parametrize("shape", [(240, 320), (135, 240), (45, 80), (60, 80), (134, 241)])
def test_shift_is_found_without_bias_at_any_size(shape: tuple[int, int]) -> None:
    big = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (400, 400)).astype(np.float32), (0, 0), 1.5)
    here = big[20 : 20 + shape[0], 30 : 30 + shape[1]]
    there = big[21 : 21 + shape[0], 32 : 32 + shape[1]]
    assert shift_between(here, here)[:2] == pytest.approx((0, 0), abs=0.02)
    assert shift_between(here, there)[:2] == pytest.approx((-2, -1), abs=0.4)


def test_shift_leaves_its_pictures_as_they_were() -> None:
    here = np.random.default_rng(0).random((60, 80)).astype(np.float32)
    before = here.copy()
    shift_between(here, here.copy())
    assert np.array_equal(here, before)


def test_cells_are_means() -> None:
    plane = np.arange(64, dtype=np.float32).reshape(8, 8)
    assert cells(plane, 4)[0, 0] == pytest.approx(plane[:4, :4].mean())


def test_horizon_is_where_bright_sky_ends_also_behind_a_mast() -> None:
    blue = np.full((60, 80), 0.85, np.float32)
    blue[25:] = 0.3
    blue[10:25, 40:42] = 0.2
    assert set(horizon_rows(blue).tolist()) <= {24, 25}


def test_far_ridge_in_haze_counts_as_terrain() -> None:
    blue = np.full((60, 80), 0.9, np.float32)
    blue[22:26] = 0.8
    blue[26:] = 0.3
    assert int(np.median(horizon_rows(blue))) in (21, 22)


def test_lake_is_no_sky_though_it_shines_as_bright() -> None:
    blue = np.full((60, 80), 0.85, np.float32)
    blue[15:20] = 0.5  # the far shore
    blue[20:36] = 0.8  # water
    blue[36:] = 0.3
    assert set(horizon_rows(blue).tolist()) <= {14, 15}


def test_clouds_over_a_plain_do_not_raise_the_skyline() -> None:
    blue = np.full((60, 80), 0.9, np.float32)
    blue[10:25] = 0.83
    blue[10:25, 20:50] = 0.7
    blue[25:] = 0.3
    assert set(horizon_rows(blue).tolist()) <= {24, 25}


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_picture_without_sky_has_no_horizon(value: float) -> None:
    ground = np.full((60, 80), value, np.float32) + np.random.default_rng(0).normal(0, 0.03, (60, 80)).astype(
        np.float32
    )
    assert not horizon_rows(ground).any()
