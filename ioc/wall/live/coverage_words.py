"""What a picture does not show: that no detector can see anything in it. Pure."""

from collections.abc import Mapping

from ioc.coverage_facts import NOT_RUNNING
from ioc.wall.live.cameras import Coverage
from ioc.wall.live.wording import pick
from ioc.wall.panels import Language

__all__ = ["unseen_words"]

_MOSTLY = 0.75  # of the newest minutes: a span in which a camera fails has some that were looked at
_REASONS: Mapping[str, tuple[str, str]] = {
    "offline": ("không có hình", "no frames"),
    "camera_fault": ("hỏng, bị che", "fault, covered"),
    "degraded": ("tối, sương mù", "dark or foggy"),
    "skipped": ("quá tải", "overload"),
    "masked": ("vùng che", "masked"),
    "not_ready": ("đang học cảnh", "learns its scene"),
    NOT_RUNNING: ("máy xử lý nghỉ", "no worker"),
}


def unseen_words(coverage: Coverage | None, language: Language) -> str:
    """Returns how much was looked at and why not the rest; "" where most of it was, or nobody has told."""
    if coverage is None or coverage.share >= _MOSTLY:
        return ""
    reason = pick(language, *_REASONS.get(coverage.reason, (coverage.reason,) * 2))
    return f"{pick(language, 'NHÌN ĐƯỢC', 'SEES')} {coverage.share * 100:.0f} %: {reason}"
