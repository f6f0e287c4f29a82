"""A citizen's report into Kafka."""

import hashlib
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import orjson

from ioc.errors import InvalidRecord
from ioc.gateway.open311_form import MAX_FIELD_CHARS, event_of, read_report
from ioc.gateway.open311_index import Fact
from ioc.gateway.open311_services import REPORT_TYPE
from ioc.gateway.services import GatewayServices
from ioc.gateway.tokens import write_private
from ioc.publishers import Publisher
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["ReportIntake", "Taken", "salt_of"]

SALT_FILE = "open311-salt"
SALT_BYTES = 32


class Taken(NamedTuple):
    """A report that is in Kafka. `fact` is None for a repeat: the first one stands."""

    report_id: str
    fact: Fact | None


class ReportIntake:
    """Makes the event, and hands it in.

    Args:
        codes: the service codes that there are.
        salt: secret of this gateway, asked for at the first report.
    """

    def __init__(self, services: GatewayServices, *, codes: Collection[str], salt: Callable[[], bytes]) -> None:
        self._services, self._codes, self._salt = services, codes, salt

    async def take(self, publisher: Publisher, fields: Mapping[str, str], idempotency_key: str) -> Taken:
        """Returns the report that the form became.

        Raises:
            InvalidRecord: the form, or the event that it made, can't be taken. TransientError: Kafka is away.
            Problem: more than the department may send.
        """
        self._services.charge(publisher, 1)
        catalog, now = self._services.catalog, self._services.clock()
        event_type = catalog.event_types[REPORT_TYPE]
        own = (source for source in publisher.sources if source.split("/")[2:3] == [event_type.family])
        try:
            form = read_report(
                fields, codes=self._codes, geography=catalog.geography, today=now.astimezone(LOCAL_ZONE).date()
            )
        except InvalidRecord as error:
            told = {name: fields[name] for name in ("service_code", "lat", "long") if name in fields}
            self._services.intake.refuse(publisher, error, orjson.dumps(told), is_sandbox=False)
            raise
        report_id = _report_id(publisher.name, idempotency_key[:MAX_FIELD_CHARS])
        body = event_of(
            form,
            report_id=report_id,
            at=now,
            source=next(own, f"/{catalog.province}/{event_type.family}"),  # not its own: the intake says so
            ce_type=event_type.ce_type,
            salt=self._salt(),
        )
        (result,) = await self._services.intake.submit(publisher, [body], is_sandbox=False)
        if result.error is not None:
            raise result.error
        if result.outcome == "duplicate":
            return Taken(report_id, None)
        fact = Fact(
            type=REPORT_TYPE,
            report_id=report_id,
            event_id=result.id,
            at_us=microseconds_of(now),
            is_tombstone=False,
            data=orjson.loads(body)["data"],
        )
        return Taken(report_id, fact)


def _report_id(publisher: str, idempotency_key: str) -> str:
    if not idempotency_key:
        return f"311-{secrets.token_hex(10)}"
    digest = hashlib.sha256(f"{publisher}\x00{idempotency_key}".encode("utf-8", "surrogateescape"))
    return f"311-{digest.hexdigest()[:20]}"


@cache
def salt_of(state: Path) -> bytes:
    """Returns the secret by which reporters are hashed: made once, kept in the state folder, readable by its owner."""
    path = state / SALT_FILE
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        write_private(path, os.urandom(SALT_BYTES))
    return path.read_bytes()[:64]
