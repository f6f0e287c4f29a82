"""What every `ioc capture …` has in common: its options, the run, and the summary at its end."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ioc.capture.pacing import parse_duration_s

if TYPE_CHECKING:
    from ioc.capture.publisher import FramePublisher
    from ioc.capture.stills import CaptureReport, Source
    from ioc.clock import Clock
    from ioc.settings import Settings

__all__ = ["ConfigOption", "JsonOption", "Site", "open_site", "publishing"]

ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the summary as JSON")]

Beside = Callable[["Source", "FramePublisher", "Site"], Coroutine[Any, Any, None]]
"""What goes on while stills are published; it is ended with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The settings and the clock that a command works with."""

    settings: "Settings"
    clock: "Clock"


def open_site(config: Path | None) -> Site:
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings

    settings = load_settings(config)
    return Site(settings=settings, clock=clock_from_setting(settings.now))


def _shared(
    for_: Annotated[str | None, typer.Option("--for", help="stop after this long: 60s, 5m, 1h")] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="stop after this many stills, all cameras")
    ] = None,
    broker: Annotated[str | None, typer.Option("--broker", help="HOST:PORT of Kafka; else IOC_BROKER")] = None,
    province: Annotated[
        str | None, typer.Option("--province", help="the province in the event's source; else the catalogue's")
    ] = None,
    config: ConfigOption = None,
    is_unchecked: Annotated[
        bool, typer.Option("--no-check", help="send also what is no good JPEG, to test what the worker makes of it")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The options that follow each command's own."""


def publishing(
    build: "Callable[..., Source]", *, beside: Beside | None = None, is_service: bool = False
) -> Callable[..., None]:
    """Returns the command that publishes what the source `build(site, …)` yields.

    Its options are those of `build`, then the shared ones; its help is `build`'s. A service that was asked to end has
    not failed where nothing came.
    """
    own = list(inspect.signature(build).parameters.values())[1:]
    shared = list(inspect.signature(_shared).parameters.values())
    names = {parameter.name for parameter in shared}

    @functools.wraps(build)
    def command(**given: Any) -> None:
        options = {name: given.pop(name) for name in names}
        site = open_site(options.pop("config"))
        _run(build(site, **given), site, beside=beside, is_service=is_service, **options)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _run(
    source: "Source",
    site: Site,
    *,
    for_: str | None,
    count: int | None,
    broker: str | None,
    province: str | None,
    is_unchecked: bool,
    as_json: bool,
    beside: Beside | None,
    is_service: bool,
) -> None:
    """Publishes to the end, prints the summary, and exits 1 where nothing was published or something was lost."""
    import asyncio
    import json
    import logging

    from ioc.adapters.evidence import evidence_of
    from ioc.adapters.kafka_access import kafka_access
    from ioc.capture.publisher import FramePublisher
    from ioc.catalog import load_catalog
    from ioc.cli import logs
    from ioc.evidence.privacy import Privacy

    catalog = load_catalog(site.settings.catalog)
    logs.configure_logs(site.settings.log_level)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    for_s = None if for_ is None else parse_duration_s(for_, "--for")
    publisher = FramePublisher(
        broker=kafka_access(site.settings, broker),
        province=province or catalog.province,
        evidence=evidence_of(site.settings),
        tally=source.tally,
        is_checked=not is_unchecked,
        privacy=Privacy(catalog.cameras),
    )
    work = None if beside is None else beside(source, publisher, site)
    report = asyncio.run(_until_stopped(source, publisher, for_s, count, work))
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print_summary(report)
    if not is_service and (report.failed or not report.published):
        raise typer.Exit(1)


async def _until_stopped(
    source: "Source",
    publisher: "FramePublisher",
    for_s: float | None,
    count: int | None,
    beside: Coroutine[Any, Any, None] | None,
) -> "CaptureReport":
    import asyncio
    import signal

    from ioc.capture.publisher import run_capture

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    total = count if source.total is None else min(count or source.total, source.total)
    others = [asyncio.create_task(_show_progress(source, total))]
    if beside is not None:
        others.append(asyncio.create_task(beside))
    try:
        return await run_capture(source, publisher, stop=stop, count=count, for_s=for_s)
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _show_progress(source: "Source", total: int | None) -> None:
    """A bar on the terminal's error stream; nothing where that is no terminal."""
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        return
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("frames", total=total)
        while True:
            report = source.tally.report()
            progress.update(task, completed=report.published + report.skipped + report.rejected + report.failed)
            await asyncio.sleep(0.2)


def _print_summary(report: "CaptureReport") -> None:
    for warning in report.warnings:
        print(f"note: {warning}")
    for camera, tally in report.cameras.items():
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(tally.rejected.items()))
        rejected = f"{tally.rejected.total()} rejected" + (f" ({reasons})" if reasons else "")
        print(f"{camera}: {tally.published} published, {tally.skipped} skipped, {rejected}, {tally.failed} failed")
    print(
        f"total: {report.published} published, {report.skipped} skipped, {report.rejected} rejected, "
        f"{report.failed} failed in {report.elapsed_s:.1f} s"
    )
