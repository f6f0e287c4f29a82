"""Boards: what every panel must have, whatever the catalogue holds."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from grafana_foundation_sdk.models import units

from ioc.catalog.cameras import Camera, Pose
from ioc.errors import ConfigurationError
from ioc.kpis.definitions import FigureForm, GroupBy
from ioc.wall.boards import DATASOURCE_UID, board_uid, build_boards
from ioc.wall.camera_map import GAZETTEER, GROUND, gazetteer, ground
from ioc.wall.names import window_name
from ioc.wall.panels import Direction, KpiPanel, Language, PanelTarget, Wall
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
    targets: tuple[PanelTarget, ...] = (),
    group_by: GroupBy = "none",
    is_snapshot: bool = False,
) -> KpiPanel:
    return KpiPanel(
        id=kpi_id,
        metric=f"ioc_{kpi_id}_ratio" if unit == "ratio" else f"ioc_{kpi_id}",
        name_vi=f"Chỉ số {kpi_id}",
        name_en=f"Figure {kpi_id}",
        unit=unit,
        targets=targets or (PanelTarget(value=target, direction=direction),),
        windows=windows,
        is_snapshot=is_snapshot,
        group_by=group_by,
        form=form or ("ratio" if unit == "ratio" else "number"),
        family=family,
        has_dims=has_dims,
        may_be_manual=may_be_manual,
        accumulates=accumulates,
    )


URL = "https://oncall.example.invalid"
_NEW_YEAR = 1_798_736_400  # 2027-01-01 in Vietnam
DATED = (
    PanelTarget(value=0.9, direction="higher_is_better", until_s=_NEW_YEAR),
    PanelTarget(value=0.95, direction="higher_is_better", from_s=_NEW_YEAR),
)
CAMERA = Camera(
    camera_id="cam-01",
    name_vi="Đồi Robin",
    lon=108.44,
    lat=11.98,
    poses={"p0": Pose(pose_id="p0", azimuth_deg=350, fov_deg=60)},
)


def wall(*kpis: KpiPanel, cameras: tuple[Camera, ...] = (CAMERA,)) -> Wall:
    return Wall(
        province="p", name_vi="Tỉnh P", name_en="P province", kpis=kpis or (kpi(),), cameras=cameras, public_url=URL
    )


def build_board(kpis: Sequence[KpiPanel], *, language: Language) -> dict[str, Any]:
    """The board of the first KPI's family."""
    boards = build_boards(wall(*kpis), language=language)
    return boards[f"sector-{kpis[0].family}"]


def all_boards(language: Language, *kpis: KpiPanel) -> dict[str, dict[str, Any]]:
    return build_boards(wall(*(kpis or MANY)), language=language)


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def panel_titled(board: dict[str, Any], title: str) -> dict[str, Any]:
    return next(panel for panel in board["panels"] if panel["title"] == title)


def exprs_of(panel: dict[str, Any]) -> dict[str, str]:
    return {target["refId"]: target["expr"] for target in panel["targets"]}


def all_panels(boards: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for board in boards.values():
        yield from panels_of(board)


MANY = [
    kpi(),
    kpi("received", unit="reports", target=None, direction="within_band"),
    kpi("down", unit="sites", target=0, direction="lower_is_better", family="telecom"),
    kpi("latency", unit="seconds", form="p95", target=90, direction="lower_is_better", windows=("r7d",), has_dims=True),
    kpi("by_source", has_dims=True, may_be_manual=True, family="ioc_platform"),
    kpi("speed", unit="megabits_per_second", form="ratio", target=2e8, family="telecom"),
    kpi("by_commune", group_by="admin_unit", family="telecom"),
    kpi("by_agency", group_by="agency", targets=DATED),
    kpi("register", is_snapshot=True, may_be_manual=True, family="education"),
]


@pytest.fixture(params=["vi", "en"])
def language(request: pytest.FixtureRequest) -> Language:
    language: Language = request.param
    return language


@pytest.fixture
def boards(language: Language) -> dict[str, dict[str, Any]]:
    return all_boards(language)


def test_the_same_definitions_give_the_same_bytes(language: Language) -> None:
    first, second = (json.dumps(all_boards(language)) for _ in range(2))
    assert first == second


def test_a_panel_keeps_its_id_when_another_kpi_is_added(language: Language) -> None:
    before, after = all_boards(language), all_boards(language, kpi("new"), *MANY)
    for name, board in before.items():
        if name != "wall":  # it shows the leading figures only
            assert {panel["id"] for panel in board["panels"]} <= {panel["id"] for panel in after[name]["panels"]}


def test_ids_are_unique_in_a_board_and_uids_among_the_boards(boards: dict[str, dict[str, Any]]) -> None:
    for board in boards.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        assert all(0 < panel_id < 2**31 for panel_id in ids)
    uids = [board["uid"] for board in boards.values()]
    assert len(uids) == len(set(uids))
    assert all(len(uid) <= 40 for uid in uids), "Grafana takes no longer ones"


@pytest.mark.parametrize("count", [1, 4, 5, 8, 13])
def test_panels_neither_overlap_nor_leave_the_grid(count: int) -> None:
    families = ("public_services", "telecom", "camera_ai", "ioc_platform", "a_familys_own")
    kpis = [
        kpi(f"k{n}", family=families[n % 5], has_dims=n % 2 == 0, group_by="admin_unit" if n % 3 else "none")
        for n in range(count)
    ]
    for board in all_boards("vi", *kpis).values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            pos = panel["gridPos"]
            cells = {(pos["x"] + dx, pos["y"] + dy) for dx in range(pos["w"]) for dy in range(pos["h"])}
            assert max(x for x, _ in cells) < 24, panel["title"]
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_panel_says_what_it_shows_and_what_to_show_for_nothing(boards: dict[str, dict[str, Any]]) -> None:
    for panel in all_panels(boards):
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["datasource"]["uid"] == DATASOURCE_UID
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {DATASOURCE_UID}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def test_a_figure_is_an_instant_query_since_a_range_would_show_a_dead_exporters_last_value(
    boards: dict[str, dict[str, Any]],
) -> None:
    for panel in all_panels(boards):
        if panel["type"] != "timeseries":
            assert all(target["instant"] and not target["range"] for target in panel["targets"]), panel["title"]


def test_every_unit_is_one_that_grafana_knows(boards: dict[str, dict[str, Any]]) -> None:
    """An unknown one is written behind the number as it stands."""
    known = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
    for board in boards.values():
        for unit in re.findall(r'"(?:unit|id": "unit", "value)": "([^"]*)"', json.dumps(board, ensure_ascii=False)):
            assert unit in known or unit.startswith(("suffix:", "time:")), unit


def test_no_query_invents_a_value(boards: dict[str, dict[str, Any]]) -> None:
    for panel in all_panels(boards):
        for expr in exprs_of(panel).values():
            assert "or vector(" not in expr
            assert "[24h]" not in expr


def test_every_kpi_query_says_whether_it_asks_for_the_total_the_units_or_the_parts(
    boards: dict[str, dict[str, Any]],
) -> None:
    told = (
        'admin_unit="*",agency="",dim=""',
        'admin_unit="*",agency="",dim!=""',
        'admin_unit!="*",agency="",dim=""',
        'admin_unit="*",agency!="",dim=""',
    )
    figures = {k.metric for k in MANY} | {f"ioc_kpi_{name}" for name in ("numerator", "denominator", "stale", "manual")}
    for panel in all_panels(boards):
        for expr in exprs_of(panel).values():
            for metric, labels in re.findall(r"(ioc_\w+)\{([^}]*)\}", expr):
                if metric in figures:
                    assert any(labels_of in labels for labels_of in told), (metric, labels)


def test_the_province_wall_has_eight_big_panels_and_nothing_to_click(language: Language) -> None:
    many = [kpi(f"k{n}", family=f"family{n}") for n in range(30)]
    board = all_boards(language, *many)["wall"]
    assert len(board["panels"]) == 8
    assert all(panel["gridPos"]["w"] >= 8 and panel["gridPos"]["h"] >= 7 for panel in board["panels"])
    assert board["timepicker"]["hidden"] is True
    assert "templating" not in board or not board["templating"].get("list")
    tiles = [panel for panel in board["panels"] if panel["type"] == "stat"]
    assert len(tiles) == 6
    assert all("as_of" in exprs_of(panel) for panel in tiles), "no strip says how old it is"


def test_boards_lead_to_each_other_to_the_other_language_and_to_on_call(language: Language) -> None:
    other: Language = "en" if language == "vi" else "vi"
    for name, board in all_boards(language).items():
        links = {link["type"]: link for link in board["links"] if link["type"] == "dashboards"}
        assert links["dashboards"]["tags"] == [f"ioc-{language}"]
        assert set(links["dashboards"]["tags"]) <= set(board["tags"])
        urls = [link["url"] for link in board["links"] if link["type"] == "link"]
        assert f"/d/{board_uid(name, other)}" in urls
        assert any(url.startswith(f"{URL}/") for url in urls)
    alerts = next(panel for panel in all_boards(language)["wall"]["panels"] if "alerts" in exprs_of(panel))
    assert f"{URL}/runbooks/${{__value.raw}}" in json.dumps(alerts)


def test_the_tile_shows_a_current_and_an_old_figure_as_two_different_things(language: Language) -> None:
    tile = panel_titled(build_board([kpi()], language=language), kpi().name(language))
    exprs = exprs_of(tile)
    assert set(exprs) == {"fresh", "stale"}
    assert re.search(r"ioc_kpi_stale\{[^}]*\} == 0\)", exprs["fresh"])
    assert re.search(r"ioc_kpi_stale\{[^}]*\} == 1 or ", exprs["stale"])
    assert all('window="mtd"' in expr and "ytd" not in expr for expr in exprs.values())
    legends = {target["refId"]: target["legendFormat"] for target in tile["targets"]}
    assert legends["stale"].startswith({"vi": "CŨ", "en": "STALE"}[language])
    override = tile["fieldConfig"]["overrides"][0]
    assert override["matcher"] == {"id": "byFrameRefID", "options": "stale"}
    fixed = override["properties"][0]["value"]["fixedColor"]
    assert fixed not in {step["color"] for step in tile["fieldConfig"]["defaults"]["thresholds"]["steps"]}


def test_what_was_typed_by_hand_says_so_in_the_tile_itself(language: Language) -> None:
    tile = panel_titled(build_board([kpi(may_be_manual=True)], language=language), kpi().name(language))
    exprs = exprs_of(tile)
    assert re.search(r"ioc_kpi_manual\{[^}]*\} == 0\)", exprs["fresh"])
    assert re.search(r"ioc_kpi_manual\{[^}]*\} == 1\)", exprs["manual"])
    legends = {target["refId"]: target["legendFormat"] for target in tile["targets"]}
    assert legends["manual"].startswith({"vi": "NHẬP TAY", "en": "MANUAL"}[language])


def test_each_target_colours_the_figure_while_it_is_in_force() -> None:
    tile = panel_titled(build_board([kpi(targets=DATED)], language="en"), "Figure on_time")
    exprs = exprs_of(tile)
    assert set(exprs) == {"fresh", "stale", "fresh_1", "stale_1"}
    assert exprs["fresh"].endswith("and on () (vector(time()) < 1798736400))")
    assert exprs["fresh_1"].endswith("and on () (vector(time()) >= 1798736400))")
    legends = {target["refId"]: target["legendFormat"] for target in tile["targets"]}
    assert (legends["fresh"][-6:], legends["fresh_1"][-6:]) == ("≥ 90 %", "≥ 95 %")
    steps = next(o for o in tile["fieldConfig"]["overrides"] if o["matcher"]["options"] == "fresh_1")["properties"][0]
    assert [step["value"] for step in steps["value"]["steps"]] == [None, 0.95]


def test_a_snapshot_has_the_day_it_is_of_and_no_line(language: Language) -> None:
    board = all_boards(language)["sector-education"]
    assert "timeseries" not in {panel["type"] for panel in board["panels"]}
    assert "time:DD/MM/YYYY" in json.dumps(board)
    live = all_boards(language)["sector-public_services"]
    assert "timeseries" in {panel["type"] for panel in live["panels"]}


def test_a_course_shows_nothing_while_the_figure_was_old_and_the_target_beside_it() -> None:
    course = panel_titled(build_board([kpi()], language="en"), "Figure on_time: course")
    exprs = exprs_of(course)
    assert 'unless on (province) ioc:kpi_stale:total{kpi="on_time",window="mtd"} == 1' in exprs["value"]
    assert exprs["target"] == 'max by (kpi) (ioc_kpi_target{kpi="on_time"})'
    assert course["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


@pytest.mark.parametrize("group_by", ["admin_unit", "agency"])
def test_units_and_agencies_stand_under_one_another_by_name_with_their_state(group_by: GroupBy) -> None:
    table = panel_titled(build_board([kpi(group_by=group_by)], language="vi"), "Chỉ số on_time: theo đơn vị")
    exprs = exprs_of(table)
    assert set(exprs) == {"value", "numerator", "denominator", "as_of_timestamp_seconds", "stale"}
    renamed = next(t for t in table["transformations"] if t["id"] == "organize")["options"]["renameByName"]
    assert "name_vi" in renamed
    named = (
        f"* on (province, {group_by}) group_left (name_vi) max by (province, {group_by}, name_vi) (ioc_{group_by}_info)"
    )
    assert all(expr.endswith(named) for expr in exprs.values())


def test_the_camera_map_takes_nothing_from_outside(language: Language) -> None:
    board = all_boards(language)["cameras"]
    options = next(panel for panel in board["panels"] if panel["type"] == "geomap")["options"]
    assert options["basemap"]["type"] == "geojson"
    assert options["basemap"]["config"]["src"] == GROUND
    assert options["layers"][0]["location"]["gazetteer"] == GAZETTEER
    assert (options["view"]["lat"], options["view"]["lon"]) == (11.98, 108.44)
    for board in all_boards(language).values():
        assert set(re.findall(r"https?://[^/\"]+", json.dumps(board))) <= {URL}


def test_the_ground_of_the_map_has_every_camera_and_what_it_looks_at() -> None:
    features = json.loads(ground([CAMERA]))["features"]
    point, sector = (next(f for f in features if f["geometry"]["type"] == kind) for kind in ("Point", "Polygon"))
    assert point["geometry"]["coordinates"] == [108.44, 11.98]
    ring = sector["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] == [108.44, 11.98]
    lons, lats = [lon for lon, _ in ring], [lat for _, lat in ring]
    assert max(lats) == pytest.approx(11.98 + 5 / 111.32, abs=0.001), "5 km to the north"
    assert 108.44 - min(lons) > max(lons) - 108.44, "from 320° to 20°: more to the west"
    assert json.loads(gazetteer([CAMERA])) == [
        {"key": "cam-01", "name": "Đồi Robin", "latitude": 11.98, "longitude": 108.44}
    ]


def test_a_province_without_cameras_or_usual_figures_has_its_boards_all_the_same(language: Language) -> None:
    boards = build_boards(wall(kpi("own", family="river_levels"), cameras=()), language=language)
    assert set(boards) == {"wall", "figures", "cameras", "oncall", "quality", "pipeline", "sector-river_levels"}
    assert "river levels" in str(boards["sector-river_levels"]["title"])


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
    board = build_board([kpi(target=target, direction=direction)], language="en")
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
    board = build_board([definition], language="vi")
    shown = panel_titled(board, definition.name_vi)
    assert shown["fieldConfig"]["defaults"]["unit"] == unit
    assert shown["targets"][0]["legendFormat"].endswith(target)


def test_a_count_that_grows_until_its_period_ends_is_not_bad_before() -> None:
    board = build_board([kpi(target=100, unit="orders", accumulates=True)], language="en")
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
    board = build_board([definition], language="en")
    strip = next(panel for panel in panels_of(board) if panel["title"] == "")
    legends = {target["refId"]: target["legendFormat"] for target in strip["targets"]}
    assert legends == {**parts, "as_of": "As of", "state": "State"}


def test_a_figure_with_a_dimension_has_a_bar_for_each_value_of_it(language: Language) -> None:
    definition = kpi(has_dims=True)
    board = build_board([definition, kpi("other")], language=language)
    bars = [panel for panel in panels_of(board) if panel["type"] == "bargauge"]
    assert [panel["title"].split(":")[0] for panel in bars] == [definition.name(language)]
    exprs = exprs_of(bars[0])
    assert all(expr.startswith("max by (province, dim) (ioc_on_time_ratio{") for expr in exprs.values())
    assert [re.search(r'dim!="",window="mtd"\} == (\d)', expr)[1] for expr in exprs.values()] == ["0", "1"]  # type: ignore[index]


def test_the_table_has_a_column_of_values_for_each_way_of_writing_them(boards: dict[str, dict[str, Any]]) -> None:
    table = next(panel for panel in panels_of(boards["figures"]) if "value_percentunit" in exprs_of(panel))
    values = {ref: expr for ref, expr in exprs_of(table).items() if ref.startswith("value_")}
    assert set(values) == {"value_percentunit", "value_s", "value_bps", "value_none"}
    for ref, ids in (("value_percentunit", "by_agency|by_commune|by_source"), ("value_none", "down|received")):
        assert f'kpi=~"{ids}' in values[ref]


def test_both_languages_hold_the_same_panels_and_queries_and_different_words() -> None:
    vi, en = (all_boards(language) for language in ("vi", "en"))
    assert list(vi) == list(en)
    for name in vi:
        assert vi[name]["uid"] != en[name]["uid"]
        for ours, theirs in zip(panels_of(vi[name]), panels_of(en[name]), strict=True):
            queries = [expr.replace("name_vi", "name_en") for expr in exprs_of(ours).values()]
            assert queries == list(exprs_of(theirs).values())
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
        build_boards(replace(wall(), kpis=tuple(kpis)), language="vi")
