"""`ioc dlq`: what could not be processed and why, from the topic `ioc.dead-letters`; and sending it again."""

import base64
import heapq
import json
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import msgspec
import typer

from ioc.errors import ConfigurationError, PermanentError, TransientError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

__all__ = ["DEAD_LETTERS_TOPIC", "DEAD_LETTER_TYPE", "DeadLetter", "read_dead_letters", "register", "republish"]

DEAD_LETTERS_TOPIC = "ioc.dead-letters"
DEAD_LETTER_TYPE = "vn.ioc.quality.rejected.v1"

START_TIMEOUT_S = 15.0
STALL_TIMEOUT_S = 30.0  # a broker that answers but sends nothing
MAX_REQUEST_BYTES = 16 * 1024 * 1024  # whatever got into Kafka once gets in again
SHOWN_CHARACTERS = 4000

_REF = re.compile(r"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,19})", re.ASCII)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One refused event: the JSON value of a record of `ioc.dead-letters`, with base64 already decoded.

    `topic`, `partition`, `offset` (together `event_ref`) say where the original record lies, `index` which event of a
    batched record it was. `original` is None where it was not kept.
    """

    source: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    event_ref: str
    index: int = 0
    field: str = ""
    message_vi: str = ""
    message_en: str = ""
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    original: bytes | None = None

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """Returns the dead letter of a record's value; None where it is none."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def as_json(self, *, is_whole: bool = False) -> dict[str, object]:
        """For `--json`: names of the record; the original and its headers only where `is_whole`, in base64."""
        data: dict[str, object] = {
            name: getattr(self, name)
            for name in (
                "event_ref", "index", "topic", "partition", "offset", "source", "reason", "field", "message_vi",
                "message_en",
            )
        }  # fmt: skip
        data["at"] = self.at.isoformat()
        if is_whole:
            data["key"] = _base64(self.key)
            data["headers"] = [[name, _base64(header)] for name, header in self.headers]
            data["original"] = _base64(self.original)
        return data


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

    topic, _, _ = _parse_ref(ref)
    address = _address(broker, config)
    letter = asyncio.run(_of_ref(address, ref))[0]
    if letter.original is None:
        raise PermanentError(
            f"{ref}: the original was not kept; ask {_plain(letter.source, is_line=True)} to send it again"
        )
    if topic == DEAD_LETTERS_TOPIC:
        raise PermanentError(f"{ref}: a dead letter itself is not sent again; retry what it speaks of")
    if not is_confirmed:
        if not sys.stdin.isatty():
            raise ConfigurationError("ioc dlq retry asks before it sends; with no terminal, say --yes")
        typer.confirm(f"Send {len(letter.original)} bytes again to {topic}?", abort=True)
    partition, offset = asyncio.run(republish(address, letter))
    sent_to = f"{topic}/{partition}/{offset}"
    print(json.dumps({"retried": ref, "sent_to": sent_to}) if as_json else f"sent {ref} again as {sent_to}")


async def read_dead_letters(broker: str) -> AsyncIterator[DeadLetter]:
    """Yields each dead letter once, from the topic's beginning to where it ended at the call. Joins no group.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        DEAD_LETTERS_TOPIC,
        bootstrap_servers=broker,
        client_id="ioc-dlq",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await _start(consumer, broker)
        seen: set[str] = set()
        async for record in _records_to_end(consumer, broker):
            letter = DeadLetter.decode(record.value)
            if letter is None:
                print(f"ioc: {_record_name(record)} is no dead letter and is left out", file=sys.stderr)
                continue
            identity = _identity(record, letter)
            if identity not in seen:
                seen.add(identity)
                yield letter
    finally:
        await consumer.stop()


async def republish(broker: str, letter: DeadLetter) -> tuple[int, int]:
    """Sends the original record of `letter` to its topic; returns the (partition, offset) it got.

    The partition is the key's: a record that its producer put elsewhere comes home.

    Raises:
        TransientError: no broker. PermanentError: Kafka refuses the record.
    """
    import asyncio

    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaConnectionError, KafkaError

    producer = AIOKafkaProducer(
        bootstrap_servers=broker, client_id="ioc-dlq", acks="all", enable_idempotence=True,
        max_request_size=MAX_REQUEST_BYTES,
    )  # fmt: skip
    try:
        await asyncio.wait_for(producer.start(), START_TIMEOUT_S)
        sending = producer.send_and_wait(letter.topic, value=letter.original, key=letter.key, headers=letter.headers)
        sent = await asyncio.wait_for(sending, STALL_TIMEOUT_S)
    except (KafkaConnectionError, TimeoutError, OSError) as error:
        raise _no_broker(broker) from error
    except KafkaError as error:
        raise PermanentError(f"Kafka refuses {letter.event_ref}: {type(error).__name__}") from error
    finally:
        await producer.stop()
    return sent.partition, sent.offset


async def _newest(broker: str, *, limit: int, reason: str | None, topic: str | None) -> tuple[list[DeadLetter], int]:
    """The newest `limit` matching letters, newest first, and how many match in all. Keeps no more than it shows."""
    heap: list[tuple[datetime, int, DeadLetter]] = []
    total = 0
    async for letter in read_dead_letters(broker):
        if (reason is not None and letter.reason != reason) or (topic is not None and letter.topic != topic):
            continue
        total += 1
        entry = (letter.at, total, msgspec.structs.replace(letter, original=None, headers=[]))
        heapq.heappush(heap, entry) if len(heap) < limit else heapq.heappushpop(heap, entry)
    return [letter for _, _, letter in sorted(heap, reverse=True)], total


async def _of_ref(broker: str, ref: str) -> list[DeadLetter]:
    letters = [letter async for letter in read_dead_letters(broker) if letter.event_ref == ref]
    if not letters:
        raise PermanentError(f"no dead letter speaks of {ref}; see: ioc dlq list")
    return sorted(letters, key=lambda letter: letter.index)


async def _start(consumer: "AIOKafkaConsumer", broker: str) -> None:
    import asyncio

    from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

    try:
        await asyncio.wait_for(consumer.start(), START_TIMEOUT_S)
    except UnknownTopicOrPartitionError as error:
        raise PermanentError(
            f"Kafka at {broker} has no topic {DEAD_LETTERS_TOPIC}; create the topics with: ioc topics apply"
        ) from error
    except TopicAuthorizationFailedError as error:
        raise PermanentError(f"this user may not read {DEAD_LETTERS_TOPIC}; ask the administrator") from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise _no_broker(broker) from error


async def _records_to_end(consumer: "AIOKafkaConsumer", broker: str) -> "AsyncIterator[ConsumerRecord]":
    import asyncio

    partitions = list(consumer.assignment())
    starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, starts[partition])  # said outright: never where a reset policy would put us
    left = {partition for partition in partitions if starts[partition] < ends[partition]}
    loop = asyncio.get_running_loop()
    progress_at = loop.time()
    while left:
        batches = await consumer.getmany(*left, timeout_ms=500)
        for partition, records in batches.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
        if batches:
            progress_at = loop.time()
        elif loop.time() - progress_at > STALL_TIMEOUT_S:
            raise _no_broker(broker)
        # The position also passes offsets that hold no record (compacted, markers of transactions).
        left = {partition for partition in left if await consumer.position(partition) < ends[partition]}


def _no_broker(broker: str) -> TransientError:
    return TransientError(
        f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
    )


def _identity(record: "ConsumerRecord", letter: DeadLetter) -> str:
    for name, value in record.headers:
        if name == "ce_id" and value:
            return bytes(value).decode("utf-8", errors="replace")
    return f"{letter.event_ref}#{letter.index}:{letter.reason}"


def _record_name(record: "ConsumerRecord") -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


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


def _description(letter: DeadLetter) -> str:
    lines = [
        f"{letter.event_ref}  event {letter.index}",
        f"  refused   {letter.at.isoformat()}",
        f"  source    {letter.source}",
        f"  reason    {letter.reason}" + (f"  in {letter.field}" if letter.field else ""),
        f"  vi        {letter.message_vi}",
        f"  en        {letter.message_en}",
    ]
    return "\n".join(lines)


def _original_text(letter: DeadLetter) -> str:
    key = "none" if letter.key is None else _text(letter.key)
    headers = [f"  {name}: {_text(value or b'')}" for name, value in letter.headers]
    return "\n".join(["key: " + key, "headers:", *headers, "original:", _body(letter.original)])


def _body(original: bytes | None) -> str:
    """JSON indented, other text as it is, anything else by size and first bytes; cut at `SHOWN_CHARACTERS`."""
    if original is None:
        return "  (was not kept)"
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


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
