"""Which frames are looked at: of a camera of ours, from our own source, of a time that can be. Pure."""

from datetime import datetime

from ioc.catalog import Catalog
from ioc.errors import InvalidRecord
from ioc.events import FUTURE_TOLERANCE_US
from ioc.frames import Frame
from ioc.rejections import foreign_source, unknown_camera
from ioc.windows import MICROSECONDS, microseconds_of

__all__ = ["admit"]


def admit(frame: Frame, catalog: Catalog, *, now: datetime, max_age_s: float | None) -> None:
    """Returns where the frame may be looked at; `max_age_s` None: however old it is.

    Raises:
        InvalidRecord: `unknown_camera`, `foreign_source`, `time_in_future`, `time_too_old` or `frame_too_old`.
    """
    if frame.camera_id not in catalog.cameras:
        raise unknown_camera(frame.camera_id)
    own = f"/{catalog.province}/camera"
    if frame.source and frame.source != own and not frame.source.startswith(own + "/"):
        raise foreign_source(frame.source, "camera.frame", own)
    _admit_time(frame, catalog, ahead_us=microseconds_of(frame.captured_at) - microseconds_of(now), max_age_s=max_age_s)


def _admit_time(frame: Frame, catalog: Catalog, *, ahead_us: int, max_age_s: float | None) -> None:
    if ahead_us > FUTURE_TOLERANCE_US:
        raise InvalidRecord(
            "time_in_future",
            field="captured_at",
            vi=f"captured_at đi trước đồng hồ {ahead_us // MICROSECONDS} giây; kiểm tra giờ của camera.",
            en=f"captured_at is {ahead_us // MICROSECONDS} s ahead of the clock: check the camera's clock",
        )
    if frame.captured_at.date() < catalog.accept_since:
        raise InvalidRecord(
            "time_too_old",
            field="captured_at",
            vi="captured_at trước mốc nhận dữ liệu (accept_since).",
            en="captured_at is before the catalogue's accept_since",
        )
    if max_age_s is not None and not frame.is_replay and -ahead_us > max_age_s * MICROSECONDS:
        raise InvalidRecord(
            "frame_too_old",
            field="captured_at",
            vi=f"Khung hình chụp {-ahead_us // MICROSECONDS} giây trước, không còn là hiện tại; kiểm tra đồng hồ "
            "của camera, hoặc phát lại với ce_replay=true.",
            en=f"the frame is {-ahead_us // MICROSECONDS} s old, no longer the present: check the camera's clock, "
            "or mark a replay with ce_replay=true",
        )
