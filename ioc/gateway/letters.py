"""Refused events of a department as dead letters, so that its page shows both ways in; in bounded number."""

import asyncio
import logging
import secrets
from collections.abc import Callable

from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.errors import InvalidRecord, TransientError
from ioc.gateway.intake import Carrier, head_of
from ioc.gateway.limits import RateLimit
from ioc.gateway.rejects import RejectedEvent, Rejects
from ioc.publishers import Publisher
from ioc.publishing import CONTENT_TYPE, Outgoing
from ioc.windows import microseconds_of

__all__ = ["LettersWriter"]

logger = logging.getLogger(__name__)

LETTERS_PER_S = 10.0
LETTERS_AT_ONCE = 500.0
"""A department's whole file may be wrong: so many of its refused events are kept at once, then ten a second. All are
answered and counted."""
MAX_WAITING = 2_000
CARRY_TIMEOUT_S = 5.0
KEPT_BYTES = 4 * 1024


class LettersWriter:
    """Keeps refused events for the department's page and writes them to `ioc.dead-letters`, behind the answers."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        carrier: Carrier,
        rejects: Rejects,
        clock: Clock,
        monotonic: Callable[[], float],
        on_dropped: Callable[[str], None] = lambda publisher: None,
    ) -> None:
        self._topics = {event_type.ce_type: event_type.topic for event_type in catalog.event_types.values()}
        self._province = catalog.province
        self._carrier, self._rejects, self._clock, self._monotonic = carrier, rejects, clock, monotonic
        self._limit = RateLimit(LETTERS_PER_S, burst=LETTERS_AT_ONCE)
        self._on_dropped = on_dropped
        self._waiting: asyncio.Queue[Outgoing] = asyncio.Queue(MAX_WAITING)
        self._number = 0

    def keep(self, publisher: Publisher, error: InvalidRecord, body: bytes) -> None:
        """Takes note of a refused event. Never waits; over the limit it is only counted."""
        head, now = head_of(body), self._clock()
        ref = ""
        if not self._waiting.full() and not self._limit.wait_s(publisher.name, 1, self._monotonic()):
            ref = f"gateway/{publisher.name}/{microseconds_of(now):014x}{secrets.token_hex(4)}"
            self._number += 1
            letter = DeadLetter(
                error=error,
                # a claim to be somebody else is the claimant's fault: it belongs on its own page
                source=head.source if publisher.owns(head.source) else publisher.sources[0],
                topic=self._topics.get(head.type, "gateway"),
                partition=-1,
                offset=self._number,
                index=0,
                at=now,
                key=None,
                headers=(("content-type", CONTENT_TYPE.encode()),),
                original=body,
                ref=ref,
            )
            key, value, headers = encode_dead_letter(letter, province=self._province)
            self._waiting.put_nowait(Outgoing(DEAD_LETTERS_TOPIC, key, value, headers))
        else:
            self._on_dropped(publisher.name)
        self._rejects.add(
            publisher.name,
            RejectedEvent(
                at=now,
                source=head.source,
                type=head.type,
                id=head.id,
                error=error,
                event_ref=ref,
                original=body[:KEPT_BYTES],
            ),
        )

    async def run(self) -> None:
        """Writes what waits, until cancelled; with Kafka away it waits on."""
        while True:
            letters = [await self._waiting.get()]
            while not self._waiting.empty() and len(letters) < 100:
                letters.append(self._waiting.get_nowait())
            await self._write(letters)
            for _ in letters:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Returns once everything kept so far is written."""
        await self._waiting.join()

    async def _write(self, letters: list[Outgoing]) -> None:
        while True:
            try:
                await self._carrier.carry(letters, timeout_s=CARRY_TIMEOUT_S)
            except TransientError as error:
                logger.warning("%d dead letters wait for Kafka: %s", len(letters), error)
                await asyncio.sleep(1.0)
            else:
                return
