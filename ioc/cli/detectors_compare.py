"""`ioc detectors compare`: what a switch of the smoke detector would gain and lose, before anybody switches."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.base import Detector
    from detectors.evaluation.comparing import Comparison
    from ioc.catalog import Catalog
    from ioc.cli.compare_answer import Compared, Pictures
    from ioc.cli.compare_frames import Still
    from ioc.cli.compare_truth import TruthOf
    from ioc.cli.detectors_verdicts import JudgedIncidents
    from ioc.settings import Settings

__all__ = ["EPILOG", "detectors_compare"]

EPILOG = (
    "Example: `ioc detectors compare cases --shadow hpwren@0.6 --report compare.html`. A shadow in the worker, with "
    "`shadow_smoke_model` set, is told of with `ioc detectors compare seen`."
)
_LABEL = "smoke"


def detectors_compare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="cases: the kept stills of incidents; seen: what the workers' shadow met on this machine; a folder of "
            "JPEGs, one folder a pose (the worker's recent-stills too); or a manifest (CSV) of labelled sequences",
        ),
    ],
    shadow: Annotated[
        str | None, typer.Option("--shadow", help="MODEL or MODEL@PROBABILITY; else the setting shadow_smoke_model")
    ] = None,
    live: Annotated[str | None, typer.Option("--live", help="the same; else the setting smoke_model")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="incidents of so many days (cases, seen)")] = 90,
    every_s: Annotated[
        float, typer.Option("--every-s", min=0.1, help="seconds between pictures whose names are no times")
    ] = 60.0,
    report: Annotated[Path | None, typer.Option("--report", help="write a page with the pictures to this file")] = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the same frames to two smoke detectors: alerts kept, lost and gained, with what people said of them.

    An alert is kept where both raise it within ten minutes. Nothing is published and nothing is changed.
    Exit 1: an alert is lost that somebody knows to be real.
    """
    from ioc.cli.compare_answer import Pictures, print_compared
    from ioc.settings import load_settings

    _require_folder(report)
    settings = load_settings(config)
    pictures = Pictures(is_wanted=report is not None)
    asked = _Asked(
        source=source,
        settings=settings,
        names=(live or settings.smoke_model, shadow or settings.shadow_smoke_model),
        days=days,
        every_s=every_s,
        broker=broker,
        pictures=pictures,
    )
    compared = _compared(asked)
    if report is not None:
        from ioc.cli.compare_report import page

        _write(report, page(compared, pictures))
    if as_json:
        import orjson

        print(orjson.dumps(compared.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        print_compared(compared)
    if compared.lost_real:
        sys.exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked for. `names` are those of both variants."""

    source: str
    settings: "Settings"
    names: tuple[str, str]
    days: int
    every_s: float
    broker: str | None
    pictures: "Pictures"


def _compared(asked: _Asked) -> "Compared":
    from detectors.smoke_variants import read_variant
    from ioc.errors import ConfigurationError

    if asked.source == "seen":
        return _seen(asked)
    path = Path(asked.source)
    if asked.source != "cases" and not path.is_dir() and path.suffix.lower() != ".csv":
        raise ConfigurationError(f"{asked.source!r} is none of cases, seen, a folder, or a manifest that ends in .csv")
    if not asked.names[1]:
        raise ConfigurationError("no shadow to compare with; give --shadow, for example --shadow hpwren")
    for name in asked.names:
        read_variant(name)  # what is wrong with it is told before anything is read
    if asked.source == "cases":
        return _cases(asked)
    return _folder(asked, path) if path.is_dir() else _manifest(asked, path)


def _cases(asked: _Asked) -> "Compared":
    from ioc.adapters.case_stills import CaseStills
    from ioc.adapters.evidence import evidence_of
    from ioc.catalog import load_catalog
    from ioc.cli.compare_frames import case_stills, of_cases
    from ioc.cli.compare_truth import by_verdicts
    from ioc.incidents import kind_of

    judged, evidence = _judged(asked), evidence_of(asked.settings)
    incidents = [one for one in judged.incidents.values() if one.kind == _LABEL and one.camera_id]
    found = of_cases(incidents, CaseStills(evidence))
    return _shown(
        asked,
        case_stills(found, evidence),
        sum(len(stills) for _, stills in found),
        load_catalog(asked.settings.catalog),
        by_verdicts(incidents, judged.verdicts, _LABEL),
        fresh_after=kind_of(_LABEL).quiet,
    )


def _folder(asked: _Asked, path: Path) -> "Compared":
    from ioc.catalog import load_catalog
    from ioc.cli.compare_frames import folder_stills, of_folder
    from ioc.cli.compare_truth import nobody_knows

    catalog = load_catalog(asked.settings.catalog)
    found = of_folder(path, [f"{one.camera_id}:{pose}" for one in catalog.cameras.values() for pose in one.poses])
    stills = folder_stills(found, every_s=asked.every_s)
    return _shown(asked, stills, sum(len(pictures) for _, pictures in found), catalog, nobody_knows)


def _manifest(asked: _Asked, path: Path) -> "Compared":
    from detectors.manifest import read_manifest
    from ioc.cli.compare_frames import manifest_stills
    from ioc.cli.compare_truth import by_labels

    sequences = read_manifest(path)
    frames = sum(len(sequence.frames) for sequence in sequences)
    return _shown(asked, manifest_stills(sequences), frames, None, by_labels(sequences, _LABEL))


def _judged(asked: _Asked) -> "JudgedIncidents":
    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.detectors_verdicts import read_judged
    from ioc.clock import clock_from_setting

    since = clock_from_setting(asked.settings.now)() - timedelta(days=asked.days)
    return asyncio.run(read_judged(kafka_access(asked.settings, asked.broker), since))


def _shown(
    asked: _Asked,
    stills: "Iterable[Still]",
    frames: int,
    catalog: "Catalog | None",
    truth: "TruthOf",
    *,
    fresh_after: timedelta | None = None,
) -> "Compared":
    """Shows the stills to both detectors."""
    from detectors.evaluation.comparing import Comparison
    from detectors.smoke_variants import read_variant
    from ioc.cli.bench_progress import progress
    from ioc.cli.compare_answer import Compared

    comparison, left_out = Comparison(_pairs(asked.names, catalog), fresh_after=fresh_after), 0
    with progress("comparing", frames) as advance:
        for still in stills:
            left_out += not _show(comparison, still, asked.pictures)
            advance(1)
    return Compared.of(
        comparison.end(),
        truth,
        live=read_variant(asked.names[0]).name,
        shadow=read_variant(asked.names[1]).name,
        comparison=comparison,
        left_out=left_out,
    )


def _show(comparison: "Comparison", still: "Still", pictures: "Pictures") -> bool:
    """Whether the picture could be looked at."""
    from detectors.preprocess import decode_jpeg
    from ioc.errors import InvalidRecord

    jpeg = still.jpeg
    if jpeg is None:
        return False
    try:
        image = decode_jpeg(jpeg)
    except InvalidRecord:
        return False
    comparison.show(still.pose, image, still.at, lambda: pictures.keep(still.name, jpeg))
    return True


def _pairs(names: tuple[str, str], catalog: "Catalog | None") -> "Callable[[str], tuple[Detector, Detector]]":
    """What makes both detectors of a pose, with its masks where the catalogue knows it."""
    from detectors.registry import pose_masks
    from detectors.smoke_variants import make_variant

    live, shadow = (make_variant(name) for name in names)
    cameras = {} if catalog is None else catalog.cameras

    def make(pose: str) -> "tuple[Detector, Detector]":
        camera_id, _, pose_id = pose.partition(":")
        camera = cameras.get(camera_id)
        masks = None if camera is None else pose_masks(camera.pose(pose_id))
        return live(masks), shadow(masks)

    return make


def _seen(asked: _Asked) -> "Compared":
    """What the shadow of the workers on this machine has met: of the newest pair of variants."""
    from ioc.adapters.evidence import evidence_of
    from ioc.cli.compare_answer import Compared
    from ioc.cli.compare_truth import by_verdicts
    from ioc.errors import ConfigurationError
    from streams.shadow_alerts import SHADOW_ALERTS_FILE, ShadowAlerts

    path = asked.settings.state / SHADOW_ALERTS_FILE
    told = ShadowAlerts(path).read()
    if not told:
        raise ConfigurationError(
            f"{path}: no alert is listed; set shadow_smoke_model where the worker runs, and name its state folder"
        )
    pair = told[-1].live, told[-1].shadow
    alerts = [one.alert for one in told if (one.live, one.shadow) == pair]
    judged = _judged(asked)
    truth = by_verdicts(judged.incidents.values(), judged.verdicts, _LABEL)
    asked.pictures.fetch((alert.frame for alert in alerts), evidence_of(asked.settings))
    return Compared.of(alerts, truth, live=pair[0], shadow=pair[1])


def _require_folder(report: Path | None) -> None:
    from ioc.errors import ConfigurationError

    if report is not None and not report.absolute().parent.is_dir():
        raise ConfigurationError(f"--report {report}: the folder {report.absolute().parent} does not exist")


def _write(path: Path, text: str) -> None:
    from ioc.errors import ConfigurationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--report {path}: can't be written ({error.strerror}); choose another file") from None
