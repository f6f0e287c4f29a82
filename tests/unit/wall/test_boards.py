"""Boards: what every panel must have, whatever the catalogue holds."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ioc.errors import ConfigurationError
from ioc.wall.boards import DATASOURCE_UID, build_board
from ioc.wall.panels import Direction, KpiPanel, Language
from ioc.wall.texts import TEXTS, window_name


def kpi(
    kpi_id: str = "on_time",
    *,
    unit: str = "ratio",
    target: float | None = 0.9,
    direction: Direction = "higher_is_better",
    windows: tuple[str, ...] = ("mtd", "ytd"),
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
    kpi("down", unit="sites", target=0, direction="lower_is_better"),
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
    board: dict[str, Any] = build_board([kpi(f"k{index}") for index in range(count)], language="vi")
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
        if panel["type"] in {"stat", "table"}:
            assert all(target["instant"] and not target["range"] for target in panel["targets"]), panel["title"]


def test_no_query_invents_a_value(board: dict[str, Any]) -> None:
    for expr in all_exprs(board):
        assert "vector(" not in expr
        assert "[24h]" not in expr


def test_every_kpi_query_asks_for_the_provinces_total_only(board: dict[str, Any]) -> None:
    total = 'admin_unit="*",agency="",dim=""'
    for expr in all_exprs(board):
        for metric, labels in re.findall(r"(ioc_kpi_\w+|ioc_on_time_ratio|ioc_received|ioc_down)\{([^}]*)\}", expr):
            assert total in labels, (metric, labels)


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
    ("definition", "units_seen"),
    [
        pytest.param(kpi(), "percentunit", id="ratio"),
        pytest.param(kpi("received", unit="reports", target=None, direction="within_band"), "none", id="count"),
        pytest.param(kpi("latency", unit="seconds", target=2, direction="lower_is_better"), "s", id="seconds"),
    ],
)
def test_a_figure_has_its_unit(definition: KpiPanel, units_seen: str) -> None:
    board: dict[str, Any] = build_board([definition], language="vi")
    assert panel_titled(board, definition.name_vi)["fieldConfig"]["defaults"]["unit"] == units_seen


def test_a_count_asks_for_no_denominator() -> None:
    board: dict[str, Any] = build_board([kpi("received", unit="reports", target=None)], language="vi")
    strip = next(panel for panel in panels_of(board) if panel["title"] == "")
    assert set(exprs_of(strip)) == {"numerator", "as_of", "state"}


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
