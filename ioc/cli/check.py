"""`ioc check`: the settings and every file of the catalogue, before anything starts with them."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ioc.cli.options import CatalogOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog import Catalog

__all__ = ["CatalogReport", "examine", "register"]

_SHOWN = 5

_EXAMPLE = (
    "Example: `ioc check --catalog thanh-hoa`. Exit code 2 with one sentence for the first problem, or with one for "
    "each worked example that does not hold."
)


def register(app: typer.Typer) -> None:
    """Adds `ioc check`."""
    app.command("check", epilog=_EXAMPLE)(check)


def check(catalog: CatalogOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Validate the settings and all files of a catalogue with their cross-references, and run its worked examples."""
    import json

    from ioc.catalog import load_catalog
    from ioc.cli.check_figures import example_problems
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.windows import LOCAL_ZONE

    try:
        settings = load_settings(config)
        now = clock_from_setting(settings.now)()
        today = now.astimezone(LOCAL_ZONE).date()
        folder = catalog or settings.catalog
        report = examine(folder, today, now, construction_every_s=settings.construction_every_s)
    except ConfigurationError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "problem": str(error), "problems": [str(error)]}, ensure_ascii=False))
        raise typer.Exit(2) from None
    problems = list(example_problems(load_catalog(folder)))
    if problems and as_json:
        print(json.dumps({"ok": False, "problem": problems[0], "problems": problems}, ensure_ascii=False))
    elif problems:
        print("\n".join(f"{folder}/{problem}" for problem in problems), file=sys.stderr)
        print(
            f"ioc: {len(problems)} expectations of worked examples are not met; mend the KPI or the example",
            file=sys.stderr,
        )
    if problems:
        raise typer.Exit(2)
    if as_json:
        print(json.dumps({"ok": True, **asdict(report)}, ensure_ascii=False))
        return
    for warning in report.warnings:
        print(f"warning: {warning}")
    print(_summary(report))


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReport:
    """What a sound catalogue holds. `units` are those in force on the day of the check, or on a later day with more.
    `series` is the most metric series that may come, `examples` how many worked examples the KPIs carry."""

    folder: str
    province: str
    event_types: int
    topics: int
    kpis: int
    examples: int
    series: int
    units: int
    cameras: int
    cameras_without_zones: int
    cameras_without_coordinates: int
    zones: int
    permits: int
    warnings: tuple[str, ...]


def examine(
    folder: Path, today: date = date.max, now: datetime | None = None, *, construction_every_s: float | None = None
) -> CatalogReport:
    """Returns what the catalogue of `folder` holds on the local day `today`, once every check has passed; the worked
    examples are not run. Left out, it is the day on which everything that the catalogue announces has come to pass.
    `construction_every_s`: the setting, which must suit the zones; None: it is not asked about.

    Raises:
        ConfigurationError: the first problem; a sentence that names the file and the key.
    """
    from ioc.capture.camera_file import CAMERA_FILE, read_cameras
    from ioc.catalog import load_catalog
    from ioc.cli import check_figures, check_oncall
    from ioc.clock import system_clock
    from ioc.gateway.open311_services import load_report_services

    catalog = load_catalog(folder)
    load_report_services(catalog)
    if (folder / CAMERA_FILE).exists():
        read_cameras(folder / CAMERA_FILE, registered=catalog.cameras)
    check_figures.refuse_short_memory(catalog)
    cameras = catalog.cameras.values()
    zones = [sum(len(pose.zones) for pose in camera.poses.values()) for camera in cameras]
    return CatalogReport(
        folder=str(folder),
        province=catalog.province,
        event_types=len(catalog.event_types),
        topics=len(catalog.topics()),
        kpis=len(catalog.kpis),
        examples=sum(map(len, catalog.examples.values())),
        series=check_figures.series_within_bound(catalog, today),
        units=_most_units(catalog, today),
        cameras=len(catalog.cameras),
        cameras_without_zones=zones.count(0),
        cameras_without_coordinates=sum(camera.lon is None or camera.lat is None for camera in cameras),
        zones=sum(zones),
        permits=len(catalog.permits),
        warnings=(
            *_cameras_in_no_unit(catalog, today),
            *_permits_out_of_sight(catalog),
            *_double_permits(catalog),
            *_minutes_taken_for_days(catalog, construction_every_s),
            *check_figures.kpis_without_examples(catalog),
            *check_figures.feeds_unnamed(catalog),
            *check_figures.columns_unused(catalog),
            *check_oncall.findings(catalog, now or system_clock()),
            *_unread_files(folder),
        ),
    )


def _summary(report: CatalogReport) -> str:
    return (
        f"{report.folder}: province {report.province}, {report.units} units\n"
        f"  {report.event_types} event types, {report.topics} topics, {report.kpis} KPIs "
        f"(at most {report.series:,} series; {report.examples} worked examples)\n"
        f"  {report.cameras} cameras ({report.cameras_without_zones} without zones, "
        f"{report.cameras_without_coordinates} without coordinates), {report.zones} zones, {report.permits} permits\n"
        f"the catalogue is sound"
    )


# ---- files -----------------------------------------------------------------------------------------------------------


def _unread_files(folder: Path) -> Iterator[str]:
    """Files that look like the catalogue's and are not read: a KPI saved as .yml would be missed by nobody."""
    names = (
        "agencies",
        "province",
        "event_types",
        "entities",
        "cameras",
        "capture",
        "imports",
        "oncall",
        "permits",
        "publishers",
        "report_services",
        "sources",
        "terms",
        "units",
    )
    read = {f"{name}.yaml" for name in names}
    for path in sorted(folder.glob("*.y*ml")):
        if path.is_dir():
            raise ConfigurationError(f"{path} can't be read: it is a folder; move it out of the catalogue")
        if path.name not in read:
            yield f"{path}: is not read; the catalogue's files are {', '.join(sorted(read))} and kpis/*.yaml"
    for path in sorted((folder / "kpis").glob("*.yml")):
        yield f"{path}: is not read; name it {path.stem}.yaml"


# ---- the catalogue as a whole ----------------------------------------------------------------------------------------


def _most_units(catalog: "Catalog", today: date) -> int:
    days = [today, *(day for day in catalog.geography.changes() if day > today)]
    return max(len(catalog.geography.in_force(day)) for day in days)


def _cameras_in_no_unit(catalog: "Catalog", today: date) -> Iterator[str]:
    geography = catalog.geography
    for camera in catalog.cameras.values():
        if camera.admin_unit and not geography.is_in_force(camera.admin_unit, today):
            heir = geography.resolve(camera.admin_unit, today)
            yield (
                f"{catalog.folder}/cameras.yaml: {camera.camera_id}.admin_unit: {camera.admin_unit} is not in force on "
                f"{today}; " + (f"{heir} took over from it" if heir else "name the unit where it stands now")
            )


def _minutes_taken_for_days(catalog: "Catalog", construction_every_s: float | None) -> Iterator[str]:
    zones = sum(len(pose.zones) for camera in catalog.cameras.values() for pose in camera.poses.values())
    if zones and construction_every_s == 0:
        yield (
            f"setting construction_every_s is 0 and {catalog.folder}/cameras.yaml declares {zones} zones: the "
            "construction detector takes every frame for hours; set construction_every_s = 14400 where it is no demo"
        )


def _double_permits(catalog: "Catalog") -> Iterator[str]:
    from ioc.permits import PermitRegistry

    for parcel_id, numbers in PermitRegistry(catalog.permits).doubles():
        yield (
            f"{catalog.folder}/permits.yaml: {', '.join(numbers)}: more than one permit is valid for parcel "
            f"{parcel_id} on the same day; work is judged by the one that covers most"
        )


def _permits_out_of_sight(catalog: "Catalog") -> Iterator[str]:
    seen = {
        zone.parcel_id for camera in catalog.cameras.values() for pose in camera.poses.values() for zone in pose.zones
    }
    unseen = [permit.permit_id for permit in catalog.permits if permit.parcel_id not in seen]
    if unseen:
        shown = ", ".join(unseen[:_SHOWN]) + (" …" if len(unseen) > _SHOWN else "")
        yield (
            f"{catalog.folder}/permits.yaml: no zone of cameras.yaml names the parcel_id of {len(unseen)} of "
            f"{len(catalog.permits)} permits ({shown}); they decide nothing until a zone does"
        )
