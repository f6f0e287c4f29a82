"""The province's own files that figures depend on, read as data: cameras, promises of sources, what feeds a KPI."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from tests.recount.communes import communes
from tests.recount.kpis import KPIS, Feed

__all__ = ["Catalogue", "load_catalogue"]

FOLDER = Path(__file__).parents[2] / "ioc" / "catalog" / "lam-dong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """`promises`: how old the newest fact may be, by source or family; `registered`: the sources that are named.

    `feeds`: what feeds each KPI, and when it is stale.
    """

    cameras: dict[str, str]
    units: tuple[str, ...]
    promises: dict[str, timedelta]
    registered: tuple[str, ...]
    feeds: dict[str, Feed]


def load_catalogue() -> Catalogue:
    """Returns the starting catalogue. sources.yaml: seconds promised, by family and by source."""
    declared = yaml.safe_load((FOLDER / "cameras.yaml").read_text(encoding="utf-8"))
    sources = yaml.safe_load((FOLDER / "sources.yaml").read_text(encoding="utf-8"))
    assert sources["default_interval_s"] == 86_400, "the recount takes a day where nothing is said"
    promised = {f"/lam-dong/{family}": seconds for family, seconds in sources["families"].items()} | sources["sources"]
    return Catalogue(
        cameras={camera_id: str(camera["admin_unit"]) for camera_id, camera in declared.items()},
        units=communes(),
        promises={name: timedelta(seconds=seconds) for name, seconds in promised.items()},
        registered=tuple(sources["sources"]),
        feeds={kpi: _feed(kpi) for kpi in KPIS},
    )


def _feed(kpi: str) -> Feed:
    declared = yaml.load((FOLDER / "kpis" / f"{kpi}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    types = () if "quality.rejected" in declared["fed_by"] else tuple(declared["fed_by"])
    return Feed(types, timedelta(seconds=declared["stale_after_s"]))
