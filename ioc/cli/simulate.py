"""`ioc simulate`: a seeded province in a box, as events and as camera scenes."""

from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from collections import Counter
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from datetime import datetime

    from ioc.settings import Settings
    from ioc.simulate.envelopes import SimulatedEvent, WireRecord
    from ioc.simulate.province import ProvinceSimulator
    from ioc.simulate.scenes import SceneSpec

_R = TypeVar("_R")

__all__ = ["register"]

SeedOption = Annotated[int, typer.Option("--seed", help="decides everything that chance decides")]
SizeOption = Annotated[str, typer.Option("--size", help="WIDTHxHEIGHT in pixels")]


def register(app: typer.Typer) -> None:
    """Adds `ioc simulate events`, `ioc simulate scenes` and `ioc simulate year`."""
    simulate = typer.Typer(no_args_is_help=True, help="A seeded province in a box: department events, camera scenes.")
    simulate.command("events")(simulate_events)
    simulate.command("scenes")(simulate_scenes)
    simulate.command("year")(simulate_year)
    app.add_typer(simulate, name="simulate")


def simulate_events(
    rate: Annotated[float, typer.Option("--rate", help="live events a second")] = 50.0,
    seed: SeedOption = 7,
    history_days: Annotated[
        int, typer.Option("--history-days", min=1, max=3650, help="days that the past covers")
    ] = 30,
    history: Annotated[
        int, typer.Option("--history", min=0, help="dossiers, reports and states of the past, sent first and at once")
    ] = 3000,
    has_stock: Annotated[
        bool, typer.Option("--stock/--no-stock", help="before them, what every other department has: some 4,000 events")
    ] = True,
    has_past_incidents: Annotated[
        bool,
        typer.Option("--past-incidents/--no-past-incidents", help="35 incidents that are over, with ids sim-…"),
    ] = False,
    for_: Annotated[str | None, typer.Option("--for", help="live part ends after this long: 60s, 5m, 1h")] = None,
    count: Annotated[int | None, typer.Option("--count", min=0, help="live part ends after this many events")] = None,
    duplicates: Annotated[float, typer.Option("--duplicates", min=0, max=0.9, help="share sent twice")] = 0.0,
    invalid: Annotated[float, typer.Option("--invalid", min=0, max=0.9, help="share that breaks the contract")] = 0.0,
    is_structured: Annotated[
        bool, typer.Option("--structured", help="one JSON object an event, no ce_ headers")
    ] = False,
    start: Annotated[str | None, typer.Option("--start", help="when live begins (RFC 3339); else the clock")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write JSON lines instead of sending ('-': stdout)")] = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a province's events: first a past, so that every figure has something to count, then live ones at a rate.

    The same options and start give the same events and ids. Without --for or --count the live part ends on Ctrl-C.
    Past incidents come to on-call's inbox as resolved or dismissed; nobody is called.

    Example: `ioc simulate events --rate 50 --seed 7 --history-days 30 --history 3000 --for 60s`
    """
    from datetime import timedelta
    from itertools import chain

    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.capture import parse_duration_s
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.simulate.envelopes import encode_binary, encode_structured

    settings = load_settings(config)
    begin = clock_from_setting(settings.now)() if start is None else _moment(start)
    simulator = _province(settings, seed, begin, duplicates, invalid)
    for_s = None if for_ is None else parse_duration_s(for_, "--for")
    if out is not None and count is None and for_s is None:
        raise ConfigurationError("a file must end: give --count or --for beside --out")
    past: list[SimulatedEvent] = [
        *(simulator.stock() if has_stock else ()),
        *(simulator.past_incidents() if has_past_incidents else ()),
        *simulator.history(days=history_days, count=history),
    ]
    live = simulator.live(rate_per_s=rate, count=count, duration=None if for_s is None else timedelta(seconds=for_s))
    if out is None:
        encode = encode_structured if is_structured else encode_binary
        live_count = round(rate * for_s) if count is None and for_s is not None else count
        total = None if live_count is None else len(past) + live_count
        kinds = _publish_province(past, live, simulator.topics, begin, kafka_access(settings, broker), encode, total)
    else:
        kinds = _write_lines(out, chain(past, live))
    summary = {"events": kinds.total(), **{kind: kinds[kind] for kind in ("fresh", "duplicate", "invalid")}}
    _report(summary, as_json, to_error=str(out) == "-")


def simulate_scenes(
    seed: SeedOption = 7,
    out: Annotated[Path | None, typer.Option("--out", help="folder for CAMERA/000.jpg … and manifest.csv")] = None,
    is_published: Annotated[bool, typer.Option("--publish", help="send the frames to Kafka")] = False,
    frames: Annotated[int | None, typer.Option("--frames", min=1, help="a camera (40; with --publish endless)")] = None,
    fps: Annotated[float, typer.Option("--fps", min=0.01, max=60, help="frames a second and camera")] = 1.0,
    has_plume: Annotated[bool, typer.Option("--plume/--no-plume", help="smoke at cam-01")] = True,
    has_building: Annotated[bool, typer.Option("--building/--no-building", help="a house at cam-02")] = True,
    cameras: Annotated[str | None, typer.Option("--cameras", help="only these: cam-01,cam-03")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="demo, varied (a fire anywhere), quiet_day, quiet_week, or what is no fire: fog_bank, cloud_shadow, "
            "dust, rain, glare, headlights, swaying_trees, camera_shake, joined by + if wanted",
        ),
    ] = "demo",
    number: Annotated[int, typer.Option("--number", min=1, max=999, help="scenes of a --kind other than demo")] = 4,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            help="CAMERA:KIND:FIRST-LAST, may be given again; frozen, covered, sprayed, blurred, moved, over_exposed, "
            "under_exposed, dirty_lens",
        ),
    ] = None,
    size: SizeOption = "1280x720",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render camera scenes: to a folder with true boxes, or to Kafka as live frames. No photo is used.

    A frame stands for a minute. Of the demo's cameras cam-01 sees smoke from frame 12, cam-02 a house from frame 8,
    cam-03 and cam-04 only cloud shadows, haze and traffic.

    Example: `ioc simulate scenes --seed 7 --out pictures --frames 40 --no-building`

    Example: `ioc simulate scenes --kind rain+headlights --number 2 --out wet-night --size 640x360`

    Example: `ioc simulate scenes --publish --fault cam-03:covered:20-39 --fault cam-04:blurred:30`
    """
    if (out is None) == (not is_published):
        raise ConfigurationError("say where the frames go: either --out FOLDER or --publish")
    from ioc.simulate.scene_kinds import fault_of, scenes_of_kind, with_faults
    from ioc.simulate.scenes import demo_scenes

    width, height = _size(size)
    if kind == "demo":
        specs = demo_scenes(seed, plume=has_plume, building=has_building, width=width, height=height)
    else:
        specs = scenes_of_kind(kind, seed, number, width=width, height=height)
    specs = with_faults(_chosen(specs, cameras), (fault_of(text, seed) for text in faults or ()))
    if out is not None:
        from ioc.simulate.export import write_scenes

        number = frames or 40
        with _bar("frames", number * len(specs)) as advance:
            written = write_scenes(specs, out, frames=number, on_frame=advance)
        _report({"frames": written, "cameras": len(specs), "manifest": str(out / "manifest.csv")}, as_json)
        return

    from ioc.adapters.kafka_access import kafka_access
    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.frames import FRAMES_TOPIC
    from ioc.settings import load_settings
    from ioc.simulate.publishing import open_producer, publish_scenes

    settings = load_settings(config)
    clock = clock_from_setting(settings.now)
    province = load_catalog(settings.catalog).province

    async def publish(stop: "asyncio.Event", on_sent: "Callable[[], None]") -> int:
        async with open_producer(kafka_access(settings, broker), (FRAMES_TOPIC,)) as sink:
            return await publish_scenes(
                specs, sink, province=province, clock=clock, fps=fps, stop=stop, frames=frames, on_sent=on_sent
            )

    sent = _run(publish, "frames", None if frames is None else frames * len(specs))
    _report({"frames": sent, "cameras": len(specs)}, as_json)


def simulate_year(
    out: Annotated[Path, typer.Option("--out", help="folder for POSE/DAY-SLOT.jpg and POSE/truth.jsonl")],
    seed: SeedOption = 7,
    poses: Annotated[int, typer.Option("--poses", min=1, max=99, help="camera poses")] = 2,
    works: Annotated[int, typer.Option("--works", min=0, max=400, help="houses that go up, on all poses together")] = 9,
    first_day: Annotated[int, typer.Option("--first-day", min=0, max=364, help="first day of the year, from 0")] = 0,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="how many days; four frames each")] = 365,
    size: SizeOption = "640x360",
    as_json: JsonOption = False,
) -> None:
    """Render a year of building under fixed cameras: seasons, weather, traffic, and what really stands when.

    Example: `ioc simulate year --seed 7 --poses 2 --first-day 100 --days 60 --out year`
    """
    from ioc.simulate.site_year import FRAMES_PER_DAY, SiteYear
    from ioc.simulate.year_export import write_year

    width, height = _size(size)
    if first_day + days > 365:
        raise ConfigurationError(f"--first-day {first_day} and --days {days} end after the year; give fewer days")
    year = SiteYear(seed, poses=poses, works=works, width=width, height=height)
    with _bar("frames", poses * days * FRAMES_PER_DAY) as advance:
        written = write_year(year, out, first_day=first_day, days=days, on_frame=advance)
    _report({"frames": written, "poses": poses, "works": len(year.works)}, as_json)


def _province(
    settings: "Settings", seed: int, start: "datetime", duplicates: float, invalid: float
) -> "ProvinceSimulator":
    """The simulator of the catalogue's province, with its communes in force and its active cameras."""
    from ioc.catalog import load_catalog
    from ioc.simulate.lives import LOCAL
    from ioc.simulate.province import ProvinceSimulator

    catalog = load_catalog(settings.catalog)
    return ProvinceSimulator(
        seed,
        start=start,
        units=[unit.code for unit in catalog.geography.in_force(start.astimezone(LOCAL).date())],
        cameras={camera_id: camera.admin_unit for camera_id, camera in catalog.cameras.items() if camera.is_active},
        event_types=catalog.event_types,
        province=catalog.province,
        duplicate_share=duplicates,
        invalid_share=invalid,
    )


def _publish_province(
    past: "Iterable[SimulatedEvent]",
    live: "Iterable[SimulatedEvent]",
    topics: "Sequence[str]",
    begin: "datetime",
    broker: str,
    encode: "Callable[[SimulatedEvent], WireRecord]",
    total: int | None,
) -> "Counter[str]":
    from ioc.simulate.publishing import open_producer, publish_events

    async def publish(stop: "asyncio.Event", on_sent: "Callable[[], None]") -> "Counter[str]":
        async with open_producer(broker, topics) as sink:
            sent = await publish_events(past, sink, stop=stop, encode=encode, on_sent=on_sent)
            return sent + await publish_events(live, sink, stop=stop, paced_from=begin, encode=encode, on_sent=on_sent)

    return _run(publish, "events", total)


def _write_lines(out: Path, events: "Iterable[SimulatedEvent]") -> "Counter[str]":
    from collections import Counter

    from ioc.simulate.envelopes import structured_json

    kinds: Counter[str] = Counter()
    try:
        with Path("/dev/stdout" if str(out) == "-" else out).open("wb") as file, _bar("events", None) as advance:
            for event in events:
                file.write(structured_json(event) + b"\n")
                kinds[event.kind] += 1
                advance()
    except OSError as error:
        raise ConfigurationError(f"--out {out} can't be written: {error.strerror}; give another file") from error
    return kinds


def _run(
    publish: "Callable[[asyncio.Event, Callable[[], None]], Coroutine[object, object, _R]]",
    what: str,
    total: int | None,
) -> _R:
    """Runs `publish` until it ends; Ctrl-C and SIGTERM set its stop event."""
    import asyncio
    import logging
    import signal

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would

    async def until_stopped() -> _R:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        with _bar(what, total) as advance:
            return await publish(stop, advance)

    return asyncio.run(until_stopped())


@contextmanager
def _bar(what: str, total: int | None) -> "Iterator[Callable[[], None]]":
    """A progress bar on the terminal's error stream; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.update(task, advance=1)


def _report(summary: Mapping[str, object], as_json: bool, *, to_error: bool = False) -> None:
    import json
    import sys

    text = json.dumps(summary) if as_json else ", ".join(f"{name}: {value}" for name, value in summary.items())
    print(text, file=sys.stderr if to_error else sys.stdout)


def _moment(text: str) -> "datetime":
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(f"--start {text!r} is not a time with an offset, like 2026-11-22T08:00:00+07:00")
    return moment


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and len(text) < 12):
        raise ConfigurationError(f"--size {text!r} is not WIDTHxHEIGHT; write it like 1280x720")
    return int(width), int(height)


def _chosen(specs: "dict[str, SceneSpec]", cameras: str | None) -> "dict[str, SceneSpec]":
    if cameras is None:
        return specs
    wanted = [name.strip() for name in cameras.split(",")]
    for name in wanted:
        if name not in specs:
            raise ConfigurationError(f"--cameras: {name!r} has no scene; there are {', '.join(specs)}")
    return {name: specs[name] for name in specs if name in wanted}
