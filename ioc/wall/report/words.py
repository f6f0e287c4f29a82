"""The report's words in both languages."""

from typing import Final

from ioc.wall.panels import Language

__all__ = ["WORDS", "kind_name", "window_text"]

_BOTH: Final[dict[str, tuple[str, str]]] = {
    "title_day": ("Báo cáo điều hành ngày", "Daily report to leaders"),
    "title_month": ("Báo cáo điều hành tháng", "Monthly report to leaders"),
    "centre": ("Trung tâm điều hành thông minh (IOC)", "Intelligent Operations Centre (IOC)"),
    "made_at": ("Lập lúc", "Made at"),
    "page": ("Trang", "Page"),
    "span_open_day": (
        "NGÀY CHƯA KẾT THÚC: mọi số liệu trong báo cáo này là TẠM TÍNH.",
        "THE DAY IS NOT OVER: every figure of this report is PROVISIONAL.",
    ),
    "span_open_month": (
        "THÁNG CHƯA KẾT THÚC: mọi số liệu trong báo cáo này là TẠM TÍNH.",
        "THE MONTH IS NOT OVER: every figure of this report is PROVISIONAL.",
    ),
    "count_attention": ("không đạt và xấu đi", "missed and worse"),
    "count_missed": ("không đạt khác", "missed otherwise"),
    "count_met": ("đạt mục tiêu", "met their target"),
    "count_running": ("đang lũy kế", "still growing"),
    "count_no_target": ("không đặt mục tiêu", "without a target"),
    "count_no_figure": ("không có số liệu", "without a figure"),
    "attention": ("Cần lãnh đạo chú ý trước: không đạt mục tiêu và xấu đi", "First: missed their target and got worse"),
    "attention_none": (
        "Không có chỉ số nào vừa không đạt mục tiêu vừa xấu đi.",
        "No figure both missed its target and got worse.",
    ),
    "missed": (
        "Không đạt mục tiêu (không xấu đi, hoặc chưa so sánh được)",
        "Missed their target (not worse, or nothing to compare with)",
    ),
    "late": ("Trễ hạn có lý do, xét riêng", "Late with a reason, shown apart"),
    "late_note": (
        "Trễ có lý do: gia hạn kèm lý do và xong trong hạn mới. Không được cộng vào tỷ lệ đúng hạn.",
        "With a reason: extended with a reason, and done by the new date. It is never added to the share on time.",
    ),
    "on_time": ("Đúng hạn", "On time"),
    "late_explained": ("Trễ có lý do", "Late with a reason"),
    "late_unexplained": ("Trễ không lý do", "Late without a reason"),
    "late_other_cases": ("hai tỷ lệ không cùng đếm một số vụ", "the two do not count the same cases"),
    "incidents": ("Sự cố và thời gian xử lý", "Incidents and times to respond"),
    "incidents_none": ("Không có sự cố nào mở trong kỳ.", "No incident opened in this time."),
    "incidents_note": (
        "Thời gian tính từ khi sự cố mở: trung vị (dài nhất), theo sự cố đã có mốc đó.",
        "Times count from the opening: median (longest), of those that got so far.",
    ),
    "oncall_unreachable": (
        "KHÔNG ĐỌC ĐƯỢC lịch sử trực ban ({trouble}). Phần này thiếu; không có nghĩa là không có sự cố.",
        "On-call could NOT BE READ ({trouble}). This part is missing: that does not mean that nothing happened.",
    ),
    "incidents_cut": (
        "Trực ban chỉ trả về những sự cố mới nhất: danh sách của kỳ này KHÔNG ĐỦ.",
        "On-call listed its newest incidents only: those of this time are NOT COMPLETE.",
    ),
    "untold": (
        "Trực ban không cho biết: {times}. Dấu “—” ở các cột đó KHÔNG có nghĩa là chưa xảy ra.",
        "On-call does not tell: {times}. A “—” in these columns does NOT mean that it did not happen.",
    ),
    "exercises": ("Diễn tập (không tính vào trên)", "Exercises (not counted above)"),
    "exercises_none": ("Không có diễn tập.", "No exercises."),
    "kind": ("Loại", "Kind"),
    "incidents_count": ("Số vụ", "Incidents"),
    "still_open": ("Còn mở", "Still open"),
    "noticed": ("Báo tới người", "Somebody told"),
    "acknowledged": ("Tiếp nhận", "Acknowledged"),
    "resolved": ("Kết thúc", "Resolved"),
    "not_yet": ("chưa", "not yet"),
    "of": ("trên", "of"),
    "opened": ("Mở lúc", "Opened"),
    "place": ("Nơi", "Place"),
    "severity": ("Mức", "Severity"),
    "critical": ("NGHIÊM TRỌNG", "CRITICAL"),
    "warning": ("cảnh báo", "warning"),
    "info": ("thông tin", "info"),
    "slowest": ("Còn mở, nặng và chậm nhất trước", "Open ones first, then the gravest and slowest"),
    "cameras": ("Độ phủ camera", "Coverage of cameras"),
    "cameras_units": ("Đơn vị thấp nhất", "Lowest units"),
    "silent": ("Nguồn dữ liệu im lặng quá lời hứa", "Sources silent longer than they promised"),
    "silent_none": (
        "Mọi nguồn đã biết ({sources}) đều có tin đúng lời hứa.",
        "Every known source ({sources}) was heard as promised.",
    ),
    "silent_of": ("{silent} trong {sources} nguồn đã biết", "{silent} of {sources} known sources"),
    "silent_unknown": (
        "Ngày cuối kỳ chưa chốt sổ: chưa thể nói nguồn nào im lặng.",
        "The last day is not closed: nobody can say yet which source stayed silent.",
    ),
    "source": ("Nguồn", "Source"),
    "last_heard": ("Ngày cuối có tin", "Last day heard"),
    "promise": ("Đã hứa mỗi", "Promised every"),
    "never": ("chưa bao giờ (theo sổ)", "never (as the log goes)"),
    "all_figures": ("Mọi chỉ số theo lĩnh vực", "All figures by family"),
    "ranks": ("Xếp hạng đơn vị", "Units side by side"),
    "ranks_note": (
        "Bằng điểm thì cùng hạng. (*) mẫu số dưới {few}: hạng ít ý nghĩa. Số trong ngoặc: tử số/mẫu số.",
        "Equal values share a rank. (*) fewer than {few} cases: the rank says little. "
        "In brackets: numerator/denominator.",
    ),
    "ranks_none": (
        "Không có chỉ số nào có số liệu của từ hai đơn vị.",
        "No figure has values of two units or more.",
    ),
    "rank": ("Hạng {place}/{units}", "Rank {place}/{units}"),
    "best": ("Tốt nhất", "Best"),
    "worst": ("Kém nhất", "Worst"),
    "highest": ("Cao nhất", "Highest"),
    "lowest": ("Thấp nhất", "Lowest"),
    "all_equal": ("tất cả bằng nhau", "all equal"),
    "units": ("đơn vị", "units"),
    "and_more": ("và {more} đơn vị nữa", "and {more} more"),
    "without_value": ("không có số: {units} đơn vị", "without a value: {units} units"),
    "older_period": ("của kỳ {period}", "of {period}"),
    "indicator": ("Chỉ số", "Figure"),
    "window": ("Kỳ", "Period"),
    "value": ("Giá trị", "Value"),
    "ratio_parts": ("Tử/mẫu", "Num./den."),
    "target": ("Mục tiêu", "Target"),
    "verdict": ("Kết luận", "Verdict"),
    "before": ("So kỳ trước", "Against before"),
    "year_before": ("So cùng kỳ năm trước", "Against a year before"),
    "marks": ("Ghi chú", "Marks"),
    "owner": ("Theo dõi", "Watched by"),
    "weakest": ("Đơn vị kém nhất", "Weakest units"),
    "v_met": ("✓ đạt", "✓ met"),
    "v_missed": ("✗ KHÔNG ĐẠT", "✗ MISSED"),
    "v_running": ("… đang lũy kế", "… growing"),
    "v_no_target": ("không đặt mục tiêu", "no target"),
    "v_no_figure": ("không có số", "no figure"),
    "c_better": ("tốt hơn", "better"),
    "c_worse": ("XẤU HƠN", "WORSE"),
    "c_same": ("như trước", "the same"),
    "c_changed": ("đổi", "changed"),
    "c_not_comparable": ("kỳ chưa hết, không so", "period not over"),
    "c_unknown": ("chưa có để so", "nothing to compare"),
    "other_rule": ("quy tắc tính đã đổi", "other rule"),
    "m_provisional": ("TẠM TÍNH", "PROVISIONAL"),
    "m_stale": ("CŨ", "STALE"),
    "m_manual": ("NHẬP TAY", "MANUAL"),
    "m_corrected": ("ĐÃ SỬA, trước là {value}", "CORRECTED, was {value}"),
    "m_snapshot": ("chụp thời điểm, tính đến {as_of}, {method}", "snapshot as of {as_of}, {method}"),
    "m_few": ("ít mẫu", "few cases"),
    "m_never": ("sổ không có kỳ này", "not in the log"),
    "m_nothing": ("mẫu số bằng 0", "nothing to divide by"),
    "by_hand": ("nhập tay", "typed by hand"),
    "automatic": ("tự động", "automatic"),
    "p95_of": ("p95 của {n} mẫu", "p95 of {n} samples"),
    "how_to_read": ("Cách đọc", "How to read this"),
    "legend": (
        "Số liệu lấy nguyên từ sổ chỉ số ioc.kpi.values; báo cáo không tự tính chỉ số. TẠM TÍNH: kỳ chưa kết thúc "
        "hoặc chưa chốt. CŨ: khi chốt, dữ liệu đã quá hạn cập nhật. NHẬP TAY: có phần do người nhập. ĐÃ SỬA: dữ liệu "
        "về muộn làm đổi số đã chốt. Mục tiêu là mục tiêu có hiệu lực vào ngày cuối kỳ. Tra một con số đến từng hồ sơ: "
        "ioc kpi explain.",
        "Figures are those of the KPI log ioc.kpi.values; the report computes none. PROVISIONAL: the period was not "
        "over or is not closed. STALE: at its end the data was older than promised. MANUAL: some of it was typed. "
        "CORRECTED: late data changed a closed figure. Targets are those in force on the last day. Down to the cases: "
        "ioc kpi explain.",
    ),
}

WORDS: Final[dict[Language, dict[str, str]]] = {
    "vi": {name: both[0] for name, both in _BOTH.items()},
    "en": {name: both[1] for name, both in _BOTH.items()},
}

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "smoke": ("Khói, cháy", "Smoke, fire"),
    "construction": ("Nghi vi phạm xây dựng", "Suspected construction breach"),
    "camera_health": ("Camera hỏng, bị che", "Camera fault"),
    "canary_silent": ("Tín hiệu kiểm tra im lặng", "Canary silent"),
    "alerts_silent": ("Prometheus im lặng", "Prometheus silent"),
    "alerts_truncated": ("Cảnh báo bị cắt bớt", "Alerts cut short"),
    "oncall_config_broken": ("Cấu hình trực ban hỏng", "On-call configuration broken"),
    "term_overdue": ("Hồ sơ quá hạn", "Case overdue"),
    "test": ("Thử kênh", "Channel test"),
}

_TOLD_WINDOWS: Final[dict[str, tuple[str, str]]] = {
    "day": ("ngày {period}", "day {period}"),
    "mtd": ("tháng {period}", "month {period}"),
    "qtd": ("{period}", "quarter {period}"),
    "ytd": ("năm {period}", "year {period}"),
    "now": ("cuối ngày {period}", "end of {period}"),
}


def kind_name(kind: str, language: Language) -> str:
    """A kind that a province has added is called by its id."""
    both = _KINDS.get(kind)
    return kind.replace("_", " ") if both is None else both[0 if language == "vi" else 1]


def window_text(window: str, period: str, language: Language) -> str:
    """What a figure's period is called: `mtd` and 11/2026 → "tháng 11/2026"; rolling: "30 ngày đến 21/11/2026"."""
    both = _TOLD_WINDOWS.get(window, (f"{window[1:-1]} ngày đến {{period}}", f"{window[1:-1]} days to {{period}}"))
    return both[0 if language == "vi" else 1].format(period=period)
