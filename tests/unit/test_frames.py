import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.errors import InvalidRecord
from ioc.frames import (
    FRAME_TYPE,
    MAX_FRAME_BYTES,
    MAX_FRAME_SIDE_PX,
    Frame,
    decode_frame,
    encode_frame,
    frame_id,
    inspect_jpeg,
    sha256_hex,
)
from tests.unit.capture.pictures import jpeg, png

AT = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
STILL = jpeg()


def a_frame(**changes: object) -> Frame:
    values: dict[str, object] = {
        "camera_id": "cam-01",
        "pose_id": "p0",
        "sequence": 7,
        "captured_at": AT,
        "sha256": sha256_hex(STILL),
        "jpeg": STILL,
    }
    return Frame(**{**values, **changes})  # type: ignore[arg-type]  # a table of fields


def test_a_frame_survives_the_wire() -> None:
    frame = a_frame()
    key, value, headers = encode_frame(frame, province="lam-dong")
    assert key == b"cam-01:p0"
    assert value == STILL
    assert decode_frame(key, value, headers) == a_frame(source="/lam-dong/camera")


def test_the_headers_are_a_cloud_event_in_binary_mode() -> None:
    _, _, headers = encode_frame(a_frame(), province="lam-dong")
    texts = dict(headers)
    assert texts["ce_specversion"] == b"1.0"
    assert texts["ce_type"] == FRAME_TYPE.encode()
    assert texts["ce_time"] == texts["ce_capturedat"] == b"2026-11-22T01:02:03.456789Z"
    assert texts["content-type"] == b"image/jpeg"


def test_a_claim_check_travels_without_pixels() -> None:
    frame = a_frame(dataref="evidence://sha256/" + "0" * 64)
    key, value, headers = encode_frame(frame, province="lam-dong")
    assert value == b""
    assert decode_frame(key, value, headers).dataref == frame.dataref


def test_the_id_is_of_the_instant_not_of_how_it_is_written() -> None:
    there = AT.astimezone(timezone(timedelta(hours=7)))
    assert frame_id(a_frame(captured_at=there)) == frame_id(a_frame())
    assert frame_id(a_frame(captured_at=AT + timedelta(microseconds=1))) != frame_id(a_frame())


def changed(**headers: bytes | None) -> list[tuple[str, bytes]]:
    _, _, own = encode_frame(a_frame(), province="lam-dong")
    texts: dict[str, bytes | None] = {**dict(own), **headers}
    return [(name, value) for name, value in texts.items() if value is not None]


def test_the_key_stands_in_for_missing_camera_and_pose_headers() -> None:
    frame = decode_frame(b"cam-09:p3", STILL, changed(ce_cameraid=None, ce_poseid=None))
    assert (frame.camera_id, frame.pose_id) == ("cam-09", "p3")


def test_the_event_time_stands_in_for_a_missing_captured_at() -> None:
    assert decode_frame(b"cam-01:p0", STILL, changed(ce_capturedat=None)).captured_at == AT


def test_a_missing_key_does_no_harm_where_the_headers_name_the_camera() -> None:
    assert decode_frame(None, STILL, changed()).key == "cam-01:p0"


@pytest.mark.parametrize("sequence", [b"-1", b"x", b"9" * 40, "٣".encode(), b""])
def test_a_sequence_that_is_no_number_counts_as_zero_or_is_read(sequence: bytes) -> None:
    assert decode_frame(b"cam-01:p0", STILL, changed(ce_sequence=sequence)).sequence in (0, 3)


@pytest.mark.parametrize(
    ("key", "value", "headers", "reason", "field"),
    [
        pytest.param(None, STILL, changed(ce_cameraid=None), "missing_field", "camera_id", id="no key, no camera"),
        pytest.param(b"cam-01", STILL, changed(ce_poseid=None), "missing_field", "pose_id", id="key without pose"),
        pytest.param(b"", STILL, [], "missing_field", "camera_id", id="nothing at all"),
        pytest.param(b"cam-01:p0", STILL, changed(ce_cameraid=b"\xff\xfe"), "bad_header", "ce_cameraid", id="latin1"),
        pytest.param(b"cam-01:p0", STILL, [("x\xff", b"\x80")], "bad_header", "x\xff", id="foreign header not UTF-8"),
        pytest.param(b"\xff:\n", STILL, changed(ce_cameraid=None, ce_poseid=None), "bad_id", "camera_id", id="x"),
        pytest.param(b"k:p", STILL, changed(ce_cameraid=b"a:b"), "bad_id", "camera_id", id="colon in the camera"),
        pytest.param(b"k:p", STILL, changed(ce_poseid=b"p\x1b[31m"), "bad_id", "camera_id", id="escape in the pose"),
        pytest.param(b"k:p", STILL, changed(ce_cameraid=b"c" * 201), "bad_id", "camera_id", id="endless id"),
        pytest.param(b"k:p", STILL, changed(ce_type=b"vn.ioc.other.v1"), "unknown_type", "ce_type", id="another type"),
        pytest.param(b"k:p", b"", changed(), "empty_frame", "value", id="no pixels"),
        pytest.param(b"k:p", None, changed(), "empty_frame", "value", id="tombstone"),
        pytest.param(b"k:p", STILL, changed(ce_capturedat=b"yesterday"), "bad_time", "captured_at", id="no time"),
        pytest.param(b"k:p", STILL, changed(ce_capturedat=b"2026-11-22T08:00"), "bad_time", "captured_at", id="naive"),
        pytest.param(b"k:p", STILL, changed(ce_capturedat=None, ce_time=None), "bad_time", "captured_at", id="none"),
    ],
)  # fmt: skip
def test_a_broken_record_says_why(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], reason: str, field: str
) -> None:
    with pytest.raises(InvalidRecord) as refusal:
        decode_frame(key, value, headers)
    assert (refusal.value.reason, refusal.value.field) == (reason, field)
    assert refusal.value.vi
    assert refusal.value.en


@pytest.mark.parametrize("size", [(16, 16), (1280, 720), (MAX_FRAME_SIDE_PX, MAX_FRAME_SIDE_PX)])
def test_the_size_is_read_from_the_header(size: tuple[int, int]) -> None:
    assert inspect_jpeg(jpeg(*size)) == size


def test_padding_after_the_end_marker_is_forgiven() -> None:
    assert inspect_jpeg(STILL + b"\0" * 40) == (640, 480)


def test_a_picture_of_exactly_the_limit_passes() -> None:
    assert inspect_jpeg(jpeg(size_bytes=MAX_FRAME_BYTES)) == (640, 480)


SEGMENT_OF_LENGTH_ZERO = b"\xff\xd8\xff\xe0\x00\x00" + b"\0" * 20 + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not_jpeg", id="empty"),
        pytest.param(b"\xff\xd8", "not_jpeg", id="two bytes"),
        pytest.param(b"<html>login</html>", "not_jpeg", id="a login page"),
        pytest.param(png(), "not_jpeg", id="PNG bomb renamed"),
        pytest.param(jpeg(20_000, 20_000), "frame_size", id="header bomb"),
        pytest.param(jpeg(65_535, 16), "frame_size", id="one side too long"),
        pytest.param(jpeg(0, 0), "frame_size", id="no pixels"),
        pytest.param(jpeg(640, 8), "frame_size", id="a sliver"),
        pytest.param(jpeg(size_bytes=200)[:-60], "truncated_jpeg", id="cut in the scan"),
        pytest.param(STILL[:12], "truncated_jpeg", id="cut in the header"),
        pytest.param(b"\xff\xd8\xff", "truncated_jpeg", id="only a beginning"),
        pytest.param(b"\xff\xd8" + b"\xff" * 1000, "truncated_jpeg", id="only fill bytes"),
        pytest.param(SEGMENT_OF_LENGTH_ZERO, "truncated_jpeg", id="a segment of length zero"),
        pytest.param(b"\xff\xd8\xff\xe0\xff\xff" + b"\0" * 99, "truncated_jpeg", id="a segment beyond the end"),
        pytest.param(b"\xff\xd8\xff\xe0" + struct.pack(">H", 2), "truncated_jpeg", id="nothing after a segment"),
        pytest.param(jpeg(size_bytes=MAX_FRAME_BYTES + 1), "frame_too_large", id="a byte too many"),
    ],
)
def test_a_hostile_picture_is_refused_from_its_header(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecord) as refusal:
        inspect_jpeg(data)
    assert refusal.value.reason == reason


@given(st.binary(max_size=300))
def test_no_bytes_make_the_inspection_fail_otherwise(tail: bytes) -> None:
    for data in (tail, b"\xff\xd8\xff" + tail):
        try:
            width, height = inspect_jpeg(data)
        except InvalidRecord:
            continue
        assert 16 <= width <= MAX_FRAME_SIDE_PX
        assert 16 <= height <= MAX_FRAME_SIDE_PX


@given(
    st.binary(max_size=60), st.binary(max_size=60), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=60)))
)
def test_no_record_makes_the_decoding_fail_otherwise(
    key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    try:
        frame = decode_frame(key, value, headers)
    except InvalidRecord:
        return
    assert frame.camera_id
    assert frame.captured_at.tzinfo is UTC
