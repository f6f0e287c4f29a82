"""What event_types.yaml says, as event types of the domain."""

from collections.abc import Mapping
from pathlib import Path

from ioc.catalog.files import EventTypeEntry
from ioc.catalog.model import OWN_TOPICS
from ioc.errors import ConfigurationError
from ioc.event_types import EventType, FieldSpec

__all__ = ["event_types_of"]


def event_types_of(path: Path, declared: Mapping[str, EventTypeEntry]) -> dict[str, EventType]:
    """Returns the event types that `path` declares.

    Raises:
        ConfigurationError: a key or time that is no field, a type or name twice; names the file and key.
    """
    types: dict[str, EventType] = {}
    for number, (name, spec) in enumerate(declared.items()):
        _check(path, name, spec, types)
        types[name] = EventType(
            number=number,
            name=name,
            ce_type=spec.ce_type,
            topic=spec.topic,
            partition_key=spec.partition_key,
            kind=spec.kind,
            entity=spec.entity,
            entity_key=spec.entity_key,
            time_field=spec.time_field,
            fact_times=spec.fact_times,
            department=spec.department,
            title_vi=spec.title_vi,
            title_en=spec.title_en,
            description_vi=spec.description_vi,
            description_en=spec.description_en,
            fields=tuple(
                FieldSpec(
                    name=field_name,
                    type=field.type,
                    enum=field.enum,
                    is_required=field.required,
                    minimum=field.minimum,
                    maximum=field.maximum,
                    vi=field.vi,
                    en=field.en,
                    example=field.example,
                )
                for field_name, field in spec.fields.items()
            ),
        )
    return types


def _check(path: Path, name: str, spec: EventTypeEntry, before: Mapping[str, EventType]) -> None:
    parts = spec.partition_key.split(":")
    own_time = {spec.time_field} - {"ce_time"}
    unknown = {*spec.entity_key, *spec.fact_times, *own_time, *parts} - spec.fields.keys()
    if unknown:
        raise ConfigurationError(
            f"{path}: {name}: {min(unknown)!r} is not one of its fields; known: {', '.join(spec.fields)}"
        )
    odd = next((part for part in parts if spec.fields[part].type in ("any", "list")), None)
    if odd is not None:
        raise ConfigurationError(f"{path}: {name}: partition_key: {odd} must not be of type any or list")
    if not spec.entity and spec.topic not in OWN_TOPICS:
        raise ConfigurationError(
            f"{path}: {name}: entity is empty, so its events would be refused; name what they tell about, like "
            f"{name.replace('.', '_')}"
        )
    twin = next((other for other in before.values() if other.ce_type == spec.ce_type), None)
    if twin is not None:
        raise ConfigurationError(f"{path}: {name}: ce_type {spec.ce_type!r} belongs to {twin.name} already")
    if spec.entity and not spec.entity_key:
        raise ConfigurationError(
            f"{path}: {name}: entity_key is empty; name the fields that tell one {spec.entity} from another"
        )
    for key in spec.entity_key:
        if not spec.fields[key].required or spec.fields[key].type in ("any", "list"):
            raise ConfigurationError(
                f"{path}: {name}: {key} is in entity_key: it must be required, and not of type any or list"
            )
    for field_name in (spec.time_field, *spec.fact_times):
        if field_name != "ce_time" and spec.fields[field_name].type not in ("time", "date_or_time"):
            raise ConfigurationError(
                f"{path}: {name}: {field_name} orders the facts: its type must be time or date_or_time"
            )
