"""`ioc check`: the settings and every file of the catalogue, before anything starts with them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    import yaml

    from ioc.catalog import Catalog
    from ioc.geography import Geography
    from ioc.kpis import KpiDefinition

__all__ = ["CatalogReport", "examine", "register"]

MAX_SERIES = 50_000
"""Series of one province at most: the contract's bound, which keeps one Prometheus and its boards quick."""

# Agencies need no register. A dossier's agency is a commune's committee, or one of about thirty departments, boards and
# branches of ministries at the province.
_PROVINCIAL_AGENCIES = 30
_COMPANIONS = 4  # numerator, as_of, stale, manual; a ratio has a denominator besides
_SHOWN = 5

_EXAMPLE = "Example: `ioc check --catalog thanh-hoa`. Exit code 2 with one sentence for the first problem."

CatalogOption = Annotated[Path | None, typer.Option("--catalog", help="catalogue folder; else IOC_CATALOG")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def register(app: typer.Typer) -> None:
    """Adds `ioc check`."""
    app.command("check", epilog=_EXAMPLE)(check)


def check(catalog: CatalogOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Validate the settings and all files of a catalogue with their cross-references."""
    import json

    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.windows import LOCAL_ZONE

    try:
        settings = load_settings(config)
        today = clock_from_setting(settings.now)().astimezone(LOCAL_ZONE).date()
        report = examine(catalog or settings.catalog, today)
    except ConfigurationError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "problem": str(error)}, ensure_ascii=False))
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps({"ok": True, **asdict(report)}, ensure_ascii=False))
        return
    for warning in report.warnings:
        print(f"warning: {warning}")
    print(_summary(report))


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReport:
    """What a sound catalogue holds. `units` are those in force on the day of the check, or on a later day with more.
    `series` is an estimate of the metric series when every one of them and every agency reports."""

    folder: str
    province: str
    event_types: int
    topics: int
    kpis: int
    series: int
    units: int
    cameras: int
    cameras_without_zones: int
    cameras_without_coordinates: int
    zones: int
    permits: int
    warnings: tuple[str, ...]


def examine(folder: Path, today: date = date.max) -> CatalogReport:
    """Returns what the catalogue of `folder` holds on the local day `today`, once every check has passed. Left out, it
    is the day on which everything that the catalogue announces has come to pass.

    Raises:
        ConfigurationError: the first problem; a sentence that names the file and the key.
    """
    from ioc.catalog import load_catalog

    for path in _files(folder):
        _refuse_repeated_keys(path)
    catalog = load_catalog(folder)
    units = _most_units(catalog.geography, today)
    series = _series_within_bound(catalog, units)
    cameras = catalog.cameras.values()
    zones = [sum(len(pose.zones) for pose in camera.poses.values()) for camera in cameras]
    return CatalogReport(
        folder=str(folder),
        province=catalog.province,
        event_types=len(catalog.event_types),
        topics=len(catalog.topics()),
        kpis=len(catalog.kpis),
        series=series,
        units=units,
        cameras=len(catalog.cameras),
        cameras_without_zones=zones.count(0),
        cameras_without_coordinates=sum(camera.lon is None or camera.lat is None for camera in cameras),
        zones=sum(zones),
        permits=len(catalog.permits),
        warnings=(*_cameras_in_no_unit(catalog, today), *_permits_out_of_sight(catalog), *_unread_files(folder)),
    )


def _summary(report: CatalogReport) -> str:
    return (
        f"{report.folder}: province {report.province}, {report.units} units\n"
        f"  {report.event_types} event types, {report.topics} topics, {report.kpis} KPIs "
        f"(about {report.series:,} series)\n"
        f"  {report.cameras} cameras ({report.cameras_without_zones} without zones, "
        f"{report.cameras_without_coordinates} without coordinates), {report.zones} zones, {report.permits} permits\n"
        f"the catalogue is sound"
    )


# ---- files -----------------------------------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("*.yaml")), *sorted((folder / "kpis").glob("*.yaml"))]


def _refuse_repeated_keys(path: Path) -> None:
    """YAML's loader keeps the last of two entries with one name: the first zone or camera would be gone in silence."""
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            root = yaml.compose(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError):
        return  # the catalogue's loader has the sentence for it
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}; mend its rights, or remove it") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply; no file of a catalogue needs that") from None
    if root is None:
        return
    for place, key, line in _repeated_keys(root):
        under = f" under {place}" if place else ""
        raise ConfigurationError(
            f"{path}: {key}: written twice{under} (again in line {line}); give each a name of its own, or remove one"
        )


def _repeated_keys(root: "yaml.Node") -> Iterator[tuple[str, str, int]]:
    """Yields (place, key, line) of every key that its mapping holds already; a node with an anchor is seen once."""
    import yaml

    seen: set[int] = set()
    waiting: list[tuple[str, yaml.Node]] = [("", root)]
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(place, item) for item in node.value]
        if not isinstance(node, yaml.MappingNode):
            continue
        keys: set[tuple[str, str]] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    yield place, key.value, key.start_mark.line + 1
                keys.add((key.tag, key.value))
                waiting.append((f"{place}.{key.value}" if place else key.value, value))


def _unread_files(folder: Path) -> Iterator[str]:
    """Files that look like the catalogue's and are not read: a KPI saved as .yml would be missed by nobody."""
    read = {"province.yaml", "event_types.yaml", "entities.yaml", "cameras.yaml", "permits.yaml", "units.yaml"}
    for path in sorted(folder.glob("*.y*ml")):
        if path.name not in read:
            yield f"{path}: is not read; the catalogue's files are {', '.join(sorted(read))} and kpis/*.yaml"
    for path in sorted((folder / "kpis").glob("*.yml")):
        yield f"{path}: is not read; name it {path.stem}.yaml"


# ---- the catalogue as a whole ----------------------------------------------------------------------------------------


def _most_units(geography: "Geography", today: date) -> int:
    days = [today, *(day for day in geography.changes() if day > today)]
    return max(len(geography.in_force(day)) for day in days)


def _series_within_bound(catalog: "Catalog", units: int) -> int:
    """Returns the estimate: of each KPI its windows times its groups and the total, times value and companions."""
    groups = {"none": 0, "admin_unit": units, "agency": units + _PROVINCIAL_AGENCIES}
    by_kpi = Counter({kpi.id: _series_of(kpi, groups[kpi.group_by]) for kpi in catalog.kpis})
    series = by_kpi.total() + len(catalog.kpis) + units + 1  # targets; names of the units and of the province
    if series > MAX_SERIES:
        largest = ", ".join(f"{kpi_id} ({count:,})" for kpi_id, count in by_kpi.most_common(3))
        raise ConfigurationError(
            f"{catalog.folder}/kpis: windows and group_by of the KPIs make about {series:,} series, and a province may "
            f"have {MAX_SERIES:,}; take windows or the grouping from the largest: {largest}"
        )
    return series


def _series_of(kpi: "KpiDefinition", groups: int) -> int:
    return len(kpi.windows) * (1 + groups) * (1 + _COMPANIONS + kpi.is_ratio)


def _cameras_in_no_unit(catalog: "Catalog", today: date) -> Iterator[str]:
    geography = catalog.geography
    for camera in catalog.cameras.values():
        if camera.admin_unit and not geography.is_in_force(camera.admin_unit, today):
            heir = geography.resolve(camera.admin_unit, today)
            yield (
                f"{catalog.folder}/cameras.yaml: {camera.camera_id}.admin_unit: {camera.admin_unit} is not in force on "
                f"{today}; " + (f"{heir} took over from it" if heir else "name the unit where it stands now")
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
