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


def register(app: typer.Typer) -> None:
    """Adds `ioc simulate events` and `ioc simulate scenes`."""
    simulate = typer.Typer(no_args_is_help=True, help="A seeded province in a box: department events, camera scenes.")
    simulate.command("events")(simulate_events)
    simulate.command("scenes")(simulate_scenes)
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
    size: Annotated[str, typer.Option("--size", help="WIDTHxHEIGHT in pixels")] = "1280x720",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render camera scenes: to a folder with true boxes, or to Kafka as live frames. No photo is used.

    A frame stands for a minute. cam-01: smoke from frame 12; cam-02: a house from frame 8; cam-03, cam-04: cloud
    shadows, haze and traffic only.

    Example: `ioc simulate scenes --seed 7 --out pictures --frames 40 --no-building`
    """
    if (out is None) == (not is_published):
        raise ConfigurationError("say where the frames go: either --out FOLDER or --publish")
    from ioc.simulate.scenes import demo_scenes

    width, height = _size(size)
    specs = _chosen(demo_scenes(seed, plume=has_plume, building=has_building, width=width, height=height), cameras)
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
