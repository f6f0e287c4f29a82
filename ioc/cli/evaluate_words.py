"""The words of the evaluation's page: cues, reasons and states of the detectors, in Vietnamese and English."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["TITLES", "Both", "said"]

Both = tuple[str, str]
"""Vietnamese, English."""

TITLES: Mapping[str, Both] = MappingProxyType(
    {
        "smoke": ("Đánh giá phát hiện khói", "Smoke evaluation"),
        "construction": ("Đánh giá phát hiện xây dựng", "Construction evaluation"),
    }
)
"""The page's heading, by detector."""

_WORDS: Mapping[str, Both] = MappingProxyType(
    {
        # what fired
        "dark_channel_rise": ("kênh tối sáng lên", "dark channel rises"),
        "saturation_drop": ("màu nhạt đi", "colour fades"),
        "contrast_drop": ("độ tương phản giảm", "contrast fades"),
        "texture_loss": ("mất chi tiết bề mặt", "texture is lost"),
        "grey_shift": ("ngả xám so với toàn ảnh", "turns grey against the whole picture"),
        "growth": ("lan rộng từ một gốc", "grows from one place"),
        "upward_drift": ("bốc lên cao", "drifts upwards"),
        "anchored": ("có gốc trên mặt đất", "has its foot on the ground"),
        "anchor": ("có gốc trên mặt đất", "has its foot on the ground"),
        "persistence": ("tồn tại qua nhiều khung hình", "stays over several frames"),
        "cover": ("có bạt hoặc tôn che", "under a tarpaulin or behind sheet metal"),
        "new_structure": ("có công trình mới", "new structure"),
        # why a region was refused
        "small": ("quá nhỏ", "too small"),
        "too_small": ("quá nhỏ", "too small"),
        "wide": ("quá rộng", "too wide"),
        "too_wide": ("quá rộng", "too wide"),
        "sky": ("trên nền trời", "in the sky"),
        "above_terrain": ("trên nền trời", "above the terrain"),
        "foreground": ("ngay sát camera", "in the foreground"),
        "still": ("đứng yên", "does not move"),
        "masked": ("nằm trong vùng che", "under a mask"),
        "occluded": ("bị vật che khuất", "behind something near"),
        "repeated_frame": ("khung hình lặp lại", "repeated frame"),
        # states and whole-frame guards
        "ok": ("bình thường", "working"),
        "warming_up": ("đang học nền", "learning the background"),
        "degraded": ("tầm nhìn giảm", "visibility degraded"),
        "suspended": ("tạm dừng", "suspended"),
        "no_view": ("không thấy gì", "no view"),
        "not_registered": ("không khớp được với ảnh mẫu", "can't be laid over the reference"),
        "poor_visibility": ("sương mù hoặc mưa che khuất", "fog or rain hides the view"),
        "camera_moved": ("camera bị xoay", "camera moved"),
        "view_changed": ("khung cảnh thay đổi", "view changed"),
        "exposure_jump": ("độ sáng nhảy vọt", "exposure jumped"),
        "whole_frame_change": ("cả ảnh thay đổi", "the whole picture changed"),
        "day_night_switch": ("chuyển ngày/đêm", "day/night switch"),
        "resolution_changed": ("đổi độ phân giải", "resolution changed"),
        "visibility_degraded": ("tầm nhìn giảm", "visibility degraded"),
        "unsteady_picture": ("cảnh xao động (gió, rung máy)", "restless picture (wind, shake)"),
        "dark": ("quá tối", "too dark"),
        # tiers
        "watch": ("theo dõi", "watch"),
        "alarm": ("báo động", "alarm"),
    }
)


def said(key: str) -> Both:
    """Returns `key` in both languages; one that has no words yet is shown as it is."""
    if key.startswith("network_"):  # with the percentage that it is sure of
        share = key.removeprefix("network_")
        return f"mạng nơ-ron tin {share} %", f"the network is {share} % sure"
    return _WORDS.get(key, (key.replace("_", " "),) * 2)
