"""The province's own files that figures depend on, read as data: cameras, and what sources promise."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from tests.recount.communes import communes

__all__ = ["Catalogue", "load_catalogue"]

FOLDER = Path(__file__).parents[2] / "ioc" / "catalog" / "lam-dong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """`promises`: how old the newest fact may be, by source or family; `registered`: the sources that are named."""

    cameras: dict[str, str]
    units: tuple[str, ...]
    promises: dict[str, timedelta]
    registered: tuple[str, ...]


def load_catalogue() -> Catalogue:
    """Returns the starting catalogue. sources.yaml: entries named by source or family, each with `promise_s`."""
    declared = yaml.safe_load((FOLDER / "cameras.yaml").read_text(encoding="utf-8"))
    path = FOLDER / "sources.yaml"
    sources = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}
    return Catalogue(
        cameras={camera_id: str(camera["admin_unit"]) for camera_id, camera in declared.items()},
        units=communes(),
        promises={name: timedelta(seconds=source["promise_s"]) for name, source in sources.items()},
        registered=tuple(sources),
    )
