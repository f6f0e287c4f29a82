"""Why a camera gives no picture, in the words of those who must mend it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["REASONS", "Reason", "reason_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What is wrong and what to do, in Vietnamese and English."""

    vi: str
    en: str


def reason_of(code: str) -> Reason:
    """Returns the sentences of a code; a code that nobody described speaks for itself."""
    return REASONS.get(code) or Reason(vi=code, en=code)


REASONS: Mapping[str, Reason] = {
    "unreachable": Reason(
        vi="Không kết nối được tới camera: kiểm tra nguồn điện, mạng, địa chỉ và cổng.",
        en="no connection to the camera: check its power, the network, address and port",
    ),
    "timeout": Reason(
        vi="Camera không trả lời kịp: đường truyền nghẽn hoặc camera treo; thử khởi động lại camera.",
        en="the camera does not answer in time: a crowded line, or it hangs; try restarting it",
    ),
    "unauthorized": Reason(
        vi="Camera từ chối tài khoản hoặc mật khẩu: kiểm tra user và password_file.",
        en="the camera refuses the user or password: check user and password_file",
    ),
    "not_found": Reason(
        vi="Camera không có luồng tại đường dẫn này: kiểm tra phần sau tên máy trong url.",
        en="the camera has no stream at this path: check what follows the host in url",
    ),
    "not_rtsp": Reason(
        vi="Có máy trả lời nhưng không nói RTSP, hoặc đóng ngay: kiểm tra địa chỉ và cổng (thường là 554).",
        en="something answers, but does not speak RTSP or hangs up at once: check address and port (usually 554)",
    ),
    "no_video": Reason(
        vi="Luồng không có hình: chọn luồng video trong url.",
        en="the stream has no picture: name a video stream in url",
    ),
    "no_picture": Reason(
        vi="Có dữ liệu nhưng không giải mã được hình nào: đặt khoảng I-frame của camera ngắn hơn (2 giây).",
        en="data comes but no picture can be made of it: set the camera's I-frame interval shorter (2 s)",
    ),
    "bad_stream": Reason(
        vi="Luồng hỏng hoặc đổi chuẩn nén giữa chừng: kiểm tra đường truyền, đặt camera về H.264.",
        en="the stream is broken, or changes its codec midway: check the line, set the camera to H.264",
    ),
    "ended": Reason(
        vi="Camera tự đóng luồng: có thể đang khởi động lại, hoặc quá nhiều người xem cùng lúc.",
        en="the camera closed the stream: it may be restarting, or too many watch at once",
    ),
    "silent": Reason(
        vi="Tiến trình đọc camera im lặng và đã bị dừng; đang thử lại.",
        en="the process that reads the camera fell silent and was ended; it is tried again",
    ),
    "crashed": Reason(
        vi="Tiến trình đọc camera chết vì luồng này; đang thử lại. Cập nhật phần mềm camera nếu lặp lại.",
        en="the process that reads the camera died of this stream; it is tried again. Update the camera's firmware if "
        "it comes again",
    ),
    "no_process": Reason(
        vi="Máy không tạo được tiến trình đọc camera: kiểm tra bộ nhớ và giới hạn tiến trình.",
        en="this machine could not start a process for the camera: check its memory and process limits",
    ),
    "frame_size": Reason(
        vi="Khung hình quá lớn: chọn luồng phụ hoặc giảm độ phân giải.",
        en="the picture is too large: choose the substream or a lower resolution",
    ),
    "frame_too_large": Reason(
        vi="Ảnh vượt 8 MiB: giảm chất lượng JPEG của camera.",
        en="a picture is over 8 MiB: lower the camera's JPEG quality",
    ),
    "redirect": Reason(
        vi="Camera chuyển hướng sang địa chỉ khác: ghi thẳng địa chỉ cuối vào url.",
        en="the camera redirects to another address: write the final one in url",
    ),
    "http_status": Reason(
        vi="Camera trả lời lỗi HTTP: kiểm tra đường dẫn trong url.",
        en="the camera answers with an HTTP error: check the path in url",
    ),
    "unknown_pose": Reason(
        vi="Không rõ camera đang ở góc nào nên ảnh không được dùng: kiểm tra lịch, địa chỉ báo góc hoặc ảnh mẫu.",
        en="it is not known which pose the camera looks from, so the picture is not used: check the schedule, the "
        "sidecar or the reference pictures",
    ),
}
