"""What a publisher does about each reason for which an event was refused: one sentence in each language. Pure."""

from collections.abc import Mapping

__all__ = ["ADVICE", "advice_of"]

Advice = tuple[str, str]
"""(Vietnamese, English)"""

ADVICE: Mapping[str, Advice] = {
    "missing_field": (
        "Thêm trường còn thiếu rồi gửi lại với đúng mã sự kiện (id) cũ; mẫu đủ trường: `ioc publish --template LOẠI`.",
        "Add the missing field and send again under the same event id; a full sample: `ioc publish --template TYPE`.",
    ),
    "wrong_type": (
        "Gửi đúng kiểu: số không đặt trong ngoặc kép, đúng/sai là true/false, mã hành chính là chuỗi.",
        "Send the right type: numbers without quotes, true or false for yes and no, codes as text.",
    ),
    "not_allowed": (
        "Dùng đúng một giá trị trong danh sách cho phép của trường; xem lược đồ của loại sự kiện.",
        "Use one of the values that the field allows; see the schema of the event type.",
    ),
    "out_of_range": (
        "Kiểm tra đơn vị đo và dấu của con số (không âm, không quá 2^53), sửa rồi gửi lại với id cũ.",
        "Check the unit and the sign of the number (not negative, at most 2^53), then send again under the same id.",
    ),
    "bad_geometry": (
        "Xuất lại ranh giới theo WGS 84 (GeoJSON, [kinh độ, vĩ độ]), các đỉnh theo thứ tự quanh thửa, rồi gửi lại.",
        "Export the outline again as WGS 84 (GeoJSON, [longitude, latitude]), corners in order, and send it again.",
    ),
    "bad_json": (
        "Gửi JSON hợp lệ (UTF-8, không NaN, ngoặc kép thẳng); thử tệp trước bằng `ioc publish TỆP --dry-run`.",
        "Send valid JSON (UTF-8, no NaN, straight quotes); try the file first: `ioc publish FILE --dry-run`.",
    ),
    "not_utf8": (
        "Lưu tệp ở bảng mã UTF-8 rồi gửi lại.",
        "Save the file as UTF-8 and send it again.",
    ),
    "bad_header": (
        "Ghi các header ce_ bằng UTF-8.",
        "Write the ce_ headers as UTF-8.",
    ),
    "bad_id": (
        "Đặt id ngắn hơn 512 ký tự, không trống, không ký tự điều khiển; cùng một sự kiện luôn cùng một id.",
        "Give an id of 1 to 512 characters without control characters; the same event always has the same id.",
    ),
    "bad_version": (
        "Đặt specversion là 1.0.",
        "Set specversion to 1.0.",
    ),
    "too_large": (
        "Chia nhỏ: một sự kiện tối đa 256 KiB; gửi ảnh và tệp bằng đường dẫn, không nhúng vào sự kiện.",
        "Make it smaller: at most 256 KiB an event; send pictures and files by reference, not inside.",
    ),
    "bad_time": (
        "Ghi thời gian kèm múi giờ, ví dụ 2026-11-22T08:00:00+07:00.",
        "Write times with their offset, like 2026-11-22T08:00:00+07:00.",
    ),
    "time_in_future": (
        "Bật đồng bộ giờ (NTP) trên máy gửi, rồi gửi lại: giờ của sự kiện đang đi trước quá 15 phút.",
        "Switch time synchronisation (NTP) on at the sender and send again: its clock is over 15 minutes fast.",
    ),
    "time_too_old": (
        "Kiểm tra năm và định dạng ngày: thời gian trước mốc nhận dữ liệu của tỉnh.",
        "Check the year and the date's format: the time is before the province accepts data.",
    ),
    "too_late": (
        "Đừng gửi lại từng sự kiện; gửi số tổng hợp bằng indicator.reported.",
        "Do not send the events again; report the total as indicator.reported.",
    ),
    "unknown_type": (
        "Kiểm tra tên type; nếu là loại mới, đề nghị quản trị IOC thêm vào danh mục.",
        "Check the name of the type; where it is a new one, ask the IOC's administrator to add it.",
    ),
    "wrong_topic": (
        "Gửi vào đúng topic mà câu lỗi nêu.",
        "Send to the topic that the message names.",
    ),
    "foreign_source": (
        "Sửa source cho đúng họ của loại sự kiện: /TỈNH/HỌ hoặc bên dưới; không gửi thay đơn vị khác.",
        "Set source to the family of the event type: /PROVINCE/FAMILY or below; never send for somebody else.",
    ),
    "not_your_source": (
        "Dùng mã truy cập của chính đơn vị sở hữu nguồn, hoặc sửa source.",
        "Use the token of the department that owns the source, or mend the source.",
    ),
    "not_your_type": (
        "Đề nghị quản trị IOC thêm loại sự kiện này cho đơn vị trong publishers.yaml.",
        "Ask the IOC's administrator to allow this type for your department in publishers.yaml.",
    ),
    "product_type": (
        "Đừng gửi loại này: hệ thống tự ghi.",
        "Do not send this type: the product writes it itself.",
    ),
    "unknown_admin_unit": (
        "Dùng mã thống kê cấp xã hiện hành (sau 01/7/2025), ví dụ 24781.",
        "Use today's statistical code of the commune (since 2025-07-01), like 24781.",
    ),
    "unknown_camera": (
        "Kiểm tra camera_id; camera mới thì đề nghị quản trị IOC thêm vào cameras.yaml.",
        "Check camera_id; for a new camera ask the IOC's administrator to add it to cameras.yaml.",
    ),
    "entity_full": (
        "Tạm ngừng gửi: một đối tượng nhận quá nhiều sự kiện, phần mềm gửi có thể đang lặp.",
        "Stop sending: one entity gets too many events, the sender may be in a loop.",
    ),
    "internal_error": (
        "Không phải lỗi của đơn vị: chờ IOC sửa rồi IOC sẽ gửi lại.",
        "Not your fault: the IOC mends it and sends the event again.",
    ),
}
_OTHER: Advice = (
    "Sửa theo câu giải thích rồi gửi lại với đúng mã sự kiện (id) cũ.",
    "Mend what the message names and send again under the same event id.",
)


def advice_of(reason: str) -> Advice:
    """Returns what to do about `reason`, in Vietnamese and in English."""
    return ADVICE.get(reason, _OTHER)
