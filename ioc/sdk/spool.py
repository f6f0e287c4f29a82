"""Events on disk until somebody has taken them: in order, bounded, and owned by one process.

One SQLite file in WAL mode, each commit synced: what `add` returned from survives kill -9 and a power cut. The
connection holds an exclusive lock, which the system lets go when the process ends in whatever way.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ioc.errors import ConfigurationError
from ioc.sdk.envelopes import Prepared
from ioc.sdk.results import Refused, SpoolFull, Verdict

__all__ = ["MAX_BYTES", "MAX_WAIT_S", "Spool", "Spooled"]

MAX_BYTES = 512 * 1024 * 1024  # a million events of half a kilobyte
MAX_WAIT_S = 14 * 24 * 3600.0  # after two weeks it is no outage any more: somebody must look
FILE_NAME = "spool.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    added_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS rejected (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
    field TEXT NOT NULL, vi TEXT NOT NULL, en TEXT NOT NULL, rejected_at REAL NOT NULL);
"""


class Spooled(NamedTuple):
    """A waiting event. Numbers rise in the order of arrival and never come again."""

    number: int
    source: str
    id: str
    body: bytes


class Spool:
    """The waiting and the rejected events of one folder. Used by one thread at a time.

    Args:
        folder: made where it is not there; None keeps everything in memory, for the life of the process.
        max_bytes: of all bodies, waiting and rejected; what would go over it is refused, nothing is dropped.
        max_wait_s: nothing new is taken while the oldest event has waited for longer.

    Raises:
        ConfigurationError: another process has the folder, or it can't be written to.
    """

    def __init__(self, folder: Path | None, *, max_bytes: int = MAX_BYTES, max_wait_s: float = MAX_WAIT_S) -> None:
        self._place = "memory" if folder is None else str(folder)
        self._max_bytes, self._max_wait_s = max_bytes, max_wait_s
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            path = ":memory:" if folder is None else folder / FILE_NAME
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.2)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"the spool {self._place} can't be opened ({error}); name another folder"
            ) from None
        try:
            self._open()
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from None

    def _open(self) -> None:
        run = self._db.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("BEGIN EXCLUSIVE")  # takes the lock, which is kept from now on
        run("COMMIT")
        self._db.executescript(_SCHEMA)
        self.pending = self.rejected_count = self._bytes = 0
        self._count()

    def _count(self) -> None:
        ask = "SELECT count(*), coalesce(sum(length(body)), 0) FROM "
        self.pending, waiting_bytes = self._db.execute(f"{ask} pending").fetchone()
        self.rejected_count, rejected_bytes = self._db.execute(f"{ask} rejected").fetchone()
        self._bytes = waiting_bytes + rejected_bytes

    def _unusable(self, error: sqlite3.Error) -> ConfigurationError:
        if "locked" in str(error):
            return ConfigurationError(
                f"the spool {self._place} belongs to another process that is running; stop it, or use a folder of "
                f"your own"
            )
        return ConfigurationError(
            f"the spool {self._place} can't be used ({error}); move its {FILE_NAME} away (it may hold events not "
            f"sent yet)"
        )

    def add(self, events: Sequence[Prepared], now_s: float) -> list[int]:
        """Keeps all of `events` or none; returns their numbers once they are on the disk. `now_s`: since 1970.

        Raises:
            SpoolFull: no room, or the oldest event has waited too long; nothing of this call is kept.
        """
        size_bytes = sum(len(event.body) for event in events)
        self._check_room(size_bytes, now_s)
        numbers: list[int] = []
        try:
            with self._transaction():
                for event in events:
                    row = (event.source, event.id, event.body, now_s)
                    cursor = self._db.execute(
                        "INSERT INTO pending (source, id, body, added_at) VALUES (?, ?, ?, ?)", row
                    )
                    numbers.append(cursor.lastrowid or 0)
        except sqlite3.OperationalError as error:
            raise SpoolFull(
                vi=f"Không ghi được vào hàng chờ {self._place}: {error}; sự kiện CHƯA được giữ lại.",
                en=f"the spool {self._place} can't be written to: {error}; the event was NOT kept",
            ) from error
        self.pending += len(numbers)
        self._bytes += size_bytes
        return numbers

    def _check_room(self, size_bytes: int, now_s: float) -> None:
        if self._bytes + size_bytes > self._max_bytes:
            raise SpoolFull(
                vi=f"Hàng chờ {self._place} đã đầy ({self._max_bytes} byte, {self.pending} sự kiện chờ); sự kiện CHƯA "
                f"được giữ lại. Hãy khôi phục đường truyền hoặc tăng spool_bytes.",
                en=f"the spool {self._place} is full ({self._max_bytes} bytes, {self.pending} events wait); the "
                f"event was "
                f"NOT kept. Mend the link, or raise spool_bytes",
            )
        (oldest,) = self._db.execute("SELECT min(added_at) FROM pending").fetchone() if self.pending else (None,)
        if oldest is not None and now_s - oldest > self._max_wait_s:
            days = (now_s - oldest) / 86_400
            raise SpoolFull(
                vi=f"Hàng chờ {self._place} có sự kiện chờ đã {days:.0f} ngày; sự kiện mới CHƯA được giữ lại. Hãy khôi "
                f"phục đường truyền tới trung tâm trước.",
                en=f"the spool {self._place} holds an event that has waited for {days:.0f} days; the new one was "
                f"NOT kept. "
                f"Mend the link to the centre first",
            )

    def head(self, amount: int, max_bytes: int) -> list[Spooled]:
        """Returns the oldest events, at most `amount`, and at least one unless there is none."""
        found: list[Spooled] = []
        size_bytes = 0
        for row in self._db.execute("SELECT number, source, id, body FROM pending ORDER BY number LIMIT ?", (amount,)):
            event = Spooled(*row)
            size_bytes += len(event.body)
            if found and size_bytes > max_bytes:
                break
            found.append(event)
        return found

    def settle(self, answers: Iterable[tuple[Spooled, Verdict]], now_s: float) -> None:
        """Lets go of what was answered; keeps the rejected ones apart. Twice is harmless."""
        with self._transaction():
            for event, verdict in answers:
                gone = self._db.execute("DELETE FROM pending WHERE number = ?", (event.number,)).rowcount
                self.pending -= gone
                if gone and verdict.outcome == "rejected":
                    self._db.execute(
                        "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (*event, verdict.reason, verdict.field, verdict.vi, verdict.en, now_s),
                    )
                    self.rejected_count += 1
                elif gone:
                    self._bytes -= len(event.body)

    def withdraw(self, numbers: Iterable[int]) -> None:
        """Forgets waiting events that their publisher takes back."""
        with self._transaction():
            for number in numbers:
                row = self._db.execute(
                    "DELETE FROM pending WHERE number = ? RETURNING length(body)", (number,)
                ).fetchone()
                if row is not None:
                    self.pending -= 1
                    self._bytes -= row[0]

    def rejected(self) -> list[Refused]:
        """Returns the events that nobody will send again by itself, oldest first."""
        rows = self._db.execute(
            "SELECT number, source, id, body, reason, field, vi, en, rejected_at FROM rejected ORDER BY number"
        )
        names = ("number", "source", "id", "body", "reason", "field", "vi", "en", "rejected_at")
        return [Refused(**dict(zip(names, row, strict=True))) for row in rows]

    def forget_rejected(self, numbers: Iterable[int]) -> None:
        """Throws away rejected events that a person has dealt with."""
        with self._transaction():
            for number in numbers:
                row = self._db.execute(
                    "DELETE FROM rejected WHERE number = ? RETURNING length(body)", (number,)
                ).fetchone()
                if row is not None:
                    self.rejected_count -= 1
                    self._bytes -= row[0]

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._count()
            raise
