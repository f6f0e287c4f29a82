"""Mappings of departments' tables: which column of theirs is which field of ours. `imports.yaml`, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.publishers import Publisher

__all__ = ["EventMapping", "ImportEntry", "ImportEventEntry", "ImportMapping", "imports_of"]

_NAME = r"[a-z][a-z0-9-]{1,40}"
_DATE_FORMAT = r"^[dmYyHMS/.\-: ]+$"
Cell = str | int | float | bool | None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImportEventEntry(_Entry):
    """One event that a row may give."""

    type: str
    source: str = ""
    columns: dict[str, str] = Field(min_length=1)
    constants: dict[str, Cell] = {}
    values: dict[str, dict[str, Cell]] = {}
    time: str = ""
    id: str = ""
    when_filled: str = ""


class ImportEntry(_Entry):
    """One kind of table of one department."""

    title_vi: str = Field(min_length=1)
    title_en: str = ""
    publisher: str
    sheet: str = ""
    header_row: int = Field(1, ge=1, le=100)
    dates: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    events: tuple[ImportEventEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMapping:
    """How a row becomes an event. `columns`: their heading to our field; `values`: our field to their text to ours.

    `time`: heading of the CloudEvents time, "" for the type's own time; `id`: template over field names in braces, ""
    for a digest of the row's content; `when_filled`: heading without which the row gives no such event.
    """

    type: EventType
    source: str
    columns: Mapping[str, str]
    constants: Mapping[str, Cell]
    values: Mapping[str, Mapping[str, Cell]]
    time: str = ""
    id: str = ""
    when_filled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMapping:
    """A department's table. `dates` are formats like d/m/Y H:M in local time; ISO 8601 is always understood."""

    name: str
    title_vi: str
    title_en: str
    publisher: Publisher | None
    events: tuple[EventMapping, ...]
    sheet: str = ""
    header_row: int = 1
    dates: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."


def imports_of(
    path: Path,
    declared: Mapping[str, ImportEntry],
    *,
    province: str,
    event_types: Mapping[str, EventType],
    publishers: Mapping[str, Publisher],
) -> dict[str, ImportMapping]:
    """Returns the mappings that `path` declares, with every type, field, value and right checked.

    Raises:
        ConfigurationError: names the file and key.
    """
    mappings: dict[str, ImportMapping] = {}
    for name, spec in declared.items():
        if not re.fullmatch(_NAME, name):
            raise ConfigurationError(f"{path}: {name!r}: a mapping's name is small letters, digits and hyphens")
        publisher = publishers.get(spec.publisher)
        if publisher is None:
            raise ConfigurationError(f"{path}: {name}.publisher: {spec.publisher!r} is not in publishers.yaml")
        odd = next((form for form in spec.dates if not re.fullmatch(_DATE_FORMAT, form)), None)
        if odd is not None:
            raise ConfigurationError(f"{path}: {name}.dates: {odd!r}: write it like d/m/Y or d/m/Y H:M:S")
        try:
            events = tuple(_event(spec, entry, publisher, province, event_types) for entry in spec.events)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {name}.{error}") from None
        mappings[name] = ImportMapping(
            name=name,
            title_vi=spec.title_vi,
            title_en=spec.title_en or spec.title_vi,
            publisher=publisher,
            events=events,
            sheet=spec.sheet,
            header_row=spec.header_row,
            dates=spec.dates,
            decimal=spec.decimal,
        )
    return mappings


def _event(
    spec: ImportEntry,
    entry: ImportEventEntry,
    publisher: Publisher,
    province: str,
    event_types: Mapping[str, EventType],
) -> EventMapping:
    event_type = event_types.get(entry.type)
    if event_type is None or not event_type.entity:
        raise ConfigurationError(f"events: type {entry.type!r} is no event type of event_types.yaml")
    source = f"/{province}/{entry.source.strip('/') or event_type.family}"
    refusal = publisher.refusal(source, entry.type)
    if refusal is not None:
        raise ConfigurationError(f"publisher: {spec.publisher} may not tell {entry.type} as {source}: {refusal.en}")
    _check_fields(entry, event_type)
    return EventMapping(
        type=event_type,
        source=source,
        columns=entry.columns,
        constants=entry.constants,
        values=entry.values,
        time=entry.time,
        id=entry.id,
        when_filled=entry.when_filled,
    )


def _check_fields(entry: ImportEventEntry, event_type: EventType) -> None:
    fields = {spec.name: spec for spec in event_type.fields}
    told = [*entry.columns.values(), *entry.constants]
    for name in (*told, *entry.values, *re.findall(r"{([^{}]*)}", entry.id)):
        if name not in fields and name != "deleted":
            raise ConfigurationError(f"events: {entry.type}: {name!r} is not one of its fields: {', '.join(fields)}")
    twice = next((name for name in told if told.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"events: {entry.type}: {twice} is filled twice; name one column for it")
    missing = next((name for name, spec in fields.items() if spec.is_required and name not in told), None)
    if missing is not None:
        raise ConfigurationError(f"events: {entry.type}: {missing} is required: name a column or a constant for it")
    for name, texts in entry.values.items():
        odd = next((value for value in texts.values() if not _is_allowed(value, fields[name].enum)), None)
        if odd is not None:
            raise ConfigurationError(
                f"events: {entry.type}: values.{name}: {odd!r} is not one of {', '.join(map(str, fields[name].enum))}"
            )


def _is_allowed(value: Any, enum: tuple[str | int, ...]) -> bool:
    return not enum or value is None or value in enum
