"""What entities.yaml says: the columns of each entity's row, and how long a row is kept."""

from collections.abc import Mapping
from pathlib import Path

from ioc.catalog.files import ColumnEntry
from ioc.entity_columns import Column, EntityDefinition, Operator
from ioc.errors import ConfigurationError
from ioc.event_types import EventType

__all__ = ["entities_of"]

MAX_KEEP_DAYS = 400


def entities_of(
    path: Path, declared: Mapping[str, Mapping[str, ColumnEntry | int]], event_types: Mapping[str, EventType]
) -> tuple[EntityDefinition, ...]:
    """Returns the entities of the event types, with the columns and days that `path` declares.

    Raises:
        ConfigurationError: an entity of no event type, a column with no or several operators; names file and key.
    """
    of_entity: dict[str, list[EventType]] = {}
    for event_type in event_types.values():
        if event_type.entity:
            of_entity.setdefault(event_type.entity, []).append(event_type)
    for name in declared:
        if name not in of_entity:
            raise ConfigurationError(f"{path}: {name}: no event type names this entity in event_types.yaml")
    return tuple(
        EntityDefinition(
            name=name,
            types=tuple(types),
            columns=tuple(
                _column(path, name, key, column)
                for key, column in declared.get(name, {}).items()
                if isinstance(column, ColumnEntry)
            ),
            keep_days=_keep_days(path, name, declared.get(name, {})),
        )
        for name, types in of_entity.items()
    )


def _keep_days(path: Path, entity: str, declared: Mapping[str, ColumnEntry | int]) -> int | None:
    numbers = {key: value for key, value in declared.items() if isinstance(value, int)}
    odd = numbers.keys() - {"keep_days"}
    if odd:
        raise ConfigurationError(f"{path}: {entity}.{min(odd)}: a column is written {{newest: FIELD}} or the like")
    days = numbers.get("keep_days")
    if days is not None and not 1 <= days <= MAX_KEEP_DAYS:
        raise ConfigurationError(f"{path}: {entity}.keep_days: {days} is not between 1 and {MAX_KEEP_DAYS}")
    return days


def _column(path: Path, entity: str, name: str, column: ColumnEntry) -> Column:
    texts: dict[Operator, str] = {
        "newest": column.newest,
        "first": column.first,
        "first_per": column.first_per,
        "time_in": column.time_in,
        "newest_is": column.newest_is,
        "period_start": column.period_start,
        "newest_time": " " if column.newest_time else "",
        "newest_source": " " if column.newest_source else "",
    }
    operators = [(operator, text.strip()) for operator, text in texts.items() if text]
    if len(operators) != 1:
        raise ConfigurationError(f"{path}: {entity}.{name}: needs exactly one of {', '.join(texts)}")
    operator, argument = operators[0]
    return Column(
        name=name,
        operator=operator,
        argument=argument,
        **column.model_dump(include={"of", "where", "prefer", "by", "until"}),
    )
