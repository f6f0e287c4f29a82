"""`ioc capture`: cameras, or what stands in for them, become frames on Kafka."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.capture.pacing import parse_duration_s
from ioc.cli.capture_live import add as add_live
from ioc.cli.capture_run import Site, publishing
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from ioc.capture.stills import Source

__all__ = ["parse_duration_s", "register"]


class TimesChoice(StrEnum):
    clock = "clock"
    manifest = "manifest"


CameraOption = Annotated[str, typer.Option("--camera", help="the camera's id, as in the catalogue")]
PoseOption = Annotated[str, typer.Option("--pose", help="the preset that the camera looks from")]
EveryFrameOption = Annotated[
    bool, typer.Option("--every-frame", help="replay: never skip, run behind instead when Kafka is slow")
]

_EPILOG = (
    "A still is published when all in-sync replicas have it. Stills over 256 KiB go to the evidence store "
    "(IOC_STATE/evidence) and travel as a reference. What is no JPEG, truncated or too large is counted as rejected "
    "with the reason. When Kafka is slow, moments are skipped and counted, never piled up."
)


def register(app: typer.Typer) -> None:
    """Adds `ioc capture cameras | rtsp | snapshot | folder | video | check`."""
    capture = typer.Typer(no_args_is_help=True, help="Publish cameras' stills as frames.")
    add_live(capture, _EPILOG)
    for name, build in (("snapshot", capture_snapshot), ("folder", capture_folder), ("video", capture_video)):
        capture.command(name, epilog=_EPILOG)(publishing(build))
    app.add_typer(capture, name="capture")


def capture_folder(
    site: Site,
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
) -> "Source":
    """Play an image folder as live cameras: each subfolder is one camera.

    Pictures play in the order of manifest.csv (in DIR, or in its parent where that names them), else of their names;
    all cameras advance together. Only JPEG is read; other pictures are left out and counted.

    Example: `ioc capture folder pictures --fps 2 --map north=cam-01 --for 60s`
    """
    from ioc.capture.folders import FolderSource, parse_names
    from ioc.capture.pacing import Pacer

    pacer = Pacer(fps=_fps(fps, interval), is_every_frame=is_every_frame)
    return FolderSource(
        directory,
        clock=site.clock,
        pacer=pacer,
        pose_id=pose,
        names=parse_names(names or []),
        times="manifest" if times is TimesChoice.manifest else "clock",
        is_looping=is_looping,
    )


def capture_video(
    site: Site,
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
) -> "Source":
    """Play a video file as one live camera: a still for every interval of its own time.

    captured_at is the moment a still is read (the file stands in for a live camera), or with --starts-at the video's
    own time.

    Example: `ioc capture video hill.mp4 --camera cam-01 --interval 2s`
    """
    from ioc.capture.pacing import Pacer
    from ioc.capture.videos import VideoSource

    interval_s = parse_duration_s(interval, "--interval")
    return VideoSource(
        file,
        camera_id=camera,
        pose_id=pose,
        interval_s=interval_s,
        clock=site.clock,
        pacer=Pacer(fps=1 / interval_s if fps is None else fps, is_every_frame=is_every_frame),
        starts_at=_moment(starts_at),
    )


def capture_snapshot(
    site: Site,
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
) -> "Source":
    """Poll a camera's HTTP snapshot address, until stopped.

    captured_at is the moment the answer arrived. Redirects are not followed; user and password in the address are sent
    (HTTP Basic) and never shown. An address that fails is counted and asked again.

    Example: `ioc capture snapshot http://10.1.2.3/snapshot.jpg --camera cam-01 --interval 5s`
    """
    from ioc.capture.pacing import Pacer
    from ioc.capture.snapshots import SnapshotSource, parse_address

    return SnapshotSource(
        parse_address(url),
        camera_id=camera,
        pose_id=pose,
        clock=site.clock,
        pacer=Pacer(fps=_fps(fps, interval)),
        timeout_s=parse_duration_s(timeout, "--timeout"),
    )


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
