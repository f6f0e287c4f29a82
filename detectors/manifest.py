"""Labelled sequences of pictures, as a manifest (CSV) lists them.

Columns `path,label,sequence,site,frame,order,bbox[,interval_s]`: `path` is relative to the manifest, `frame` orders a
sequence by number, `bbox` is a JSON list of [centre-x, centre-y, width, height] in 0–1, empty where nothing is boxed.
"""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

from ioc.detections import Box
from ioc.errors import ConfigurationError

__all__ = ["LabelledFrame", "LabelledSequence", "read_manifest"]

_NEEDED = ("path", "label", "sequence", "frame")
_USUAL_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """`number` is the manifest's column `frame`; `interval_s` is how long the frame lasts."""

    path: Path
    label: str
    number: float
    boxes: tuple[Box, ...]
    interval_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSequence:
    """Frames of one pose in order."""

    name: str
    site: str
    frames: tuple[LabelledFrame, ...]

    def is_positive(self, label: str) -> bool:
        """Whether any frame carries `label`; every other label is a negative."""
        return any(frame.label == label for frame in self.frames)


def read_manifest(path: Path) -> tuple[LabelledSequence, ...]:
    """Returns the manifest's sequences in the order of their first rows; every file they name exists.

    Raises:
        ConfigurationError: the manifest, a column, a value or a named file is wrong; names the row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such manifest; give a CSV file with --manifest") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: not readable as CSV in UTF-8: {error}") from None
    if missing:
        raise ConfigurationError(
            f"{path}: column {missing[0]!r} is missing; the first line names path,label,sequence,site,frame,order,bbox"
        )
    if not rows:
        raise ConfigurationError(f"{path}: the manifest lists no frame; add one row for each picture")
    frames: dict[str, list[LabelledFrame]] = {}
    sites: dict[str, str] = {}
    for line, row in rows:
        name = row["sequence"] or ""
        frames.setdefault(name, []).append(_frame(path, line, row))
        sites.setdefault(name, row.get("site") or "")
    return tuple(
        LabelledSequence(name=name, site=sites[name], frames=tuple(sorted(own, key=lambda frame: frame.number)))
        for name, own in frames.items()
    )


def _frame(manifest: Path, line: int, row: dict[str, str]) -> LabelledFrame:
    where = f"{manifest}, line {line}"
    picture = manifest.parent / (row["path"] or "")
    if not picture.is_file():
        raise ConfigurationError(
            f"{where}: file {str(picture)!r} does not exist; correct its path (relative to the manifest) "
            "or take the row out"
        )
    return LabelledFrame(
        path=picture,
        label=row["label"] or "",
        number=_number(where, "frame", row["frame"]),
        boxes=_boxes(where, row.get("bbox")),
        interval_s=_interval_s(where, row.get("interval_s")),
    )


def _number(where: str, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigurationError(f"{where}: {column} is {text!r}; write a number")
    return value


def _interval_s(where: str, text: str | None) -> float:
    if not text:
        return _USUAL_INTERVAL_S
    value = _number(where, "interval_s", text)
    if value <= 0:
        raise ConfigurationError(f"{where}: interval_s is {text!r}; write the seconds between frames, more than 0")
    return value


def _boxes(where: str, text: str | None) -> tuple[Box, ...]:
    try:
        values = json.loads(text) if text and text.strip() else []
        boxes = tuple(Box.from_list(box) for box in values)
    except (TypeError, ValueError):
        boxes = None
    if boxes is None or any(not 0 <= side <= 1 for box in boxes for side in (box.cx, box.cy, box.w, box.h)):
        raise ConfigurationError(
            f"{where}: bbox is {text!r}; write a JSON list of [centre-x, centre-y, width, height], each in 0–1"
        )
    return boxes
