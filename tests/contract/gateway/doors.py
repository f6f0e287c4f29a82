"""The gateway's parts over a Kafka that remembers, with two departments and their tokens."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from fastapi import Request
from prometheus_client import CollectorRegistry

from ioc.errors import InvalidRecord
from ioc.gateway.dedup import AcknowledgedIds
from ioc.gateway.intake import Intake
from ioc.gateway.problems import Problem
from ioc.gateway.rejects import Rejects
from ioc.gateway.services import GatewayServices
from ioc.publishers import Publisher
from ioc.settings import Settings
from tests.contract.gateway.asking import RememberingCarrier
from tests.unit.domain.making import NOW
from tests.unit.gateway.small_catalog import small_catalog

__all__ = ["CITIZENS", "CIVIL_DEFENCE", "HEALTH", "Doors"]

CIVIL_DEFENCE, CITIZENS, HEALTH = "token-of-civil-defence", "token-of-citizens", "token-of-health"
_NAMES = {CIVIL_DEFENCE: "phong-chong-thien-tai", CITIZENS: "cong-dan-so", HEALTH: "so-y-te"}


class Doors:
    """`services` for a router; `carrier.records` is what reached Kafka, `refused` what did not and why."""

    def __init__(self, state: Path, *, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.carrier = RememberingCarrier()
        self.refused: list[tuple[str, InvalidRecord]] = []
        self.charged = 0
        self.is_too_fast = False
        self.services = GatewayServices(
            catalog=small_catalog(),
            settings=Settings(state=state),
            clock=clock,
            intake=Intake(
                small_catalog(),
                acknowledged=AcknowledgedIds(slots=256),
                carrier=self.carrier,
                clock=clock,
                on_rejected=lambda publisher, error, body: self.refused.append((publisher.name, error)),
            ),
            rejects=Rejects(),
            authenticate=self._authenticate,
            charge=self._charge,
            readiness=self._readiness,
            registry=CollectorRegistry(),
        )

    def _authenticate(self, request: Request) -> Publisher:
        name = _NAMES.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if name is None:
            raise Problem(401, "bad_token", vi="Cần mã truy cập.", en="a token is needed")
        return small_catalog().publishers[name]

    def _charge(self, publisher: Publisher, events: int) -> None:
        self.charged += events
        if self.is_too_fast:
            raise Problem(429, "too_many_events", vi="Quá nhanh.", en="too fast", headers={"Retry-After": "3"})

    async def _readiness(self) -> dict[str, str]:
        return {}
