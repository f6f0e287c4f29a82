"""The harness of the benchmarks: what it judges, what it counts, what it makes. No broker, no processes."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ioc.catalog import Catalog, load_catalog
from ioc.cli import bench_process, build_cli
from ioc.cli.bench_dossiers import MIXES, mixed
from ioc.cli.bench_growth import few_kpis
from ioc.cli.bench_latency import count_in, seen_after
from ioc.cli.bench_process import parse_metrics, peer_program
from ioc.cli.bench_province import YEAR_END, Province
from ioc.cli.bench_replay import wrong_figures
from ioc.cli.bench_rows import segment
from ioc.cli.bench_table import Bound, Measure, attempted, finish, judged
from ioc.errors import ConfigurationError, PermanentError
from ioc.events import Rejected
from ioc.settings import load_settings
from ioc.windows import microseconds_of


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(load_settings().catalog)


def a_province(catalog: Catalog, count: int, **options: bool) -> Province:
    units = [unit.code for unit in catalog.geography.units()]
    return Province(count, units=units, cameras=list(catalog.cameras), **options)


# ---- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "is_upper", "is_met", "is_goal"),
    [
        pytest.param(3.0, True, True, False, id="on an upper floor"),
        pytest.param(3.01, True, False, False, id="above an upper floor"),
        pytest.param(2.0, True, True, True, id="on an upper goal"),
        pytest.param(2.99, False, False, True, id="below a lower floor"),
        pytest.param(3.0, False, True, True, id="on a lower floor"),
    ],
)
def test_a_bound_includes_its_own_value(value: float, is_upper: bool, is_met: bool, is_goal: bool) -> None:
    measure = judged("m", "f", value, Bound(floor=3.0, goal=2.0, is_upper=is_upper), is_ratio=True)
    assert (measure.is_met, measure.is_goal, measure.ratio) == (is_met, is_goal, value)


def test_a_run_that_was_scaled_down_judges_nothing() -> None:
    measure = judged("m", "f", 99.0, Bound(floor=3.0, goal=2.0), is_full=False)
    assert measure.is_met is None
    assert measure.is_goal is None
    assert measure.floor == "≤ 3"


def test_a_missed_floor_exits_1_after_the_file_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missed = judged("m", "f", 4.0, Bound(floor=3.0, goal=2.0, unit=" × peer"), is_ratio=True)
    with pytest.raises(typer.Exit) as ended:
        finish("x", [missed], tmp_path / "x.json")
    assert ended.value.exit_code == 1
    assert "MISSED" in capsys.readouterr().out
    content = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert content["met"] is False
    assert content["measures"][0]["ratio"] == 4.0
    assert content["measures"][0]["goal"] == "≤ 2 × peer"


def test_a_benchmark_that_fails_is_a_missed_line_and_the_rest_goes_on() -> None:
    def failing() -> list[Measure]:
        raise PermanentError("the broker is gone")

    (line,) = attempted("rows", failing)
    assert line.is_met is False
    assert "the broker is gone" in line.figure


def test_a_missing_environment_of_the_peers_says_what_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_process, "PEERS_PYTHON", tmp_path / "bin" / "python")
    with pytest.raises(ConfigurationError, match="make bench"):
        bench_process.require_peers()


def test_the_peers_programs_are_in_the_source_tree() -> None:
    for name in ("faust_agent.py", "quix_windows.py", "bytewax_windows.py"):
        assert peer_program(name).is_file()
    with pytest.raises(ConfigurationError, match="checkout"):
        peer_program("nothing.py")


@pytest.mark.parametrize("name", ["events", "peers", "growth", "rows", "latency", "replay", "frames", "all"])
def test_every_benchmark_shows_an_example(name: str) -> None:
    result = CliRunner().invoke(build_cli(), ["bench", name, "--help"])
    assert result.exit_code == 0
    assert f"ioc bench {name}" in result.output


# ---- the events ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", list(MIXES))
def test_the_events_of_a_mix_are_distinct_and_accepted(mix: str, catalog: Catalog) -> None:
    decoder = catalog.decoder()
    records = list(mixed(mix, 800))
    assert len(records) == 800
    assert len({headers[1] for _, _, _, headers in records}) == 800
    assert len({key for _, key, _, _ in records}) == (800 if mix == "single" else 100)
    now_us = microseconds_of(datetime(2026, 11, 22, 5, 0, tzinfo=UTC))
    for topic, _, value, headers in records:
        assert not any(isinstance(item, Rejected) for item in decoder.decode(topic, headers, value, now_us))


def test_shuffling_changes_the_order_alone() -> None:
    assert sorted(record[2] for record in mixed("shuffled", 800)) == sorted(record[2] for record in mixed("eight", 800))


@pytest.mark.parametrize("rows", [10_000, 1_000_000])
def test_a_segment_is_the_same_mix_beside_few_rows_and_beside_many(rows: int) -> None:
    keys = Counter(key for _, key, _, _ in segment(rows, 2_000, 0))
    facts = Counter(keys.values())
    assert facts == {1: 200, 4: 450}
    others = {key for _, key, _, _ in segment(rows, 2_000, 1)}
    known = {key for key, count in keys.items() if count == 1}
    assert {key for key in keys if key in others} == known  # new dossiers are new every time


def test_growth_starts_from_eight_kpis_with_those_of_the_measured_events_among_them(catalog: Catalog) -> None:
    few = few_kpis(catalog)
    assert len(few) == 8
    assert {"dossiers_online", "dossiers_on_time", "dossiers_fully_online"} <= set(few)


# ---- the province --------------------------------------------------------------------------------------------------


def test_a_province_year_is_the_same_every_time(catalog: Catalog) -> None:
    first, second = (list(a_province(catalog, 6_000).records()) for _ in range(2))
    assert first == second


def test_the_province_counts_what_the_decoder_finds(catalog: Catalog) -> None:
    province, decoder = a_province(catalog, 21_000), catalog.decoder()
    now_us = microseconds_of(YEAR_END)
    seen: set[tuple[bytes, bytes]] = set()
    outcomes: Counter[str] = Counter()
    for topic, _, value, headers in province.records():
        (item,) = decoder.decode(topic, headers, value, now_us)
        name = (headers[2][1], headers[1][1])
        outcomes["rejected" if isinstance(item, Rejected) else "duplicate" if name in seen else "accepted"] += 1
        seen.add(name)
    expected = province.expected
    assert outcomes == {
        "accepted": expected.accepted,
        "duplicate": expected.duplicate,
        "rejected": expected.rejected,
    }
    assert expected.rejected == 2
    assert 21_000 <= outcomes.total() <= 21_002


def test_a_clean_province_repeats_nothing(catalog: Catalog) -> None:
    province = a_province(catalog, 20_000, is_clean=True)
    ids = [headers[1][1] for _, _, _, headers in province.records()]
    assert len(set(ids)) == len(ids) == 20_000
    assert (province.expected.duplicate, province.expected.rejected) == (0, 0)


def test_a_figure_that_differs_is_told_with_both_numbers(catalog: Catalog) -> None:
    province = a_province(catalog, 6_000)
    for _ in province.records():
        pass
    samples = [
        (f"ioc_kpi_{part}", {"kpi": kpi, "window": window, "admin_unit": "*", "agency": ""}, value)
        for (kpi, window), values in province.expected.figures.items()
        for part, value in zip(("numerator", "denominator"), values, strict=True)
    ]
    assert wrong_figures(samples, catalog, province.expected) == []
    (name, labels, value), *rest = samples
    (wrong,) = wrong_figures([(name, labels, value + 1), *rest], catalog, province.expected)
    assert f"{value + 1}" in wrong
    assert f"counted {value:g}" in wrong
    of_a_unit = (name, {**labels, "admin_unit": "23005"}, value + 1)
    assert wrong_figures([*samples, of_a_unit], catalog, province.expected) == []


# ---- latency -------------------------------------------------------------------------------------------------------


def test_a_probe_is_seen_at_the_first_scrape_that_counts_it() -> None:
    seen = [(1.0, 0.0), (2.0, 1.0), (3.0, 3.0)]
    assert seen_after([0.5, 2.1, 1.5], seen) == [1.5, 1.5, pytest.approx(0.9)]


def test_probes_that_never_showed_are_missing() -> None:
    assert seen_after([0.1, 0.2], [(1.0, 1.0)]) == [0.9]
    assert seen_after([0.1], []) == []


_EXPOSITION = (
    "# HELP ioc_kpi_numerator Numerator of a figure\n"
    "# TYPE ioc_kpi_numerator gauge\n"
    'ioc_kpi_numerator{admin_unit="23005",agency="",kpi="reports_received",province="lam-dong",window="mtd"} 3.0\n'
    'ioc_kpi_numerator{admin_unit="*",agency="",kpi="reports_received",province="lam-dong",window="day"} 5.0\n'
    'ioc_kpi_numerator{admin_unit="*",agency="",kpi="reports_received",province="lam-dong",window="mtd"} 7.0\n'
)


def test_the_count_of_the_probes_is_the_total_of_the_month() -> None:
    assert count_in(_EXPOSITION.encode()) == 7.0
    assert count_in(b"") == 0.0


def test_samples_are_read_with_their_labels() -> None:
    samples = parse_metrics(_EXPOSITION)
    assert [value for _, _, value in samples] == [3.0, 5.0, 7.0]
    assert samples[1][1]["window"] == "day"
