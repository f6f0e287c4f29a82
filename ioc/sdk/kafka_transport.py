"""Events straight onto Kafka, for departments that have it: judged by the catalogue, keyed, partitioned by murmur2."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from ioc.adapters.kafka_access import KafkaAddress, Protocol, Security
from ioc.clock import Clock
from ioc.errors import ConfigurationError, InvalidRecord, PermanentError, TransientError
from ioc.publishing import EventJudge, Outgoing
from ioc.publishing.sender import Sender, open_sender
from ioc.sdk.results import LinkTrouble, Trouble, Verdict
from ioc.sdk.spool import Spooled
from ioc.windows import microseconds_of

__all__ = ["KafkaTransport", "kafka_address"]

_ACCEPTED = Verdict(outcome="accepted")


def kafka_address(broker: str, user: str, password: str, ca_file: str | Path | None) -> KafkaAddress:
    """Returns the address with how to get in. Raises ConfigurationError for a user without password, or the reverse."""
    if bool(user) != bool(password):
        raise ConfigurationError("user and password belong together; give both, or neither")
    protocol: Protocol = "SASL_SSL" if user else "SSL" if ca_file else "PLAINTEXT"
    ca = None if ca_file is None else Path(ca_file)
    return KafkaAddress(broker, Security(protocol=protocol, user=user, password=password, ca=ca))


class KafkaTransport:
    """Sends to the Kafka at `broker` (`host:port[,host:port]`). Opens nothing until the first event.

    Kafka knows no ids: a repeat is `accepted` again, and counts once.
    """

    def __init__(self, broker: KafkaAddress, judge: EventJudge, *, clock: Clock) -> None:
        self._broker, self._judge, self._clock = broker, judge, clock
        self._open: contextlib.AsyncExitStack | None = None
        self._sender: Sender | None = None
        self.clock_skew_s: float | None = None  # Kafka tells nobody its time

    async def send(self, events: Sequence[Spooled]) -> list[Verdict]:
        """Returns one verdict for each event once every valid one is acknowledged by all replicas.

        Raises:
            LinkTrouble: some may be there already; sent again they count once.
        """
        verdicts: list[Verdict] = []
        try:
            sender = await self._opened()
            for event in events:
                judged = self._judged(event)
                if isinstance(judged, Verdict):
                    verdicts.append(judged)
                else:
                    await sender.send(judged)
                    verdicts.append(_ACCEPTED)
            await sender.flush()
        except (TransientError, PermanentError, ConfigurationError) as error:
            await self.close()  # an idempotent producer that failed once can't go on
            raise LinkTrouble(_trouble(error, self._broker)) from error
        return verdicts

    async def is_well(self) -> bool:
        return False  # Kafka answers for each event by itself: there is no event to suspect

    async def close(self) -> None:
        stack, self._open, self._sender = self._open, None, None
        if stack is not None:
            await stack.aclose()

    async def _opened(self) -> Sender:
        if self._sender is None:
            stack = contextlib.AsyncExitStack()
            self._sender = await stack.enter_async_context(open_sender(self._broker, client_id="ioc-sdk"))
            self._open = stack
        return self._sender

    def _judged(self, event: Spooled) -> Outgoing | Verdict:
        """Judged once more: it may have waited in the spool for days."""
        try:
            return self._judge.judge(event.body, microseconds_of(self._clock()))
        except InvalidRecord as error:
            return Verdict.refusing(error)


def _trouble(error: TransientError | PermanentError | ConfigurationError, broker: str) -> Trouble:
    is_hard = not isinstance(error, TransientError)
    return Trouble(
        problem="locked_out" if is_hard else "away",
        vi=f"Kafka tại {broker} không nhận sự kiện ({error})",
        en=str(error).rstrip("."),
    )
