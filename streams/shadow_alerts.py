"""The list of alerts that a worker's shadow detector kept, lost and gained: one JSON line each, the newest last.

In the state folder, for `ioc detectors compare seen`. Nothing of it is published.
"""

import logging
import os
from collections import deque
from pathlib import Path

import msgspec

from detectors.evaluation.comparing import Alert

__all__ = ["SHADOW_ALERTS_FILE", "ShadowAlert", "ShadowAlerts"]

logger = logging.getLogger(__name__)

SHADOW_ALERTS_FILE = "shadow-alerts.jsonl"
"""In the state folder."""
_MOST = 5_000  # some weeks of a province; a line is 300 bytes


class ShadowAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, and the variants that were compared (`detectors.smoke_variants`)."""

    live: str
    shadow: str
    alert: Alert


class ShadowAlerts:
    """Not thread-safe. One worker writes; whoever reads sees whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: deque[bytes] | None = None

    def add(self, told: ShadowAlert) -> None:
        """Adds an alert, and lets the oldest go where there are too many; a disk that fails costs the list only."""
        if self._lines is None:
            self._lines = deque(_lines_of(self._path), maxlen=_MOST)
        self._lines.append(msgspec.json.encode(told))
        part = self._path.with_name(self._path.name + ".part")
        try:
            part.write_bytes(b"\n".join(self._lines) + b"\n")
            os.replace(part, self._path)
        except OSError as error:
            logger.warning("the shadow's alerts can't be listed in %s: %s", self._path, error.strerror or error)

    def read(self) -> list[ShadowAlert]:
        """Returns what is listed, oldest first; a line that is none is left out."""
        found = []
        for line in _lines_of(self._path):
            try:
                found.append(msgspec.json.decode(line, type=ShadowAlert))
            except msgspec.DecodeError:
                continue
        return found


def _lines_of(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError:
        return []
