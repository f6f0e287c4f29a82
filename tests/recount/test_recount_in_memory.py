"""The product's shards and figures against the recount, without Kafka: whatever becomes of a stream on its way.

`RECOUNT_SEED=123 pytest tests/recount/test_recount_in_memory.py` tries other streams; a failure prints its own.
"""

import os
import random
from collections import Counter
from datetime import datetime, timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recount.accepting import Record
from tests.recount.catalogue import load_catalogue
from tests.recount.comparing import Exported, differences, report, unlike_marks
from tests.recount.generator import SMALL_CLOCK, packed, small_stream
from tests.recount.in_memory import Province, Schedule, lam_dong
from tests.recount.recount import Recount

FIRST_SEED = int(os.environ.get("RECOUNT_SEED") or 0) * 1_000_000


declared, catalog = cache(load_catalogue), cache(lam_dong)


def _recount(records: list[Record]) -> Recount:
    recount = Recount(
        clock=SMALL_CLOCK,
        cameras=declared().cameras,
        units=declared().units,
        promises=declared().promises,
        registered=declared().registered,
    )
    recount.read(records)
    return recount


def _assert_same(shown: Exported, recount: Recount, clock: datetime) -> None:
    expected = recount.figures(clock)
    found = differences(shown, expected)
    assert not found, report(found, shown, expected)
    assert not shown.faults
    unlike = unlike_marks(shown, recount.marks(declared().feeds, clock))
    assert not unlike, "\n".join(unlike[:20])


def _assert_same_outcomes(shown: Exported, recount: Recount) -> None:
    assert {topic: +counts for topic, counts in shown.outcomes.items()} == {
        topic: +counts for topic, counts in recount.outcomes.items()
    }


SCHEDULES = st.builds(
    Schedule,
    batch=st.sampled_from([1, 3, 7, 50]),
    flush=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    kill=st.sampled_from([0.0, 0.1, 0.3]),
    redeliver=st.sampled_from([0.0, 0.2]),
)
LATER = st.sampled_from([0, 1, 59, 60 * 20, 60 * 24, 60 * 24 * 31]).map(lambda minutes: timedelta(minutes=minutes))


@settings(derandomize=True, max_examples=100)
@given(
    seed=st.integers(0, 999_999),
    count=st.integers(1, 70),
    partitions=st.integers(1, 4),
    schedule=SCHEDULES,
    repeats=st.integers(0, 8),
    together=st.sampled_from([0.0, 0.04, 0.5]),
    later=LATER,
)
def test_any_order_repetition_batching_and_partitioning_gives_the_figures_of_the_recount(
    seed: int,
    count: int,
    partitions: int,
    schedule: Schedule,
    repeats: int,
    together: float,
    later: timedelta,
) -> None:
    rng = random.Random(seed)
    events = list(small_stream(FIRST_SEED + seed, count).events)
    events += [rng.choice(events) for _ in range(repeats)]
    rng.shuffle(events)
    records = packed(rng, events, together=together)
    recount = _recount(records)
    province = Province(catalog(), partitions, rng)
    province.publish(rng.sample(records, len(records)))
    province.run(SMALL_CLOCK, schedule)
    shown = province.exported(SMALL_CLOCK, compacted=rng.random() < 0.5)
    _assert_same_outcomes(shown, recount)
    _assert_same(shown, recount, SMALL_CLOCK)
    rejected = sum(counts["rejected"] for counts in recount.outcomes.values())
    assert province.dead_letters == rejected
    if later:  # the same rows at another clock: no event tells of it
        clock = SMALL_CLOCK + later
        province.tick(clock, restart=rng.random() < 0.5)
        _assert_same(province.exported(clock, compacted=rng.random() < 0.5), recount, clock)


def test_the_first_of_two_bodies_in_the_log_stands() -> None:
    stream = small_stream(FIRST_SEED + 5, 600, change_bodies=True)
    recount = _recount(stream.records)
    province = Province(catalog(), 3, random.Random(5))
    province.publish(stream.records)
    province.run(SMALL_CLOCK, Schedule(batch=20))
    shown = province.exported(SMALL_CLOCK, compacted=True)
    _assert_same_outcomes(shown, recount)
    _assert_same(shown, recount, SMALL_CLOCK)
    assert province.kills > 5
    told = Counter(outcome for counts in recount.outcomes.values() for outcome in counts.elements())
    assert told["duplicate"] > 20
