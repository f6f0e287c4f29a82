"""What every route of the gateway may use: one object, made by the composition root, given to every router."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from prometheus_client import CollectorRegistry

from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.gateway.intake import Intake
from ioc.gateway.rejects import Rejects
from ioc.publishers import Publisher
from ioc.settings import Settings

__all__ = ["GatewayServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayServices:
    """The gateway's parts.

    A route takes the department by `Depends(services.authenticate)` (the bearer token of the header; raises the Problem
    401 or 403), and events in by `await services.intake.submit(publisher, bodies, is_sandbox=False)`. What a route lets
    through is answered: TransientError as 503 with Retry-After, InvalidRecord as 422, Problem as itself. A body is
    bounded before a route reads it.

    `charge(publisher, events)` takes so many events from the publisher's rate and raises the Problem 429; `rejects`
    holds what was refused lately; `readiness` names what is missing, {} when the gateway can do its work.
    """

    catalog: Catalog
    settings: Settings
    clock: Clock
    intake: Intake
    rejects: Rejects
    authenticate: Callable[[Request], Publisher]
    charge: Callable[[Publisher, int], None]
    readiness: Callable[[], Awaitable[dict[str, str]]]
    registry: CollectorRegistry
