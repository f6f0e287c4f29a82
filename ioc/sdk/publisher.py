"""The publisher's asynchronous client."""

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ioc.clock import Clock, system_clock
from ioc.errors import InvalidRecord
from ioc.sdk.checks import CatalogueChecks, Checks, GatewayChecks
from ioc.sdk.delivery import Delivery, Transport
from ioc.sdk.envelopes import Prepared, prepare, whole_source
from ioc.sdk.http_transport import GatewayTransport, Token
from ioc.sdk.results import Refused, Result, Status, Verdict
from ioc.sdk.spool import MAX_BYTES, MAX_WAIT_S, Spool

__all__ = ["AsyncPublisher", "Draft"]

logger = logging.getLogger(__name__)

_SKEW_S = 60.0  # less than that is the way's own time and a Date header's whole seconds
_RANDOM = random.SystemRandom().random


class Draft(NamedTuple):
    """One event of a batch, as the arguments of `publish`."""

    type: str
    data: Mapping[str, object]
    id: str | None = None
    time: datetime | str | None = None
    source: str | None = None


class AsyncPublisher:
    """Publishes a department's events through the centre's gateway, each once, in order, whatever the link does.

    Example::

        async with AsyncPublisher(url, token, source="/lam-dong/onestop/motcua", spool="spool") as p:
            result = await p.publish("dossier.submitted", {"dossier_id": "H36-1", ...}, id="H36-1-submitted")
            print(result.outcome, result.vi)

    Args:
        url: the gateway's address, like https://ioc.lamdong.gov.vn.
        token: the department's secret, or the `Path` of a file that holds it (read anew, so it can be rotated).
        source: who tells: /PROVINCE/FAMILY/SYSTEM; the province may be left out where `catalog` or `province` says it.
        spool: folder that keeps events until they are answered. Without one an event that nobody took within `wait_s`
            raises TransientError.
        catalog: folder of the province's catalogue, where it is at hand. Events are judged by it before they are
            sent; else by the schemas that the gateway gives (kept beside the spool), as far as those say.
        wait_s: how long `publish` waits for an answer while nothing moves; then the event is `spooled`.
        ca_file: PEM file of the centre's root certificate, where this machine does not trust it.

    Raises:
        ConfigurationError: an argument is wrong, or another process has the spool (when entered).
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        source: str,
        spool: str | Path | None = None,
        catalog: str | Path | None = None,
        province: str | None = None,
        ca_file: str | Path | None = None,
        wait_s: float = 10.0,
        request_timeout_s: float = 30.0,
        spool_bytes: int = MAX_BYTES,
        spool_wait_s: float = MAX_WAIT_S,
        clock: Clock = system_clock,
        chance: Callable[[], float] = _RANDOM,
    ) -> None:
        transport = GatewayTransport(
            url, token, clock=clock, ca_file=None if ca_file is None else Path(ca_file), timeout_s=request_timeout_s
        )
        folder = None if spool is None else Path(spool)
        types = None if folder is None else folder / "types"
        self._set_up(
            transport,
            GatewayChecks(transport.get, types, province) if catalog is None else CatalogueChecks(Path(catalog)),
            source=source,
            spool=folder,
            wait_s=wait_s,
            spool_bytes=spool_bytes,
            spool_wait_s=spool_wait_s,
            clock=clock,
            chance=chance,
        )

    @classmethod
    def over_kafka(
        cls,
        broker: str,
        *,
        catalog: str | Path,
        source: str,
        user: str = "",
        password: str = "",
        ca_file: str | Path | None = None,
        spool: str | Path | None = None,
        wait_s: float = 10.0,
        spool_bytes: int = MAX_BYTES,
        spool_wait_s: float = MAX_WAIT_S,
        clock: Clock = system_clock,
        chance: Callable[[], float] = _RANDOM,
    ) -> "AsyncPublisher":
        """Returns a publisher onto the Kafka at `broker`; `catalog` (a folder) says topics and keys, and judges.

        With `user` and `password` it logs in by SCRAM over TLS, which `ca_file` certifies; with `ca_file` alone it
        speaks TLS; with neither, clear text. The other arguments are as for the gateway.
        """
        from ioc.sdk.kafka_transport import KafkaTransport, kafka_address  # here: who has no Kafka loads no client

        checks = CatalogueChecks(Path(catalog))
        publisher = cls.__new__(cls)
        publisher._set_up(
            KafkaTransport(kafka_address(broker, user, password, ca_file), checks.judge, clock=clock),
            checks,
            source=source,
            spool=None if spool is None else Path(spool),
            wait_s=wait_s,
            spool_bytes=spool_bytes,
            spool_wait_s=spool_wait_s,
            clock=clock,
            chance=chance,
        )
        return publisher

    def _set_up(
        self,
        transport: Transport,
        checks: Checks,
        *,
        source: str,
        spool: Path | None,
        wait_s: float,
        spool_bytes: int,
        spool_wait_s: float,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._transport, self._checks, self._clock, self._wait_s = transport, checks, clock, wait_s
        self._source = whole_source(source, checks.province)
        self._delivery = Delivery(
            transport,
            lambda: Spool(spool, max_bytes=spool_bytes, max_wait_s=spool_wait_s),
            is_durable=spool is not None,
            clock=clock,
            chance=chance,
        )
        self._is_skew_told = False

    async def __aenter__(self) -> "AsyncPublisher":
        await self._delivery.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._delivery.close()

    async def publish(
        self,
        type: str,  # CloudEvents' own word
        data: Mapping[str, object],
        *,
        id: str | None = None,
        time: datetime | str | None = None,
        source: str | None = None,
    ) -> Result:
        """Returns what became of one event of `type` (like `dossier.submitted`) with `data`.

        `time`: when it happened; now where it is not given. `id`: never changes for this event, so that a repeat counts
        once; a digest of the whole event where it is not given (give `time` or `id` to repeat safely).

        Raises:
            SpoolFull: the spool takes no more: the event was NOT kept.
            TransientError: without a spool: nobody took it.
        """
        (result,) = await self.publish_all([Draft(type, data, id, time, source)])
        return result

    async def publish_all(self, drafts: Iterable[Draft]) -> list[Result]:
        """Returns what became of each of `drafts`, in their order. All good ones are kept, or (SpoolFull) none."""
        drafts = list(drafts)
        for type_name in {draft.type for draft in drafts}:
            await self._checks.learn(type_name)
        judged = [self._judged(draft) for draft in drafts]
        good = [one for one in judged if isinstance(one, Prepared)]
        answers = iter(await self._delivery.submit(good, self._wait_s))
        self._look_at_clock()
        return [next(answers) if isinstance(one, Prepared) else one for one in judged]

    async def flush(self, timeout_s: float | None = None) -> int:
        """Waits until everything is answered, at most `timeout_s`; returns how many events still wait."""
        return await self._delivery.flush(timeout_s)

    async def rejected(self) -> list[Refused]:
        """Returns the events that the centre refused after they were spooled, for a person to mend."""
        return await self._delivery.rejected()

    async def forget_rejected(self, numbers: Sequence[int]) -> None:
        """Throws away rejected events, by their numbers, once somebody has dealt with them."""
        await self._delivery.forget_rejected(numbers)

    @property
    def pending(self) -> int:
        """How many events wait for an answer."""
        return self._delivery.pending

    @property
    def status(self) -> Status:
        """How things stand: the link's trouble, if any, in Vietnamese and English; how many wait; the clock's error."""
        return Status(
            trouble=self._delivery.trouble,
            pending=self._delivery.pending,
            rejected=self._delivery.rejected_count,
            clock_skew_s=self._transport.clock_skew_s,
            checks=self._checks.kind,
        )

    # ---- before sending --------------------------------------------------------------------------------------------

    def _judged(self, draft: Draft) -> Prepared | Result:
        source = self._source if draft.source is None else whole_source(draft.source, self._checks.province)
        try:
            prepared = prepare(
                draft.type, draft.data, source=source, now=self._now(), event_id=draft.id, time=draft.time
            )
        except InvalidRecord as error:
            return Verdict.refusing(error).of(source, draft.id or "")
        try:
            self._checks.check(
                draft.type, prepared.body, self._now(), is_clock_sure=self._transport.clock_skew_s is not None
            )
        except InvalidRecord as error:
            return Verdict.refusing(error).of(source, prepared.id)
        return prepared

    def _now(self) -> datetime:
        """The gateway's time, where this machine's clock is known to be wrong."""
        skew_s = self._transport.clock_skew_s or 0.0
        now = self._clock()
        return now - timedelta(seconds=skew_s) if abs(skew_s) > _SKEW_S else now

    def _look_at_clock(self) -> None:
        skew_s = self._transport.clock_skew_s or 0.0
        if abs(skew_s) > _SKEW_S and not self._is_skew_told:
            self._is_skew_told = True
            word = "ahead of" if skew_s > 0 else "behind"
            logger.warning("this machine's clock is %.0f s %s the gateway's; set it right (NTP)", abs(skew_s), word)
