"""Why an incident has no place of its own, in words. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = ["REASONS", "Reason"]

Reason = Literal["one_bearing", "no_baseline", "parallel", "behind", "out_of_range", "disagree", "no_geometry"]

REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "one_bearing": ("Chỉ một hướng nhìn, không có khoảng cách.", "One bearing and no distance."),
        "no_baseline": ("Các hướng nhìn từ cùng một chỗ.", "The bearings are from one and the same place."),
        "parallel": ("Các hướng nhìn gần như song song.", "The bearings are next to parallel."),
        "behind": (
            "Các hướng nhìn tách xa nhau, giao điểm nằm sau camera.",
            "The bearings diverge: they cross behind a camera.",
        ),
        "out_of_range": ("Giao điểm ở ngoài tầm nhìn.", "The bearings cross out of range."),
        "disagree": ("Các hướng nhìn không chỉ cùng một chỗ.", "The bearings do not point to one place."),
        "no_geometry": (
            "Góc quay chưa khai báo hướng và độ rộng (ioc calibrate).",
            "The pose's azimuth and width are not declared (ioc calibrate).",
        ),
    }
)
"""By code: (Vietnamese, English)."""
