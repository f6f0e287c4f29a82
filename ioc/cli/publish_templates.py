"""`ioc publish --template`: empty tables for people to fill in."""

import sys
from pathlib import Path
from typing import Literal

from ioc.catalog import Catalog
from ioc.errors import ConfigurationError
from ioc.event_types import EventType

__all__ = ["write_templates"]


def write_templates(catalog: Catalog, name: str, format_: Literal["csv", "xlsx"], out: Path | None) -> None:
    """Writes the template of the event type `name`, or of every type whose name begins with that word.

    Raises:
        ConfigurationError: no such type; several CSV without a folder; a file that can't be written.
    """
    types = _types(catalog, name)
    try:
        if format_ == "xlsx":
            _write_workbook(types, out or Path(f"{name}.xlsx"))
        else:
            _write_texts(types, out)
    except OSError as error:
        raise ConfigurationError(
            f"{out or name}: can't be written: {error.strerror}; name another with --out"
        ) from None


def _types(catalog: Catalog, name: str) -> list[EventType]:
    departments = set(catalog.department_topics())
    known = [each for each in catalog.event_types.values() if each.entity and each.topic in departments]
    found = [each for each in known if name in (each.name, each.name.partition(".")[0])]
    if not found:
        words = ", ".join(dict.fromkeys(each.name.partition(".")[0] for each in known))
        raise ConfigurationError(f"--template: {name!r} is no event type, nor the first word of one: {words}")
    return found


def _write_workbook(types: list[EventType], path: Path) -> None:
    from ioc.publishing.templates import write_spreadsheet_template

    with path.open("wb") as file:
        write_spreadsheet_template(types, file)
    print(f"{path}: {', '.join(each.name for each in types)}")


def _write_texts(types: list[EventType], out: Path | None) -> None:
    from ioc.publishing.templates import csv_template

    if out is None and len(types) == 1:
        sys.stdout.buffer.write(csv_template(types[0]))
        return
    if out is not None and out.suffix and len(types) > 1:
        raise ConfigurationError(
            f"--out {out}: there are {len(types)} tables ({', '.join(each.name for each in types)}): name a folder, or "
            f"--format xlsx for one workbook"
        )
    folder = out or Path()
    for event_type in types:
        is_file = out is not None and out.suffix
        path = folder if is_file else folder / f"{event_type.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(csv_template(event_type))
        print(path)
