"""CAP documents for tests."""

from collections.abc import Mapping

__all__ = ["INFO_EN", "INFO_VI", "document", "info", "storm"]

_NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

AREA = (
    "<area><areaDesc>Đà Lạt</areaDesc><polygon>11.90,108.40 11.90,108.50 11.99,108.50 11.90,108.40</polygon>"
    "<geocode><valueName>VN-GSO</valueName><value>24781</value></geocode></area>"
)


def info(language: str = "vi-VN", *, without: str = "", area: str = AREA, **other: str) -> str:
    values = {
        "language": language,
        "category": "Met",
        "event": "Mưa lớn" if language.startswith("vi") else "Heavy rain",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "expires": "2026-11-23T08:00:00+07:00",
        "headline": "Mưa lớn ở Đà Lạt" if language.startswith("vi") else "Heavy rain in Da Lat",
        **other,
    }
    return f"<info>{''.join(f'<{k}>{v}</{k}>' for k, v in values.items() if k != without)}{area}</info>"


INFO_VI, INFO_EN = info("vi-VN"), info("en-US")


def document(values: Mapping[str, str | None], infos: str = INFO_VI + INFO_EN, *, namespace: str = _NAMESPACE) -> bytes:
    """A storm's alert with `values` in place of its own (None leaves the element out)."""
    whole: dict[str, str | None] = {
        "identifier": "pctt-2026-0001",
        "sender": "pctt@lamdong.gov.vn",
        "sent": "2026-11-22T08:00:00+07:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        **values,
    }
    head = "".join(f"<{name}>{value}</{name}>" for name, value in whole.items() if value is not None)
    return f'<?xml version="1.0" encoding="UTF-8"?><alert xmlns="{namespace}">{head}{infos}</alert>'.encode()


def storm(**values: str | None) -> bytes:
    return document(values)
