"""What GeoReport v2 answers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ioc.catalog import Catalog
from ioc.gateway.open311_form import UNIT_ATTRIBUTE
from ioc.gateway.open311_index import Report
from ioc.gateway.open311_services import ReportService
from ioc.gateway.problems import Language
from ioc.geography import Geography, Unit
from ioc.windows import LOCAL_ZONE

__all__ = ["discovery", "service_definition", "service_list", "shown", "token_answer"]

_UNIT_CODE = UNIT_ATTRIBUTE.removeprefix("attribute[").removesuffix("]")
_SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
_CHANGESET = "2026-11-22T00:00:00+07:00"  # of this door; change it with the door


def discovery(catalog: Catalog, url: str) -> dict[str, Any]:
    formats = ["application/json", "text/xml"]
    endpoint = {
        "specification": _SPECIFICATION,
        "url": url,
        "changeset": _CHANGESET,
        "type": "production",
        "formats": formats,
    }
    return {
        "changeset": _CHANGESET,
        "contact": f"{catalog.name_vi} / {catalog.name_en}",
        "key_service": "ioc gateway token issue NAME",
        "endpoints": [endpoint],
    }


def service_list(kinds: Iterable[ReportService], language: Language) -> list[dict[str, Any]]:
    return [
        {
            "service_code": kind.code,
            "service_name": kind.name(language),
            "description": kind.description(language),
            "metadata": True,
            "type": "realtime",
            "keywords": ",".join(kind.keywords),
            "group": "",
        }
        for kind in kinds
    ]


def service_definition(kind: ReportService, units: Sequence[Unit], language: Language) -> dict[str, Any]:
    """One attribute: the commune, since the catalogue knows no borders and a place on the map does not tell it."""
    descriptions = {
        "vi": ("Xã, phường, đặc khu nơi xảy ra sự việc", "Mã thống kê cấp xã"),
        "en": ("The commune, ward or special zone where it is", "Statistical code of the commune"),
    }
    description, kind_of_data = descriptions[language]
    attribute = {
        "variable": True,
        "code": _UNIT_CODE,
        "datatype": "singlevaluelist",
        "required": True,
        "datatype_description": kind_of_data,
        "order": 1,
        "description": description,
        "values": [{"key": unit.code, "name": unit.name_vi if language == "vi" else unit.name_en} for unit in units],
    }
    return {"service_code": kind.code, "attributes": [attribute]}


def shown(report: Report, names: Mapping[str, str], geography: Geography, *, is_whole: bool) -> dict[str, Any]:
    """A report as GeoReport shows it; what a citizen wrote only where `is_whole`."""
    unit = geography.unit(report.admin_unit)
    requested, updated = report.requested_at, report.updated_at
    return {
        "service_request_id": report.report_id,
        "status": report.state,
        "status_notes": ": ".join(text for text in (report.status, report.reason) if text) or None,
        "service_name": names.get(report.service_code, report.service_code),
        "service_code": report.service_code,
        "description": report.description if is_whole and report.description else None,
        "agency_responsible": report.agency or None,
        "service_notice": None,
        "requested_datetime": None if requested is None else requested.astimezone(LOCAL_ZONE).isoformat(),
        "updated_datetime": None if updated is None else updated.astimezone(LOCAL_ZONE).isoformat(),
        "expected_datetime": report.due_at or None,
        "address": report.place.address if is_whole and report.place.address else (unit.name_vi if unit else None),
        "address_id": report.admin_unit or None,
        "zipcode": None,
        "lat": report.place.latitude,
        "long": report.place.longitude,
        "media_url": report.media_url if is_whole and report.media_url else None,
    }


def token_answer(token: str) -> list[dict[str, Any]]:
    return [{"service_request_id": token, "token": token}]
