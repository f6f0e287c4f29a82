"""What a report is made of, read from outside: the KPI log from Kafka, the incidents from on-call."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog.model import VALUES_TOPIC
from ioc.errors import PermanentError, TransientError
from ioc.kpis.log import Place
from ioc.kpis.log_records import place_of
from ioc.wall.report.happenings import History, history_of
from ioc.wall.report.periods import Span
from ioc.wall.report.records import Ledger, decode_record

__all__ = ["read_history", "read_ledger"]

MAX_INCIDENTS = 1_000
_START_TIMEOUT_S = 15.0
_STALL_TIMEOUT_S = 30.0
_READ_AT_ONCE = 10_000
_FETCH_BYTES = 4 * 1024 * 1024
_ONCALL_TIMEOUT_S = 10.0
_PLACE = TopicPartition(VALUES_TOPIC, 0)

Advance = Callable[[float, float], object]
"""Told (records read, records in all)."""


async def read_ledger(broker: str, is_wanted: Callable[[Place], bool], advance: Advance) -> Ledger:
    """Returns the newest entries of the wanted places, as the log was when it was called.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    consumer = AIOKafkaConsumer(
        **kafka_arguments(broker),
        client_id="ioc-report",
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        await asyncio.wait_for(consumer.start(), _START_TIMEOUT_S)
        if VALUES_TOPIC not in await consumer.topics():
            raise PermanentError(
                f"Kafka at {broker} has no topic {VALUES_TOPIC}: no figure was ever written down; start `ioc worker`"
            )
        return await _read(consumer, is_wanted, advance)
    except TopicAuthorizationFailedError as error:
        raise PermanentError(f"this user may not read {VALUES_TOPIC}; ask the administrator") from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise TransientError(
            f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
        ) from error
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, is_wanted: Callable[[Place], bool], advance: Advance) -> Ledger:
    ledger = Ledger()
    consumer.assign([_PLACE])
    start = (await consumer.beginning_offsets([_PLACE]))[_PLACE]
    end = (await consumer.end_offsets([_PLACE]))[_PLACE]
    consumer.seek(_PLACE, start)
    loop = asyncio.get_running_loop()
    progress_at = loop.time()
    while (position := await consumer.position(_PLACE)) < end:
        records = (await consumer.getmany(_PLACE, timeout_ms=200, max_records=_READ_AT_ONCE)).get(_PLACE, ())
        for record in records:
            if record.offset < end:
                _take(ledger, record.key, record.value, is_wanted)
        if records:
            progress_at = loop.time()
        elif loop.time() - progress_at > _STALL_TIMEOUT_S and await consumer.position(_PLACE) == position:
            raise TimeoutError
        advance(await consumer.position(_PLACE) - start, end - start)
    return ledger


def _take(ledger: Ledger, key: bytes | None, value: bytes | None, is_wanted: Callable[[Place], bool]) -> None:
    try:
        if is_wanted(place_of(key)):
            ledger.take(decode_record(key, value))
    except msgspec.DecodeError:
        return  # none of ours: whoever wrote it there, it is no figure


async def read_history(url: str, span: Span, *, token: str = "") -> History:
    """Returns the incidents of the span; a history whose `trouble` says why, where on-call does not answer. `token`:
    what on-call asks readers for once it has accounts."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_ONCALL_TIMEOUT_S)
    address = f"{url.rstrip('/')}/api/incidents"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(address, params={"limit": str(MAX_INCIDENTS)}) as answer,
        ):
            if answer.status != 200:
                return History(trouble=f"HTTP {answer.status}")
            told: Any = await answer.json()
        return history_of(told["incidents"], span, limit=MAX_INCIDENTS)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        return History(trouble=type(error).__name__)
