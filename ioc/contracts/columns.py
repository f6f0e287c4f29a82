"""The columns of a table of events, for templates that people fill in. Pure."""

from dataclasses import dataclass

from ioc.contracts.samples import Samples
from ioc.event_types import EventType

__all__ = ["ColumnDoc", "template_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDoc:
    """One column: a field of the event's data. `enum` holds the values allowed, as text; `example` is one cell."""

    name: str
    title_vi: str
    title_en: str
    required: bool
    type: str
    enum: tuple[str, ...]
    example: str


def template_columns(event_type: EventType, samples: Samples | None = None) -> list[ColumnDoc]:
    """Returns a column for each field, in the catalogue's order; required ones first, so that they are not missed.

    `samples`: whose communes and cameras the examples name (`Samples.of(catalog)`); else the starting catalogue's.
    """
    tell = samples or Samples()
    columns = [
        ColumnDoc(
            name=spec.name,
            title_vi=spec.vi or spec.name,
            title_en=spec.en or spec.name,
            required=spec.is_required,
            type="enum" if spec.enum else spec.type,
            enum=tuple(map(str, spec.enum)),
            example=tell.text(spec),
        )
        for spec in event_type.fields
    ]
    return sorted(columns, key=lambda column: not column.required)
