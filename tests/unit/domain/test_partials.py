"""Partials merge: the highest version of a key stands, a zombie changes nothing, a new owner voids the rest."""

import random
from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.kpis import TOTAL, Bag, CellKey, Figures, Partial, Sum
from streams.partials import Complete, Gone, decode_message, encode_complete, encode_gone, encode_partial
from tests.unit.domain.making import MINUTE_US, NOW_US, Shown, engine, shown, us

TODAY = us("12:00") // MINUTE_US // 1440  # noon is the same day in UTC and here
ONLINE = CellKey("dossiers_online", 0, TOTAL, TOTAL, "day", TODAY)
OF_AGENCY = CellKey("dossiers_online", 0, "H14.01", TOTAL, "day", TODAY)


def partial(
    numerator: float, denominator: float, *, key: CellKey = ONLINE, partition: int = 0, epoch: int = 1, version: int = 1
) -> Partial:
    return Partial(key, partition, epoch, version, Sum(numerator, denominator, 0))


def online(figures: Figures, agency: str = "") -> Shown | None:
    return shown(figures.figures(NOW_US)).get(("dossiers_online", "*", agency, "mtd"))


def merged(*partials: Partial) -> Figures:
    figures = Figures(engine())
    for item in partials:
        figures.merge(item)
    return figures


def test_partitions_add_up() -> None:
    figures = merged(partial(1, 2), partial(2, 2, partition=1), partial(0, 4, partition=2))
    assert online(figures) == (0.375, 3.0, 8.0)


def test_a_partial_is_full_so_the_newest_takes_the_place_of_the_last() -> None:
    assert online(merged(partial(1, 2, version=1), partial(5, 9, version=2))) == (5 / 9, 5.0, 9.0)


@pytest.mark.parametrize(
    ("epoch", "version"), [pytest.param(1, 9, id="an older epoch"), pytest.param(2, 4, id="an older version")]
)
def test_a_zombies_old_partial_changes_nothing(epoch: int, version: int) -> None:
    figures = merged(partial(5, 9, epoch=2, version=5))
    assert figures.merge(partial(99, 99, epoch=epoch, version=version)) is False
    assert online(figures) == (5 / 9, 5.0, 9.0)


def test_the_same_partial_again_changes_nothing() -> None:
    figures = merged(*[partial(5, 9, epoch=2, version=5)] * 3)
    assert online(figures) == (5 / 9, 5.0, 9.0)


def test_a_new_owner_voids_what_it_does_not_tell() -> None:
    figures = merged(partial(3, 4), partial(1, 2, key=OF_AGENCY), partial(1, 1, key=OF_AGENCY, partition=1))
    figures.complete(0, 1, {})
    figures.merge(partial(2, 4, epoch=2))
    assert online(figures, "H14.01") == (2 / 3, 2.0, 3.0), "until it has told all, the last owner's cells stand"
    figures.complete(0, 2, {})
    assert online(figures) == (0.5, 2.0, 4.0)
    assert online(figures, "H14.01") == (1.0, 1.0, 1.0), "another partition's cell stays"


def test_a_zombie_that_wakes_after_the_new_owner_is_complete_changes_nothing() -> None:
    figures = merged(partial(3, 4, version=50))
    figures.merge(partial(2, 4, epoch=2))
    figures.complete(0, 2, {"dossier.submitted": us("07:00")})
    assert figures.merge(partial(9, 9, key=OF_AGENCY, epoch=1, version=99)) is False
    figures.complete(0, 1, {"dossier.submitted": us("07:59")})
    assert online(figures) == (0.5, 2.0, 4.0)
    assert online(figures, "H14.01") is None
    assert {f.as_of_us for f in figures.figures(NOW_US) if f.definition.id == "dossiers_online"} == {us("07:00")}


def test_a_cell_that_its_owner_dropped_is_gone() -> None:
    minute = CellKey("lgsp_success", 0, TOTAL, TOTAL, "minute", NOW_US // MINUTE_US)
    figures = merged(partial(9, 10, key=minute), partial(1, 2, key=minute, partition=1))
    figures.forget(minute, 0)
    figures.forget(minute, 7)
    assert shown(figures.figures(NOW_US))["lgsp_success", "*", "", "5m"] == (0.5, 1.0, 2.0)


def test_as_of_is_the_newest_fact_of_the_types_that_feed_the_figure_over_all_partitions() -> None:
    figures = Figures(engine())
    figures.complete(0, 1, {"dossier.submitted": us("06:00"), "dossier.rated": us("07:59")})
    figures.complete(1, 4, {"dossier.submitted": us("07:00"), "report.submitted": us("07:30")})
    as_of = {f.definition.id: f.as_of_us for f in figures.figures(NOW_US)}
    assert as_of["dossiers_online"] == us("07:00")
    assert as_of["reports_received"] == us("07:30")
    assert as_of["wan_channels_up"] is None


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from([ONLINE, OF_AGENCY]), st.integers(0, 2), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.integers(0, 9), st.integers(0, 9)),
        max_size=10,
    ),
    st.randoms(use_true_random=False),
)
def test_partials_give_the_same_figure_in_any_order_and_with_any_repetition(
    cells: dict[tuple[CellKey, int, int, int], tuple[int, int]], chance: random.Random
) -> None:
    partials = [Partial(*place, Sum(*cell, 0)) for place, cell in cells.items()]
    repeated = [*partials, *partials]
    chance.shuffle(repeated)
    newest = {(p.key, p.partition): p for p in sorted(partials, key=lambda p: (p.epoch, p.version))}
    totals = [p.cell for p in newest.values() if p.key == ONLINE]
    value = online(merged(*repeated))
    assert value is not None
    assert value[1:] == (sum(cell.numerator for cell in totals), sum(cell.denominator for cell in totals))
    assert shown(merged(*repeated).figures(NOW_US)) == shown(merged(*partials).figures(NOW_US))


def test_two_exporters_show_the_same_figures_whichever_order_partitions_come_in() -> None:
    partials = [partial(1, 2), partial(2, 3, partition=1), partial(3, 4, partition=2, version=8)]
    answers = [shown(merged(*order).figures(NOW_US)) for order in permutations(partials)]
    assert all(answer == answers[0] for answer in answers)


# ---- on the wire ---------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back() -> None:
    written = encode_partial(OF_AGENCY, Sum(1, 2.5, 0), partition=3, epoch=2, version=7)
    assert decode_message(**written) == partial(1, 2.5, key=OF_AGENCY, partition=3, epoch=2, version=7)
    assert decode_message(**encode_gone(OF_AGENCY, partition=3)) == Gone(OF_AGENCY, 3)
    complete = encode_complete(partition=3, epoch=2, newest={"dossier.submitted": 5})
    assert decode_message(**complete) == Complete(3, 2, {"dossier.submitted": 5})


def test_a_cell_has_one_key_whoever_wrote_it_so_that_compaction_keeps_the_newest() -> None:
    keys = {
        encode_partial(ONLINE, Sum(1, 2, 0), partition=0, epoch=e, version=v)["key"] for e in (1, 2) for v in (1, 9)
    }
    keys.add(encode_gone(ONLINE, partition=0)["key"])
    assert len(keys) == 1
    assert encode_gone(ONLINE, partition=1)["key"] not in keys


@pytest.mark.parametrize("key", [b"\x90", None])
def test_a_record_without_a_key_of_ours_says_nothing(key: bytes | None) -> None:
    assert decode_message(key, b"\x90") is None
    assert decode_message(encode_complete(partition=3, epoch=1, newest={})["key"], None) is None


def test_a_record_that_is_not_ours_is_an_error_of_its_own_kind() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_message(encode_gone(ONLINE, partition=0)["key"], b"\xc1")


ALIVE = CellKey("source_alive", 0, TOTAL, TOTAL, "now", 0)


def test_of_a_distinct_count_each_value_is_told_and_one_partition_that_counts_it_is_enough() -> None:
    figures = merged(
        Partial(ALIVE, 0, 1, 1, Bag({"/a": 1}, {"/a": 1, "/b": 1})),
        Partial(ALIVE, 1, 1, 1, Bag({"/c": 1}, {"/a": 1, "/c": 1})),
    )
    alive = next(definition for definition in engine().definitions if definition.id == "source_alive")
    assert figures.members(alive) == {"/a": True, "/b": False, "/c": True}
