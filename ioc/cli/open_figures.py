"""Composes the open figures for `ioc wall`: the store on disk, its follower of the KPI log, the routes over both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ioc.adapters.kafka_access import KafkaAddress
from ioc.catalog import Catalog
from ioc.cli.kpi import explain
from ioc.clock import Clock
from ioc.kpis import KpiDefinition
from ioc.settings import Settings
from ioc.wall.figure_follower import FigureFollower
from ioc.wall.figure_store import FigureStore
from ioc.wall.open_figures import FigureServices, figures_router
from ioc.wall.report_pages import reports_router

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ioc.kpis.audit import Explanation, Wanted

__all__ = ["OpenFigures", "open_figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFigures:
    """Mount `router` (open to all) and `reports` (for who may see the wall), run `follower.run()` as a task of its own,
    and close `store` at the end."""

    router: "APIRouter"
    reports: "APIRouter"
    follower: FigureFollower
    store: FigureStore


def open_figures(settings: Settings, catalog: Catalog, *, clock: Clock, broker: KafkaAddress) -> OpenFigures:
    """Returns the parts; nothing runs yet. The store lies in the state folder as open-figures.db.

    Raises:
        OSError, sqlite3.Error: the state folder can't be written.
    """
    store = FigureStore(settings.state / "open-figures.db")
    follower = FigureFollower(broker, store, clock)

    async def explained(kpi: KpiDefinition, window: str, clock_us: int, wanted: "Wanted") -> "Explanation":
        return await explain(broker, catalog, kpi, window, clock_us, wanted, lambda done, total: None)

    services = FigureServices(
        catalog=catalog,
        store=store,
        clock=clock,
        explain=explained,
        is_current=lambda: (follower.caught_up.is_set(), follower.read_at),
        licence=settings.open_licence,
    )
    return OpenFigures(
        router=figures_router(services),
        reports=reports_router(settings.state / "reports"),
        follower=follower,
        store=store,
    )
