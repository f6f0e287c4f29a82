"""What a publisher finds behind the login: topics and rights, the broker's clock, and where its own records lie."""

import asyncio
import contextlib
import difflib
import json
import logging
import socket
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.acls import DOCTOR_TOPIC, Operation, publisher_topics
from ioc.adapters.doctor_line import aside
from ioc.adapters.kafka_access import kafka_arguments, security_of
from ioc.broker.wire import Connection, Node, text
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.doctor import Finding, Placed, blame, finding
from ioc.publishers import Publisher

__all__ = ["SeenTopic", "look_at_advertised", "look_at_clock", "look_at_records", "look_at_topics", "see_topics"]

WARN_SKEW_S, FAIL_SKEW_S = 5 * 60.0, 15 * 60.0  # the second is what an event may be ahead
_METADATA_KEY, _METADATA_VERSION = 3, 8  # the first version that tells what we may do
_NEWEST_OF_A_PARTITION = 200
_READING_S = 2.5
_CONNECT_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTopic:
    """A topic as this user sees it; no `partitions` where it is hidden or not there."""

    name: str
    partitions: int
    is_hidden: bool
    operations: int

    def lets(self, operation: Operation) -> bool:
        return bool(self.partitions and self.operations >> operation & 1)


def see_topics(connection: Connection, names: Collection[str]) -> tuple[dict[str, SeenTopic], tuple[Node, ...]]:
    """Returns the topics by name, and the brokers as clients are told of them. Raises as `Connection.ask` does."""
    body = struct.pack(">i", len(names)) + b"".join(map(text, names)) + struct.pack(">???", False, False, True)
    answer = connection.ask(_METADATA_KEY, _METADATA_VERSION, body)
    answer.number("i")  # throttle time
    nodes = []
    for _ in range(answer.number("i")):
        nodes.append(Node(node_id=answer.number("i"), host=answer.text() or "", port=answer.number("i")))
        answer.text()  # rack
    answer.text(), answer.number("i")  # cluster id, controller
    seen = {}
    for _ in range(answer.number("i")):
        code, name, _ = answer.number("h"), answer.text() or "", answer.number("b")
        partitions = answer.number("i")
        for _ in range(partitions):
            answer.number("h"), answer.number("i"), answer.number("i"), answer.number("i")
            answer.numbers(), answer.numbers(), answer.numbers()
        seen[name] = SeenTopic(
            name=name, partitions=partitions, is_hidden=code == 29, operations=answer.number("i") & 0x7FFFFFFF
        )
    return seen, tuple(nodes)


async def look_at_advertised(nodes: Sequence[Node]) -> list[Finding]:
    """Faults of the addresses that Kafka tells clients to use."""

    def reach(node: Node) -> Finding | None:
        try:
            socket.create_connection((node.host, node.port), timeout=_CONNECT_S).close()
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or error
            return finding("advertised_unreachable", advertised=f"{node.host}:{node.port}", said=said)
        return None

    found = await asyncio.gather(*(aside(reach, node) for node in nodes))
    return [one for one in found if one is not None]


# ---- topics and rights -----------------------------------------------------------------------------------------------


def look_at_topics(
    catalog: Catalog, seen: Mapping[str, SeenTopic], topics: Sequence[str], publisher: Publisher | None, broker: str
) -> list[Finding]:
    """Faults of `topics`, those of one kind in one finding; a good one where there are none."""
    known = {spec.name: spec for spec in catalog.topics()}
    found = [_unknown(name, known) for name in topics if name not in known]
    topics = [name for name in topics if name in known]
    own = topics if publisher is None else publisher_topics(catalog, publisher)
    found += [] if publisher is None else _foreign(topics, publisher, own)
    absent = [name for name in topics if not seen[name].partitions and not seen[name].is_hidden]
    found += _first("topic_missing", absent)
    others = [name for name in topics if seen[name].partitions not in (0, known[name].partitions)]
    if others:
        name = others[0]
        has, needs = seen[name].partitions, known[name].partitions
        found += _first("partition_count", others, has=has, needs=needs)
    user = security_of(broker).user or "ANONYMOUS"
    silent = [name for name in topics if not seen[name].lets(Operation.WRITE)]
    mute = [name for name in silent if name in own and name not in absent]
    if publisher is not None:
        found += _first("missing_right", mute, user=user, broker=broker)
    if not found:
        found = [finding("topics", count=len(topics))]
        if publisher is not None:
            found.append(finding("rights", user=user, count=len(topics), publisher=publisher.name))
    return found


def _unknown(name: str, known: Collection[str]) -> Finding:
    meant = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return finding(
        "unknown_topic",
        topic=name,
        meant_vi=f" Có phải là {meant[0]}?" if meant else "",
        meant_en=f" Did you mean {meant[0]}?" if meant else "",
    )


def _foreign(topics: Sequence[str], publisher: Publisher, own: Sequence[str]) -> list[Finding]:
    return [
        finding("not_your_topic", topic=name, publisher=publisher.name, own=", ".join(own))
        for name in topics
        if name not in own
    ]


def _first(code: str, topics: Sequence[str], **facts: object) -> list[Finding]:
    if not topics:
        return []
    more = f" (+{len(topics) - 1}: {', '.join(topics[1:5])}{'…' if len(topics) > 5 else ''})" if topics[1:] else ""
    return [finding(code, topic=topics[0], more=more, **facts)]


# ---- the clock -------------------------------------------------------------------------------------------------------


def judged_skew(skew_s: float, *, than_vi: str, than_en: str) -> Finding:
    """`skew_s` > 0: our clock is ahead."""
    if abs(skew_s) < WARN_SKEW_S:
        return finding("clock", skew_s=abs(skew_s))
    return finding(
        "clock_skew",
        "fault" if abs(skew_s) > FAIL_SKEW_S else "warning",
        minutes=abs(skew_s) / 60,
        side_vi="nhanh" if skew_s > 0 else "chậm",
        side_en="ahead of" if skew_s > 0 else "behind",
        than_vi=than_vi,
        than_en=than_en,
    )


async def look_at_clock(broker: str, seen: SeenTopic | None, clock: Clock) -> Finding:
    """Compares our clock with the time that the broker stamps on an empty record, which it forgets within the hour."""
    if seen is None or not seen.lets(Operation.WRITE):
        return finding("clock_unknown", said=f"no topic {DOCTOR_TOPIC.name} to write to / không ghi được")
    producer = AIOKafkaProducer(**kafka_arguments(broker), client_id="ioc-doctor", acks=1)
    try:
        await producer.start()
        before = clock()
        receipt = await producer.send_and_wait(DOCTOR_TOPIC.name, b"", partition=0)
        after = clock()
    except KafkaError as error:
        return finding("clock_unknown", said=type(error).__name__)
    finally:
        await producer.stop()
    if receipt.timestamp_type != 1:  # not the broker's own time
        return finding("clock_unknown", said=f"{DOCTOR_TOPIC.name}: message.timestamp.type")
    ours_s = (before.timestamp() + after.timestamp()) / 2
    return judged_skew(ours_s - receipt.timestamp / 1000, than_vi="máy chủ Kafka", than_en="the Kafka broker")


# ---- the partitioner -------------------------------------------------------------------------------------------------


async def look_at_records(broker: str, seen: Sequence[SeenTopic], publisher: Publisher | None) -> Finding:
    """Says by whose rule the newest records lie on their partitions; only the publisher's, where one is given."""
    readable = [topic for topic in seen if topic.lets(Operation.READ)]
    if not readable:
        return finding(
            "partitioner_unknown",
            said_vi="người dùng này không được đọc topic; nhờ trung tâm chạy ioc doctor với người dùng worker",
            said_en="this user may not read the topics; have the centre run ioc doctor as user worker",
        )
    counts = {topic.name: topic.partitions for topic in readable}
    records = [
        Placed(key=record.key, partition=record.partition, partitions=counts[record.topic])
        for record in await _newest(broker, readable)
        if record.key and _is_single(record) and (publisher is None or publisher.owns(_source(record)))
    ]
    if not records:
        return finding("partitioner_unknown", said_vi="chưa có bản ghi nào", said_en="there are no records yet")
    return blame(records)


async def _newest(broker: str, topics: Sequence[SeenTopic]) -> list[ConsumerRecord]:
    """The newest records of the topics' partitions, or as many as come within the time."""
    places = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    consumer = AIOKafkaConsumer(
        **kafka_arguments(broker),
        client_id="ioc-doctor",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: list[ConsumerRecord] = []
    deadline = time.monotonic() + _READING_S
    try:
        await consumer.start()
        consumer.assign(places)
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(starts[place], ends[place] - _NEWEST_OF_A_PARTITION))
        left = {place for place in places if starts[place] < ends[place]}
        while left and time.monotonic() < deadline:
            for records in (await consumer.getmany(*left, timeout_ms=200)).values():
                found += records
            left = {place for place in left if await consumer.position(place) < ends[place]}
    except KafkaError as error:
        logger.debug("reading the newest records failed", exc_info=error)
    finally:
        await consumer.stop()
    return found


def _is_single(record: ConsumerRecord) -> bool:
    """Events of a batch have keys of their own, which the worker sorts out."""
    return b"batch" not in dict(record.headers).get("content-type", b"")


def _source(record: ConsumerRecord) -> str:
    named = dict(record.headers).get("ce_source")
    if named is not None:
        return bytes(named).decode(errors="replace")
    with contextlib.suppress(ValueError, RecursionError):
        event = json.loads(record.value or b"")
        if isinstance(event, dict):
            return str(event.get("source", ""))
    return ""
