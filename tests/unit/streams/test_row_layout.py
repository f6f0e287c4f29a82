"""Rows outlive the catalogue that they were written under: types and fields come, go and move in its file."""

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from ioc.catalog import Catalog, load_catalog
from ioc.catalog.model import Catalog as Loaded
from ioc.kpis import Figures
from streams.batches import Batch
from streams.entity_shard import EntityShard
from streams.partials import decode_message
from streams.row_stores import MemoryRows
from streams.shard_log import Restored
from tests.unit.domain.making import NOW_US, copy_of_catalog, shown
from tests.unit.test_entity_shard import DOSSIERS, channel, dossier


def opened(of: Loaded, rows: MemoryRows, marker: bytes | None) -> EntityShard:
    shard = EntityShard(
        0, catalog=of, engine=of.engine(), decoder=of.decoder(), partitions_of=lambda keys: [0] * len(keys)
    )
    shard.restore(Restored(rows=rows, marker=marker), NOW_US)
    return shard


def figures_of(shard: EntityShard, of: Loaded) -> dict[tuple[str, str, str, str], tuple[object, ...]]:
    write = shard.prepare(NOW_US)
    assert write is not None
    figures = Figures(of.engine())
    for other in write.others:
        message = decode_message(other.key, other.value)
        if hasattr(message, "cell"):
            figures.merge(message)  # type: ignore[arg-type]  # a partial
    return dict(shown(figures.figures(NOW_US)))


def counts_what_is_told(path: Path) -> bool:
    """Whether a KPI looks at what is told below; the others would be nothing before and after."""
    found = re.findall(r"entity: (\w+)", path.read_text(encoding="utf-8"))
    return not {"dossier", "network_channel_state", "source_tally", "source_seen"}.isdisjoint(found)


@cache
def few() -> Catalog:
    """The starting catalogue with the KPIs that count what is told below."""
    with TemporaryDirectory() as folder:
        return load_catalog(copy_of_catalog(Path(folder) / "lam-dong", counts_what_is_told))


def edited(tmp_path: Path, change: str) -> Catalog:
    """The same with its event types edited as people do."""
    folder = copy_of_catalog(tmp_path / "lam-dong", counts_what_is_told)
    path = folder / "event_types.yaml"
    types = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if change == "a type added on top":
        new = {"topic": "ioc.onestop.extra", "ce_type": "vn.ioc.extra.v1", "department": "d", "partition_key": "x"}
        new |= {"kind": "fact", "entity": "extra", "entity_key": ["x"], "time_field": "ce_time"}
        types = {"extra.told": new | {"fields": {"x": {"type": "string", "required": True}}}} | types
    elif change == "a field added in the middle and two that changed places":
        fields = types["dossier.submitted"]["fields"]
        types["dossier.submitted"]["fields"] = {"note": {"type": "string"}} | dict(reversed(fields.items()))
    else:
        del types["permit.construction"]
        publishers = yaml.load((folder / "publishers.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        del publishers["so-xay-dung"]  # it names the family of that type
        (folder / "publishers.yaml").write_text(yaml.safe_dump(publishers), encoding="utf-8")
    path.write_text(yaml.dump(types, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_catalog(folder)


@pytest.mark.parametrize(
    "change",
    ["a type added on top", "a field added in the middle and two that changed places", "a type taken out"],
)
def test_rows_written_under_another_catalogue_give_the_same_figures(change: str, tmp_path: Path) -> None:
    shard, rows = opened(few(), MemoryRows(), None), MemoryRows()
    shard.take(Batch(DOSSIERS, 0, [dossier(0), dossier(1, "D2", channel="counter", agency_code="H14")]), NOW_US)
    shard.take(Batch("ioc.network.channels", 0, [channel(0), channel(1, "C2", up=False)]), NOW_US)
    write = shard.prepare(NOW_US)
    assert write is not None
    rows.update({key.decode(): data for key, data in write.rows.items() if data is not None})
    before = figures_of(opened(few(), MemoryRows(rows), write.marker), few())
    assert before["dossiers_online", "*", "", "mtd"] == (0.5, 1.0, 2.0)
    new = edited(tmp_path, change)
    again = opened(new, rows, write.marker)
    assert figures_of(again, new) == before
    again.take(Batch(DOSSIERS, 0, [dossier(2, "D1", event_id="e0")]), NOW_US)
    assert again._outcomes[DOSSIERS]["duplicate"] == 1, "what it knew before is still known"


def test_the_rewritten_rows_are_written_once_and_the_next_start_finds_nothing_to_do(tmp_path: Path) -> None:
    shard, rows = opened(few(), MemoryRows(), None), MemoryRows()
    shard.take(Batch(DOSSIERS, 0, [dossier(0)]), NOW_US)
    write = shard.prepare(NOW_US)
    assert write is not None
    rows.update({key.decode(): data for key, data in write.rows.items() if data is not None})
    new = edited(tmp_path, "a type added on top")
    rewritten = opened(new, rows, write.marker).prepare(NOW_US)
    assert rewritten is not None
    assert b"dossier\x1fD1" in rewritten.rows
    rows.update({key.decode(): data for key, data in rewritten.rows.items() if data is not None})
    settled = opened(new, rows, rewritten.marker).prepare(NOW_US)
    assert settled is not None
    assert b"dossier\x1fD1" not in settled.rows
