"""`ioc publish`: a file of events, or standard input, to their topics."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import typer

from ioc.errors import ConfigurationError, IocError, PermanentError

if TYPE_CHECKING:
    from ioc.publishing import Publication, RejectedLine

__all__ = ["register"]

_EXAMPLE = "Example: `ioc publish events.jsonl --dry-run`, then `ioc publish events.jsonl`."
_SHEETS = (".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_SPOOL_BYTES = 1 << 20  # of rejections for --json; more of them wait in a temporary file

Language = Literal["vi", "en"]
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="JSON lines, one CloudEvents object a line; '-' for standard input")
]
BrokerOption = Annotated[str | None, typer.Option("--broker", help="HOST:PORT of Kafka; else IOC_BROKER")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]

_SUMMARIES = {
    ("vi", False): "{accepted} sự kiện đã vào Kafka, {rejected} dòng bị từ chối",
    ("vi", True): "{accepted} dòng hợp lệ, {rejected} dòng bị từ chối; chưa gửi gì",
    ("en", False): "{accepted} events are in Kafka, {rejected} lines were refused",
    ("en", True): "{accepted} lines are valid, {rejected} are refused; nothing was sent",
}


def register(app: typer.Typer) -> None:
    """Adds `ioc publish`."""
    app.command("publish", epilog=_EXAMPLE)(publish)


def publish(
    file: FileArgument,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only judge the lines; nothing is sent")] = False,
    language: Annotated[Language, typer.Option("--lang", help="of the reasons")] = "vi",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish events to Kafka, each judged by the catalogue first: good lines go, bad ones are named with the reason.

    The event's type decides its topic. Sending a file again is harmless: an event of the same source and id counts
    once. Exit code 1 when any line was refused.
    """
    import asyncio

    from ioc.adapters.kafka_access import kafka_access
    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.publishing import EventJudge, Publication
    from ioc.settings import load_settings

    _refuse_other_formats(file)
    settings = load_settings(config)
    judge, clock = EventJudge(load_catalog(settings.catalog)), clock_from_setting(settings.now)
    address = None if is_dry else kafka_access(settings, broker)
    with _opened(file) as descriptor:
        answer = _Answer(language, as_json=as_json, is_dry=is_dry)
        publication = Publication(judge, clock=clock, on_rejected=answer.reject)
        try:
            asyncio.run(_run(publication, descriptor, address))
        except IocError as error:
            answer.finish(publication, failure=str(error))
            raise
        answer.finish(publication)
    if publication.rejected:
        raise typer.Exit(1)


# ---- in --------------------------------------------------------------------------------------------------------------


def _refuse_other_formats(file: str) -> None:
    suffix = Path(file).suffix.lower()
    if suffix in _SHEETS:
        raise ConfigurationError(
            f"{file}: tables (CSV, XLSX) come with the departments' doors in a later release; "
            f"until then write JSON lines, one CloudEvents object a line"
        )
    if suffix in _PACKED:
        raise ConfigurationError(f"{file}: unpack it first, as in: zcat {file} | ioc publish -")


@contextmanager
def _opened(file: str) -> Iterator[int]:
    """The file descriptor to read: bytes, without a buffer that a signal would find locked."""
    if file == "-":
        if sys.stdin.isatty():
            print("reading events from the terminal, one a line; Ctrl-D ends", file=sys.stderr)
        yield 0
        return
    try:
        if Path(file).is_dir():
            raise IsADirectoryError(21, "is a folder")
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}; name a file of JSON lines, or -") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# ---- through ---------------------------------------------------------------------------------------------------------


async def _run(publication: "Publication", descriptor: int, broker: str | None) -> None:
    """Ctrl-C or SIGTERM ends the stream early: what was sent is waited for, unless asked a second time."""
    import asyncio
    import logging
    import signal

    from ioc.publishing.reading import read_chunks

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    stop, loop, task = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"

    def on_signal() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        with _bar(os.fstat(descriptor).st_size) as advance:
            chunks = _counted(read_chunks(descriptor, stop), advance)
            if broker is None:
                await publication.run(chunks, sink=None, stop=stop)
            else:
                from ioc.publishing.sender import open_sender

                async with open_sender(broker) as sender:
                    await publication.run(chunks, sink=sender, stop=stop)
    except asyncio.CancelledError:
        pass
    if stop.is_set():
        raise PermanentError(
            f"interrupted after line {publication.line_number}; send the whole file again: "
            f"ids are known, so nothing counts twice"
        )


async def _counted(chunks: AsyncIterator[bytes], advance: Callable[[int], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk
        advance(len(chunk))


@contextmanager
def _bar(size_bytes: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on the terminal's error stream; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # else the report would follow the bar to the error stream
    ) as progress:
        task = progress.add_task("bytes", total=size_bytes or None)
        yield lambda number: progress.update(task, advance=number)


# ---- out -------------------------------------------------------------------------------------------------------------


class _Answer:
    """What the command prints: refused lines as they come and a summary, or one JSON object at the end."""

    def __init__(self, language: Language, *, as_json: bool, is_dry: bool) -> None:
        self._language, self._is_dry = language, is_dry
        self._spool: IO[str] | None = _spool() if as_json else None
        self._separator = ""

    def reject(self, line: "RejectedLine") -> None:
        number, error = line
        if self._spool is not None:
            self._spool.write(self._separator + _as_json(line))
            self._separator = ", "
            return
        where = f" ({error.field})" if error.field else ""
        word, sentence = ("dòng", error.vi) if self._language == "vi" else ("line", error.en)
        print(_plain(f"{word} {number}: {error.reason}{where}: {sentence}"))

    def finish(self, publication: "Publication", *, failure: str = "") -> None:
        """Prints the counts; as JSON also the refused lines and, where the run broke off, why."""
        import json
        import shutil

        counts = {"accepted": publication.accepted, "rejected": publication.rejected}
        if self._spool is None:
            if publication.line_number or not failure:
                print(_SUMMARIES[self._language, self._is_dry].format(**counts))
            return
        head = {**counts, "failure": failure} if failure else counts
        print(json.dumps(head, ensure_ascii=False)[:-1], end=', "errors": [')
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, sys.stdout)
        self._spool.close()
        print("]}")


def _spool() -> IO[str]:
    from tempfile import SpooledTemporaryFile

    return SpooledTemporaryFile(max_size=_SPOOL_BYTES, mode="w+", encoding="utf-8")


def _as_json(line: "RejectedLine") -> str:
    import json

    number, error = line
    entry = {
        "line": number,
        "reason": error.reason,
        "field": error.field,
        "message_vi": error.vi,
        "message_en": error.en,
    }
    return json.dumps(entry, ensure_ascii=False)


def _plain(text: str) -> str:
    """`text` without anything that a terminal would obey: parts of it come from the file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
