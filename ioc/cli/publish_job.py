"""What `ioc publish FILE` was asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["FileJob"]

_TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """What was asked for."""

    file: str
    mapping: str = ""
    type: str = ""
    source: str = ""
    publisher: str = ""
    rejects: Path | None = None
    is_restart: bool = False
    is_correction: bool = False
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    takes_formula_values: bool = False
    language: Literal["vi", "en"] = "vi"
    as_json: bool = False

    @property
    def is_table(self) -> bool:
        return bool(self.mapping) or Path(self.file).suffix.lower() in _TABLES
