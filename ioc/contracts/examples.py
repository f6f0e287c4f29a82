"""Worked examples of the contracts: events that are accepted, and events that are refused with their reason.
Pure but for reading `contracts/examples/*.yaml` of a catalogue.

An example is a whole event, or the file's first accepted event with changes. `{province}`, `{unit}` and `{camera}` in a
text stand for the catalogue's own, so that the examples hold in every province.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ioc.catalog import Catalog
from ioc.catalog.yaml_files import read_checked
from ioc.contracts.samples import SAMPLE_TIME, Samples
from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.events import Rejected
from ioc.windows import microseconds_of

__all__ = ["FOLDER", "ContractExample", "example_problems", "examples_in", "examples_of"]

FOLDER = Path("contracts") / "examples"
_AN_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExample:
    """One event as bytes on a topic. `reason` and `field` are "" where it is accepted. `is_visible`: whether a JSON
    Schema sees what is wrong; `now_us`: the clock, µs since 1970."""

    type_name: str
    name: str
    now_us: int
    topic: str
    body: bytes
    reason: str = ""
    field: str = ""
    is_visible: bool = True


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    event: dict[str, Any] | None = None
    change: dict[str, Any] = {}
    without: tuple[str, ...] = ()
    cut_bytes: int = Field(0, ge=0)
    topic: str = ""


class _Refused(_Entry):
    reason: str
    field: str = ""
    schema_sees: bool = True


class _ExamplesFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    now: AwareDatetime
    accepted: tuple[_Entry, ...] = Field(min_length=1)
    rejected: tuple[_Refused, ...] = Field(min_length=3)


def examples_of(path: Path, event_type: EventType, samples: Samples) -> list[ContractExample]:
    """Returns the examples of one file.

    Raises:
        ConfigurationError: the file is missing or malformed; names the file and the key.
    """
    spec = read_checked(path, _ExamplesFile)
    first = spec.accepted[0].event
    if first is None:
        raise ConfigurationError(f"{path}: accepted.0.event: write the first accepted event in full")
    now_us = microseconds_of(spec.now)
    return [
        ContractExample(
            type_name=event_type.name,
            name=entry.name,
            now_us=now_us,
            topic=entry.topic or event_type.topic,
            body=_body(path, entry, first, samples),
            reason=entry.reason if isinstance(entry, _Refused) else "",
            field=entry.field if isinstance(entry, _Refused) else "",
            is_visible=isinstance(entry, _Refused) and entry.schema_sees,
        )
        for entry in (*spec.accepted, *spec.rejected)
    ]


def examples_in(folder: Path, catalog: Catalog) -> Iterator[ContractExample]:
    """Yields the examples of every event type that has an entity and a file. Where no camera is registered, those of
    types that name one are left out: none could be accepted."""
    samples = Samples.of(catalog)
    for event_type in catalog.event_types.values():
        path = folder / FOLDER / f"{event_type.name}.yaml"
        if path.exists() and _can_be_accepted(catalog, event_type):
            yield from examples_of(path, event_type, samples)


def example_problems(folder: Path, catalog: Catalog) -> Iterator[str]:
    """Yields a sentence for each event type without examples, for each example that the real reader judges otherwise,
    and for each type whose fields' own examples (in event_types.yaml) it would refuse."""
    for event_type in catalog.event_types.values():
        path = folder / FOLDER / f"{event_type.name}.yaml"
        if event_type.entity and not path.exists():
            yield f"{path}: the file is missing; give {event_type.name} one accepted and three rejected examples"
    yield from _sample_problems(folder, catalog)
    decoder = catalog.decoder()
    for example in examples_in(folder, catalog):
        found = decoder.decode(example.topic, (), example.body, example.now_us)[0]
        told = (found.error.reason, found.error.field) if isinstance(found, Rejected) else ("", "")
        if told != (example.reason, example.field):
            place = folder / FOLDER / f"{example.type_name}.yaml"
            wanted = _verdict(example.reason, example.field)
            yield f"{place}: {example.name!r}: is {_verdict(*told)}, the file says {wanted}"


def _sample_problems(folder: Path, catalog: Catalog) -> Iterator[str]:
    decoder, samples = catalog.decoder(), Samples.of(catalog)
    now_us = microseconds_of(datetime.fromisoformat(SAMPLE_TIME)) + _AN_HOUR_US
    for event_type in catalog.event_types.values():
        if _can_be_accepted(catalog, event_type):
            body = json.dumps(samples.event(event_type)).encode()
            found = decoder.decode(event_type.topic, (), body, now_us)[0]
            if isinstance(found, Rejected):
                yield (
                    f"{folder / 'event_types.yaml'}: {event_type.name}.{found.error.field}: the examples of its fields "
                    f"make an event that is refused: {found.error.en}"
                )


def _can_be_accepted(catalog: Catalog, event_type: EventType) -> bool:
    """Without a registered camera no event that names one can be."""
    return bool(event_type.entity) and (
        bool(catalog.cameras) or all(spec.type != "camera" for spec in event_type.fields)
    )


def _verdict(reason: str, field: str) -> str:
    return f"rejected as {reason} at {field!r}" if reason else "accepted"


def _body(path: Path, entry: _Entry, first: Mapping[str, Any], samples: Samples) -> bytes:
    event = copy.deepcopy(dict(entry.event if entry.event is not None else first))
    _merge(event, entry.change)
    for place in entry.without:
        *outer, last = place.split(".")
        inner = event
        for key in outer:
            inner = inner[key]
        if last not in inner:
            raise ConfigurationError(f"{path}: {entry.name!r}: without: the first accepted event has no {place}")
        del inner[last]
    text = json.dumps(_told(event, samples), ensure_ascii=False)  # NaN stays NaN: some producers write it
    return text.encode()[: len(text.encode()) - entry.cut_bytes]


def _merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _told(value: Any, samples: Samples) -> Any:
    """`value` with the placeholders of its texts filled in."""
    if isinstance(value, dict):
        return {key: _told(each, samples) for key, each in value.items()}
    if isinstance(value, list):
        return [_told(each, samples) for each in value]
    if isinstance(value, str):
        for name in ("province", "unit", "camera"):
            value = value.replace(f"{{{name}}}", getattr(samples, name))
    return value
