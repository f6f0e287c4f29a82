"""`ioc publish`: files of events, tables, single events and cancellations, to their topics; templates of tables."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

__all__ = ["register"]

_EXAMPLE = (
    "Example: `ioc publish ho-so.xlsx --as mot-cua-ho-so --dry-run`, then without --dry-run; "
    "`ioc publish --template dossier --format xlsx --out dossier.xlsx`; "
    "`ioc publish --cancel dossier.submitted dossier_id=H36.31-000001`."
)

Language = Literal["vi", "en"]


def register(app: typer.Typer) -> None:
    """Adds `ioc publish`."""
    app.command("publish", epilog=_EXAMPLE)(publish)


def publish(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="JSON lines (one CloudEvents object a line), .csv, .tsv or .xlsx; '-' for JSON lines on standard "
            "input; with --event or --cancel FIELD=VALUE …",
        ),
    ] = None,
    mapping: Annotated[str, typer.Option("--as", help="the table is read by this mapping of imports.yaml")] = "",
    type_: Annotated[str, typer.Option("--type", help="of a table with our own column names")] = "",
    source: Annotated[str, typer.Option(help="of a table with our own column names, like onestop/mot-cua")] = "",
    publisher: Annotated[str, typer.Option(help="of publishers.yaml, whose rights are checked")] = "",
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only judge; nothing is sent")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="write refused rows with reasons here, to mend and resend")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="from the first row, though a run was interrupted")
    ] = False,
    correction: Annotated[
        bool, typer.Option("--correction", help="the rows correct what was told before: they happen now")
    ] = False,
    encoding: Annotated[str, typer.Option(help="utf-8, utf-16 or windows-1258; else found out")] = "",
    delimiter: Annotated[str, typer.Option(help="of a CSV; else found out of its first row")] = "",
    sheet: Annotated[str, typer.Option(help="of an .xlsx; else the mapping's, or every visible one")] = "",
    formulas: Annotated[
        Literal["refuse", "values"], typer.Option(help="cells with a formula: refuse the row, or take the kept value")
    ] = "refuse",
    event: Annotated[str, typer.Option("--event", help="send one event of this TYPE: FIELD=VALUE …")] = "",
    cancel: Annotated[str, typer.Option("--cancel", help="cancel what a TYPE told of an entity: FIELD=VALUE …")] = "",
    template: Annotated[str, typer.Option(help="write an empty table: a type, or the first word of several")] = "",
    format_: Annotated[Literal["csv", "xlsx"], typer.Option("--format", help="of the template")] = "csv",
    out: Annotated[
        Path | None, typer.Option(help="file of the template, a folder for several CSV; else printed")
    ] = None,
    gateway: Annotated[str, typer.Option(help="URL of the HTTP gateway, for departments without Kafka")] = "",
    token_file: Annotated[Path | None, typer.Option(help="file with the department's token for the gateway")] = None,
    language: Annotated[Language, typer.Option("--lang", help="of the reasons")] = "vi",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish events to Kafka, each judged by the catalogue first: good rows go, bad ones are named with the reason.

    The event's type decides its topic. Sending a file again is harmless: an event of the same source and id counts
    once, and a row of a table has the same id for ever. An interrupted run goes on where it was. Exit code 1 when any
    row was refused.
    """
    from ioc.adapters.kafka_access import kafka_access
    from ioc.catalog import load_catalog
    from ioc.cli.publish_way import Way
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings

    words = arguments or []
    settings = load_settings(config)
    if sum(map(bool, (event, cancel, template))) > 1:
        raise ConfigurationError("--event, --cancel and --template are one at a time")
    if template:
        from ioc.cli.publish_templates import write_templates

        write_templates(load_catalog(settings.catalog), template, format_, out)
        return
    if bool(gateway) != (token_file is not None):
        raise ConfigurationError("--gateway URL and --token-file FILE go together")
    catalog, clock = load_catalog(settings.catalog), clock_from_setting(settings.now)
    way = Way(broker=kafka_access(settings, broker), gateway=gateway, token_file=token_file, is_dry=is_dry)
    if event or cancel:
        from ioc.cli.publish_single import send_single

        send_single(
            catalog, clock, way, event or cancel, words, is_cancel=bool(cancel), language=language, as_json=as_json
        )
        return
    if len(words) != 1:
        raise ConfigurationError("name one FILE to publish, or - for standard input; see: ioc publish --help")
    from ioc.cli.publish_files import send_file
    from ioc.cli.publish_job import FileJob

    job = FileJob(
        file=words[0],
        mapping=mapping,
        type=type_,
        source=source,
        publisher=publisher,
        rejects=rejects,
        is_restart=restart,
        is_correction=correction,
        encoding=encoding,
        delimiter="\t" if delimiter in ("\\t", "tab") else delimiter,
        sheet=sheet,
        takes_formula_values=formulas == "values",
        language=language,
        as_json=as_json,
    )
    if send_file(job, catalog, clock, way, settings.state):
        raise typer.Exit(1)
