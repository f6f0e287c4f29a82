"""The way of an event through the gateway: judged, owned, not seen before, in Kafka, answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.errors import InvalidRecord
from ioc.event_reading import MAX_ID_CHARS
from ioc.events import MAX_EVENT_BYTES
from ioc.gateway.dedup import AcknowledgedIds
from ioc.publishers import Publisher
from ioc.publishing import EventJudge, Outgoing
from ioc.publishing.judge import too_large
from ioc.windows import microseconds_of

__all__ = ["Carrier", "Head", "Intake", "Outcome", "Result", "head_of"]

Outcome = Literal["accepted", "duplicate", "rejected"]
JUDGED_IN_ONE_GO = 250  # 3 ms; then other requests have their turn
SINGLE_TIMEOUT_S = 2.0  # a single event that waits longer for its acknowledgement is told to come again
BATCH_TIMEOUT_S = 10.0


class Result(NamedTuple):
    """What became of one event. `error` says why it was rejected; `topic` and `key` where it went or would go."""

    outcome: Outcome
    source: str
    id: str
    error: InvalidRecord | None = None
    topic: str = ""
    key: bytes = b""


class Carrier(Protocol):
    """Brings records to Kafka."""

    async def carry(self, records: Sequence[Outgoing], *, timeout_s: float) -> None:
        """Returns once every record is acknowledged.

        Raises:
            TransientError: not within `timeout_s`, or Kafka is away; none or some of them may be there.
        """


OnRejected = Callable[[Publisher, InvalidRecord, bytes], None]
OnResults = Callable[[Publisher, Sequence[Result]], None]


class Intake:
    """The one way in for every door of the gateway.

    Args:
        on_rejected: told of each event that was refused, with its bytes.
        on_results: told of the results once they stand; never of an event that ended in 503.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        carrier: Carrier,
        clock: Clock,
        on_rejected: OnRejected = lambda publisher, error, body: None,
        on_results: OnResults = lambda publisher, results: None,
        acknowledged: AcknowledgedIds | None = None,
    ) -> None:
        self._judge = EventJudge(catalog)
        self._carrier, self._clock = carrier, clock
        self._on_rejected, self._on_results = on_rejected, on_results
        self._acknowledged = acknowledged or AcknowledgedIds()

    async def submit(self, publisher: Publisher, bodies: Sequence[bytes], *, is_sandbox: bool) -> list[Result]:
        """Returns one result for each of `bodies` (structured-mode JSON events), in their order; those accepted are
        acknowledged by every replica. In the sandbox nothing is published, counted or remembered.

        Raises:
            TransientError: Kafka is away or slow. All of it may be sent again: what is there counts once.
        """
        results: list[Result] = []
        records: list[Outgoing] = []
        digests: dict[bytes, None] = {}
        now_us = microseconds_of(self._clock())
        for number, body in enumerate(bodies):
            if number and not number % JUDGED_IN_ONE_GO:
                await asyncio.sleep(0)
            try:
                outgoing = self.judge(publisher, body, now_us)
            except InvalidRecord as error:
                results.append(_rejected(error, body))
                continue
            digest = self._digest(outgoing)
            is_known = digest in digests or digest in self._acknowledged
            results.append(
                Result(
                    "duplicate" if is_known else "accepted",
                    outgoing.source,
                    outgoing.id,
                    None,
                    outgoing.topic,
                    outgoing.key,
                )
            )
            if not is_known:
                digests[digest] = None
                records.append(outgoing)
        if is_sandbox:
            return results
        if records:
            await self._carrier.carry(records, timeout_s=SINGLE_TIMEOUT_S if len(bodies) == 1 else BATCH_TIMEOUT_S)
        for digest in digests:
            self._acknowledged.add(digest)
        self._tell(publisher, bodies, results)
        return results

    def refuse(self, publisher: Publisher, error: InvalidRecord, body: bytes, *, is_sandbox: bool) -> Result:
        """Returns the result of what a door could not even make an event of; counted and kept like any other."""
        result = _rejected(error, body)
        if not is_sandbox:
            self._tell(publisher, [body], [result])
        return result

    def judge(self, publisher: Publisher, body: bytes, now_us: int) -> Outgoing:
        """Returns the record of one event.

        Raises:
            InvalidRecord: it breaks the contract, or is not the publisher's to tell.
        """
        if len(body) > MAX_EVENT_BYTES:
            raise too_large(len(body), MAX_EVENT_BYTES)
        outgoing = self._judge.judge(body, now_us)
        refusal = publisher.refusal(outgoing.source, outgoing.type)
        if refusal is not None:
            raise refusal
        return outgoing

    def _digest(self, outgoing: Outgoing) -> bytes:
        return self._acknowledged.digest(outgoing.source, outgoing.id, outgoing.entity, outgoing.entity_id)

    def _tell(self, publisher: Publisher, bodies: Sequence[bytes], results: Sequence[Result]) -> None:
        self._on_results(publisher, results)
        for body, result in zip(bodies, results, strict=True):
            if result.error is not None:
                self._on_rejected(publisher, result.error, body)


class Head(NamedTuple):
    """Who says what, as far as a refused event tells; "" where it does not. Each cut to 512 characters."""

    source: str = ""
    id: str = ""
    type: str = ""


class _AnyHead(msgspec.Struct, gc=False):
    source: Any = None
    id: Any = None
    type: Any = None


_decode_head = msgspec.json.Decoder(_AnyHead).decode


def head_of(body: bytes) -> Head:
    """Returns what can be read of a refused event, for the answer to name it."""
    if len(body) > MAX_EVENT_BYTES:
        return Head()
    try:
        head = _decode_head(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Head()
    return Head(*(text[:MAX_ID_CHARS] if isinstance(text, str) else "" for text in (head.source, head.id, head.type)))


def _rejected(error: InvalidRecord, body: bytes) -> Result:
    head = head_of(body)
    return Result("rejected", head.source, head.id, error)
