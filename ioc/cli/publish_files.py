"""`ioc publish FILE`: a file or a stream, from its rows to where they go."""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ioc.catalog import Catalog
from ioc.cli.publish_answers import Answer
from ioc.cli.publish_job import FileJob
from ioc.cli.publish_tables import open_tables
from ioc.cli.publish_way import Way
from ioc.clock import Clock
from ioc.errors import ConfigurationError, IocError, PermanentError
from ioc.events import MAX_EVENT_BYTES
from ioc.publishers import Publisher
from ioc.publishing import EventJudge, LineSplitter, Piece, Publication, RejectedRow, line_piece, read_chunks
from ioc.publishing.journal import Journal, Progress, identity_of
from ioc.publishing.rejects import RejectsFile

__all__ = ["send_file"]

_OLD_TABLES = (".xls", ".ods", ".xlsb")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_SAVE_EVERY_S = 0.5
_GC_THRESHOLD = 100_000

Advance = Callable[[int], None]


def send_file(job: FileJob, catalog: Catalog, clock: Clock, way: Way, state: Path) -> int:
    """Returns how many rows were refused.

    Raises:
        ConfigurationError: the file or the way it is to be read.
        PermanentError, TransientError: the other side; or the run was interrupted.
    """
    _refuse_other_formats(job)
    gc.freeze()  # the catalogue stays; rows hold no cycles, and looking through them takes a tenth of the time
    gc.set_threshold(_GC_THRESHOLD, 50, 100)
    with _opened(job) as descriptor:
        run = _Run(job, catalog, clock, way, state, descriptor)
        try:
            asyncio.run(run.send())
        except IocError as error:
            run.finish(str(error))
            raise
        run.finish()
        return run.publication.rejected


class _Run:
    """One run over one open file."""

    def __init__(self, job: FileJob, catalog: Catalog, clock: Clock, way: Way, state: Path, descriptor: int) -> None:
        self._job, self._catalog, self._clock, self._way, self._descriptor = job, catalog, clock, way, descriptor
        self._judge = EventJudge(catalog)
        self._answer = Answer(
            job.language,
            as_json=job.as_json,
            is_dry=way.is_dry,
            is_table=job.is_table,
            where="gateway" if way.gateway else "Kafka",
        )
        self._publisher = _publisher(catalog, job)
        self._journal = None if job.file == "-" or way.is_dry else self._new_journal(state)
        self._start = self._resumed()
        self._rejects = self._new_rejects()
        self._saved_s = time.monotonic()
        self._progress = self._start
        self.publication = Publication(
            on_rejected=self._reject,
            on_safe=self._safe,
            accepted=self._start.accepted,
            rejected=self._start.rejected,
        )

    async def send(self) -> None:
        """Ctrl-C or SIGTERM ends the stream early: what was sent is waited for, unless asked a second time."""
        stop, task = asyncio.Event(), asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"

        def on_signal() -> None:
            if stop.is_set():
                task.cancel()
            stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            with _bar(os.fstat(self._descriptor).st_size) as advance:
                pieces = self._table_pieces(advance) if self._job.is_table else self._line_pieces(advance, stop)
                first = await anext(pieces, None)  # a table that can't be read is told before anybody is called
                async with self._way.open() as sink:
                    await self.publication.run(_from(first, pieces), sink=sink, stop=stop)
        except asyncio.CancelledError:
            pass
        if stop.is_set():
            self._save()
            rest = "send the whole file again" if self._journal is None else "the same command goes on from there"
            raise PermanentError(f"interrupted after line {self.publication.line_number}; {rest}: nothing counts twice")

    def finish(self, failure: str = "") -> None:
        if self._rejects is not None:
            self._rejects.close()
        if failure:
            self._save()
        elif self._journal is not None:
            self._journal.remove()
        more = {"resumed_after_row": self._start.seen} if self._start.rows else {}
        self._answer.finish(self.publication, failure=failure, **more)

    # ---- pieces ------------------------------------------------------------------------------------------------------

    async def _line_pieces(self, advance: Advance, stop: asyncio.Event) -> AsyncIterator[Piece]:
        splitter, skip = LineSplitter(MAX_EVENT_BYTES), self._start.rows
        async for chunk in read_chunks(self._descriptor, stop):
            lines = splitter.feed(chunk)
            advance(len(chunk))
            if lines:
                yield line_piece(lines, self._judge, self._clock, skip=skip, publisher=self._publisher)
        if not stop.is_set() and (lines := splitter.finish()):
            yield line_piece(lines, self._judge, self._clock, skip=skip, publisher=self._publisher)

    async def _table_pieces(self, advance: Advance) -> AsyncIterator[Piece]:
        done = 0
        with os.fdopen(os.dup(self._descriptor), "rb", buffering=0) as file:
            for piece in open_tables(
                self._job,
                file,
                self._catalog,
                self._judge,
                self._clock,
                self._publisher,
                self._answer,
                self._start.rows,
            ):
                yield piece
                advance(piece.position - done)
                done = piece.position

    # ---- what is kept ------------------------------------------------------------------------------------------------

    def _new_journal(self, state: Path) -> Journal:
        job, path = self._job, Path(self._job.file)
        way = (job.mapping, job.type, job.source, job.sheet, job.encoding, str(job.is_correction), self._way.address)
        identity = identity_of(path, *way)
        return Journal(path.with_name(path.name + ".ioc-journal"), fallback=state / "publish", identity=identity)

    def _resumed(self) -> Progress:
        if self._journal is None or self._job.is_restart:
            return Progress()
        found = self._journal.load()
        if found is None or not found.rows:
            return Progress()
        self._answer.say(
            f"tiếp tục lần gửi bị ngắt: {found.accepted} sự kiện đã gửi đến hết dòng {found.seen} "
            f"(--restart để gửi lại từ đầu)",
            f"going on with an interrupted run: {found.accepted} events are sent, up to row {found.seen} "
            f"(--restart begins anew)",
        )
        return found

    def _new_rejects(self) -> RejectsFile | None:
        path = self._job.rejects
        if path is None:
            return None
        if not self._job.is_table:
            raise ConfigurationError("--rejects is for tables; of JSON lines the bad ones are named by number")
        if path.exists() and path.samefile(self._job.file):
            raise ConfigurationError(f"--rejects {path} is the file that is published; name another")
        return RejectsFile(path, language=self._job.language, keep_bytes=self._start.rejects_bytes)

    def _reject(self, row: RejectedRow) -> None:
        self._answer.reject(row)
        if self._rejects is not None:
            self._rejects.write(row)

    def _safe(self, piece: Piece) -> None:
        self._progress = Progress(
            rows=piece.last,
            seen=piece.seen,
            accepted=self.publication.accepted,
            rejected=self.publication.rejected,
            rejects_bytes=self._progress.rejects_bytes,
        )
        if time.monotonic() - self._saved_s > _SAVE_EVERY_S:
            self._save()

    def _save(self) -> None:
        if self._journal is None or not self._progress.rows:
            return
        kept = self._progress
        size = self._rejects.size_bytes if self._rejects is not None else 0
        self._journal.save(
            Progress(rows=kept.rows, seen=kept.seen, accepted=kept.accepted, rejected=kept.rejected, rejects_bytes=size)
        )
        self._saved_s = time.monotonic()


async def _from(first: Piece | None, rest: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    if first is not None:
        yield first
        async for piece in rest:
            yield piece
            await asyncio.sleep(0)  # whoever wants the loop meanwhile: signals, the producer's own task


def _publisher(catalog: Catalog, job: FileJob) -> Publisher | None:
    if not job.publisher:
        return None
    if job.publisher not in catalog.publishers:
        known = ", ".join(catalog.publishers) or "none"
        raise ConfigurationError(f"--publisher: {job.publisher!r} is not in publishers.yaml; known: {known}")
    return catalog.publishers[job.publisher]


def _refuse_other_formats(job: FileJob) -> None:
    suffix = Path(job.file).suffix.lower()
    if suffix in _OLD_TABLES:
        raise ConfigurationError(f"{job.file}: {suffix} is not read; save it as .xlsx or as CSV UTF-8")
    if suffix in _PACKED:
        raise ConfigurationError(f"{job.file}: unpack it first, as in: zcat {job.file} | ioc publish -")
    if job.file == "-" and job.is_table:
        raise ConfigurationError("--as: a table comes as a file; standard input takes JSON lines")


@contextmanager
def _opened(job: FileJob) -> Iterator[int]:
    """The file descriptor to read: bytes, without a buffer that a signal would find locked."""
    if job.file == "-":
        if sys.stdin.isatty():
            print("reading events from the terminal, one a line; Ctrl-D ends", file=sys.stderr)
        yield 0
        return
    try:
        if Path(job.file).is_dir():
            raise IsADirectoryError(21, "is a folder")
        descriptor = os.open(job.file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            f"{job.file} can't be read: {error.strerror}; name a file of JSON lines or a table, or -"
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _bar(size_bytes: int) -> Iterator[Advance]:
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
