"""`ioc bench …`: measures the product against its floors, with the peer in the same run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ioc.cli.bench_table import Measure

__all__ = ["register"]

JsonOption = Annotated[Path | None, typer.Option("--json", help="write the figures to this file")]
PassesOption = Annotated[int, typer.Option(min=1, help="the median of this many is taken")]


def register(app: typer.Typer) -> None:
    bench = typer.Typer(name="bench", help="Benchmarks with their floors; exit 1 below one.", no_args_is_help=True)
    for add in (
        _add_events,
        _add_peers,
        _add_growth,
        _add_rows,
        _add_latency,
        _add_replay,
        _add_frames,
        _add_cameras,
        _add_smoke,
        _add_construction,
        _add_gateway,
        _add_csv,
        _add_wall_page,
        _add_wall_panels,
        _add_oncall,
        _add_oncall_pages,
        _add_all,
    ):
        add(bench)
    app.add_typer(bench)


def _add_events(bench: typer.Typer) -> None:
    @bench.command("events", epilog="Example: `ioc bench events --json events.json`. Two minutes; on a quiet machine.")
    def events(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=10_000, help="events of each mix")] = 500_000,
        passes: PassesOption = 3,
    ) -> None:
        """CPU of the events role an event, in ratio to plain aiokafka that decodes and counts the same records."""
        from ioc.cli.bench_events import measure_events
        from ioc.cli.bench_table import finish

        finish("events", measure_events(count=count, passes=passes), json_)


def _add_peers(bench: typer.Typer) -> None:
    @bench.command(
        "peers", epilog="Example: `ioc bench peers --json peers.json`. Two minutes; `make bench` installs them."
    )
    def peers(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=10_000, help="events; the stock agent gets a tenth")] = 200_000,
        passes: PassesOption = 3,
    ) -> None:
        """The events role beside a stock Faust agent, Quix Streams and Bytewax on the same topic."""
        from ioc.cli.bench_peers import measure_peers
        from ioc.cli.bench_table import finish

        finish("peers", measure_peers(count=count, passes=passes), json_)


def _add_growth(bench: typer.Typer) -> None:
    @bench.command("growth", epilog="Example: `ioc bench growth --passes 5`. One minute; on a quiet machine.")
    def growth(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=10_000, help="events of each run")] = 200_000,
        passes: PassesOption = 3,
    ) -> None:
        """CPU of an event with every KPI of the catalogue, in ratio to eight of them."""
        from ioc.cli.bench_growth import measure_growth
        from ioc.cli.bench_table import finish

        finish("growth", measure_growth(count=count, passes=passes), json_)


def _add_rows(bench: typer.Typer) -> None:
    @bench.command(
        "rows", epilog="Example: `ioc bench rows --rows 100000`. Five minutes and 4 GB of disk with a million."
    )
    def rows(
        json_: JsonOption = None,
        rows: Annotated[int, typer.Option(min=20_000, help="dossiers of four facts each")] = 1_000_000,
        count: Annotated[int, typer.Option(min=10_000, help="events whose CPU is compared")] = 100_000,
        passes: PassesOption = 3,
    ) -> None:
        """Memory and restart of a worker with a million rows, and what an event costs beside them."""
        from ioc.cli.bench_rows import measure_rows
        from ioc.cli.bench_table import finish

        finish("rows", measure_rows(rows=rows, count=count, passes=passes), json_)


def _add_latency(bench: typer.Typer) -> None:
    @bench.command("latency", epilog="Example: `ioc bench latency --rate 2000 --seconds 60`. A minute and a half.")
    def latency(
        json_: JsonOption = None,
        rate: Annotated[int, typer.Option(min=50, help="events a second")] = 2_000,
        seconds: Annotated[int, typer.Option(min=5, help="how long to publish")] = 60,
    ) -> None:
        """From an event that the broker has acknowledged to the figure on /metrics, at a steady rate."""
        from ioc.cli.bench_latency import measure_latency
        from ioc.cli.bench_table import finish

        finish("latency", measure_latency(rate=rate, seconds=seconds), json_)


def _add_replay(bench: typer.Typer) -> None:
    @bench.command(
        "replay", epilog="Example: `ioc bench replay --count 500000`. Five minutes and 3 GB of disk with all."
    )
    def replay(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=50_000, help="events of the year")] = 5_000_000,
    ) -> None:
        """A province-year of events replayed with a fixed clock by one worker on one core, and checked to be exact."""
        from ioc.cli.bench_replay import measure_replay
        from ioc.cli.bench_table import finish

        finish("replay", measure_replay(count=count), json_)


def _add_frames(bench: typer.Typer) -> None:
    @bench.command("frames", epilog="Example: `ioc bench frames --json frames.json`. About half a minute.")
    def frames(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=20, help="frames of 1280×720")] = 120,
    ) -> None:
        """Frames a second on one core: 1280×720 JPEG in, decoded, through both detectors."""
        from ioc.cli.bench_frames import measure_frames
        from ioc.cli.bench_table import finish

        finish("frames", measure_frames(count=count), json_)


def _add_smoke(bench: typer.Typer) -> None:
    @bench.command(
        "smoke",
        epilog="Example: `ioc bench smoke --data smoke-data --json smoke.json`. 40 minutes; `--quick` takes a sample. "
        "Parts: sequences, onsets (both need --data), nuisances, plumes, day, speed, memory, latency.",
    )
    def smoke(
        json_: JsonOption = None,
        data: Annotated[
            Path | None, typer.Option("--data", help="folder of evaluation data: manifest.csv and clips; not shipped")
        ] = None,
        only: Annotated[str | None, typer.Option("--only", help="parts, with commas between")] = None,
        model: Annotated[
            str | None, typer.Option("--model", help="free, hpwren, rule or a file of weights; else the setting")
        ] = None,
        folds: Annotated[Path | None, typer.Option("--folds", help="JSON of training: weights by site")] = None,
        is_quick: Annotated[bool, typer.Option("--quick", help="a sample of everything; judges what is whole")] = False,
    ) -> None:
        """What the smoke detector must reach: real fires, known onsets, nuisances, a quiet day, speed, latency."""
        from ioc.cli.bench_smoke import measure_smoke, parts_named
        from ioc.cli.bench_table import finish
        from ioc.settings import load_settings

        parts, chosen = parts_named(only), model or load_settings().smoke_model
        measures = measure_smoke(parts=parts, model=chosen, data=data, folds=folds, is_quick=is_quick)
        finish("smoke", measures, json_)


def _add_construction(bench: typer.Typer) -> None:
    @bench.command(
        "construction",
        epilog="Example: `ioc bench construction --data pairs --json construction.json`. 20 minutes; `--quick` takes "
        "three poses of the year. Parts: registration, surfaces (both need --data), year, hours, speed.",
    )
    def construction(
        json_: JsonOption = None,
        data: Annotated[
            Path | None, typer.Option("--data", help="folder of evaluation pairs: manifest.csv, levir; not shipped")
        ] = None,
        only: Annotated[str | None, typer.Option("--only", help="parts, with commas between")] = None,
        is_quick: Annotated[bool, typer.Option("--quick", help="three poses of the year, not judged")] = False,
    ) -> None:
        """What the construction detector must reach: registration, new surfaces, a simulated year, speed."""
        from ioc.cli.bench_construction import construction_parts, measure_construction
        from ioc.cli.bench_table import finish

        measures = measure_construction(parts=construction_parts(only), data=data, is_quick=is_quick)
        finish("construction", measures, json_)


def _add_cameras(bench: typer.Typer) -> None:
    @bench.command(
        "cameras",
        epilog="Example: `ioc bench cameras --only capture,place`. Half an hour; the simulated week takes most of it.",
    )
    def cameras(
        json_: JsonOption = None,
        only: Annotated[
            str | None, typer.Option("--only", help="parts, with commas between: capture,health,place")
        ] = None,
        is_quick: Annotated[bool, typer.Option("--quick", help="a sample of everything, which judges little")] = False,
    ) -> None:
        """What cameras must reach: 37 RTSP streams at a small cost, faults found and weather not called one, places."""
        from ioc.cli.bench_cameras import camera_parts, measure_cameras
        from ioc.cli.bench_table import finish

        finish("cameras", measure_cameras(parts=camera_parts(only), is_quick=is_quick), json_)


def _add_csv(bench: typer.Typer) -> None:
    @bench.command("csv", epilog="Example: `ioc bench csv --rows 100000`. A minute and 1 GB of disk with a million.")
    def csv(
        json_: JsonOption = None,
        rows: Annotated[int, typer.Option(min=1_000, help="of the file")] = 1_000_000,
    ) -> None:
        """`ioc publish` of a department's CSV by its mapping: rows a second into Kafka, and memory."""
        from ioc.cli.bench_csv import measure_csv
        from ioc.cli.bench_table import finish

        finish("csv", measure_csv(rows=rows), json_)


def _add_wall_page(bench: typer.Typer) -> None:
    @bench.command("wall-page", epilog="Example: `ioc bench wall-page --json wall.json`. A minute and a half.")
    def wall_page(
        json_: JsonOption = None,
        seconds: Annotated[float, typer.Option(min=5, help="how long fifty viewers watch")] = 30.0,
    ) -> None:
        """First paint of the live wall in a browser, and what fifty viewers cost its server."""
        from ioc.cli.bench_table import finish
        from ioc.cli.bench_wall_page import measure_wall_page

        finish("wall-page", measure_wall_page(seconds=seconds), json_)


def _add_wall_panels(bench: typer.Typer) -> None:
    @bench.command("wall", epilog="Example: `ioc bench wall --days 3`. Some minutes and 3 GB of disk with 30 days.")
    def wall(
        json_: JsonOption = None,
        kpis: Annotated[int, typer.Option(min=1, help="KPIs")] = 60,
        units: Annotated[int, typer.Option(min=1, help="units of each")] = 200,
        days: Annotated[int, typer.Option(min=1, help="days of hourly samples")] = 30,
    ) -> None:
        """How long a panel of the province wall waits for a real Prometheus, and /metrics of a large province."""
        from ioc.cli.bench_table import finish
        from ioc.cli.bench_wall_panels import measure_wall_panels

        finish("wall", measure_wall_panels(kpis=kpis, units=units, days=days), json_)


def _add_gateway(bench: typer.Typer) -> None:
    @bench.command("gateway", epilog="Example: `ioc bench gateway --json gateway.json`. About a minute.")
    def gateway(
        json_: JsonOption = None,
        seconds: Annotated[float, typer.Option(min=2, help="how long each load lasts")] = 10.0,
    ) -> None:
        """Events a second over HTTP, one at a time and in batches, and how long an answer takes."""
        from ioc.cli.bench_gateway import measure_gateway
        from ioc.cli.bench_table import finish

        finish("gateway", measure_gateway(seconds=seconds), json_)


def _add_oncall(bench: typer.Typer) -> None:
    @bench.command("oncall", epilog="Example: `ioc bench oncall --json oncall.json`. A minute and a half.")
    def oncall(
        json_: JsonOption = None,
        probes: Annotated[int, typer.Option(min=20, help="incidents whose time is taken, ten a second")] = 200,
        burst: Annotated[int, typer.Option(min=100, help="incidents at once")] = 2_000,
    ) -> None:
        """From an incident on Kafka to its first notice, and notices a second, on PostgreSQL and SQLite."""
        from ioc.cli.bench_oncall import measure_oncall
        from ioc.cli.bench_table import finish

        finish("oncall", measure_oncall(probes=probes, burst=burst), json_)


def _add_oncall_pages(bench: typer.Typer) -> None:
    @bench.command("oncall-pages", epilog="Example: `ioc bench oncall-pages --pages 50`. About a minute.")
    def oncall_pages(
        json_: JsonOption = None,
        incidents: Annotated[int, typer.Option(min=100, help="open ones")] = 10_000,
        pages: Annotated[int, typer.Option(min=1, help="open browsers")] = 50,
        seconds: Annotated[float, typer.Option(min=3, help="how long they stay open")] = 20.0,
    ) -> None:
        """The operators' inbox with many open incidents: how long a page takes, and what open pages cost."""
        from ioc.cli.bench_oncall_pages import measure_oncall_pages
        from ioc.cli.bench_table import finish

        finish("oncall-pages", measure_oncall_pages(incidents=incidents, pages=pages, seconds=seconds), json_)


def _add_all(bench: typer.Typer) -> None:
    @bench.command("all", epilog="Example: `ioc bench all --json bench.json`. Two hours; `make bench` runs it.")
    def all_(
        json_: JsonOption = None,
        data: Annotated[
            Path | None, typer.Option("--data", help="folder of evaluation data: smoke and construction; not shipped")
        ] = None,
        scale: Annotated[
            float, typer.Option(min=0.05, max=1, help="share of the events, to try it out: starts weigh more")
        ] = 1.0,
        passes: PassesOption = 3,
    ) -> None:
        """Every benchmark, one after the other; a floor that was missed does not stop the rest."""
        from ioc.cli.bench_process import require_peers
        from ioc.cli.bench_table import attempted, finish

        require_peers()  # now, rather than after ten minutes
        measures: list[Measure] = []
        for name, measure in _benchmarks(scale, passes, data).items():
            measures += attempted(name, measure)
        finish("all", measures, json_)


def _benchmarks(scale: float, passes: int, data: Path | None) -> "dict[str, Callable[[], list[Measure]]]":
    from ioc.cli import bench_construction, bench_smoke
    from ioc.cli.bench_cameras import PARTS, measure_cameras
    from ioc.cli.bench_csv import measure_csv
    from ioc.cli.bench_events import measure_events
    from ioc.cli.bench_frames import measure_frames
    from ioc.cli.bench_gateway import measure_gateway
    from ioc.cli.bench_growth import measure_growth
    from ioc.cli.bench_latency import measure_latency
    from ioc.cli.bench_oncall import measure_oncall
    from ioc.cli.bench_oncall_pages import measure_oncall_pages
    from ioc.cli.bench_peers import measure_peers
    from ioc.cli.bench_replay import measure_replay
    from ioc.cli.bench_rows import measure_rows
    from ioc.cli.bench_wall_page import measure_wall_page
    from ioc.cli.bench_wall_panels import measure_wall_panels
    from ioc.settings import load_settings

    is_quick, model = scale < 1, load_settings().smoke_model
    count = round(200_000 * scale)
    return {
        "events": lambda: measure_events(count=round(500_000 * scale), passes=passes),
        "peers": lambda: measure_peers(count=count, passes=passes),
        "growth": lambda: measure_growth(count=count, passes=passes),
        "latency": lambda: measure_latency(rate=2_000, seconds=max(5, round(60 * scale))),
        "rows": lambda: measure_rows(rows=round(1_000_000 * scale), count=round(100_000 * scale), passes=passes),
        "replay": lambda: measure_replay(count=round(5_000_000 * scale)),
        "gateway": lambda: measure_gateway(seconds=max(2.0, 10 * scale)),
        "wall-page": lambda: measure_wall_page(seconds=max(5.0, 30 * scale)),
        "frames": lambda: measure_frames(count=max(30, round(120 * scale))),
        "cameras": lambda: measure_cameras(parts=tuple(PARTS), is_quick=is_quick),
        "smoke": lambda: bench_smoke.measure_smoke(
            parts=tuple(bench_smoke.PARTS), model=model, data=data, folds=None, is_quick=is_quick
        ),
        "construction": lambda: bench_construction.measure_construction(
            parts=tuple(bench_construction.PARTS), data=data, is_quick=is_quick
        ),
        "wall": lambda: measure_wall_panels(days=max(1, round(30 * scale))),
        "csv": lambda: measure_csv(rows=round(1_000_000 * scale)),
        "oncall": lambda: measure_oncall(probes=max(20, round(200 * scale)), burst=max(100, round(2_000 * scale))),
        "oncall-pages": lambda: measure_oncall_pages(
            incidents=round(10_000 * scale), pages=max(5, round(50 * scale)), seconds=max(5.0, 20 * scale)
        ),
    }
