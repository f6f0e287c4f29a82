"""`ioc report`: a day or a month for the leaders, as a page that prints."""

import json
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.settings import Settings
    from ioc.wall.report import Report, Span

__all__ = ["register"]

_EXAMPLE = "Example: `ioc report --day 2026-11-21 --out reports/` or `ioc report --month 2026-10 --lang en --json`"

DayOption = Annotated[str, typer.Option("--day", help="local day, like 2026-11-21; yesterday when left out")]
MonthOption = Annotated[str, typer.Option("--month", help="month, like 2026-10; `last`: the month before this one")]
LangOption = Annotated[str, typer.Option("--lang", help="vi, en, or all: both, into a folder")]
OutOption = Annotated[
    str | None,
    typer.Option("--out", help="HTML file, or a folder and / (report-2026-11-21-vi.html there); else standard output"),
]


def register(app: typer.Typer) -> None:
    """Adds `ioc report`."""
    app.command("report", epilog=_EXAMPLE)(report)


def report(
    day: DayOption = "",
    month: MonthOption = "",
    lang: LangOption = "vi",
    out: OutOption = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report to leaders of a day or a month: what missed its target and got worse, every figure against
    target, the time before and a year before, units side by side, incidents, cameras, silent sources.

    Reads the KPI log (Kafka) and on-call's incidents; where on-call can't be reached the report says so. Prints as A4.
    """
    import logging

    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.wall.report import report_html, report_json

    languages: tuple[Literal["vi", "en"], ...] = ("vi", "en") if lang == "all" else ("en" if lang == "en" else "vi",)
    if lang not in ("vi", "en", "all"):
        raise ConfigurationError(f"--lang {lang}: no such language; write vi or en, or all")
    if lang == "all" and not (out or "").endswith("/"):
        raise ConfigurationError("--lang all writes two files; name a folder and / with --out")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    settings = load_settings(config)
    now = clock_from_setting(settings.now)()
    span = _span(day, month, now)
    catalog = load_catalog(settings.catalog)
    found = _gather(settings, catalog, span, now, broker)
    for language in languages if out is not None or not as_json else ():
        _write(_file(out, span, language), report_html(found, catalog, language))
    if as_json:
        print(json.dumps(report_json(found), ensure_ascii=False))


def _span(day: str, month: str, now: datetime) -> "Span":
    from ioc.wall.report import Span
    from ioc.windows import LOCAL_ZONE

    today = now.astimezone(LOCAL_ZONE).date()
    if day and month:
        raise ConfigurationError("--day and --month: a report is of one of them; leave the other out")
    try:
        span = Span.day(date.fromisoformat(day)) if day else Span.day(today - timedelta(days=1))
        if month == "last":
            span = Span.month(today.year, today.month).before()
        elif month:
            first = date.fromisoformat(f"{month}-01")
            span = Span.month(first.year, first.month)
    except ValueError:
        raise ConfigurationError(
            f"--{'month' if month else 'day'} {month or day!r}: write 2026-11-21 or 2026-10"
        ) from None
    if span.first > today:
        raise ConfigurationError(f"{span.name} has not begun; the newest report is that of {today}")
    return span


def _gather(settings: "Settings", catalog: "Catalog", span: "Span", now: datetime, broker: str | None) -> "Report":
    import asyncio

    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.kpi import progress
    from ioc.wall.report import build_report
    from ioc.wall.report.model import is_wanted, wanted_places
    from ioc.wall.report.reading import read_history, read_ledger

    kafka = kafka_access(settings, broker)
    places = wanted_places(catalog, span)

    async def read(advance: Callable[[float, float], object]) -> "Report":
        ledger = await read_ledger(kafka, lambda place: is_wanted(place, places), advance)
        history = await read_history(settings.oncall_url, span, token=settings.reader_token())
        return build_report(catalog, ledger, span, made_at=now, history=history)

    with progress("reading the KPI log") as advance:
        return asyncio.run(read(advance))


def _file(out: str | None, span: "Span", lang: str) -> Path | None:
    """A folder (there, or ending in /) gets a file named after the span and the language."""
    if out is None:
        return None
    path = Path(out)
    return path / f"report-{span.name}-{lang}.html" if out.endswith("/") or path.is_dir() else path


def _write(out: Path | None, html: str) -> None:
    if out is None:
        sys.stdout.write(html)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(html, encoding="utf-8")
        part.replace(out)  # who opens the old one meanwhile sees no half
    except OSError as error:
        raise ConfigurationError(f"--out {out}: {error.strerror}; name a file that can be written") from error
    print(f"written: {out}", file=sys.stderr)
