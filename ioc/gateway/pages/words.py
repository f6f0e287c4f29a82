"""What the departments' page says, in both languages, and how it writes numbers and times. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ioc.gateway.problems import Language
from ioc.windows import LOCAL_ZONE

__all__ = ["WORDS", "age", "count", "local_time", "other", "percent"]

WORDS: Mapping[Language, Mapping[str, str]] = {
    "vi": {
        "title": "Trang của đơn vị gửi dữ liệu",
        "sign_in": "Đăng nhập",
        "sign_out": "Đăng xuất",
        "token": "Mã truy cập của đơn vị (ioc_…)",
        "token_hint": "Dán mã do trung tâm IOC cấp. Phiên kéo dài 30 phút; mã không nằm trong địa chỉ hay cookie.",
        "bad_token": "Mã truy cập không đúng hoặc đã hết hiệu lực. Kiểm tra đã dán đủ cả mã chưa; "
        "nếu vẫn không được, xin trung tâm IOC cấp lại.",
        "ended": "Phiên đã kết thúc. Hãy đăng nhập lại.",
        "foreign_form": "Biểu mẫu này không phải do trang của bạn mở. Hãy tải lại trang rồi làm lại.",
        "sources": "Nguồn dữ liệu",
        "all_sources": "Tất cả nguồn",
        "quality": "Chất lượng dữ liệu",
        "target": "mục tiêu",
        "province": "số của toàn tỉnh",
        "on_time": "đúng hạn",
        "late": "quá hạn",
        "silent": "Chưa có số liệu của",
        "not_asked": "không áp dụng với nguồn này",
        "to_fix": "Cần sửa",
        "nothing_to_fix": "Không có việc phải sửa.",
        "no_figures": "Chưa có số liệu chất lượng: chưa đọc được máy tính chỉ số. Đây không phải là 100 %.",
        "stale_figures": "Số liệu chất lượng đọc lúc {at}, cũ {age}; hiện không đọc được số mới.",
        "figures_at": "Số liệu chất lượng đọc lúc {at}.",
        "stale": "cũ, tin cuối lúc {at}",
        "rejects": "Sự kiện bị từ chối gần đây",
        "no_rejects": "Không có sự kiện nào bị từ chối.",
        "covers": "Tính từ {at}, cả gửi qua cổng và gửi thẳng Kafka.",
        "covers_not": "Đang đọc lại lịch sử; danh sách có thể còn thiếu.",
        "reasons": "Lý do, {days} ngày qua",
        "reason": "Lý do",
        "times": "Số lần",
        "field": "Trường",
        "at": "Lúc",
        "event": "Sự kiện",
        "door": "Đường gửi",
        "door_gateway": "cổng HTTP hoặc tệp",
        "door_kafka": "Kafka",
        "why": "Vì sao",
        "what_to_do": "Cách sửa",
        "original": "Bản gốc",
        "cut": "Bản gốc dài, chỉ hiện phần đầu; hãy sửa ở hệ thống của đơn vị rồi gửi lại.",
        "again": "đã gửi lại lúc {at}",
        "refused": "bị từ chối",
        "mend": "Sửa và gửi lại",
        "mend_hint": "Giữ nguyên id: gửi lại cùng id không bị tính hai lần.",
        "by_command": "Hoặc gửi bằng lệnh",
        "judge": "Thử xem có hợp lệ không",
        "resend": "Gửi",
        "judge_title": "Thử một sự kiện",
        "judge_hint": "Dán một sự kiện CloudEvents (JSON). Thử thì không gửi gì cả.",
        "event_text": "Sự kiện (JSON)",
        "would_accept": "Hợp lệ. Chưa gửi gì; bấm «Gửi» để gửi.",
        "would_duplicate": "Hợp lệ, nhưng sự kiện này đã nhận rồi: gửi nữa cũng không tính thêm.",
        "accepted": "Đã nhận: sự kiện đã nằm trong hệ thống.",
        "duplicate": "Đã nhận từ trước: không tính lần nữa.",
        "rejected": "Bị từ chối",
        "unavailable": "Hệ thống tạm thời chưa nhận được; chưa lưu gì. Hãy thử lại sau ít phút.",
        "too_often": "Gửi quá nhanh; hãy thử lại sau ít giây.",
        "back": "Quay lại",
        "refresh": "Cập nhật",
        "language": "English",
        "skip": "Tới nội dung",
        "not_here": "Nguồn này không thuộc đơn vị của bạn.",
        "more": "Xem chi tiết",
    },
    "en": {
        "title": "Page of a publishing department",
        "sign_in": "Sign in",
        "sign_out": "Sign out",
        "token": "Token of your department (ioc_…)",
        "token_hint": "Paste the token that the IOC gave you. You stay signed in for 30 minutes; the token is in no "
        "address and no cookie.",
        "bad_token": "The token is wrong or no longer valid. See that all of it was pasted; else ask the IOC for a new "
        "one.",
        "ended": "You are signed out. Please sign in again.",
        "foreign_form": "This form was not opened by your page. Reload the page and try again.",
        "sources": "Sources",
        "all_sources": "All sources",
        "quality": "Quality of the data",
        "target": "target",
        "province": "of the whole province",
        "on_time": "in time",
        "late": "late",
        "silent": "No figures yet of",
        "not_asked": "does not apply to this source",
        "to_fix": "To fix",
        "nothing_to_fix": "Nothing to fix.",
        "no_figures": "There are no quality figures yet: the service that computes them can't be read. "
        "This does not mean 100 %.",
        "stale_figures": "Quality figures were read at {at}, {age} ago; newer ones can't be read now.",
        "figures_at": "Quality figures were read at {at}.",
        "stale": "stale, last heard {at}",
        "rejects": "Events refused lately",
        "no_rejects": "No event was refused.",
        "covers": "Since {at}, through the gateway and straight through Kafka.",
        "covers_not": "Older ones are still being read; the list may be incomplete.",
        "reasons": "Reasons, the last {days} days",
        "reason": "Reason",
        "times": "Times",
        "field": "Field",
        "at": "At",
        "event": "Event",
        "door": "Sent by",
        "door_gateway": "HTTP or file",
        "door_kafka": "Kafka",
        "why": "Why",
        "what_to_do": "How to fix it",
        "original": "As it was sent",
        "cut": "It is long; only its beginning is shown. Mend it in your own system and send it again.",
        "again": "sent again at {at}",
        "refused": "refused",
        "mend": "Mend and send again",
        "mend_hint": "Keep the id: sent again under the same id it is not counted twice.",
        "by_command": "Or by a command",
        "judge": "Try whether it is valid",
        "resend": "Send",
        "judge_title": "Try an event",
        "judge_hint": "Paste one CloudEvent (JSON). Trying sends nothing.",
        "event_text": "Event (JSON)",
        "would_accept": "Valid. Nothing was sent; press “Send” to send it.",
        "would_duplicate": "Valid, but it came in before: sent once more it would not count again.",
        "accepted": "Accepted: the event is in the system.",
        "duplicate": "It came in before: it is not counted again.",
        "rejected": "Refused",
        "unavailable": "Events can't be taken at the moment; nothing was stored. Try again in a few minutes.",
        "too_often": "Too many at once; try again in a few seconds.",
        "back": "Back",
        "refresh": "Refresh",
        "language": "Tiếng Việt",
        "skip": "To the content",
        "not_here": "This source is not one of your department.",
        "more": "Details",
    },
}


def other(language: Language) -> Language:
    return "en" if language == "vi" else "vi"


def percent(value: float, language: Language) -> str:
    """One decimal, never rounded up to a whole that was not reached: 0.9999 is 99.9 %, not 100 %."""
    tenths = int(value * 1000 + 1e-9)
    text = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10:.1f}"
    return f"{_comma(text, language)}\u00a0%"


def count(value: float, language: Language) -> str:
    text = f"{value:,.0f}"
    return text.replace(",", ".") if language == "vi" else text


def local_time(moment: datetime) -> str:
    return moment.astimezone(LOCAL_ZONE).strftime("%H:%M:%S %d/%m/%Y")


def age(elapsed: timedelta, language: Language) -> str:
    minutes = max(0, int(elapsed.total_seconds())) // 60
    if minutes < 1:
        return "dưới một phút" if language == "vi" else "less than a minute"
    if minutes < 120:
        return f"{minutes} phút" if language == "vi" else f"{minutes} minutes"
    return f"{minutes // 60} giờ" if language == "vi" else f"{minutes // 60} hours"


def _comma(text: str, language: Language) -> str:
    return text.replace(".", ",") if language == "vi" else text
