"""Permits as departments publish them: `permit.construction` to a `Permit`, every wrong value named. Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast, get_args

from shapely import MultiPolygon, Polygon, is_valid_reason
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from ioc.errors import InvalidRecord
from ioc.ground import VIETNAM_LATITUDES, VIETNAM_LONGITUDES
from ioc.permits.registry import Permit, PermitStatus
from ioc.windows import LOCAL_ZONE

__all__ = ["permit_of_event", "read_outline"]

_OPEN_END = date(9999, 12, 31)
_OPEN_BEGIN = date(1, 1, 1)


def permit_of_event(data: Mapping[str, Any]) -> Permit:
    """Returns the permit of an event's data, as the catalogue's `permit.construction` names its fields.

    A date that is left out is an open end; a status that is left out is `valid`.

    Raises:
        InvalidRecord: `missing_field`, `not_allowed` (a status), `out_of_range` (floors), `bad_time` or `bad_geometry`.
    """
    first, last = _day(data, "valid_from") or _OPEN_BEGIN, _day(data, "valid_to") or _OPEN_END
    if last < first:
        raise InvalidRecord(
            "bad_time",
            field="valid_to",
            vi=f"valid_to {last} đứng trước valid_from {first}; kiểm tra hai ngày có bị đổi chỗ không.",
            en=f"valid_to {last} is before valid_from {first}: are the two dates swapped?",
        )
    status = data.get("status") or "valid"
    if status not in get_args(PermitStatus):
        raise InvalidRecord(
            "not_allowed",
            field="status",
            vi=f"status={str(status)[:40]!r} không có; dùng một trong {', '.join(get_args(PermitStatus))}.",
            en=f"status={str(status)[:40]!r} is none of {', '.join(get_args(PermitStatus))}",
        )
    polygon = data.get("polygon")
    return Permit(
        permit_id=_text(data, "permit_id", is_needed=True),
        parcel_id=_text(data, "parcel_id", is_needed=False),
        valid_from=first,
        valid_to=last,
        status=cast(PermitStatus, status),
        floors=_floors(data),
        outline=None if polygon is None else read_outline(polygon),
    )


def read_outline(geometry: object, *, field: str = "polygon") -> Polygon:
    """Returns a GeoJSON Polygon (also as a Feature, or the only part of a MultiPolygon) in longitude and latitude.

    Raises:
        InvalidRecord: `bad_geometry`: no such GeoJSON, an outline that crosses itself, latitude before longitude, or a
            place outside Vietnam.
    """
    if isinstance(geometry, Mapping) and geometry.get("type") == "Feature":
        geometry = geometry.get("geometry")
    outline: BaseGeometry | None
    try:
        outline = shape(cast(dict[str, Any], geometry))
        if isinstance(outline, MultiPolygon) and len(outline.geoms) == 1:
            outline = outline.geoms[0]
    except (ShapelyError, AttributeError, TypeError, ValueError, KeyError, IndexError, RecursionError):
        outline = None
    if not isinstance(outline, Polygon) or outline.is_empty:
        raise _bad(field, "không phải GeoJSON Polygon có ít nhất ba đỉnh", "is no GeoJSON Polygon with three corners")
    if not outline.is_valid:
        reason = is_valid_reason(outline)
        raise _bad(
            field,
            f"có ranh giới tự cắt ({reason}); vẽ lại các đỉnh theo thứ tự quanh thửa",
            f"crosses itself ({reason}): give the corners in their order around the parcel",
        )
    west, south, east, north = outline.bounds
    if _within((west, east), VIETNAM_LONGITUDES) and _within((south, north), VIETNAM_LATITUDES):
        return outline
    if _within((west, east), VIETNAM_LATITUDES) and _within((south, north), VIETNAM_LONGITUDES):
        raise _bad(
            field,
            "ghi vĩ độ trước kinh độ; GeoJSON ghi [kinh độ, vĩ độ]",
            "has latitude before longitude; GeoJSON says [longitude, latitude]",
        )
    raise _bad(
        field,
        f"nằm ngoài Việt Nam ({west:.4f}, {south:.4f}); cần WGS 84 theo độ, không phải VN-2000 theo mét",
        f"lies outside Vietnam ({west:.4f}, {south:.4f}): WGS 84 in degrees is needed, not VN-2000 in metres",
    )


def _within(values: tuple[float, float], bounds: tuple[float, float]) -> bool:
    return bounds[0] <= values[0] <= values[1] <= bounds[1]


def _bad(field: str, vi: str, en: str) -> InvalidRecord:
    return InvalidRecord("bad_geometry", field=field, vi=f"{field} {vi}.", en=f"{field} {en}")


def _text(data: Mapping[str, Any], name: str, *, is_needed: bool) -> str:
    value = data.get(name)
    if isinstance(value, str) and value.strip() and len(value) <= 200:
        return value.strip()
    if value is None and not is_needed:
        return ""
    raise InvalidRecord(
        "missing_field",
        field=name,
        vi=f"Thiếu {name} của giấy phép xây dựng.",
        en=f"the permit has no {name}",
    )


def _floors(data: Mapping[str, Any]) -> int | None:
    value = data.get("floors")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 200:
        return value
    raise InvalidRecord(
        "out_of_range",
        field="floors",
        vi=f"floors={str(value)[:40]!r} không phải số tầng (số nguyên từ 0).",
        en=f"floors={str(value)[:40]!r} is no number of floors (an integer from 0)",
    )


def _day(data: Mapping[str, Any], name: str) -> date | None:
    """The local day of a date, or of a time with an offset."""
    value = data.get(name)
    if value is None:
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(LOCAL_ZONE).date()
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidRecord(
        "bad_time",
        field=name,
        vi=f"{name}={str(value)[:40]!r} không phải ngày (2026-11-22) hay thời điểm có múi giờ.",
        en=f"{name}={str(value)[:40]!r} is no day (2026-11-22) and no time with an offset",
    )
