"""What a report is made of, read from outside: the KPI log from Kafka, the incidents from on-call."""

from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from ioc.adapters.topic_reading import Advance, read_to_end
from ioc.catalog.model import VALUES_TOPIC
from ioc.kpis.log import Place
from ioc.kpis.log_records import place_of
from ioc.wall.report.happenings import History, history_of
from ioc.wall.report.periods import Span
from ioc.wall.report.records import Ledger, decode_record

__all__ = ["read_history", "read_ledger"]

MAX_INCIDENTS = 1_000
_ONCALL_TIMEOUT_S = 10.0


async def read_ledger(broker: str, is_wanted: Callable[[Place], bool], advance: Advance) -> Ledger:
    """Returns the newest entries of the wanted places, as the log was when it was called.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    ledger = Ledger()
    missing = ": no figure was ever written down; start `ioc worker`"
    async for _, records in read_to_end(broker, VALUES_TOPIC, client_id="ioc-report", missing=missing, advance=advance):
        for record in records:
            _take(ledger, record.key, record.value, is_wanted)
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
