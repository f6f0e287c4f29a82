"""Boards: what every panel must have, whatever the catalogue holds."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ioc.errors import ConfigurationError
from ioc.kpis.definitions import FigureForm
from ioc.wall.boards import DATASOURCE_UID, build_board
from ioc.wall.names import window_name
from ioc.wall.panels import Direction, KpiPanel, Language
from ioc.wall.texts import TEXTS


def kpi(
    kpi_id: str = "on_time",
    *,
    unit: str = "ratio",
    target: float | None = 0.9,
    direction: Direction = "higher_is_better",
    windows: tuple[str, ...] = ("mtd", "ytd"),
    form: FigureForm | None = None,
    family: str = "public_services",
    has_dims: bool = False,
    may_be_manual: bool = False,
    accumulates: bool = False,
) -> KpiPanel:
    return KpiPanel(
        id=kpi_id,
        metric=f"ioc_{kpi_id}_ratio" if unit == "ratio" else f"ioc_{kpi_id}",
        name_vi=f"Chỉ số {kpi_id}",
        name_en=f"Figure {kpi_id}",
        unit=unit,
        target=target,
        direction=direction,
        windows=windows,
        form=form or ("ratio" if unit == "ratio" else "number"),
        family=family,
        has_dims=has_dims,
        may_be_manual=may_be_manual,
        accumulates=accumulates,
    )


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def panel_titled(board: dict[str, Any], title: str) -> dict[str, Any]:
    return next(panel for panel in board["panels"] if panel["title"] == title)


def exprs_of(panel: dict[str, Any]) -> dict[str, str]:
    return {target["refId"]: target["expr"] for target in panel["targets"]}


def all_exprs(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels_of(board):
        yield from exprs_of(panel).values()


MANY = [
    kpi(),
    kpi("received", unit="reports", target=None, direction="within_band"),
    kpi("down", unit="sites", target=0, direction="lower_is_better", family="telecom"),
    kpi("latency", unit="seconds", form="p95", target=90, direction="lower_is_better", windows=("r7d",), has_dims=True),
    kpi("by_source", has_dims=True, may_be_manual=True, family="ioc_platform"),
    kpi("speed", unit="megabits_per_second", form="ratio", target=2e8, family="telecom"),
]


@pytest.fixture(params=["vi", "en"])
def language(request: pytest.FixtureRequest) -> Language:
    language: Language = request.param
    return language


@pytest.fixture
def board(language: Language) -> dict[str, Any]:
    return build_board(MANY, language=language)


def test_the_same_definitions_give_the_same_bytes(language: Language) -> None:
    first, second = (json.dumps(build_board(MANY, language=language)) for _ in range(2))
    assert first == second


def test_a_panel_keeps_its_id_when_another_kpi_is_added(language: Language) -> None:
    before = {panel["id"] for panel in build_board(MANY, language=language)["panels"]}  # type: ignore[attr-defined]
    after = {panel["id"] for panel in build_board([kpi("new"), *MANY], language=language)["panels"]}  # type: ignore[attr-defined]
    assert before < after


def test_ids_are_unique(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all(0 < panel_id < 2**31 for panel_id in ids)


@pytest.mark.parametrize("count", [1, 4, 5, 8, 13])
def test_panels_neither_overlap_nor_leave_the_grid(count: int) -> None:
    families = ("public_services", "telecom", "a_familys_own")
    kpis = [kpi(f"k{n}", family=families[n % 3], has_dims=n % 2 == 0) for n in range(count)]
    board: dict[str, Any] = build_board(kpis, language="vi")
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        pos = panel["gridPos"]
        cells = {(pos["x"] + dx, pos["y"] + dy) for dx in range(pos["w"]) for dy in range(pos["h"])}
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_says_what_it_shows_and_what_to_show_for_nothing(board: dict[str, Any]) -> None:
    for panel in panels_of(board):
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["datasource"]["uid"] == DATASOURCE_UID
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {DATASOURCE_UID}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def test_a_figure_is_an_instant_query_since_a_range_would_show_a_dead_exporters_last_value(
    board: dict[str, Any],
) -> None:
    for panel in panels_of(board):
        if panel["type"] in {"stat", "table", "bargauge"}:
            assert all(target["instant"] and not target["range"] for target in panel["targets"]), panel["title"]


def test_no_query_invents_a_value(board: dict[str, Any]) -> None:
    for expr in all_exprs(board):
        assert "vector(" not in expr
        assert "[24h]" not in expr


def test_every_kpi_query_asks_for_the_provinces_total_only(board: dict[str, Any]) -> None:
    total = 'admin_unit="*",agency="",dim=""'
    for expr in all_exprs(board):
        for metric, labels in re.findall(r"(ioc_\w+)\{([^}]*)\}", expr):
            if metric.startswith("ioc_kpi_") or metric in {k.metric for k in MANY}:
                assert total in labels or 'admin_unit="*",agency="",dim!=""' in labels, (metric, labels)


def test_the_tile_shows_a_current_and_an_old_figure_as_two_different_things(language: Language) -> None:
    board: dict[str, Any] = build_board([kpi()], language=language)
    tile = panel_titled(board, kpi().name(language))
    exprs = exprs_of(tile)
    assert set(exprs) == {"fresh", "stale"}
    assert re.search(r"ioc_kpi_stale\{[^}]*\} == 0\)", exprs["fresh"])
    assert re.search(r"ioc_kpi_stale\{[^}]*\} == 1\)", exprs["stale"])
    assert all('window="mtd"' in expr and "ytd" not in expr for expr in exprs.values())
    legends = {target["refId"]: target["legendFormat"] for target in tile["targets"]}
    assert legends["stale"].startswith({"vi": "CŨ", "en": "STALE"}[language])
    override = tile["fieldConfig"]["overrides"][0]
    assert override["matcher"] == {"id": "byFrameRefID", "options": "stale"}
    fixed = override["properties"][0]["value"]["fixedColor"]
    assert fixed not in {step["color"] for step in tile["fieldConfig"]["defaults"]["thresholds"]["steps"]}


@pytest.mark.parametrize(
    ("direction", "target", "value", "good"),
    [
        pytest.param("higher_is_better", 0.9, 0.9, True, id="at a floor"),
        pytest.param("higher_is_better", 0.9, 0.8999, False, id="under a floor"),
        pytest.param("lower_is_better", 0.0, 0.0, True, id="at a ceiling of none"),
        pytest.param("lower_is_better", 0.0, 1.0, False, id="over a ceiling of none"),
        pytest.param("lower_is_better", 2.0, 2.0, True, id="at a ceiling"),
        pytest.param("lower_is_better", 2.0, 2.001, False, id="over a ceiling"),
    ],
)
def test_the_target_itself_is_good(direction: Direction, target: float, value: float, good: bool) -> None:
    board: dict[str, Any] = build_board([kpi(target=target, direction=direction)], language="en")
    steps = panel_titled(board, "Figure on_time")["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    assert colour == ("#0072B2" if good else "#D55E00")


@pytest.mark.parametrize(
    ("definition", "unit", "target"),
    [
        pytest.param(kpi(target=0.985), "percentunit", "≥ 98,5 %", id="ratio"),
        pytest.param(kpi(unit="reports", target=None), "suffix: phản ánh", "chưa đặt mục tiêu", id="count"),
        pytest.param(kpi(unit="gold_bars", target=12_696), "suffix: gold bars", "≥ 12696 gold bars", id="own word"),
        pytest.param(kpi(unit="seconds", form="p95", target=90), "s", "≥ 90 s", id="seconds"),
        pytest.param(kpi(unit="seconds", form="p95", target=300), "s", "≥ 5 phút", id="minutes"),
        pytest.param(kpi(unit="seconds", form="p95", target=21_600), "s", "≥ 6 giờ", id="hours"),
        pytest.param(kpi(unit="megabits_per_second", target=2e8), "bps", "≥ 200 Mbit/s", id="bits"),
        pytest.param(kpi(unit="kilometres", target=1_500), "lengthm", "≥ 1,5 km", id="metres"),
    ],
)
def test_a_figure_and_its_target_have_their_unit(definition: KpiPanel, unit: str, target: str) -> None:
    board: dict[str, Any] = build_board([definition], language="vi")
    shown = panel_titled(board, definition.name_vi)
    assert shown["fieldConfig"]["defaults"]["unit"] == unit
    assert shown["targets"][0]["legendFormat"].endswith(target)


def test_a_count_that_grows_until_its_period_ends_is_not_bad_before() -> None:
    board: dict[str, Any] = build_board([kpi(target=100, unit="orders", accumulates=True)], language="en")
    steps = panel_titled(board, "Figure on_time")["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["color"] for step in steps] == ["#5B5B66", "#0072B2"]


@pytest.mark.parametrize(
    ("definition", "parts"),
    [
        pytest.param(kpi(), {"numerator": "Numerator", "denominator": "Denominator"}, id="ratio"),
        pytest.param(kpi(unit="reports", target=None), {"numerator": "Numerator"}, id="count"),
        pytest.param(kpi(unit="seconds", form="p95"), {"denominator": "Samples"}, id="quantile"),
        pytest.param(
            kpi(may_be_manual=True),
            {"numerator": "Numerator", "denominator": "Denominator", "source": "Source"},
            id="may be typed by hand",
        ),
    ],
)
def test_under_a_figure_stands_what_it_is_made_of(definition: KpiPanel, parts: dict[str, str]) -> None:
    board: dict[str, Any] = build_board([definition], language="en")
    strip = next(panel for panel in panels_of(board) if panel["title"] == "")
    legends = {target["refId"]: target["legendFormat"] for target in strip["targets"]}
    assert legends == {**parts, "as_of": "As of", "state": "State"}


def test_a_figure_with_a_dimension_has_a_bar_for_each_value_of_it(language: Language) -> None:
    definition = kpi(has_dims=True)
    board: dict[str, Any] = build_board([definition, kpi("other")], language=language)
    bars = [panel for panel in panels_of(board) if panel["type"] == "bargauge"]
    assert [panel["title"].split(":")[0] for panel in bars] == [definition.name(language)]
    exprs = exprs_of(bars[0])
    assert all(expr.startswith("max by (province, dim) (ioc_on_time_ratio{") for expr in exprs.values())
    assert [re.search(r'dim!="",window="mtd"\} == (\d)', expr)[1] for expr in exprs.values()] == ["0", "1"]  # type: ignore[index]


def test_families_follow_one_another_under_their_names(language: Language) -> None:
    board = build_board([*MANY, kpi("own", family="river_levels")], language=language)
    rows: list[str] = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]  # type: ignore[attr-defined]
    names = {
        "vi": ["Dịch vụ công", "Trung tâm và nguồn dữ liệu", "Viễn thông"],
        "en": ["Public services", "The centre and its sources", "Telecoms"],
    }[language]
    assert rows[1:-1] == [*names, "river levels"]


def test_the_table_has_a_column_of_values_for_each_way_of_writing_them(board: dict[str, Any]) -> None:
    table = next(panel for panel in panels_of(board) if "value_percentunit" in exprs_of(panel))
    values = {ref: expr for ref, expr in exprs_of(table).items() if ref.startswith("value_")}
    assert set(values) == {"value_percentunit", "value_s", "value_bps", "value_none"}
    for ref, ids in (("value_percentunit", "by_source|on_time"), ("value_none", "down|received")):
        assert f'kpi=~"{ids}"' in values[ref]


def test_both_languages_hold_the_same_panels_and_queries_and_different_words() -> None:
    vi, en = (build_board(MANY, language=language) for language in ("vi", "en"))
    assert list(all_exprs(vi)) == list(all_exprs(en))
    assert vi["uid"] != en["uid"]
    for ours, theirs in zip(panels_of(vi), panels_of(en), strict=True):
        assert ours["gridPos"] == theirs["gridPos"]
        assert ours["description"] != theirs["description"] or ours["title"] != theirs["title"]


def test_no_text_is_left_in_the_other_language() -> None:
    for name in TEXTS["vi"].__slots__:
        assert getattr(TEXTS["vi"], name)
        assert getattr(TEXTS["en"], name)
        if name not in {"events_by_outcome_help"}:  # outcomes are the metric's own words in both
            assert getattr(TEXTS["vi"], name) != getattr(TEXTS["en"], name), name


@pytest.mark.parametrize(
    ("window", "vi", "en"),
    [
        ("mtd", "tháng này", "this month"),
        ("r30d", "30 ngày qua", "last 30 days"),
        ("fortnight", "fortnight", "fortnight"),
    ],
)
def test_a_window_has_a_name(window: str, vi: str, en: str) -> None:
    assert window_name(window, "vi") == vi
    assert window_name(window, "en") == en


@pytest.mark.parametrize(
    ("kpis", "says"),
    [
        pytest.param([], "no KPI", id="none"),
        pytest.param([kpi(), kpi()], "used twice", id="twice"),
        pytest.param([kpi(windows=())], "no window", id="no window"),
        pytest.param([kpi(target=float("nan"))], "is no number", id="no number"),
    ],
)
def test_definitions_that_cannot_be_shown_are_refused_in_a_sentence(kpis: list[KpiPanel], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        build_board(kpis, language="vi")
