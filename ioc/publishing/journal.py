"""How far a file came, kept beside it: an interrupted run goes on after the last row that is safe."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ioc.errors import ConfigurationError

__all__ = ["Journal", "Progress", "identity_of"]

_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`rows` of the file are safe; `seen` is the last one's number; `rejects_bytes`: the refused rows' file then."""

    rows: int = 0
    seen: int = 0
    accepted: int = 0
    rejected: int = 0
    rejects_bytes: int = 0


def identity_of(path: Path, *way: str) -> str:
    """Returns what tells this content of the file, sent this `way` (mapping, address), from any other.

    Size, time of change and the first 64 KiB: reading a gigabyte twice would take longer than what it saves.
    """
    state = path.stat()
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    parts = [str(state.st_size), str(state.st_mtime_ns), hashlib.sha256(head).hexdigest(), *way]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Journal:
    """The journal of one file.

    Args:
        path: of the journal, beside the file; where that folder may not be written to, in `fallback`.
        identity: of the file and the way that it goes; a journal of another one is as good as none.
    """

    def __init__(self, path: Path, *, fallback: Path, identity: str) -> None:
        self._identity = identity
        beside = os.access(path.parent, os.W_OK)
        self._path = path if beside else fallback / f"{identity[:24]}.ioc-journal"

    def load(self) -> Progress | None:
        """Returns how far an earlier run came, None where there was none."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content.pop("identity") != self._identity:
                return None
            return Progress(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, progress: Progress) -> None:
        """Writes it so that a kill finds the old or the new content, never half of one.

        Raises:
            ConfigurationError: it can't be written.
        """
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps({"identity": self._identity, **asdict(progress)}), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            raise ConfigurationError(
                f"{self._path} can't be written: {error.strerror}; free the disk or the folder's rights"
            ) from None

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
