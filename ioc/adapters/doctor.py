"""`ioc doctor`: every step from a publisher's settings to a counted event, each with a time of its own."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from ioc.adapters.acls import DOCTOR_TOPIC, publisher_topics
from ioc.adapters.doctor_gateway import probe_gateway
from ioc.adapters.doctor_kafka import (
    SeenTopic,
    look_at_advertised,
    look_at_clock,
    look_at_records,
    look_at_topics,
    see_topics,
)
from ioc.adapters.doctor_line import STEP_TIMEOUT_S, aside, probe_line
from ioc.adapters.kafka_access import security_of
from ioc.adapters.topics import addresses
from ioc.broker.wire import LoginRefused, Node, NotKafka, open_connection
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.doctor import Finding, finding
from ioc.errors import InvalidRecord
from ioc.publishers import Publisher
from ioc.publishing.judge import EventJudge
from ioc.windows import microseconds_of

__all__ = ["Examination", "examine"]

_LINE_S, _TOPICS_S, _CLOCK_S, _RECORDS_S = 7.0, 3.0, 3.0, 4.0
_GATEWAY_S = 10.0  # beside the others
_MAX_ADDRESSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What to look at. `kafka` None: not at Kafka; `topics` empty: the publisher's, or all of the catalogue's."""

    catalog: Catalog
    clock: Clock
    kafka: str | None = None
    publisher: Publisher | None = None
    topics: tuple[str, ...] = ()
    event: bytes | None = None
    gateway: str = ""
    token: str = ""


async def examine(wanted: Examination) -> list[Finding]:
    """Returns the findings in the order of the way. Takes under 15 s: no step waits for ever.

    Raises:
        ConfigurationError: the broker's address is none.
    """
    found = [] if wanted.event is None else [_judged(wanted, wanted.event)]
    gateway, kafka = await asyncio.gather(_gateway(wanted), _kafka(wanted))
    return [*kafka, *gateway, *found]


async def _within(seconds: float, step: str, work: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        return [finding("too_slow", step=step, seconds=seconds)]


async def _gateway(wanted: Examination) -> list[Finding]:
    if not wanted.gateway:
        return []

    async def probe() -> list[Finding]:
        return list(await aside(probe_gateway, wanted.gateway, wanted.token, wanted.clock))

    return await _within(_GATEWAY_S, "gateway", probe())


async def _kafka(wanted: Examination) -> list[Finding]:
    if wanted.kafka is None:
        return []
    broker, places = wanted.kafka, addresses(wanted.kafka)[:_MAX_ADDRESSES]
    security = security_of(broker)

    async def knock() -> list[Finding]:
        lines = await asyncio.gather(*(aside(probe_line, *place, security) for place in places))
        good.extend(place for place, line in zip(places, lines, strict=True) if line[0].code == "reached")
        told = [one for line in lines for one in line]
        return list({(one.code, one.en): one for one in told}.values())

    good: list[tuple[str, int]] = []
    found = await _within(_LINE_S, "connect / kết nối", knock())
    if good:
        found += await _behind_the_door(wanted, broker, good[0])
    return found


async def _behind_the_door(wanted: Examination, broker: str, place: tuple[str, int]) -> list[Finding]:
    catalog, publisher = wanted.catalog, wanted.publisher
    own = publisher_topics(catalog, publisher) if publisher is not None else ()
    topics = wanted.topics or own or tuple(spec.name for spec in catalog.topics())
    seen: dict[str, SeenTopic] = {}

    def ask() -> tuple[dict[str, SeenTopic], tuple[Node, ...]]:
        names = dict.fromkeys((*topics, *own, DOCTOR_TOPIC.name))
        with open_connection(*place, timeout_s=STEP_TIMEOUT_S, security=security_of(broker)) as connection:
            return see_topics(connection, names)

    async def look() -> list[Finding]:
        nonlocal seen
        try:
            seen, nodes = await aside(ask)
        except (OSError, NotKafka, LoginRefused) as error:
            return [finding("unreachable", place=f"{place[0]}:{place[1]}", said=error)]
        return [*await look_at_advertised(nodes), *look_at_topics(catalog, seen, topics, publisher, broker)]

    found = await _within(_TOPICS_S + STEP_TIMEOUT_S, "topics", look())
    if not seen or any(one.code == "advertised_unreachable" for one in found):
        return found
    departments = set(catalog.department_topics())
    looked_at = [seen[name] for name in (own or topics) if name in departments]

    async def clock() -> list[Finding]:
        return [await look_at_clock(broker, seen.get(DOCTOR_TOPIC.name), wanted.clock)]

    async def records() -> list[Finding]:
        return [await look_at_records(broker, looked_at, publisher)]

    last = await asyncio.gather(
        _within(_CLOCK_S, "clock / giờ", clock()), _within(_RECORDS_S, "partitioner", records())
    )
    return [*found, *last[0], *last[1]]


def _judged(wanted: Examination, event: bytes) -> Finding:
    try:
        outgoing = EventJudge(wanted.catalog).judge(event, microseconds_of(wanted.clock()))
        refusal = wanted.publisher.refusal(outgoing.source, outgoing.type) if wanted.publisher is not None else None
    except InvalidRecord as error:
        refusal = error
    if refusal is None:
        return finding("event", topic=outgoing.topic, key=outgoing.key.decode(errors="replace"))
    field = f", {refusal.field}" if refusal.field else ""
    return finding("invalid_event", reason=refusal.reason, field=field, said_vi=refusal.vi, said_en=refusal.en)
