"""The stream against what it promises to hold: the same for a seed, exact shares, refused flaws, hard cases."""

import ast
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.recount.accepting import instant
from tests.recount.communes import communes
from tests.recount.event_types import EVENT_TYPES
from tests.recount.generator import SMALL_CLOCK, Stream, events_of, generate
from tests.recount.invalid import SORTS
from tests.recount.recount import Recount
from tests.recount.scribe import CAMERAS
from tests.recount.wire import encode


def _recount(clock: datetime) -> Recount:
    return Recount(clock=clock, cameras=dict.fromkeys(CAMERAS, "24778"), units=communes())


@pytest.fixture(scope="module")
def stream() -> Stream:
    return generate(7, events=3_000, invalid=0.02, communes=communes())


def test_the_same_seed_gives_the_same_records(stream: Stream) -> None:
    again = generate(7, events=3_000, invalid=0.02, communes=communes())
    assert again.records == stream.records


def test_every_flaw_is_refused_and_nothing_else(stream: Stream) -> None:
    refused: Counter[str] = Counter()
    for event in stream.events:
        recount = _recount(stream.clock)
        recount.read([encode([event], b"k", "structured"), encode([event], b"k", "binary")])
        rejected = recount.outcomes[event.topic]["rejected"]
        assert rejected == (2 if event.flaw else 0), (event, recount.reasons)
        refused[event.flaw] += rejected
    assert {flaw for flaw, count in refused.items() if count} == set(SORTS)


def test_shares_are_exact_and_batches_hold_more_than_one(stream: Stream) -> None:
    recount = _recount(stream.clock)
    recount.read(stream.records)
    total = sum((Counter(outcomes) for outcomes in recount.outcomes.values()), Counter())
    assert total == {"in": 3_000, "duplicate": 150, "rejected": 60, "accepted": 2_790}
    assert len(stream.records) < 3_000


def _hard_cases(stream: Stream) -> dict[str, bool]:
    events = [event for event in stream.events if not event.flaw]
    ids_of_entities = Counter(
        (event.source, event.id) for event in {(e.entity, e.source, e.id): e for e in events}.values()
    )
    sources_of_ids = Counter((entity, name) for entity, name, _ in {(e.entity, e.id, e.source) for e in events})
    bodies = Counter((e.entity, e.source, e.id, str(sorted(e.data.items()))) for e in events)
    repeated = Counter((e.entity, e.source, e.id) for e in events)
    statuses = {e.entity for e in events if e.type == "vn.ioc.dossier.status_changed.v1"}
    submitted = Counter(e.entity for e in events if e.type == "vn.ioc.dossier.submitted.v1")
    ahead = [e for e in events if e.data.get("at") and instant(e.data["at"]) > stream.clock]
    stated = [e for e in events if e.data.get("date")]
    cameras = {e.data["camera_id"] for e in events if "camera_id" in e.data}
    return {
        "a tombstone": any(e.data.get("deleted") is True for e in events),
        "a fact ahead of the clock": bool(ahead),
        "an id of two entities": max(ids_of_entities.values()) > 1,
        "an id of two sources of one entity": max(sources_of_ids.values()) > 1,
        "a duplicate with another body": any(
            count > bodies[key]
            for e in events
            for key in [(e.entity, e.source, e.id, str(sorted(e.data.items())))]
            for count in [repeated[key[:3]]]
        ),
        "a status whose dossier never comes": bool(statuses - submitted.keys()),
        "a corrected dossier": max(submitted.values()) > 1,
        "a due date in a status": any("status" in e.data and "due_at" in e.data for e in events),
        "a null": any(None in e.data.values() for e in events),
        "a heartbeat without its own time": any("online" in e.data and "at" not in e.data for e in events),
        "a status of null": any(e.type.endswith("status_changed.v1") and e.data["status"] is None for e in events),
        "a time of null": any(e.type.endswith("status_changed.v1") and e.data["at"] is None for e in events),
        "a day ahead of the clock": any(str(e.data.get("date")) > f"{stream.clock:%Y-%m-%d}" for e in stated),
        "a time in small letters": any("t" in str(e.data.get("at"))[:11] for e in events),
        "an event too large, in structured mode": any(
            len(record.value) > 256 * 1024 and len(record.headers) == 1 for record in stream.records
        ),
        "cameras never heard": 0 < len(cameras) < 37,
        "a record without the partition key": any(record.key in (None, b"some other key") for record in stream.records),
    }


def test_the_stream_holds_the_hard_cases(stream: Stream) -> None:
    missing = [name for name, is_there in _hard_cases(stream).items() if not is_there]
    assert not missing


ADAPTER = ("in_memory.py", "test_recount_in_memory.py")  # the product's own code, driven without Kafka


def test_what_the_recount_is_made_of_is_not_the_product() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        if path.name in ADAPTER:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"ioc", "streams", "detectors"}, path.name
            assert "tests.recount.in_memory" not in names, path.name


def test_the_stream_holds_all_types(stream: Stream) -> None:
    assert {event.type for event in stream.events if not event.flaw} == EVENT_TYPES.keys()


def test_fewer_than_fifty_sources_speak_so_that_none_is_counted_among_the_others(stream: Stream) -> None:
    recount = _recount(stream.clock)
    recount.read(stream.records)
    assert len(recount.sources.verdicts) < 50


@pytest.mark.parametrize("seed", range(20))
def test_a_small_stream_gives_the_same_figures_in_any_order(seed: int) -> None:
    records = events_of(seed, 60)
    forwards, backwards = _recount(SMALL_CLOCK), _recount(SMALL_CLOCK)
    forwards.read(records)
    backwards.read(reversed(records))
    assert sum(outcomes["in"] for outcomes in forwards.outcomes.values()) == 60
    assert forwards.figures() == backwards.figures()
