"""`ioc worker`: the stream processor."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.adapters.kafka_access import KafkaAddress
    from ioc.catalog import Catalog
    from ioc.clock import Clock
    from ioc.settings import Settings
    from streams.worker import RoleName

__all__ = ["register"]

_EXAMPLE = "Example: `IOC_BROKER=127.0.0.1:9092 ioc worker --roles frames,incidents,events,figures`"


def register(app: typer.Typer) -> None:
    @app.command("worker", epilog=_EXAMPLE)
    def worker(
        roles: Annotated[
            str, typer.Option(help="frames (cameras), incidents, events (departments), figures (KPIs to /metrics)")
        ] = "frames,incidents,events,figures",
        broker: BrokerOption = None,
        config: ConfigOption = None,
    ) -> None:
        """Process frames and events until SIGTERM; /metrics, /healthz and /readyz on IOC_HTTP_PORT (9101).

        Missing topics are created first. The first line of output is `ready http://host:port`.
        """
        from ioc.adapters.kafka_access import kafka_access
        from ioc.catalog import load_catalog
        from ioc.cli.logs import configure_logs
        from ioc.clock import clock_from_setting
        from ioc.settings import load_settings
        from streams.worker import parse_roles

        settings = load_settings(config)
        kafka = kafka_access(settings, broker)
        chosen = parse_roles(roles)
        configure_logs(settings.log_level)
        catalog = load_catalog(settings.catalog)
        clock = clock_from_setting(settings.now)
        if not asyncio.run(_run(chosen, kafka, settings, catalog, clock)):
            sys.exit(1)


async def _run(
    roles: "Sequence[RoleName]", kafka: "KafkaAddress", settings: "Settings", catalog: "Catalog", clock: "Clock"
) -> bool:
    from ioc.adapters.evidence import evidence_of
    from ioc.adapters.topics import ensure_topics
    from ioc.clock import system_clock
    from streams.frame_lanes import FrameLimits
    from streams.worker import Worker, stop_on_signals

    stop = asyncio.Event()
    stop_on_signals(stop)
    await ensure_topics(kafka, catalog.topics())
    settings.state.mkdir(parents=True, exist_ok=True)
    worker = Worker(
        roles,
        broker=kafka,
        catalog=catalog,
        clock=clock,
        state=settings.state,
        flush_s=settings.flush_s,
        http_host=settings.http_host,
        http_port=settings.port(9101),
        agent=settings.agent,
        store=settings.store,
        # A fixed clock is a replay: it can tell neither lag nor age.
        frame_limits=FrameLimits(late_s=settings.frame_late_s or None, max_age_s=settings.frame_max_age_s or None)
        if clock is system_clock
        else FrameLimits(),
        smoke_model=settings.smoke_model,
        shadow_smoke_model=settings.shadow_smoke_model,
        construction_every_s=settings.construction_every_s,
        coverage_minutes=settings.coverage_minutes,
        evidence=evidence_of(settings),
    )
    print(f"ready http://{worker.address}", flush=True)
    return await worker.run(stop=stop)
