"""What the pages and the other doors of HTTP work with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ioc.adapters.evidence import EvidenceStore
from ioc.oncall.desk import Desk
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import UnitNames
from ioc.oncall.store import Store

__all__ = ["Doors", "Troubles"]

Troubles = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns, by part, why it can't do its work: "" where it can."""


def _nameless(_: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """`public_url`: where people reach the service; cookies are for TLS alone where it begins with https.
    `read_token`: what machines show to read the incidents; "" for none."""

    store: Store
    desk: Desk
    metrics: OncallMetrics
    evidence: EvidenceStore
    readiness: Troubles
    liveness: Callable[[], str]
    unit_names: UnitNames = _nameless
    public_url: str = ""
    read_token: str = ""
