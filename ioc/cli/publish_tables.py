"""The tables of a file, each with the reader that its columns ask for."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ioc.catalog import Catalog
from ioc.catalog.imports import ImportMapping
from ioc.cli.publish_answers import Answer
from ioc.cli.publish_job import FileJob
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.publishers import Publisher
from ioc.publishing import EventJudge, Piece, table_pieces
from ioc.publishing.delimited import open_delimited
from ioc.publishing.rows import Table
from ioc.publishing.tables import OwnColumns, RowReader, by_mapping, by_own_names

__all__ = ["open_tables"]


def open_tables(
    job: FileJob,
    file: BinaryIO,
    catalog: Catalog,
    judge: EventJudge,
    clock: Clock,
    publisher: Publisher | None,
    answer: Answer,
    skip: int,
) -> Iterator[Piece]:
    """Yields the pieces of every table of the file, but for its first `skip` rows.

    Raises:
        ConfigurationError: a table that can't be read: before its first row.
    """
    mapping = _mapping(job, catalog)
    before = 0
    for table in _tables(job, file, mapping, catalog):
        if table.encoding is not None and table.encoding.is_assumed:
            name = table.encoding.name
            answer.say(f"coi tệp là {name} (--encoding để nói khác)", f"taken for {name} (--encoding says otherwise)")
        try:
            read = _reader(job, table, mapping, catalog, judge, publisher)
        except ConfigurationError as error:
            where = f"{job.file}, sheet {table.sheet}" if table.sheet else job.file
            raise ConfigurationError(f"{where}: {error}") from None
        for piece in table_pieces(table, read, clock, skip=skip, before=before):
            yield piece
            before = piece.last


def _mapping(job: FileJob, catalog: Catalog) -> ImportMapping | None:
    if not job.mapping:
        return None
    if job.mapping not in catalog.imports:
        known = ", ".join(catalog.imports) or "none"
        raise ConfigurationError(f"--as: {job.mapping!r} is not in imports.yaml; known: {known}")
    return catalog.imports[job.mapping]


def _tables(job: FileJob, file: BinaryIO, mapping: ImportMapping | None, catalog: Catalog) -> Iterator[Table]:
    header_row = mapping.header_row if mapping is not None else 1
    suffix = Path(job.file).suffix.lower()
    try:
        if suffix in (".xlsx", ".xlsm"):
            from ioc.publishing.spreadsheets import open_spreadsheet

            yield from open_spreadsheet(
                file,
                sheet=job.sheet or (mapping.sheet if mapping is not None else ""),
                header_row=header_row,
                takes_formula_values=job.takes_formula_values,
                only_first=mapping is not None,
            )
            return
        sign = job.delimiter or ("\t" if suffix == ".tsv" else "")
        yield open_delimited(file, header_row=header_row, encoding=job.encoding, delimiter=sign)
    except ConfigurationError as error:
        raise ConfigurationError(f"{job.file}: {error}") from None


def _reader(
    job: FileJob,
    table: Table,
    mapping: ImportMapping | None,
    catalog: Catalog,
    judge: EventJudge,
    publisher: Publisher | None,
) -> RowReader:
    if mapping is not None:
        return by_mapping(mapping, table.headings, judge, is_correction=job.is_correction)
    named = (name for name in (table.sheet, _stem_type(job.file, catalog)) if name in catalog.event_types)
    return by_own_names(
        table.headings,
        judge,
        catalog.event_types,
        province=catalog.province,
        default=OwnColumns(job.type or next(named, ""), job.source),
        publisher=publisher,
        is_correction=job.is_correction,
    )


def _stem_type(file: str, catalog: Catalog) -> str:
    """A template keeps its type in its name: dossier.paid.csv, or rejects.dossier.paid.csv."""
    stem = Path(file).stem
    return next((name for name in catalog.event_types if stem == name or stem.endswith(f".{name}")), "")
