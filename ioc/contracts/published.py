"""The published schemas of a catalogue: `contracts/published/CE_TYPE.json`, one for each version of a type.

They hold in every province: the first word of the source is left open.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ioc.contracts.compatibility import Break, breaks, first_difference
from ioc.contracts.schema import json_schema, version_of
from ioc.errors import ConfigurationError
from ioc.event_types import EventType

__all__ = ["FOLDER", "Comparison", "compare", "publish", "published_schemas"]

FOLDER = Path("contracts") / "published"


_OURS = {"x-ioc-name", "x-ioc-topic", "x-ioc-entity-key", "x-ioc-fact-times", "properties"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Today's contracts beside the published ones.

    `unpublished`: CloudEvents type and where it differs: nothing is wrong with these but that nobody outside knows them
    yet. `superseded`: published versions that a later version of today has taken over from.
    """

    published: int
    breaks: tuple[Break, ...]
    unpublished: tuple[tuple[str, str], ...]
    superseded: tuple[str, ...]


def compare(folder: Path, event_types: Mapping[str, EventType]) -> Comparison:
    """Compares the event types with the schemas published in the catalogue `folder`.

    Raises:
        ConfigurationError: a published file can't be read; names it.
    """
    before, now = published_schemas(folder), _today(event_types)
    versions = {_family(ce_type): version_of(ce_type) for ce_type in now}
    superseded = tuple(t for t in before if t not in now and versions.get(_family(t), 0) > version_of(t))
    return Comparison(
        published=len(before),
        breaks=tuple(
            broken
            for ce_type, schema in before.items()
            if ce_type not in superseded
            for broken in breaks(schema, now.get(ce_type))
        ),
        unpublished=tuple(
            (ce_type, _place(before.get(ce_type), schema))
            for ce_type, schema in now.items()
            if before.get(ce_type) != schema
        ),
        superseded=superseded,
    )


def publish(folder: Path, event_types: Mapping[str, EventType]) -> list[str]:
    """Writes today's schemas as published ones; returns the CloudEvents types whose file changed. Schemas of earlier
    versions stay.

    Raises:
        ConfigurationError: a change is incompatible and its version did not go up, or the folder can't be written.
    """
    found = compare(folder, event_types).breaks
    if found:
        raise ConfigurationError(f"{folder / 'event_types.yaml'}: {found[0]}")
    before, written = published_schemas(folder), []
    for ce_type, schema in _today(event_types).items():
        if before.get(ce_type) == schema:
            continue
        path = folder / FOLDER / f"{ce_type}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(schema, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} can't be written: {error.strerror}; mend its rights") from None
        written.append(ce_type)
    return written


def published_schemas(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the published schemas by their CloudEvents type; empty where nothing was ever published.

    Raises:
        ConfigurationError: a file is no schema of ours; names it.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} can't be read: {error}; restore it from version control") from None
        if not isinstance(schema, dict) or not schema.keys() >= _OURS:
            raise ConfigurationError(f"{path} is not a schema that `ioc catalog publish` wrote; remove it from there")
        found[path.stem] = schema
    return found


def _today(event_types: Mapping[str, EventType]) -> dict[str, dict[str, Any]]:
    """A type without an entity is no event with JSON data (a frame is a picture)."""
    return {event_type.ce_type: json_schema(event_type, "") for event_type in event_types.values() if event_type.entity}


def _family(ce_type: str) -> str:
    return re.sub(r"\.v\d+$", "", ce_type)


def _place(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    return "new" if before is None else first_difference(before, now) or "texts"
