"""`ioc kpi`: which KPIs there are, what each says, and which entities a figure counts."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError, PermanentError

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.kpis import KpiDefinition
    from ioc.kpis.audit import Explanation, Wanted
    from ioc.settings import Settings

__all__ = ["explain", "progress", "register"]

_EXPLAIN = "Example: `ioc kpi explain dossiers_on_time --window mtd --agency H36.01 --limit 50`"
_LIST = "Example: `ioc kpi list --json`"
_SHOW = "Example: `ioc kpi show dossiers_on_time`"

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="the KPI, as `ioc kpi list` prints it")]


def register(app: typer.Typer) -> None:
    """Adds `ioc kpi list | show | explain`."""
    kpi = typer.Typer(no_args_is_help=True, help="KPIs: what they count, and which entities are behind a figure.")
    kpi.command("list", epilog=_LIST)(kpi_list)
    kpi.command("show", epilog=_SHOW)(kpi_show)
    kpi.command("explain", epilog=_EXPLAIN)(kpi_explain)
    app.add_typer(kpi, name="kpi")


def kpi_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the KPIs of the catalogue: id, name, unit, windows, target, level of evidence."""
    from ioc.cli.kpi_view import about, target_text

    settings, catalog = _load(config)
    today = _today(settings)
    if as_json:
        print(json.dumps([about(kpi, today) for kpi in catalog.kpis], ensure_ascii=False))
        return
    for kpi in catalog.kpis:
        told = about(kpi, today)
        print(f"{kpi.id:28} {kpi.unit:12} {','.join(kpi.windows):14} {target_text(told['target']):34} {kpi.name_vi}")
        print(f"{'':28} evidence: {told['evidence']}; {kpi.name_en}")
    print(f"{len(catalog.kpis)} KPIs")


def kpi_show(kpi_id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what a KPI counts: its rule as the catalogue declares it, windows, target and evidence."""
    from ioc.cli.kpi_view import about, about_text, rule

    settings, catalog = _load(config)
    kpi = _kpi(catalog, kpi_id)
    told = about(kpi, _today(settings)) | {"rule": rule(kpi)}
    print(json.dumps(told, ensure_ascii=False) if as_json else about_text(told))


def kpi_explain(
    kpi_id: IdArgument,
    unit: Annotated[str, typer.Option("--unit", help="code of an administrative unit; the total when left out")] = "",
    agency: Annotated[str, typer.Option("--agency", help="code of an agency")] = "",
    dim: Annotated[str, typer.Option("--dim", help="value of the KPI's own label")] = "",
    window: Annotated[str, typer.Option("--window", help="like day, mtd, r30d or now; the KPI's first")] = "",
    at: Annotated[str, typer.Option("--at", help="a time with offset, or a day: its end; now when left out")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="so many entities; 0 for all")] = 20,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a figure: its two sides, its rule, the entities that it counts (ids only), and who told of them.

    Reads the workers' rows and changes nothing. With `--at` a past period is counted as it is known today.
    """
    import asyncio

    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.kpi_view import explanation_json, explanation_text
    from ioc.kpis.audit import Wanted
    from ioc.windows import microseconds_of

    settings, catalog = _load(config)
    kpi = _kpi(catalog, kpi_id)
    window = _window(kpi, window)
    clock, moment = _clock(settings), _moment(at, settings)
    kafka = kafka_access(settings, broker)
    _refuse_the_past(kpi, window, moment, clock)
    wanted = _wanted(catalog, kpi, Wanted("" if unit == "*" else unit, agency, dim))
    with progress(f"reading rows of {', '.join(sorted({part.entity for part in kpi.parts}))}") as advance:
        explained = asyncio.run(explain(kafka, catalog, kpi, window, microseconds_of(moment), wanted, advance))
    _refuse_unknown_series(kpi, wanted, explained)
    told = explanation_json(kpi, window, moment, wanted, explained, limit=limit)
    print(json.dumps(told, ensure_ascii=False) if as_json else explanation_text(told))
    if not explained.adds_up:
        raise PermanentError("what is listed does not add up to the figure: this is a defect of ours; please report it")


async def explain(
    broker: str,
    catalog: "Catalog",
    kpi: "KpiDefinition",
    window: str,
    clock_us: int,
    wanted: "Wanted",
    advance: Callable[[float, float], object],
) -> "Explanation":
    """Returns the explanation of one figure from the rows that lie in Kafka; reading them takes seconds.

    Raises:
        ConfigurationError: the rows were written with another catalogue. TransientError, PermanentError: Kafka.
    """
    from ioc.kpis import KpiEngine
    from ioc.kpis.audit import Audit
    from streams.entity_rows import read_shards
    from streams.row_layout import layout_of

    engine = KpiEngine(catalog.entities, [kpi], catalog.registers(), catalog.geography)
    audit = Audit(
        engine,
        window,
        clock_us,
        entities=catalog.entities,
        type_names=tuple(catalog.event_types),
        promises=catalog.promises,
    )
    shards = await read_shards(broker, audit.entities, advance)
    layout = layout_of(catalog.event_types.values())
    for partition, shard in shards.items():
        if shard.layout not in (None, layout):
            raise ConfigurationError(
                f"the rows were written with another event_types.yaml than {catalog.folder}/event_types.yaml; point "
                f"IOC_CATALOG to the workers' catalogue, or start the workers with this one first"
            )
        audit.newest(partition, shard.newest)
        for key, data in shard.rows.items():
            entity, entity_id = key.split("\x1f", 1)
            audit.add(partition, entity, entity_id, data)
    return audit.explain(wanted)


@contextmanager
def progress(text: str) -> Iterator[Callable[[float, float], object]]:
    """A bar on a terminal; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(text, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


# ---- what was asked for --------------------------------------------------------------------------------------------


def _load(config: Path | None) -> "tuple[Settings, Catalog]":
    import logging

    from ioc.catalog import load_catalog
    from ioc.settings import load_settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    settings = load_settings(config)
    return settings, load_catalog(settings.catalog)


def _clock(settings: "Settings") -> datetime:
    from ioc.clock import clock_from_setting

    return clock_from_setting(settings.now)()


def _today(settings: "Settings") -> date:
    from ioc.windows import LOCAL_ZONE

    return _clock(settings).astimezone(LOCAL_ZONE).date()


def _moment(text: str, settings: "Settings") -> datetime:
    from ioc.windows import LOCAL_ZONE

    if not text:
        return _clock(settings)
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            midnight = datetime(day.year, day.month, day.day, tzinfo=LOCAL_ZONE)
            return midnight + timedelta(days=1, microseconds=-1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"--at {text!r} is no time with an offset; write it like 2026-11-22T08:00:00+07:00, or a day: 2026-11-21"
        )
    return moment


def _kpi(catalog: "Catalog", kpi_id: str) -> "KpiDefinition":
    for kpi in catalog.kpis:
        if kpi.id == kpi_id:
            return kpi
    near = get_close_matches(kpi_id, [kpi.id for kpi in catalog.kpis], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "see: ioc kpi list"
    raise ConfigurationError(f"no KPI {kpi_id!r} in {catalog.folder}; {hint}")


def _window(kpi: "KpiDefinition", window: str) -> str:
    if window and window not in kpi.windows:
        raise ConfigurationError(f"--window {window}: {kpi.id} has the windows {', '.join(kpi.windows)}; choose one")
    return window or kpi.windows[0]


def _refuse_the_past(kpi: "KpiDefinition", window: str, moment: datetime, clock: datetime) -> None:
    from ioc.kpis import KEPT_MINUTES
    from ioc.kpis.parts import SOURCE_TALLY
    from ioc.windows import grain_of

    if window == "now" and moment < clock:
        raise ConfigurationError(
            f"--at: {kpi.id} counts what is so now, and rows do not tell what was so before; leave --at out, or read "
            f"the closed days on topic ioc.kpi.values"
        )
    is_tally = any(part.entity == SOURCE_TALLY for part in kpi.parts)
    if is_tally and grain_of(window) == "minute" and moment < clock - timedelta(minutes=KEPT_MINUTES - 60):
        raise ConfigurationError(
            f"--at: verdicts are kept by the minute for {KEPT_MINUTES} minutes only; ask for an older time with "
            f"--window day"
        )


def _wanted(catalog: "Catalog", kpi: "KpiDefinition", wanted: "Wanted") -> "Wanted":
    if sum(map(bool, wanted)) > 1:
        raise ConfigurationError("--unit, --agency and --dim each name a series beside the total; give one of them")
    if wanted.admin_unit and wanted.admin_unit not in catalog.geography:
        names = {unit.name_vi: unit.code for unit in catalog.geography.units()}
        names |= {unit.name_en: unit.code for unit in catalog.geography.units()} | {
            code: code for code in names.values()
        }
        near = [f"{names[name]} ({name})" for name in get_close_matches(wanted.admin_unit, names, n=3, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}?" if near else "units are named by their statistical code, like 24781"
        raise ConfigurationError(f"--unit {wanted.admin_unit}: no such unit in {catalog.name_vi}; {hint}")
    for option, value, group_by in (("--unit", wanted.admin_unit, "admin_unit"), ("--agency", wanted.agency, "agency")):
        if value and kpi.group_by != group_by:
            has = "the total only" if kpi.group_by == "none" else f"a series for each {kpi.group_by.replace('_', ' ')}"
            raise ConfigurationError(f"{option}: {kpi.id} has {has}; leave {option} out")
    if wanted.dim and not any(part.dim for part in kpi.parts):
        raise ConfigurationError(f"--dim: {kpi.id} has no label of its own; leave --dim out")
    return wanted


def _refuse_unknown_series(kpi: "KpiDefinition", wanted: "Wanted", explained: "Explanation") -> None:
    """A unit is known though nothing counts there; an agency or a value of `dim` is known by its events alone."""
    named = wanted.agency or wanted.dim
    if explained.figure is None and named:
        near = get_close_matches(named, explained.known, n=3, cutoff=0.4) or list(explained.known[:3])
        hint = f"did you mean {' or '.join(near)}?" if near else "there is none yet"
        option = "--agency" if wanted.agency else "--dim"
        raise ConfigurationError(f"{option} {named}: no such series of {kpi.id} in this window; {hint}")
