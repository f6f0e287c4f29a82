"""`ioc wall`."""

import typer

from ioc.cli.logs import configure_logs
from ioc.cli.options import BrokerOption, ConfigOption

__all__ = ["register"]

DEFAULT_PORT = 8082


def register(app: typer.Typer) -> None:
    """Adds `ioc wall`."""
    app.command("wall", epilog="Example: `ioc wall`, then open http://127.0.0.1:8082/?rotate=30s on the television")(
        _wall
    )


def _wall(
    config: ConfigOption = None,
    broker: BrokerOption = None,
) -> None:
    """Serve the live wall: figures, cameras, map and incidents for a television, and a leader's page for a phone.

    Prints `ready http://host:port` first (port 8082, or IOC_HTTP_PORT). `/` is the wall, `/p` the phone's page; both
    know `?lang=en`. `/v1/figures` gives closed figures as JSON and CSV, `/reports` the reports. Figures come from
    IOC_FIGURES_URL, incidents from IOC_ONCALL_URL, cameras and past periods from Kafka; what is away is named on the
    page. Ends cleanly on Ctrl-C or SIGTERM.
    """
    import asyncio
    import signal

    import uvloop

    from ioc.adapters.kafka_access import kafka_access
    from ioc.catalog import load_catalog
    from ioc.cli.open_figures import open_figures
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.wall.live.service import run_wall

    settings = load_settings(config)
    settings = settings.model_copy(update={"broker": broker} if broker else {})
    configure_logs(settings.log_level)
    catalog, clock = load_catalog(settings.catalog), clock_from_setting(settings.now)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        figures = open_figures(settings, catalog, clock=clock, broker=kafka_access(settings))
        try:
            await run_wall(
                catalog,
                settings,
                port=settings.port(DEFAULT_PORT),
                stop=stop,
                announce=lambda address: print(f"ready {address}", flush=True),
                clock=clock,
                routers=(figures.router, figures.reports),
                tasks=[(figures.follower.run(), "open figures")],
            )
        finally:
            figures.store.close()

    uvloop.run(main())
