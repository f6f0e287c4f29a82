"""Dead letters sent again, each exactly once: the event and the mark that says so are one Kafka transaction.

There is one transactional id. Whoever starts a retry takes it over: what an earlier operator has not committed is
aborted, his later writes are refused, and only then are the marks read. So between reading a mark and writing one
nobody else can have written it; and a process killed in the middle leaves both records or neither.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced, TransactionalIdAuthorizationFailed

from ioc.adapters.dead_letters import original_of, read_retry_marks
from ioc.adapters.kafka_access import kafka_arguments, no_broker
from ioc.adapters.topics import find_cluster
from ioc.dead_letters import RETRIED_TOPIC, RetryMark, StoredLetter
from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.resending import Resend, ResendJudge
from ioc.windows import microseconds_of

__all__ = ["LETTERS_AT_ONCE", "TRANSACTIONAL_ID", "Retrier", "Retry", "open_retrier"]

TRANSACTIONAL_ID = "ioc-dlq-retry"
LETTERS_AT_ONCE = 100  # in one transaction: at most 100 originals of 512 KiB are in memory
_START_TIMEOUT_S = 30.0  # the coordinator first ends what an earlier operator left open
_STALL_TIMEOUT_S = 30.0
_TOPIC_TIMEOUT_S = 3.0
_STOP_TIMEOUT_S = 5.0
_TRANSACTION_TIMEOUT_MS = 20_000  # what a killed process left open holds readers back at most this long
_MAX_REQUEST_BYTES = 16 * 1024 * 1024  # whatever got into Kafka once gets in again


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What became of one letter.

    sent: `sent_to` is its new record. already: it was sent at `at` as `sent_to`. refused: `error` would refuse it
    again. lost: `sentence` says why it can't be sent.
    """

    letter: StoredLetter
    outcome: Literal["sent", "already", "refused", "lost"]
    at: datetime | None = None
    sent_to: str = ""
    error: InvalidRecord | None = None
    sentence: str = ""


class Retrier:
    """Sends letters again. Make it with `open_retrier`."""

    def __init__(
        self, broker: str, judge: ResendJudge, producer: AIOKafkaProducer, marks: dict[str, RetryMark]
    ) -> None:
        self._broker, self._judge, self._producer, self._marks = broker, judge, producer, marks
        self._topics: set[str] = set()

    async def retry(
        self, letters: Sequence[StoredLetter], now: datetime, *, is_forced: bool = False, is_again: bool = False
    ) -> list[Retry]:
        """Sends in one transaction those of `letters` that were not sent before and would be accepted today.

        `is_forced`: also what would be refused; `is_again`: also what was sent before.

        Raises:
            PermanentError: another operator's retry has taken over; nothing of this call was sent.
            TransientError: Kafka did not answer; nothing of this call was sent, or all of it.
        """
        answers: dict[str, Retry] = {}
        planned: list[tuple[StoredLetter, Resend]] = []
        for letter in letters:
            mark = self._marks.get(letter.id)
            if mark is not None and not is_again:
                answers[letter.id] = Retry(letter=letter, outcome="already", at=mark.at, sent_to=mark.sent_to)
                continue
            plan = await self._plan(letter, now, is_forced=is_forced)
            if isinstance(plan, Retry):
                answers[letter.id] = plan
            else:
                planned.append((letter, plan))
        if planned:
            for mark, (letter, _) in zip(await self._send(planned, now), planned, strict=True):
                self._marks[mark.letter] = mark
                answers[letter.id] = Retry(letter=letter, outcome="sent", at=mark.at, sent_to=mark.sent_to)
        return [answers[letter.id] for letter in letters]

    async def _plan(self, letter: StoredLetter, now: datetime, *, is_forced: bool) -> Resend | Retry:
        try:
            record = await original_of(self._broker, letter)
            resend = self._judge.judge(letter, record, microseconds_of(now))
            await self._check_topic(resend.topic)
        except PermanentError as error:
            return Retry(letter=letter, outcome="lost", sentence=str(error))
        if resend.error is not None and not is_forced:
            return Retry(letter=letter, outcome="refused", error=resend.error)
        return resend

    async def _check_topic(self, topic: str) -> None:
        """The producer would ask for a topic that is not there until its request times out."""
        if topic in self._topics:
            return
        try:
            await asyncio.wait_for(self._producer.partitions_for(topic), _TOPIC_TIMEOUT_S)
        except (TimeoutError, KafkaError) as error:
            raise PermanentError(f"Kafka at {self._broker} shows no topic {topic}") from error
        self._topics.add(topic)

    async def _send(self, planned: Sequence[tuple[StoredLetter, Resend]], now: datetime) -> list[RetryMark]:
        try:
            return await asyncio.wait_for(self._transaction(planned, now), _STALL_TIMEOUT_S)
        except ProducerFenced as error:
            raise PermanentError(
                "another `ioc dlq retry` has begun meanwhile and goes on; what is left: `ioc dlq list --pending`"
            ) from error
        except TimeoutError as error:
            raise no_broker(self._broker) from error
        except KafkaError as error:
            if error.retriable:
                raise no_broker(self._broker) from error
            raise PermanentError(f"Kafka refuses the retry: {type(error).__name__}; nothing of it was sent") from error

    async def _transaction(self, planned: Sequence[tuple[StoredLetter, Resend]], now: datetime) -> list[RetryMark]:
        producer = self._producer
        await producer.begin_transaction()
        sent: list[asyncio.Future[Any]] = []
        try:
            for _, one in planned:
                sent.append(await producer.send(one.topic, value=one.value, key=one.key, headers=list(one.headers)))
                sent[-1].add_done_callback(_look_at)
            receipts = await asyncio.gather(*sent)
            marks = [
                RetryMark(letter=letter.id, at=now, sent_to=f"{found.topic}/{found.partition}/{found.offset}")
                for (letter, _), found in zip(planned, receipts, strict=True)
            ]
            records = [mark.encode() for mark in marks]
            await asyncio.gather(*[await producer.send(RETRIED_TOPIC, key=key, value=value) for key, value in records])
            await producer.commit_transaction()
        except BaseException:
            with contextlib.suppress(Exception):  # a fenced producer can't even abort: its successor has done so
                await producer.abort_transaction()
            raise
        return marks


def _look_at(receipt: "asyncio.Future[Any]") -> None:
    """Fetches a result that nobody may wait for any more, or asyncio would complain about it in words of its own."""
    if not receipt.cancelled():
        receipt.exception()


@asynccontextmanager
async def open_retrier(broker: str, judge: ResendJudge) -> AsyncIterator[Retrier]:
    """Yields the one retrier; any other operator's is over from here on.

    Raises:
        ConfigurationError: `broker` is no address. TransientError: no Kafka there. PermanentError: no right to.
    """
    await find_cluster(broker)
    producer = AIOKafkaProducer(
        **kafka_arguments(broker),
        client_id="ioc-dlq",
        transactional_id=TRANSACTIONAL_ID,
        transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
        max_request_size=_MAX_REQUEST_BYTES,
    )
    try:
        await asyncio.wait_for(_take_over(producer), _START_TIMEOUT_S)
        yield Retrier(broker, judge, producer, await read_retry_marks(broker))
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), _STOP_TIMEOUT_S)


async def _take_over(producer: AIOKafkaProducer) -> None:
    try:
        await producer.start()
        await producer.begin_transaction()  # waits for the producer id: an earlier owner's transaction is aborted
        await producer.commit_transaction()
    except TransactionalIdAuthorizationFailed as error:
        raise PermanentError(
            f"this user may not write with the transactional id {TRANSACTIONAL_ID}; ask the administrator"
        ) from error
    except ProducerFenced as error:
        raise PermanentError("another `ioc dlq retry` is beginning right now; try again in a moment") from error
    except (KafkaError, OSError) as error:
        raise TransientError(f"Kafka does not take the retry: {type(error).__name__}; try again in a moment") from error
