"""The whole gateway over a Kafka that remembers: requests in, answers out, no socket."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ioc.catalog import Catalog
from ioc.gateway.service import Assembled, token_file
from ioc.settings import Settings
from tests.contract.gateway.asking import Answer, RememberingCarrier, answer_of, scope_of
from tests.unit.domain.making import NOW, catalog

__all__ = ["BATCH", "LINES", "SINGLE", "Requests", "one_stop_catalog"]

SINGLE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
DEPARTMENT = "van-phong-ubnd"


@cache
def one_stop_catalog() -> Catalog:
    types = {name: kind for name, kind in catalog().event_types.items() if kind.family in ("onestop", "health")}
    return replace(catalog(), event_types=types)


class Requests:
    """`carrier.records` is what reached Kafka; `now_s` is the clock that rates and tokens go by."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.carrier = RememberingCarrier()
        self.now_s = 0.0
        self.trouble: dict[str, str] = {}
        self.tokens = token_file(state)
        self.token = self.tokens.issue(DEPARTMENT, now=NOW - timedelta(days=1))[1]
        self.parts = Assembled(
            one_stop_catalog(),
            Settings(state=state, **settings),
            carrier=self.carrier,
            readiness=self._readiness,
            clock=lambda: NOW,
            monotonic=lambda: self.now_s,
        )

    def ask(self, body: bytes | Iterable[bytes] = b"", kind: str = SINGLE, **how: Any) -> Answer:
        """`answer`, waited for."""
        return asyncio.run(self.answer(body, kind, **how))

    async def answer(
        self,
        body: bytes | Iterable[bytes] = b"",
        kind: str = SINGLE,
        *,
        path: str = "/v1/events",
        method: str = "POST",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Returns the answer to one request. A body in pieces has no declared length."""
        named = {"content-type": kind, "authorization": f"Bearer {self.token if token is None else token}"}
        if isinstance(body, bytes):
            named["content-length"] = str(len(body))
        else:
            named["transfer-encoding"] = "chunked"
        named |= {name.lower(): text for name, text in (headers or {}).items()}
        pieces = iter([body] if isinstance(body, bytes) else body)

        async def receive() -> dict[str, Any]:
            piece = next(pieces, None)
            if piece is None:
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.request", "body": piece, "more_body": not isinstance(body, bytes)}

        return await answer_of(self.parts.gateway, scope_of(method, path, named), receive)

    def counted(self) -> dict[str, float]:
        """ioc_gateway_events_total of the department, by outcome."""
        return {
            sample.labels["outcome"]: sample.value
            for family in self.parts.services.registry.collect()
            for sample in family.samples
            if sample.name == "ioc_gateway_events_total"
        }

    async def _readiness(self) -> dict[str, str]:
        return self.trouble
