"""Who watches each KPI, as its file in the catalogue says (`watched_by`). Nothing that is computed needs it, so the
catalogue in memory does not keep it."""

from collections.abc import Mapping
from pathlib import Path

import yaml

__all__ = ["read_owners"]


def read_owners(folder: str) -> Mapping[str, tuple[str, ...]]:
    """Returns KPI → departments, for every file `kpis/*.yaml` of a catalogue that was loaded before."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    owners: dict[str, tuple[str, ...]] = {}
    for path in sorted(Path(folder).glob("kpis/*.yaml")):
        head = path.read_text(encoding="utf-8").partition("\nexamples:")[0]
        found = yaml.load(head, Loader=loader)  # noqa: S506  (both are safe loaders)
        owners[str(found["id"])] = tuple(found.get("watched_by", ()))
    return owners
