"""`ioc capture`: an image folder, a video file or an HTTP snapshot address becomes frames on Kafka."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from ioc.capture.publisher import FramePublisher
    from ioc.capture.stills import CaptureReport, Source
    from ioc.clock import Clock
    from ioc.settings import Settings

__all__ = ["parse_duration_s", "register"]

_UNITS_S = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class TimesChoice(StrEnum):
    clock = "clock"
    manifest = "manifest"


CameraOption = Annotated[str, typer.Option("--camera", help="the camera's id, as in the catalogue")]
PoseOption = Annotated[str, typer.Option("--pose", help="the preset that the camera looks from")]
ForOption = Annotated[str | None, typer.Option("--for", help="stop after this long: 60s, 5m, 1h")]
CountOption = Annotated[int | None, typer.Option("--count", min=1, help="stop after this many stills, all cameras")]
BrokerOption = Annotated[str | None, typer.Option("--broker", help="HOST:PORT of Kafka; else IOC_BROKER")]
ProvinceOption = Annotated[
    str | None, typer.Option("--province", help="the province in the event's source; else the catalogue's")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
NoCheckOption = Annotated[
    bool, typer.Option("--no-check", help="send also what is no good JPEG, to test what the worker makes of it")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the summary as JSON")]
EveryFrameOption = Annotated[
    bool, typer.Option("--every-frame", help="replay: never skip, run behind instead when Kafka is slow")
]

_EPILOG = (
    "A still is published when all in-sync replicas have it. Stills over 256 KiB go to the evidence store "
    "(IOC_STATE/evidence) and travel as a reference. What is no JPEG, truncated or too large is counted as rejected "
    "with the reason. When Kafka is slow, moments are skipped and counted, never piled up."
)


def register(app: typer.Typer) -> None:
    """Adds `ioc capture folder | video | snapshot`."""
    capture = typer.Typer(
        no_args_is_help=True, help="Publish cameras' stills as frames. RTSP follows in a later release."
    )
    capture.command("folder", epilog=_EPILOG)(capture_folder)
    capture.command("video", epilog=_EPILOG)(capture_video)
    capture.command("snapshot", epilog=_EPILOG)(capture_snapshot)
    app.add_typer(capture, name="capture")


def capture_folder(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="folder whose subfolders are the cameras")],
    fps: Annotated[float | None, typer.Option("--fps", help="stills a second of each camera (default 1)")] = None,
    interval: Annotated[str | None, typer.Option("--interval", help="time between stills instead of --fps")] = None,
    pose: PoseOption = "p0",
    names: Annotated[list[str] | None, typer.Option("--map", help="FOLDER=CAMERA renames a subfolder")] = None,
    times: Annotated[
        TimesChoice,
        typer.Option(
            help="captured_at of a still: **clock**, the moment it is read (the folder stands in for a live camera); "
            "**manifest**, the manifest's column captured_at (RFC 3339), else the picture's EXIF time (at +07:00 where "
            "it names no offset)"
        ),
    ] = TimesChoice.clock,
    is_looping: Annotated[bool, typer.Option("--loop", help="start again at the end, until stopped")] = False,
    is_every_frame: EveryFrameOption = False,
    for_: ForOption = None,
    count: CountOption = None,
    broker: BrokerOption = None,
    province: ProvinceOption = None,
    config: ConfigOption = None,
    is_unchecked: NoCheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play an image folder as live cameras: each subfolder is one camera.

    Pictures play in the order of manifest.csv (in DIR, or in its parent where that names them), else of their names;
    all cameras advance together. Only JPEG is read; other pictures are left out and counted.

    Example: `ioc capture folder pictures --fps 2 --map north=cam-01 --for 60s`
    """
    from ioc.capture.folders import FolderSource, parse_names
    from ioc.capture.pacing import Pacer

    pacer = Pacer(fps=_fps(fps, interval), is_every_frame=is_every_frame)
    settings, clock = _settings(config)
    source = FolderSource(
        directory,
        clock=clock,
        pacer=pacer,
        pose_id=pose,
        names=parse_names(names or []),
        times="manifest" if times is TimesChoice.manifest else "clock",
        is_looping=is_looping,
    )
    _run(source, settings, broker, province, for_, count, not is_unchecked, as_json)


def capture_video(
    file: Annotated[str, typer.Argument(metavar="FILE", help="a local video file")],
    camera: CameraOption,
    interval: Annotated[str, typer.Option("--interval", help="the video's own time between stills")] = "1s",
    fps: Annotated[
        float | None, typer.Option("--fps", help="stills published a second (default: the video's own speed)")
    ] = None,
    starts_at: Annotated[
        str | None,
        typer.Option(
            "--starts-at",
            help="when the video begins (RFC 3339): captured_at is then its own time, else the moment of reading",
        ),
    ] = None,
    pose: PoseOption = "p0",
    is_every_frame: EveryFrameOption = False,
    for_: ForOption = None,
    count: CountOption = None,
    broker: BrokerOption = None,
    province: ProvinceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a video file as one live camera: a still for every interval of its own time.

    captured_at is the moment a still is read (the file stands in for a live camera), or with --starts-at the video's
    own time.

    Example: `ioc capture video hill.mp4 --camera cam-01 --interval 2s`
    """
    from ioc.capture.pacing import Pacer
    from ioc.capture.videos import VideoSource

    interval_s = parse_duration_s(interval, "--interval")
    settings, clock = _settings(config)
    source = VideoSource(
        file,
        camera_id=camera,
        pose_id=pose,
        interval_s=interval_s,
        clock=clock,
        pacer=Pacer(fps=1 / interval_s if fps is None else fps, is_every_frame=is_every_frame),
        starts_at=_moment(starts_at),
    )
    _run(source, settings, broker, province, for_, count, True, as_json)


def capture_snapshot(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", envvar="IOC_SNAPSHOT_URL", help="http(s) address; in the variable, other users can't see it"
        ),
    ],
    camera: CameraOption,
    fps: Annotated[float | None, typer.Option("--fps", help="stills a second (default 1)")] = None,
    interval: Annotated[str | None, typer.Option("--interval", help="time between stills instead of --fps")] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="give up on one answer after this long")] = "10s",
    pose: PoseOption = "p0",
    for_: ForOption = None,
    count: CountOption = None,
    broker: BrokerOption = None,
    province: ProvinceOption = None,
    config: ConfigOption = None,
    is_unchecked: NoCheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Poll a camera's HTTP snapshot address, until stopped.

    captured_at is the moment the answer arrived. Redirects are not followed; user and password in the address are sent
    (HTTP Basic) and never shown. An address that fails is counted and asked again.

    Example: `ioc capture snapshot http://10.1.2.3/snapshot.jpg --camera cam-01 --interval 5s`
    """
    from ioc.capture.pacing import Pacer
    from ioc.capture.snapshots import SnapshotSource, parse_address

    settings, clock = _settings(config)
    source = SnapshotSource(
        parse_address(url),
        camera_id=camera,
        pose_id=pose,
        clock=clock,
        pacer=Pacer(fps=_fps(fps, interval)),
        timeout_s=parse_duration_s(timeout, "--timeout"),
    )
    _run(source, settings, broker, province, for_, count, not is_unchecked, as_json)


def parse_duration_s(text: str, option: str) -> float:
    """Returns the seconds of `text`: `500ms`, `60s`, `5m`, `1h` or bare seconds.

    Raises:
        ConfigurationError: another form, or not above zero; names `option`.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", text.strip(), re.ASCII)
    seconds = float(match.group(1)) * _UNITS_S[match.group(2)] if match else 0.0
    if seconds <= 0:
        raise ConfigurationError(f"{option} {text!r} is not a length of time; write it like 500ms, 60s, 5m or 1h")
    return seconds


def _fps(fps: float | None, interval: str | None) -> float:
    if fps is not None and interval is not None:
        raise ConfigurationError("--fps and --interval say the same thing; give one of them")
    return 1 / parse_duration_s(interval, "--interval") if interval is not None else (1.0 if fps is None else fps)


def _moment(text: str | None) -> "datetime | None":
    from datetime import datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"--starts-at {text!r} is not a time with an offset; write it like 2026-11-22T08:00:00+07:00"
        )
    return moment


def _settings(config: Path | None) -> "tuple[Settings, Clock]":
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings

    settings = load_settings(config)
    return settings, clock_from_setting(settings.now)


def _run(
    source: "Source",
    settings: "Settings",
    broker: str | None,
    province: str | None,
    for_: str | None,
    count: int | None,
    is_checked: bool,
    as_json: bool,
) -> None:
    """Publishes to the end, prints the summary, and exits 1 where nothing was published or something was lost."""
    import asyncio
    import json
    import logging

    from ioc.adapters.evidence import open_evidence
    from ioc.adapters.kafka_access import kafka_access
    from ioc.capture.publisher import FramePublisher
    from ioc.catalog import load_catalog
    from ioc.cli.logs import configure_logs

    configure_logs(settings.log_level)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    for_s = None if for_ is None else parse_duration_s(for_, "--for")
    publisher = FramePublisher(
        broker=kafka_access(settings, broker),
        province=province or load_catalog(settings.catalog).province,
        evidence=open_evidence(settings.state / "evidence"),
        tally=source.tally,
        is_checked=is_checked,
    )
    report = asyncio.run(_until_stopped(source, publisher, for_s, count))
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print_summary(report)
    if report.failed or not report.published:
        raise typer.Exit(1)


async def _until_stopped(
    source: "Source", publisher: "FramePublisher", for_s: float | None, count: int | None
) -> "CaptureReport":
    import asyncio
    import signal

    from ioc.capture.publisher import run_capture

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    total = count if source.total is None else min(count or source.total, source.total)
    watching = asyncio.create_task(_show_progress(source, total))
    try:
        return await run_capture(source, publisher, stop=stop, count=count, for_s=for_s)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


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
