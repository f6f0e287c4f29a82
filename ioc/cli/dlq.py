"""`ioc dlq`: what could not be processed and why, from the topic `ioc.dead-letters`; and sending it again."""

import heapq
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.errors import ConfigurationError, PermanentError

if TYPE_CHECKING:
    from ioc.adapters.dead_letters import StoredLetter

__all__ = ["register"]

SHOWN_CHARACTERS = 4000

_REF = re.compile(r"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,19})", re.ASCII)

BrokerOption = Annotated[str | None, typer.Option("--broker", help="HOST:PORT of Kafka; else IOC_BROKER")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
RefArgument = Annotated[
    str, typer.Argument(metavar="REF", help="the original record: TOPIC/PARTITION/OFFSET, as `ioc dlq list` prints it")
]


def register(app: typer.Typer) -> None:
    """Adds `ioc dlq list | show | retry`."""
    dlq = typer.Typer(no_args_is_help=True, help="Dead letters: events that were refused, why, and sending them again.")
    dlq.command("list")(dlq_list)
    dlq.command("show")(dlq_show)
    dlq.command("retry")(dlq_retry)
    app.add_typer(dlq, name="dlq")


def dlq_list(
    limit: Annotated[int, typer.Option("--limit", min=1, help="the newest so many")] = 50,
    reason: Annotated[str | None, typer.Option("--reason", help="only this reason, like unknown_type")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="only events of this topic")] = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, newest first. A letter that was written twice after a crash is listed once.

    Example: `ioc dlq list --reason foreign_source --limit 20`
    """
    import asyncio

    address = _address(broker, config)
    newest, total = asyncio.run(_newest(address, limit=limit, reason=reason, topic=topic))
    if as_json:
        letters = [letter.as_json() for letter in newest]
        print(json.dumps({"total": total, "dead_letters": letters}, ensure_ascii=False))
        return
    for letter in newest:
        what = f"{letter.reason} ({letter.field})" if letter.field else letter.reason
        where = f"{letter.event_ref}#{letter.index}" if letter.index else letter.event_ref
        print(_plain(f"{letter.at.isoformat(timespec='seconds')}  {where}  {what}  {letter.source}", is_line=True))
    print(f"{len(newest)} of {total} dead letters")


def dlq_show(
    ref: RefArgument,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why a record was refused, in Vietnamese and English, and the record itself.

    Example: `ioc dlq show ioc.onestop.dossiers/3/1042`
    """
    import asyncio

    _parse_ref(ref)
    letters = asyncio.run(_of_ref(_address(broker, config), ref))
    if as_json:
        print(json.dumps([letter.as_json(is_whole=True) for letter in letters], ensure_ascii=False))
        return
    for letter in letters:
        print(_plain(_description(letter)))
    print(_plain(_original_text(letters[0])))


def dlq_retry(
    ref: RefArgument,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a refused record again to its topic, byte for byte, with its key and headers.

    Do this once the cause is gone (a type was added to the catalogue, a source was allowed). Nothing marks the letter
    as done and a second retry sends it a second time, which the rows of entities absorb by the event's id; a later
    release makes it exactly-once. A batched record is sent whole.

    Example: `ioc dlq retry ioc.onestop.dossiers/3/1042 --yes`
    """
    import asyncio

    from ioc.adapters.dead_letters import republish
    from ioc.dead_letters import DEAD_LETTERS_TOPIC

    topic, _, _ = _parse_ref(ref)
    address = _address(broker, config)
    letter = asyncio.run(_of_ref(address, ref))[0]
    if topic == DEAD_LETTERS_TOPIC:
        raise PermanentError(f"{ref}: a dead letter itself is not sent again; retry what it speaks of")
    if not is_confirmed:
        if not sys.stdin.isatty():
            raise ConfigurationError("ioc dlq retry asks before it sends; with no terminal, say --yes")
        typer.confirm(f"Send {ref} again to {topic}?", abort=True)
    partition, offset = asyncio.run(republish(address, letter))
    sent_to = f"{topic}/{partition}/{offset}"
    print(json.dumps({"retried": ref, "sent_to": sent_to}) if as_json else f"sent {ref} again as {sent_to}")


async def _newest(
    broker: str, *, limit: int, reason: str | None, topic: str | None
) -> "tuple[list[StoredLetter], int]":
    """The newest `limit` matching letters, newest first, and how many match in all. Keeps no more than it shows."""
    import msgspec

    from ioc.adapters.dead_letters import read_dead_letters

    heap: list[tuple[datetime, int, StoredLetter]] = []
    total = 0
    async for letter in read_dead_letters(broker):
        if (reason is not None and letter.reason != reason) or (topic is not None and letter.topic != topic):
            continue
        total += 1
        entry = (letter.at, total, msgspec.structs.replace(letter, original=None, headers=[]))
        heapq.heappush(heap, entry) if len(heap) < limit else heapq.heappushpop(heap, entry)
    return [letter for _, _, letter in sorted(heap, reverse=True)], total


async def _of_ref(broker: str, ref: str) -> "list[StoredLetter]":
    from ioc.adapters.dead_letters import read_dead_letters

    letters = [letter async for letter in read_dead_letters(broker) if letter.event_ref == ref]
    if not letters:
        raise PermanentError(f"no dead letter speaks of {ref}; see: ioc dlq list")
    return sorted(letters, key=lambda letter: letter.index)


def _address(broker: str | None, config: Path | None) -> str:
    import logging

    from ioc.settings import load_settings

    settings = load_settings(config)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    return broker or settings.broker


def _parse_ref(ref: str) -> tuple[str, int, int]:
    match = _REF.fullmatch(ref)
    if match is None:
        raise ConfigurationError(
            f"{ref!r} names no record; write TOPIC/PARTITION/OFFSET, like ioc.onestop.dossiers/3/1042"
        )
    return match.group(1), int(match.group(2)), int(match.group(3))


def _description(letter: "StoredLetter") -> str:
    lines = [
        f"{letter.event_ref}  event {letter.index}",
        f"  refused   {letter.at.isoformat()}",
        f"  source    {letter.source}",
        f"  reason    {letter.reason}" + (f"  in {letter.field}" if letter.field else ""),
        f"  vi        {letter.message_vi}",
        f"  en        {letter.message_en}",
    ]
    return "\n".join(lines)


def _original_text(letter: "StoredLetter") -> str:
    key = "none" if letter.key is None else _text(letter.key)
    headers = [f"  {name}: {_text(value or b'')}" for name, value in letter.headers]
    return "\n".join(["key: " + key, "headers:", *headers, "original:", _body(letter.original, letter.original_bytes)])


def _body(original: bytes | None, size_bytes: int = 0) -> str:
    """JSON indented, other text as it is, anything else by size and first bytes; cut at `SHOWN_CHARACTERS`."""
    if original is None:
        return f"({size_bytes} bytes; too large for the dead letter to keep)"
    try:
        text = json.dumps(json.loads(original), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        text = _text(original)
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:SHOWN_CHARACTERS]}\n… {len(original)} bytes in all; --json prints them whole"
    return text


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(data)} bytes that are no text: {data[:64].hex(' ')}{' …' if len(data) > 64 else ''})"


def _plain(text: str, *, is_line: bool = False) -> str:
    """`text` without anything that a terminal would obey: it comes from whoever could write to a topic."""
    kept = "" if is_line else "\n\t"
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)
