from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.capture.exif import exif_time
from tests.unit.capture.pictures import exif, jpeg


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        pytest.param("+07:00", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC), id="offset of Viet Nam"),
        pytest.param("+00:00", datetime(2026, 11, 22, 8, 2, 3, tzinfo=UTC), id="UTC"),
        pytest.param("", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC), id="no offset means Viet Nam's time"),
    ],
)
def test_the_original_time_is_read_in_either_byte_order(order: str, offset: str, expected: datetime) -> None:
    assert exif_time(jpeg(exif=exif("2026:11:22 08:02:03", offset, order))) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(jpeg(), id="no EXIF"),
        pytest.param(jpeg(exif=b"XX" + b"\0" * 20), id="no byte order"),
        pytest.param(jpeg(exif=b"II*\0\xff\xff\xff\xff"), id="a directory beyond the end"),
        pytest.param(jpeg(exif=b"II*\0\x08\0\0\0\xff\xff"), id="a directory of 65535 entries"),
        pytest.param(jpeg(exif=exif("0000:00:00 00:00:00")), id="a camera that never knew the time"),
        pytest.param(jpeg(exif=exif("soon")), id="no time"),
        pytest.param(jpeg(exif=exif("2026:11:22 08:02:03", "later")), id="no offset"),
        pytest.param(jpeg(exif=exif("2026:11:22 08:02:03"))[:40], id="cut short"),
    ],
)
def test_without_a_sound_time_there_is_none(data: bytes) -> None:
    assert exif_time(data) is None


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(junk: bytes) -> None:
    exif_time(b"\xff\xd8" + junk)
    exif_time(jpeg(exif=b"II*\0\x08\0\0\0" + junk))
