"""What the pages call the codes of life, doors, roles and deliveries, in Vietnamese and English."""

from collections.abc import Mapping

__all__ = [
    "ACTION_WORDS",
    "DOOR_WORDS",
    "HOLD_WORDS",
    "PURPOSE_WORDS",
    "ROLE_WORDS",
    "SAID",
    "SEVERITY_WORDS",
    "SHIFT_WORDS",
    "STATE_WORDS",
    "STATUS_WORDS",
    "TAB_WORDS",
    "VERDICT_WORDS",
]

Both = tuple[str, str]

SEVERITY_WORDS: Mapping[str, Both] = {
    "critical": ("khẩn cấp", "critical"),
    "warning": ("cảnh báo", "warning"),
    "info": ("thông tin", "info"),
}
STATE_WORDS: Mapping[str, Both] = {
    "candidate": ("theo dõi", "watching"),
    "open": ("đang mở", "open"),
    "acknowledged": ("đã nhận", "acknowledged"),
    "snoozed": ("tạm hoãn", "snoozed"),
    "resolved": ("đã xử lý", "resolved"),
    "dismissed": ("đã bỏ qua", "dismissed"),
    "watching": ("Theo dõi", "Watching"),
    "closed": ("Đã đóng", "Closed"),
}
TAB_WORDS: Mapping[str, Both] = {
    "open": ("Chưa ai nhận", "Nobody has it"),
    "acknowledged": ("Đã nhận", "Acknowledged"),
    "snoozed": ("Tạm hoãn", "Snoozed"),
    "closed": ("Đã đóng", "Closed"),
    "watching": ("Theo dõi", "Watching"),
}
VERDICT_WORDS: Mapping[str, Both] = {
    "true_positive": ("Đúng: có sự cố thật", "True: it was real"),
    "false_positive": ("Báo nhầm: không có gì", "False alarm: there was nothing"),
    "other_smoke": ("Khói khác, không phải cháy", "Other smoke, no fire"),
    "unsure": ("Không rõ", "Unsure"),
}
ACTION_WORDS: Mapping[str, Both] = {
    "see": ("mở sự cố", "opened"),
    "open": ("mở sự cố", "opened"),
    "acknowledge": ("nhận việc", "acknowledged"),
    "assign": ("giao việc", "assigned"),
    "snooze": ("tạm hoãn", "snoozed"),
    "expire": ("hết tạm hoãn", "the snooze ended"),
    "comment": ("ghi ý kiến", "commented"),
    "tick": ("đánh dấu quy trình", "ticked the checklist"),
    "resolve": ("xử lý xong", "resolved"),
    "dismiss": ("bỏ qua", "dismissed"),
    "reopen": ("mở lại", "reopened"),
    "clear": ("nguồn báo đã hết", "its source says it is over"),
    "escalated": ("báo cấp tiếp theo", "called the next level"),
    "escalate_now": ("yêu cầu báo cấp tiếp theo ngay", "had the next level called now"),
    "held": ("chưa báo ai", "held back"),
    "nobody_on_roster": ("KHÔNG CÓ AI TRONG LỊCH TRỰC", "NOBODY ON THE ROSTER"),
}
PURPOSE_WORDS: Mapping[str, Both] = {
    "opened": ("báo lần đầu", "first notice"),
    "reopened": ("báo mở lại", "open again"),
    "again": ("báo lại", "told again"),
    "escalated": ("báo cấp tiếp theo", "escalated"),
    "assigned": ("giao việc", "assigned"),
    "reminder": ("nhắc việc", "reminder"),
    "acknowledged": ("báo đã có người nhận", "told that somebody has it"),
    "resolved": ("báo đã xong", "told that it is over"),
    "dismissed": ("báo đã bỏ qua", "told that it was dismissed"),
    "test": ("thử kênh", "test"),
}
STATUS_WORDS: Mapping[str, Both] = {
    "pending": ("đang gửi", "on its way"),
    "sent": ("đã đến", "delivered"),
    "failed": ("KHÔNG GỬI ĐƯỢC", "NOT DELIVERED"),
}
DOOR_WORDS: Mapping[str, Both] = {
    "web": ("trang trực", "page"),
    "api": ("API", "API"),
    "link": ("liên kết", "link"),
    "channel": ("kênh tin", "channel"),
    "kafka": ("camera", "camera"),
    "alertmanager": ("Alertmanager", "Alertmanager"),
    "timer": ("hẹn giờ", "timer"),
    "cli": ("dòng lệnh", "command line"),
}
ROLE_WORDS: Mapping[str, Both] = {
    "viewer": ("chỉ xem", "viewer"),
    "operator": ("trực ban", "operator"),
    "administrator": ("quản trị", "administrator"),
    "system": ("hệ thống", "system"),
}
SHIFT_WORDS: Mapping[str, Both] = {
    "note": ("ghi chú", "note"),
    "take_over": ("NHẬN CA", "TOOK OVER"),
    "hand_over": ("GIAO CA", "HANDED OVER"),
    "mute": ("tắt tiếng", "muted the sound"),
    "unmute": ("bật lại tiếng", "sound on again"),
}
SAID: Mapping[str, Both] = {
    "acknowledge": ("Bạn đã nhận việc. Chuỗi báo đã dừng.", "You have it. Nobody else is being called."),
    "snooze": ("Đã tạm hoãn.", "Snoozed."),
    "assign": ("Đã giao việc; người được giao đang được báo.", "Assigned; they are being told."),
    "comment": ("Đã ghi ý kiến.", "Comment kept."),
    "tick": ("Đã ghi.", "Kept."),
    "escalate": ("Đang báo cấp tiếp theo.", "The next level is being called."),
    "close": ("Đã đóng sự cố.", "The incident is closed."),
    "reopen": ("Đã mở lại; người trực đang được báo.", "Open again; the duty is being told."),
    "take_over": ("Bạn đã nhận ca.", "You have taken over."),
    "hand_over": ("Đã ghi giao ca.", "The handover is kept."),
    "note": ("Đã ghi.", "Kept."),
    "mute": ("Đã tắt tiếng đến hết ca.", "Muted until the end of the shift."),
    "unmute": ("Đã bật tiếng.", "The sound is on."),
    "test": ("Đã gửi tin thử; xem kết quả ở bảng dưới.", "A test was sent; its receipt appears below."),
}

HOLD_WORDS: Mapping[str, Both] = {
    "maintenance": ("đang bảo trì", "maintenance"),
    "quiet_hours": ("giờ yên lặng", "quiet hours"),
    "cooldown": ("vừa báo xong", "told just before"),
    "flapping": ("chập chờn", "flapping"),
}
"""Why nobody is called yet (`ioc.oncall.quiet.HoldReason`)."""
