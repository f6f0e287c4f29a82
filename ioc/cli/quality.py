"""`ioc quality`: đúng, đủ, sạch, sống of every source, and what to fix."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import ConfigOption, JsonOption
from ioc.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ioc.catalog import Catalog
    from ioc.quality import FigureKey, Quality, Reading, Score

__all__ = ["register"]

_EXAMPLE = "Example: `ioc quality /lam-dong/onestop`"

SourceArgument = Annotated[
    str, typer.Argument(metavar="[SOURCE]", help="this source and those below it; all when left out")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="the figures role's /metrics; else IOC_FIGURES_URL")]


def register(app: typer.Typer) -> None:
    """Adds `ioc quality`."""
    app.command("quality", epilog=_EXAMPLE)(quality)


def quality(
    source: SourceArgument = "", url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show the quality of each source - valid (đúng), complete (đủ), clean (sạch), alive (sống), typed by hand -
    against the catalogue's targets, and what to fix.

    Reads the figures of a running `ioc worker --roles figures`. Exit code 1 where no figures can be read.
    """
    import asyncio
    import time

    from ioc.adapters.figures import FigureReader, page_of
    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings

    settings = load_settings(config)
    catalog, clock = load_catalog(settings.catalog), clock_from_setting(settings.now)
    address = url or settings.figures_url
    definitions = {kpi.id: kpi for kpi in catalog.kpis}
    reader = FigureReader(page_of(address), definitions, clock=clock, monotonic=time.monotonic)
    figures = asyncio.run(reader.read())
    if figures.read_at is None:
        raise TransientError(
            f"no figures at {address} ({figures.trouble}); start a worker with the role figures, or set IOC_FIGURES_URL"
        )
    found = _qualities(catalog, figures.readings, source.rstrip("/"), figures.read_at)
    if as_json:
        read_at = figures.read_at.isoformat()
        print(json.dumps({"read_at": read_at, "sources": [_json(each) for each in found]}, ensure_ascii=False))
        return
    if not found:
        raise PermanentError(f"no figures about {source or 'any source'} yet: has an event of it come in?")
    _print(found)


def _qualities(
    catalog: "Catalog", readings: "Mapping[FigureKey, Reading]", wanted: str, now: datetime
) -> "list[Quality]":
    from ioc.quality import quality_of
    from ioc.windows import LOCAL_ZONE

    today = now.astimezone(LOCAL_ZONE).date()
    targets = {kpi.id: kpi.target(today) for kpi in catalog.kpis}
    names = {key.source for key in readings if key.source} | set(catalog.promises.by_source)
    return [
        quality_of(name, readings, targets, promise_s=catalog.promises.of(name) / 1_000_000)
        for name in sorted(names)
        if not wanted or name == wanted or name.startswith(f"{wanted}/")
    ]


def _print(found: "list[Quality]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ioc.quality import SCORES

    console = Console()
    table = Table("nguồn / source", *(f"{kind.word.vi} / {kind.word.en}" for kind in SCORES), "kết luận / verdict")
    for each in found:
        cells = [_cell(score) for score in each.scores]
        table.add_row(Text(each.source), *cells, f"{each.verdict.vi} / {each.verdict.en}")
    console.print(table)
    for each in found:
        for fix in each.fixes:
            console.print(Text(f"{each.source}: {fix.vi}\n  {fix.en}"))


def _cell(score: "Score") -> str:
    """The figure and the word: colour alone tells nothing to many."""
    if score.reading.value is None or score.state == "not_asked":
        return score.verdict.vi
    star = "*" if score.is_provincial else ""
    return f"{score.reading.value * 100:.1f} %{star} {score.verdict.vi}"


def _json(found: "Quality") -> dict[str, object]:
    return {
        "source": found.source,
        "state": found.state,
        "scores": {
            score.kind.kpi: {
                "state": score.state,
                "value": score.reading.value,
                "numerator": score.reading.numerator,
                "denominator": score.reading.denominator,
                "target": None if score.target is None else score.target.value,
                "as_of": None if score.reading.as_of is None else score.reading.as_of.isoformat(),
                "stale": score.reading.is_stale,
                "of_province": score.is_provincial,
                "fix_vi": None if score.fix is None else score.fix.vi,
                "fix_en": None if score.fix is None else score.fix.en,
            }
            for score in found.scores
        },
    }
