"""The gateway, put together: Kafka, tokens, the HTTP door, and an end that finishes what was begun."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry

from ioc.adapters.http_service import address_of, bind, keep, serve
from ioc.adapters.kafka_access import kafka_access
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.gateway import cap, open311, pages
from ioc.gateway.app import MAX_OTHER_BODY_BYTES, Gateway, build_api
from ioc.gateway.carrier import KafkaCarrier
from ioc.gateway.door import Doorkeeper
from ioc.gateway.events import EventsDoor
from ioc.gateway.intake import Carrier, Intake, Result
from ioc.gateway.letters import LettersWriter
from ioc.gateway.limits import Budget, RateLimit
from ioc.gateway.metrics import GatewayMetrics
from ioc.gateway.openapi import describe
from ioc.gateway.protocol import PatientProtocol
from ioc.gateway.reject_tail import RejectTail
from ioc.gateway.rejects import Rejects
from ioc.gateway.services import GatewayServices
from ioc.gateway.tokens import LastUsed, TokenFile, TokenVerifier
from ioc.gateway.types import status_router, types_router
from ioc.publishers import Publisher
from ioc.settings import Settings

__all__ = ["Assembled", "run_gateway", "token_file", "token_use_file"]

logger = logging.getLogger(__name__)

MAX_REQUESTS = 512
MAX_OTHER_REQUESTS = 64
DRAIN_TIMEOUT_S = 12  # longer than a batch waits for Kafka
KEEP_ALIVE_S = 75
NOTE_USE_EVERY_S = 30.0
READY_POLL_S = 0.05
STOP_TIMEOUT_S = 3.0


def token_file(state: Path) -> TokenFile:
    return TokenFile(state / "gateway-tokens.json")


def token_use_file(state: Path) -> LastUsed:
    return LastUsed(state / "gateway-token-use.json")


class Assembled:
    """The gateway's parts over one carrier; nothing runs yet. `gateway` is the ASGI application."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        *,
        carrier: Carrier,
        readiness: Callable[[], Any],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        registry: CollectorRegistry | None = None,
    ) -> None:
        registry = registry or CollectorRegistry()
        budget = Budget(requests=MAX_REQUESTS, size_bytes=settings.gateway_held_mib * 1024 * 1024)
        metrics = GatewayMetrics(registry, budget)
        rate = RateLimit(settings.gateway_rate)
        rejects = Rejects(catalog.publishers)
        self.verifier = TokenVerifier(token_file(settings.state), monotonic=monotonic)
        self.letters = LettersWriter(
            catalog,
            carrier=carrier,
            rejects=rejects,
            clock=clock,
            monotonic=monotonic,
            on_dropped=lambda publisher: metrics.dead_letters_dropped.labels(publisher).inc(),
        )

        def tell(publisher: Publisher, results: Sequence[Result]) -> None:
            metrics.results(publisher.name, results)
            now = clock()
            for result in results:
                if result.error is None:
                    rejects.accepted(publisher.name, result.source, result.id, now)

        self.intake = Intake(
            catalog,
            carrier=carrier,
            clock=clock,
            on_rejected=self.letters.keep,
            on_results=tell,
        )
        doorkeeper = Doorkeeper(catalog.publishers, self.verifier, rate=rate, clock=clock, monotonic=monotonic)

        async def missing() -> dict[str, str]:
            found: dict[str, str] = await readiness()
            return found | ({"tokens": self.verifier.trouble} if self.verifier.trouble else {})

        def authenticate(request: Request) -> Publisher:
            return doorkeeper.publisher_of(request.headers.get("authorization", "").encode("latin-1"))

        self.services = GatewayServices(
            catalog=catalog,
            settings=settings,
            clock=clock,
            intake=self.intake,
            rejects=rejects,
            authenticate=authenticate,
            charge=doorkeeper.charge,
            readiness=missing,
            registry=registry,
        )
        document = cache(lambda: describe(api, catalog))
        api = build_api(
            [
                status_router(missing, registry=registry, openapi=document),
                types_router(catalog),
                *_department_routers(self.services),
            ]
        )
        self.gateway = Gateway(
            api,
            doors={
                "/v1/events": EventsDoor(self.intake, rate=rate, is_sandbox=False, monotonic=monotonic),
                "/v1/sandbox/events": EventsDoor(self.intake, rate=rate, is_sandbox=True, monotonic=monotonic),
            },
            doorkeeper=doorkeeper,
            budget=budget,
            other_budget=Budget(requests=MAX_OTHER_REQUESTS, size_bytes=MAX_OTHER_REQUESTS * MAX_OTHER_BODY_BYTES),
            metrics=metrics,
            monotonic=monotonic,
        )


def _department_routers(services: GatewayServices) -> list[APIRouter]:
    """Each further door adds its router by one line."""
    return [
        cap.router(services),
        open311.router(services),
        pages.router(services),
    ]


async def run_gateway(
    catalog: Catalog,
    settings: Settings,
    *,
    port: int,
    stop: asyncio.Event,
    announce: Callable[[str], None],
    clock: Clock,
) -> None:
    """Runs until `stop` is set, then takes no new requests and answers those it has; `announce` is called once with the
    address when the gateway can do its work.

    Raises:
        ConfigurationError: the port or the token file can't be used.
    """
    carrier = KafkaCarrier(kafka_access(settings))

    async def readiness() -> dict[str, str]:
        trouble = await carrier.look()
        return {"kafka": trouble} if trouble else {}

    parts = Assembled(catalog, settings, carrier=carrier, readiness=readiness, clock=clock)
    if parts.verifier.trouble:
        raise ConfigurationError(parts.verifier.trouble)
    async with AsyncExitStack() as stack:
        door = bind("the gateway", settings.http_host, port)
        address = address_of(door, settings.http_host)
        stack.callback(door.close)
        keep(stack, carrier.run(), "kafka")
        keep(stack, parts.letters.run(), "dead letters")
        stack.push_async_callback(_flush, parts.letters)
        tail = RejectTail(parts.services.rejects, broker=kafka_access(settings), clock=clock)
        keep(stack, tail.run(), "refused events")
        keep(stack, _note_use(parts.verifier, token_use_file(settings.state)), "token use")
        keep(stack, _announce(carrier, lambda: announce(address)), "announcement")
        await serve(
            parts.gateway,
            door,
            stop,
            http=PatientProtocol,
            ws="none",
            interface="asgi3",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_TIMEOUT_S,
        )


async def _flush(letters: LettersWriter) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(letters.flush(), STOP_TIMEOUT_S)


async def _note_use(verifier: TokenVerifier, file: LastUsed) -> None:
    try:
        while True:
            await asyncio.sleep(NOTE_USE_EVERY_S)
            _note(verifier, file)
    finally:
        _note(verifier, file)


def _note(verifier: TokenVerifier, file: LastUsed) -> None:
    try:
        file.add(verifier.take_used())
    except OSError as error:
        logger.warning("when tokens were last used can't be written: %s", error)


async def _announce(carrier: KafkaCarrier, announce: Callable[[], None]) -> None:
    while carrier.trouble:  # noqa: ASYNC110  (Kafka offers no event to wait for)
        await asyncio.sleep(READY_POLL_S)
    announce()
