"""Event types as the catalogue declares them, and the typed decoder's struct of each."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec

from ioc.errors import ConfigurationError

__all__ = ["LARGEST_INTEGER", "EventType", "FieldSpec", "FieldType", "StoredValue", "struct_of"]

LARGEST_INTEGER = 2**53  # what a double holds exactly, and what fits every store on the way
StoredValue = int | float | str | bool | None | list[str]
FieldType = Literal[
    "string", "integer", "number", "boolean", "time", "date", "date_or_time", "admin_unit", "camera", "list", "any"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of an event type. `enum`, where not empty, takes the place of `type`.

    `vi`, `en`: what it is, for people. `example`: a value as a department would write it, None where the type says it.
    """

    name: str
    type: FieldType = "string"
    enum: tuple[str | int, ...] = ()
    is_required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    vi: str = field(default="", compare=False)
    en: str = field(default="", compare=False)
    example: str | int | float | bool | tuple[str, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A type of event as the catalogue declares it. `number` is its stable place in the catalogue's file.

    Titles and descriptions are for people: they play no part in comparing two types.
    """

    number: int
    name: str
    ce_type: str
    topic: str
    partition_key: str
    kind: str
    entity: str
    entity_key: tuple[str, ...]
    time_field: str
    fields: tuple[FieldSpec, ...]
    fact_times: tuple[str, ...] = ()
    department: str = field(default="", compare=False)
    title_vi: str = field(default="", compare=False)
    title_en: str = field(default="", compare=False)
    description_vi: str = field(default="", compare=False)
    description_en: str = field(default="", compare=False)
    stored: tuple[str, ...] = field(init=False)
    is_state: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_state", self.kind == "state")
        object.__setattr__(self, "stored", tuple(spec.name for spec in self.fields if spec.type != "any"))

    @property
    def family(self) -> str:
        """The second word of the topic: the first word of every source that may publish here, after the province."""
        return self.topic.split(".")[1]

    def position(self, name: str) -> int:
        """Where `name` stands in an event's values. Raises KeyError where it is not stored."""
        try:
            return self.stored.index(name)
        except ValueError:
            raise KeyError(name) from None


def struct_of(event_type: EventType, name: str, *, tombstone: bool) -> type[msgspec.Struct]:
    """The msgspec struct of a type; a tombstone needs no more than the entity's key."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    optional: list[tuple[str, Any, Any]] = []
    for spec in event_type.fields:
        wanted = _annotation(spec)
        required = spec.name in event_type.entity_key if tombstone else spec.is_required
        if required and spec.name in event_type.entity_key:
            fields.append((f"f_{spec.name}", wanted))
        elif required:
            fields.append((f"f_{spec.name}", _or_null(wanted)))  # it must be there; null says "not known"
        else:
            optional.append((f"f_{spec.name}", _or_null(wanted), None))
    optional.append(("f_deleted", bool | None, None))
    try:
        return msgspec.defstruct(
            name.replace(".", "_"), [*fields, *optional], rename=lambda text: text[2:], gc=False, frozen=True
        )
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"event_types.yaml: {event_type.name}: {error}") from None


def _or_null(wanted: Any) -> Any:
    return wanted if wanted is msgspec.Raw else wanted | None


def _annotation(spec: FieldSpec) -> Any:
    if spec.enum:
        return Literal[spec.enum]
    lowest, highest = spec.minimum, spec.maximum
    match spec.type:
        case "integer":
            return Annotated[
                int,
                msgspec.Meta(
                    ge=-LARGEST_INTEGER if lowest is None else lowest,
                    le=LARGEST_INTEGER if highest is None else highest,
                ),
            ]
        case "number":
            return Annotated[float, msgspec.Meta(ge=lowest, le=highest)]
        case "boolean":
            return bool
        case "time":
            return Annotated[datetime, msgspec.Meta(tz=True)]
        case "date":
            return date
        case "list":
            return list[str]
        case "any":
            return msgspec.Raw
        case _:
            return str
