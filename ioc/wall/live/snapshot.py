"""What the wall knows at one moment. Immutable, so that every viewer may be shown the same one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ioc.event_types import EventType
from ioc.kpis import KpiDefinition
from ioc.publishers import Publisher
from ioc.wall.live.alerts import Alert
from ioc.wall.live.cameras import CameraView
from ioc.wall.live.tiles import Tile

__all__ = ["PARTS", "Owner", "PartState", "Snapshot", "owners_of"]

PARTS = ("figures", "oncall", "cameras", "log")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One of the doors that the wall reads. `heard_at`: its last good answer; `trouble`: why there is no newer one."""

    heard_at: datetime | None = None
    trouble: str = ""

    @property
    def is_blind(self) -> bool:
        return bool(self.trouble) or self.heard_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`revision` grows by one with each; `parts` has every name of `PARTS`; tiles and alerts are worst first."""

    revision: int
    at: datetime
    tiles: tuple[Tile, ...]
    alerts: tuple[Alert, ...]
    cameras: tuple[CameraView, ...]
    parts: Mapping[str, PartState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who answers for a figure."""

    title_vi: str
    title_en: str
    contact: str = ""


def owners_of(
    definitions: Iterable[KpiDefinition], publishers: Iterable[Publisher], event_types: Mapping[str, EventType]
) -> dict[str, Owner]:
    """Returns by KPI the departments that may publish what feeds it; a KPI that nobody feeds has no owner."""
    known = list(publishers)
    tells = {publisher.name: {each.name for each in publisher.own_types(event_types)} for publisher in known}
    owners = {}
    for definition in definitions:
        found = [publisher for publisher in known if tells[publisher.name] & set(definition.fed_by)]
        if found:
            owners[definition.id] = Owner(
                title_vi=", ".join(publisher.title_vi for publisher in found),
                title_en=", ".join(publisher.title_en for publisher in found),
                contact=", ".join(publisher.contact for publisher in found if publisher.contact),
            )
    return owners
