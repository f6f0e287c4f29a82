"""`ioc publish --event` and `--cancel`: one event from the command line."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from ioc.catalog import Catalog
from ioc.cli.publish_answers import Answer, plain
from ioc.cli.publish_way import Way
from ioc.clock import Clock
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.event_types import EventType
from ioc.publishing import EventJudge, Outgoing, Piece, Publication
from ioc.publishing.cells import TimeReader, converter
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["send_single"]

_ATTRIBUTES = ("ce_source", "ce_id", "ce_time")


def send_single(
    catalog: Catalog,
    clock: Clock,
    way: Way,
    type_name: str,
    words: Sequence[str],
    *,
    is_cancel: bool,
    language: Literal["vi", "en"],
    as_json: bool,
) -> None:
    """Sends one event of the fields that `words` name, or the tombstone of their entity; prints what was sent.

    Raises:
        ConfigurationError: no such type or field, or the event is refused.
    """
    event_type = catalog.event_types.get(type_name)
    if event_type is None or not event_type.entity:
        raise ConfigurationError(f"{type_name!r} is no event type of event_types.yaml")
    body = _body(event_type, _pairs(words, event_type), clock, catalog.province, is_cancel=is_cancel)
    try:
        outgoing = EventJudge(catalog).judge(body, microseconds_of(clock()))
    except InvalidRecord as error:
        sentence = error.vi if language == "vi" else error.en
        raise ConfigurationError(f"{type_name}: {error.reason} ({error.field}): {sentence}") from None
    publication = asyncio.run(_sent(outgoing, way))
    if as_json:
        event = json.loads(outgoing.value)
        print(json.dumps({"accepted": publication.accepted, "dry_run": way.is_dry, "event": event}, ensure_ascii=False))
        return
    print(plain(outgoing.value.decode()))
    Answer(
        language, as_json=False, is_dry=way.is_dry, is_table=True, where="gateway" if way.gateway else "Kafka"
    ).finish(publication)


async def _sent(outgoing: Outgoing, way: Way) -> Publication:
    refused: list[InvalidRecord] = []
    publication = Publication(on_rejected=lambda row: refused.append(row.error))
    piece = Piece(1, 1, [outgoing], [1], [])

    async def pieces() -> AsyncIterator[Piece]:
        yield piece

    async with way.open() as sink:
        await publication.run(pieces(), sink=sink, stop=asyncio.Event())
    if refused:
        raise ConfigurationError(f"the gateway refused it: {refused[0].reason}: {refused[0].en}")
    return publication


def _pairs(words: Sequence[str], event_type: EventType) -> dict[str, str]:
    """NAME=VALUE by name; attributes of CloudEvents as ce_source and so on, though they came without the ce_."""
    fields = {spec.name for spec in event_type.fields}
    pairs: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ConfigurationError(f"{word!r}: write fields as NAME=VALUE, like dossier_id=H36.31-000001")
        if name not in fields and f"ce_{name}" in _ATTRIBUTES:
            name = f"ce_{name}"
        if name in pairs:
            raise ConfigurationError(f"{name} is there twice")
        pairs[name] = value
    return pairs


def _body(event_type: EventType, pairs: Mapping[str, str], clock: Clock, province: str, *, is_cancel: bool) -> bytes:
    now = clock().astimezone(LOCAL_ZONE).isoformat()
    specs = {spec.name: spec for spec in event_type.fields}
    times = TimeReader(("d/m/Y H:M:S", "d/m/Y H:M", "d/m/Y"))
    data: dict[str, Any] = {"deleted": True} if is_cancel else {}
    try:
        for name, text in pairs.items():
            if name in _ATTRIBUTES:
                continue
            if name not in specs:
                raise ConfigurationError(f"{name} is no field of {event_type.name}; it has {', '.join(specs)}")
            if text:
                data[name] = converter(specs[name], times=times, decimal=".", values={})(text)
        time = times(pairs["ce_time"], "time") if pairs.get("ce_time") else now
    except InvalidRecord as error:
        raise ConfigurationError(f"{error.field}: {error.reason}: {error.en}") from None
    missing = [name for name in event_type.entity_key if name not in data]
    if missing:
        raise ConfigurationError(
            f"{event_type.name}: say which {event_type.entity} is meant: {' '.join(f'{name}=…' for name in missing)}"
        )
    if event_type.time_field != "ce_time":
        data.setdefault(event_type.time_field, time)  # by it the newest fact wins: a cancellation is one of now
    source = pairs.get("ce_source") or event_type.family
    event = {
        "specversion": "1.0",
        "type": event_type.ce_type,
        "source": source if source.startswith("/") else f"/{province}/{source}",
        "id": pairs.get("ce_id") or uuid.uuid4().hex,
        "time": time,
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False).encode()
