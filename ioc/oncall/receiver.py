"""A small verified webhook receiver, for tests, the demo, and as an example for those who build their own."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson
from aiohttp import web

from ioc.clock import Clock, system_clock
from ioc.errors import ConfigurationError, PermanentError
from ioc.oncall.signatures import SigningKey, verify

__all__ = ["Outcome", "WebhookReceiver"]

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024

Outcome = Literal["unique", "duplicate", "forged"]


@dataclass(slots=True, kw_only=True)
class WebhookReceiver:
    """Takes POSTs on `url`, checks their signatures and remembers their idempotency keys.

    `refusals` are HTTP statuses to answer next, one a request, before anything is looked at: how tests play an outage.
    """

    key: SigningKey
    host: str = "127.0.0.1"
    port: int = 0
    file: Path | None = None
    clock: Clock = system_clock
    refusals: list[int] = field(default_factory=list)
    unique: int = 0
    duplicate: int = 0
    forged: int = 0
    refused: int = 0
    keys: list[str] = field(default_factory=list)
    bodies: dict[str, dict[str, object]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    async def start(self) -> None:
        """Listens. Raises ConfigurationError when the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/", self._post)
        app.router.add_get("/", self._counts)
        app.router.add_get("/healthz", self._counts)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(f"port {self.port} of {self.host} can't be used: {error.strerror}") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def wait_for(self, *, unique: int = 0, refused: int = 0, timeout_s: float = 10.0) -> None:
        """Waits until that many different messages came and that many were refused. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: self.unique >= unique and self.refused >= refused)

    def take(self, headers: dict[str, str], body: bytes, *, now: datetime) -> Outcome:
        """Judges one request and remembers it. `headers` have lower-case names."""
        try:
            message_id = verify(self.key, headers, body, now=now)
            data = orjson.loads(body)
        except (PermanentError, orjson.JSONDecodeError) as error:
            self.forged += 1
            logger.warning("refused a webhook: %s", error)
            return "forged"
        self.keys.append(message_id)
        if message_id in self.bodies:
            self.duplicate += 1
            return "duplicate"
        self.unique += 1
        self.bodies[message_id] = data if isinstance(data, dict) else {"data": data}
        return "unique"

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refusals:
            self.refused += 1
            self.keys.append(request.headers.get("webhook-id", ""))
            await self._tell()
            return web.Response(status=self.refusals.pop(0))
        now = self.clock()
        outcome = self.take({name.lower(): value for name, value in request.headers.items()}, body, now=now)
        if self.file is not None and outcome != "forged":
            await asyncio.to_thread(
                self._append, {"outcome": outcome, "at": now.isoformat(), "key": self.keys[-1]}, body
            )
        await self._tell()
        return web.Response(status=401 if outcome == "forged" else 204)

    async def _counts(self, _: web.Request) -> web.Response:
        counts = {"unique": self.unique, "duplicate": self.duplicate, "forged": self.forged}
        return web.Response(body=orjson.dumps(counts), content_type="application/json")

    async def _tell(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    def _append(self, facts: dict[str, object], body: bytes) -> None:
        assert self.file is not None
        with self.file.open("ab") as out:
            out.write(orjson.dumps(facts | {"body": orjson.loads(body)}) + b"\n")
