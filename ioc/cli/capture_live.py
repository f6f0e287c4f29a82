"""`ioc capture cameras | rtsp | check`: live cameras."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.capture.pacing import parse_duration_s
from ioc.cli.capture_run import ConfigOption, Site, open_site, publishing
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.capture.camera_file import CameraPlan
    from ioc.capture.checking import CameraCheck
    from ioc.capture.poses import PoseFinder
    from ioc.capture.publisher import FramePublisher
    from ioc.capture.stills import Source
    from ioc.clock import Clock

__all__ = ["add", "pose_finders"]

DEFAULT_PORT = 9102

CamerasOption = Annotated[
    Path | None, typer.Option("--cameras", help="the cameras' file; else capture.yaml in the catalogue")
]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="this camera alone; may be given again")]


def add(capture: typer.Typer, epilog: str) -> None:
    capture.command("cameras", epilog=epilog)(publishing(_cameras, beside=_serve, is_service=True))
    capture.command("rtsp", epilog=epilog)(publishing(_rtsp))
    capture.command("check", epilog="Exit code: 0 every camera gave a picture, 1 one did not, 2 the file is wrong.")(
        _check
    )


def _cameras(site: Site, cameras: CamerasOption = None, only: OnlyOption = None) -> "Source":
    """Look at all cameras of capture.yaml until stopped: RTSP streams and HTTP snapshot addresses.

    Each stream is read by a process of its own, which is ended when it falls silent and started anew after a pause.
    /metrics, /healthz and /readyz on IOC_HTTP_PORT (9102). captured_at is the moment the picture arrived. Passwords
    come from password_file or IOC_CAMERA_PASSWORD_*, and are in no log and no process list. Each camera's heartbeat is
    published every 30 s.

    Example: `ioc capture cameras --cameras /etc/ioc/catalog/capture.yaml`
    """
    from ioc.capture.live import LiveSource

    plans = _plans(site, cameras, only)
    return LiveSource(plans, finders=pose_finders(plans, site.clock), clock=site.clock)


def _rtsp(
    site: Site,
    context: typer.Context,
    url: Annotated[
        str,
        typer.Argument(metavar="URL", envvar="IOC_RTSP_URL", help="rtsp address; with a password only in the variable"),
    ],
    camera: Annotated[str, typer.Option("--camera", help="the camera's id, as in the catalogue")],
    interval: Annotated[str, typer.Option("--interval", help="time between stills")] = "5s",
    pose: Annotated[str, typer.Option("--pose", help="the preset that the camera looks from")] = "p0",
    timeout: Annotated[str, typer.Option("--timeout", help="begin anew after so long without an answer")] = "10s",
) -> "Source":
    """Look at one RTSP camera until stopped.

    Every user of the machine sees a command's arguments, so an address with a password is taken from IOC_RTSP_URL only.

    Example: `ioc capture rtsp rtsp://10.1.2.3/stream1 --camera cam-01 --interval 5s`
    """
    from urllib.parse import urlsplit

    from ioc.capture.camera_file import CameraPlan, camera_address
    from ioc.capture.live import LiveSource
    from ioc.capture.poses import FixedPose
    from ioc.capture.stills import check_id

    address = camera_address(url, where="the RTSP address")
    if not address.is_rtsp:
        raise ConfigurationError("the RTSP address begins with rtsp://; for a picture over HTTP: ioc capture snapshot")
    source = context.get_parameter_source("url")
    if urlsplit(address.url).password is not None and source is not None and source.name == "COMMANDLINE":
        raise ConfigurationError(
            "an address with a password can be read by every user of this machine; give it in the variable IOC_RTSP_URL"
        )
    plan = CameraPlan(
        camera_id=check_id(camera, "--camera"),
        address=address,
        interval_s=parse_duration_s(interval, "--interval"),
        pose=check_id(pose, "--pose"),
        timeout_s=parse_duration_s(timeout, "--timeout"),
    )
    return LiveSource([plan], finders={camera: FixedPose(pose_id=pose)}, clock=site.clock)


def _check(
    cameras: CamerasOption = None,
    only: OnlyOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Look at each camera once: does it answer, codec, size, rate, time to the first picture, pose, or what is wrong.

    Example: `ioc capture check --only cam-01`
    """
    import asyncio
    import json

    site = open_site(config)
    plans = _plans(site, cameras, only)
    found = asyncio.run(_look(plans, site.clock))
    if as_json:
        print(json.dumps([check.as_json() for check in found], ensure_ascii=False))
    else:
        _print_checks(found)
    if not all(check.is_good for check in found):
        raise typer.Exit(1)


def _plans(site: Site, cameras: Path | None, only: Sequence[str] | None) -> "list[CameraPlan]":
    from ioc.capture.camera_file import CAMERA_FILE, read_cameras
    from ioc.catalog import load_catalog

    catalog = load_catalog(site.settings.catalog)
    return read_cameras(
        cameras or site.settings.catalog / CAMERA_FILE, registered=catalog.cameras, only=tuple(only or ())
    )


def pose_finders(plans: "Sequence[CameraPlan]", clock: "Clock") -> "Mapping[str, PoseFinder]":
    """Returns what tells each camera's pose.

    Raises:
        ConfigurationError: a reference picture can't be used.
    """
    return {plan.camera_id: _finder(plan, clock) for plan in plans}


def _finder(plan: "CameraPlan", clock: "Clock") -> "PoseFinder":
    from ioc.capture.camera_file import PictureWay, ScheduleWay, SidecarWay
    from ioc.capture.poses import FixedPose, PicturePose, SchedulePose, SidecarPose

    match plan.pose:
        case str(pose_id):
            return FixedPose(pose_id=pose_id)
        case ScheduleWay(patrol=patrol, daily=daily, starts_at=starts_at, settle_s=settle_s):
            return SchedulePose(patrol=patrol, daily=daily, starts_at=starts_at, settle_s=settle_s)
        case SidecarWay(url=url, field=field, every_s=every_s):
            return SidecarPose(url, clock=clock, field=field, every_s=every_s)
        case PictureWay(pictures=pictures):
            from detectors.pose_matching import ReferencePoses  # OpenCV, only where a camera asks for it

            return PicturePose(matcher=ReferencePoses({pose: path.read_bytes() for pose, path in pictures.items()}))


async def _look(plans: "Sequence[CameraPlan]", clock: "Clock") -> "list[CameraCheck]":
    import asyncio

    from ioc.capture.checking import check_camera
    from ioc.capture.supervisor import Nursery

    nursery = Nursery()
    finders = pose_finders(plans, clock)
    try:
        return await asyncio.gather(
            *(check_camera(plan, nursery=nursery, finder=finders[plan.camera_id], clock=clock) for plan in plans)
        )
    finally:
        nursery.close()


def _print_checks(found: "Sequence[CameraCheck]") -> None:
    for check in found:
        if check.is_good:
            gap = f", keyframe every {check.key_gap_s:g} s" if check.key_gap_s is not None else ""
            fps = f", {check.fps:g} fps" if check.fps else ""
            pose = f"pose {check.pose}" if check.pose is not None else "pose NOT KNOWN"
            print(
                f"ok   {check.camera_id}: {check.codec} {check.width}×{check.height}{fps}{gap}, "
                f"first picture after {check.latency_s:g} s, {pose}  ({check.address})"
            )
        else:
            detail = f" [{check.detail}]" if check.detail else ""
            print(f"FAIL {check.camera_id}: {check.reason}{detail}  ({check.address})")
        for sentence in check.says():
            if sentence:
                print(f"       {sentence}")
    good = sum(check.is_good for check in found)
    print(f"{good} of {len(found)} cameras gave a picture")


async def _serve(source: "Source", publisher: "FramePublisher", site: Site) -> None:
    """The HTTP door, and the cameras' heartbeats, while stills are published."""
    import asyncio
    import time

    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    from ioc.capture.heartbeats import beat_for_ever
    from ioc.capture.live import LiveSource
    from ioc.capture.status import CaptureCollector
    from ioc.catalog import load_catalog
    from streams.health import HealthServer

    assert isinstance(source, LiveSource)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector):
        collector(registry=registry)
    registry.register(CaptureCollector(source.statuses, source.tally))

    def readiness() -> Mapping[str, bool]:
        now_s = time.monotonic()
        seen = any(status.is_online(now_s) for status in list(source.statuses.values()))
        return {"kafka": publisher.is_started, "cameras": seen}

    port = site.settings.port(DEFAULT_PORT)
    door = HealthServer(site.settings.http_host, port, registry=registry, is_alive=lambda: True, readiness=readiness)
    door.start()
    print(f"ready http://{door.address}", flush=True)
    try:
        await beat_for_ever(source.statuses, publisher, load_catalog(site.settings.catalog), site.clock)
    finally:
        await asyncio.to_thread(door.stop)
