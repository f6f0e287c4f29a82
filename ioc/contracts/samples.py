"""A value for each field, as a department would write it. Pure."""

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ioc.event_types import EventType, FieldSpec

if TYPE_CHECKING:
    from ioc.catalog import Catalog

__all__ = ["SAMPLE_TIME", "Samples"]

SAMPLE_TIME = "2026-11-22T08:00:00+07:00"
SAMPLE_DAY = date(2026, 11, 22)
_BY_TYPE: dict[str, Any] = {
    "integer": 12,
    "number": 12.5,
    "boolean": True,
    "time": SAMPLE_TIME,
    "date": "2026-11-22",
    "date_or_time": "2026-11-22",
    "list": ["a", "b"],
}
_NESTED: dict[str, Any] = {
    "geo": {"type": "Point", "coordinates": [108.4419, 11.9465]},
    "polygon": {
        "type": "Polygon",
        "coordinates": [[[108.44, 11.94], [108.45, 11.94], [108.45, 11.95], [108.44, 11.94]]],
    },
    "bbox": [0.52, 0.31, 0.08, 0.05],
    "area": [{"areaDesc": "Các xã ven sông"}],
    "references": [],
    "ellipse": {"semi_major_m": 350.0, "semi_minor_m": 90.0, "azimuth_deg": 41.5},
    "sightings": [{"camera_id": "cam-01", "pose_id": "p0", "azimuth_deg": 212.5, "azimuth_sd_deg": 0.6}],
    "evidence": ["frames/cam-01/p0/1042.jpg"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Sample values in the words of one province: its name, one of its communes, one of its cameras."""

    province: str = "lam-dong"
    unit: str = "24781"
    camera: str = "cam-01"

    @classmethod
    def of(cls, catalog: "Catalog") -> "Samples":
        """The province's own; a camera of its own only where one is registered."""
        units = sorted(unit.code for unit in catalog.geography.in_force(SAMPLE_DAY))
        return cls(
            province=catalog.province,
            unit=next((code for code in (cls().unit, *units) if code in units), cls().unit),
            camera=next(iter(catalog.cameras), cls().camera),
        )

    def value(self, spec: FieldSpec) -> Any:
        """Returns the field's own example, else one that its type allows."""
        if spec.example is not None:
            return list(spec.example) if isinstance(spec.example, tuple) else spec.example
        if spec.enum:
            return spec.enum[0]
        match spec.type:
            case "admin_unit":
                return self.unit
            case "camera":
                return self.camera
            case "any":
                return _NESTED.get(spec.name, {})
            case "integer" | "number":
                return _within(_BY_TYPE[spec.type], spec.minimum, spec.maximum)
        return _BY_TYPE.get(spec.type, f"{spec.name}-001")

    def text(self, spec: FieldSpec) -> str:
        """The sample as a cell of a table: a list's parts with a semicolon between, anything nested as JSON."""
        value = self.value(spec)
        if isinstance(value, bool):
            return "true" if value else "false"
        if spec.type == "list":
            return ";".join(map(str, value))
        if spec.type == "any":
            return json.dumps(value, ensure_ascii=False)
        return str(value)

    def data(self, event_type: EventType) -> dict[str, Any]:
        """The data of an event with every field told."""
        return {spec.name: self.value(spec) for spec in event_type.fields}

    def event(self, event_type: EventType) -> dict[str, Any]:
        """A whole event in structured mode."""
        return {
            "specversion": "1.0",
            "id": f"{event_type.name}-0001",
            "source": f"/{self.province}/{event_type.family}",
            "type": event_type.ce_type,
            "time": SAMPLE_TIME,
            "datacontenttype": "application/json",
            "data": self.data(event_type),
        }


def _within(value: float, lowest: int | None, highest: int | None) -> float:
    if highest is not None and value > highest:
        return highest
    return lowest if lowest is not None and value < lowest else value
