"""A folder's `manifest.csv`: the order of each camera's pictures and, where it has them, their own times."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ioc.errors import ConfigurationError

__all__ = ["ManifestRow", "find_manifest", "read_manifest"]

MANIFEST_NAME = "manifest.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One picture that a manifest names. `frame`: its number in the sequence, None where the column holds none."""

    line: int
    path: Path
    frame: int | None
    captured_at: datetime | None


def find_manifest(root: Path) -> Path | None:
    """Returns the manifest that speaks of `root` (resolved): its own, else its parent's where that names its files."""
    own = root / MANIFEST_NAME
    if own.is_file():
        return own
    above = root.parent / MANIFEST_NAME
    try:
        names_ours = above.is_file() and any(True for _ in _rows_below(above, root))
    except ConfigurationError:  # another tool's file of the same name
        return None
    return above if names_ours else None


def read_manifest(manifest: Path, root: Path) -> list[ManifestRow]:
    """Returns the rows whose path lies below `root`, in the manifest's order.

    Raises:
        ConfigurationError: no `path` column, not CSV in UTF-8, a missing file, a path that leaves `root`, the same file
            twice, or a `captured_at` that is no time with an offset; names row and file.
    """
    rows: list[ManifestRow] = []
    seen: dict[Path, int] = {}
    for line, path, values in _rows_below(manifest, root):
        where = f"{manifest}, line {line}: {values['path']}"
        if not path.is_file():
            raise ConfigurationError(f"{where}: no such file; put the picture there or take the row out")
        if not path.resolve().is_relative_to(root):
            raise ConfigurationError(f"{where}: is a link that leaves {root}; put the picture itself there")
        if path in seen:
            raise ConfigurationError(f"{where}: is named twice (first in line {seen[path]}); take one row out")
        seen[path] = line
        frame = values.get("frame") or ""
        is_number = frame.isascii() and frame.isdigit() and len(frame) < 19
        rows.append(
            ManifestRow(
                line=line,
                path=path,
                frame=int(frame) if is_number else None,
                captured_at=_time(values.get("captured_at") or "", where),
            )
        )
    return rows


def _rows_below(manifest: Path, root: Path) -> Iterator[tuple[int, Path, dict[str, str]]]:
    """(line, normalised path, columns) of each row below `root`. A root's own manifest may name nothing else."""
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            if "path" not in (reader.fieldnames or ()):
                raise ConfigurationError(f"{manifest}: has no column 'path'; its first line must name the columns")
            for values in reader:
                text = values["path"] or ""
                path = Path(os.path.normpath(manifest.parent / text))
                if text and "\0" not in text and path != root and path.is_relative_to(root):
                    yield reader.line_num, path, values
                elif manifest.parent == root:
                    raise ConfigurationError(
                        f"{manifest}, line {reader.line_num}: path {text!r} is not inside {root}; "
                        "write it relative to the manifest, or take the row out"
                    )
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{manifest}: not a CSV file in UTF-8 ({error}); save it again as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{manifest}: can't be read ({error.strerror}); check its rights") from None


def _time(text: str, where: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"{where}: captured_at={text!r} is not a time with an offset; write it like 2026-11-22T08:00:00+07:00"
        )
    return moment
