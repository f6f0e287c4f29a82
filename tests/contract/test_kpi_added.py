"""One file more in the catalogue, and nothing else is edited: boards, rules, their promtool tests, the live wall, the
report and the open figures have the figure."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from ioc.catalog import Catalog, load_catalog
from ioc.cli import build_cli
from ioc.kpis import CellKey, Partial, Sum
from ioc.kpis.log import LoggedValue
from ioc.settings import Settings
from ioc.wall.figure_store import Kept
from ioc.wall.figure_table import figure_json
from ioc.wall.live.kpis import wall_kpis
from ioc.wall.live.scrape import groups_of, readings_of
from ioc.wall.live.shown import shown_of
from ioc.wall.live.snapshot import PARTS, PartState, Snapshot
from ioc.wall.live.tiles import tile_of
from ioc.wall.report import Span, build_report, report_html
from ioc.wall.report.happenings import History
from ioc.wall.report.records import Entry, Ledger
from ioc.windows import microseconds_of
from streams.kpis_to_metrics import FiguresRole
from streams.partials import Complete

STARTING = Path(Settings.model_fields["catalog"].get_default())
BEFORE = ("camera_online", "source_valid")
MODEL, OWN = "wan_channels_up", "river_gauges_up"
NAMES = {"vi": "Trạm đo mực nước hoạt động", "en": "River gauges in service"}
NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HALF = Sum(48, 100, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the catalogue with two KPIs, the boards made of it, then one KPI more and `ioc dashboards build`."""
    folder = tmp_path_factory.mktemp("province")
    catalog = folder / "catalog"
    shutil.copytree(STARTING, catalog, ignore=lambda where, names: names if where.endswith("/kpis") else [])
    for kpi in BEFORE:
        shutil.copy(STARTING / "kpis" / f"{kpi}.yaml", catalog / "kpis")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_CATALOG", str(catalog))
        build(folder / "before")
        (catalog / "kpis" / f"{OWN}.yaml").write_text(own_kpi(), encoding="utf-8")
        build(folder / "after")
        yield folder


def own_kpi() -> str:
    text = (STARTING / "kpis" / f"{MODEL}.yaml").read_text(encoding="utf-8")
    told = ("id:", "name_vi:", "name_en:", "metric:", "family:")
    lines = [line for line in text.splitlines() if not line.startswith(told)]
    own = [
        f"id: {OWN}",
        f"name_vi: {NAMES['vi']}",
        f"name_en: {NAMES['en']}",
        f"metric: ioc_{OWN}_ratio",
        "family: river_levels",
    ]
    return "\n".join([*own, *lines]) + "\n"


def build(out: Path) -> None:
    done = CliRunner().invoke(build_cli(), ["dashboards", "build", "--out", str(out)])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return load_catalog(folder / "catalog")


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in folder.rglob("*.*") if p.is_file()}


def test_boards_and_rules_have_it(folder: Path) -> None:
    before, after = files(folder / "before"), files(folder / "after")
    assert set(after) - set(before) == {f"grafana/dashboards/{x}/sector-river_levels.json" for x in NAMES}
    changed = {path for path in before if after[path] != before[path]}
    assert changed >= {"prometheus/rules/kpis.yml", "prometheus/tests/kpis.yml"}
    for language, name in NAMES.items():
        board = json.loads(after[f"grafana/dashboards/{language}/sector-river_levels.json"])
        assert name in {panel["title"] for panel in board["panels"]}
        assert {f"grafana/dashboards/{language}/figures.json", f"grafana/dashboards/{language}/wall.json"} <= changed
    assert f'"kpi": "{OWN}"' in json.dumps(_alerts(after["prometheus/rules/kpis.yml"]))


def _alerts(text: str) -> object:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule]


def test_prometheus_takes_its_rules_and_they_pass_their_tests(folder: Path) -> None:
    tests = folder / "after" / "prometheus" / "tests" / "kpis.yml"
    assert OWN in tests.read_text(encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_live_wall_shows_it_with_its_worst_units(catalog: Catalog) -> None:
    role = FiguresRole(broker="", catalog=catalog, clock=lambda: NOW)
    own = catalog.kpi(OWN)
    role._figures.take(Partial(CellKey(OWN, 0, place, "", "now", 0), 0, 1, 1, HALF) for place in ("", "24781"))
    role._figures.take([Complete(0, 1, {name: microseconds_of(NOW) for name in own.fed_by})])
    role._is_complete.set()
    registry = CollectorRegistry()
    registry.register(role)
    text = generate_latest(registry).decode()
    kpis = wall_kpis(catalog.kpis, NOW.date())
    readings, groups = readings_of(text, kpis), groups_of(text, kpis)
    tiles = tuple(tile_of(kpi, readings.get(kpi.id), (), groups.get(kpi.id, ())) for kpi in kpis)
    snapshot = Snapshot(
        revision=1, at=NOW, tiles=tiles, alerts=(), cameras=(), parts=dict.fromkeys(PARTS, PartState(heard_at=NOW))
    )
    units = {unit.code: (unit.name_vi, unit.name_en) for unit in catalog.geography.units()}
    shown = shown_of(snapshot, {}, units, "vi")
    (tile,) = (tile for tile in shown.tiles if tile.kpi_id == OWN)
    assert (tile.name, tile.number, tile.unit, tile.standing.text) == (NAMES["vi"], "48,0", "%", "▼ KHÔNG ĐẠT")
    (worse,) = (worse for worse in shown.worse if worse.tile.kpi_id == OWN)
    assert worse.where == "Phường Xuân Hương - Đà Lạt 48,0 %"
    assert shown.families["river_levels"] == "river levels", "a province's own family is called by its id"


def test_the_report_and_the_open_figures_have_it(catalog: Catalog) -> None:
    day = date(2026, 11, 21)
    logged = LoggedValue(
        kpi=OWN, admin_unit="*", agency="", dim="", window="now", period=day.isoformat(), is_closed=True, value=0.48,
        numerator=48.0, denominator=100.0, as_of_us=microseconds_of(NOW), is_stale=False, is_manual=False,
        rule_version=catalog.kpi(OWN).rule_version,
    )  # fmt: skip
    report = build_report(
        catalog, Ledger([Entry(logged=logged, written_at=NOW)]), Span.day(day), made_at=NOW, history=History()
    )
    for language, name in NAMES.items():
        assert name in report_html(report, catalog, language)  # type: ignore[arg-type]
    kept = Kept(logged=logged, first_day=day, last_day=day, written_us=microseconds_of(NOW))
    assert figure_json(kept, catalog, "en")["kpi_name"] == NAMES["en"]
