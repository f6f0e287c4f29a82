"""What families, units and windows are called in both languages, and how an amount is written."""

from typing import Final

from grafana_foundation_sdk.models import units

from ioc.wall.panels import KpiPanel, Language

__all__ = ["amount_text", "family_name", "family_order", "grafana_unit", "unit_name", "window_name"]

_FAMILIES: Final[dict[str, tuple[str, str]]] = {
    "public_services": ("Dịch vụ công", "Public services"),
    "citizen_reports": ("Phản ánh hiện trường", "Citizen reports"),
    "camera_ai": ("Camera quan sát", "Cameras"),
    "ioc_platform": ("Trung tâm và nguồn dữ liệu", "The centre and its sources"),
    "e_office": ("Văn bản điện tử", "Electronic documents"),
    "lgsp": ("Trục tích hợp LGSP", "Integration axis LGSP"),
    "wan_tslcd": ("Mạng TSLCD", "TSLCD network"),
    "telecom": ("Viễn thông", "Telecoms"),
    "ipv6": ("IPv6", "IPv6 transition"),
    "soc": ("An toàn thông tin", "Information security"),
    "video_conference": ("Họp trực tuyến", "Video conferences"),
    "digital_signature_eid": ("Chữ ký số, định danh điện tử", "Signatures and electronic identity"),
    "cashless": ("Thanh toán không tiền mặt", "Cashless payment"),
    "e_commerce": ("Thương mại điện tử", "E-commerce"),
    "postal": ("Bưu chính", "Post"),
    "community_teams": ("Tổ công nghệ số cộng đồng", "Community digital teams"),
    "media": ("Truyền thanh, báo chí", "Media"),
    "e_health": ("Y tế số", "Digital health"),
    "education": ("Giáo dục", "Education"),
    "disaster": ("Thiên tai, cứu hộ", "Disasters and rescue"),
    "violations": ("Xử lý vi phạm", "Violations"),
    "tourism": ("Du lịch", "Tourism"),
}

_UNITS: Final[dict[str, tuple[str, str]]] = {
    "accounts": ("tài khoản", "accounts"),
    "cameras": ("camera", "cameras"),
    "cases": ("vụ", "cases"),
    "centres": ("trung tâm", "centres"),
    "certificates": ("chứng thư", "certificates"),
    "dossiers": ("hồ sơ", "dossiers"),
    "guests": ("lượt khách", "guests"),
    "incidents": ("sự cố", "incidents"),
    "items": ("tin, bài", "items"),
    "minutes": ("phút", "minutes"),
    "orders": ("đơn hàng", "orders"),
    "points": ("điểm", "points"),
    "products": ("sản phẩm", "products"),
    "reports": ("phản ánh", "reports"),
    "services": ("dịch vụ", "services"),
    "sites": ("điểm", "sites"),
    "stations": ("trạm", "stations"),
    "tasks": ("việc", "tasks"),
    "transactions": ("giao dịch", "transactions"),
}

# The catalogue's word for people → Grafana's for the unit that the metric is exported in.
_MEASURES: Final = {
    "ratio": units.PercentUnit,
    "seconds": units.Seconds,
    "megabits_per_second": units.BitsPerSecondSI,
    "kilometres": units.Meter,
}

_WINDOWS: Final[dict[str, tuple[str, str]]] = {
    "now": ("hiện tại", "now"),
    "5m": ("5 phút", "5 minutes"),
    "1h": ("1 giờ", "1 hour"),
    "day": ("hôm nay", "today"),
    "mtd": ("tháng này", "this month"),
    "qtd": ("quý này", "this quarter"),
    "ytd": ("năm nay", "this year"),
}


def family_name(family: str, language: Language) -> str:
    """A family that a province has added is called by its id."""
    return _in(_FAMILIES.get(family), family, language)


def family_order(family: str) -> tuple[int, str]:
    """Sorts families as the wall shows them; unknown ones come last."""
    return (list(_FAMILIES).index(family) if family in _FAMILIES else len(_FAMILIES), family)


def unit_name(unit: str, language: Language) -> str:
    return _in(_UNITS.get(unit), unit, language)


def grafana_unit(kpi: KpiPanel, language: Language) -> str:
    """How Grafana writes the metric's values: per cent, durations, bits, metres, or a count with its word."""
    return _MEASURES.get(kpi.unit) or f"suffix: {unit_name(kpi.unit, language)}"


def window_name(window: str, language: Language) -> str:
    """`mtd` → "tháng này"; a rolling `r30d` → "30 ngày qua"; an unknown code stays as it is."""
    if window.startswith("r") and window.endswith("d") and window[1:-1].isdigit():
        return f"{window[1:-1]} ngày qua" if language == "vi" else f"last {window[1:-1]} days"
    return _in(_WINDOWS.get(window), window, language)


def amount_text(kpi: KpiPanel, amount: float, language: Language) -> str:
    """An amount in the metric's own unit as people read it: 0.985 → 98.5 %, 7200 s → 2 h, 2e8 bit/s → 200 Mbit/s."""
    match kpi.unit:
        case "ratio":
            number, unit = amount * 100, "%"
        case "seconds":
            number, unit = _duration(amount, language)
        case "megabits_per_second":
            number, unit = amount / 1e6, "Mbit/s"
        case "kilometres":
            number, unit = amount / 1e3, "km"
        case _:
            number, unit = amount, unit_name(kpi.unit, language)
    text = f"{number:.10g} {unit}"
    return text.replace(".", ",") if language == "vi" else text


def _duration(seconds: float, language: Language) -> tuple[float, str]:
    if seconds < 120:
        return seconds, "s"
    if seconds < 7_200:
        return seconds / 60, "phút" if language == "vi" else "min"
    return seconds / 3_600, "giờ" if language == "vi" else "h"


def _in(names: tuple[str, str] | None, fallback: str, language: Language) -> str:
    return fallback.replace("_", " ") if names is None else names[0 if language == "vi" else 1]
