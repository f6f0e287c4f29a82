"""Rules: what every alert must carry, and the command that writes them."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ioc.catalog import load_catalog
from ioc.cli.dashboards import register
from ioc.settings import Settings
from ioc.wall.alerts import PIPELINE_ALERTS
from ioc.wall.files import generated_files
from ioc.wall.names import family_name, grafana_unit
from ioc.wall.panels import KpiPanel, Wall, wall_of
from ioc.wall.promql import breach
from ioc.wall.rule_tests import CAUSES
from ioc.wall.rules import kpi_rules, pipeline_rules
from tests.unit.wall.test_boards import DATED, MANY, URL, kpi, wall

DEPLOY = Path(__file__).parents[3] / "deploy"


@cache
def starting_wall() -> Wall:
    catalog = load_catalog(Settings.model_fields["catalog"].get_default())
    return wall_of(catalog, public_url=Settings.model_fields["public_url"].get_default())


def starting_panels() -> tuple[KpiPanel, ...]:
    return starting_wall().kpis


@cache
def starting_files() -> dict[str, str]:
    """What `ioc dashboards build` makes of the starting catalogue and settings."""
    return generated_files(starting_wall())


def alerts() -> list[dict[str, Any]]:
    groups: list[Any] = [*kpi_rules(wall(*MANY))["groups"], *pipeline_rules(wall())["groups"]]  # type: ignore[misc]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"] + rule["labels"].get("kpi", ""))
def test_every_alert_speaks_both_languages_and_links_what_to_do(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert notes["summary"] != notes["summary_en"]
    assert notes["description"] != notes["description_en"]
    assert notes["runbook_url"].startswith(f"{URL}/runbooks/")
    assert rule["labels"]["severity"] in {"none", "warning", "critical"}


def test_a_kpi_without_a_target_raises_no_alert_and_is_recorded_all_the_same() -> None:
    rules: dict[str, Any] = kpi_rules(wall(kpi("received", unit="reports", target=None)))
    recorded = [rule["record"] for group in rules["groups"] for rule in group["rules"]]
    assert recorded == ["ioc:kpi_stale:total", "ioc:kpi_value:total"]


@pytest.mark.parametrize(
    ("definition", "ends"),
    [
        pytest.param(kpi(target=0.95), " < 0.95", id="floor"),
        pytest.param(kpi(target=0, direction="lower_is_better"), " > 0", id="ceiling"),
        pytest.param(kpi(target=0.9, direction="within_band"), None, id="band"),
        pytest.param(kpi(target=None), None, id="no target"),
        pytest.param(kpi(unit="seconds", form="p95", target=7200, direction="lower_is_better"), " > 7200", id="p95"),
        pytest.param(kpi(unit="accounts", target=3_077_961.0), " < 3077961", id="all digits of a count"),
        pytest.param(kpi(unit="orders", target=12_696, accumulates=True), None, id="a count before its period ends"),
        pytest.param(
            kpi(unit="incidents", target=0, direction="lower_is_better", accumulates=True),
            " > 0",
            id="a count too high",
        ),
    ],
)
def test_the_side_of_the_target_follows_the_direction(definition: KpiPanel, ends: str | None) -> None:
    expr = breach(definition)
    assert expr is None if ends is None else str(expr).endswith(ends)


def test_every_pipeline_alert_has_a_cause_that_promtool_plays() -> None:
    assert set(CAUSES) == {alert.alert for alert in PIPELINE_ALERTS}


def test_a_target_is_judged_only_while_it_is_in_force() -> None:
    expr = breach(kpi(targets=DATED))
    assert expr is not None
    earlier, later = expr.split(" or ")
    assert earlier.endswith("< 0.9 and on () (vector(time()) < 1798736400))")
    assert later.endswith("< 0.95 and on () (vector(time()) >= 1798736400))")
    rules: Any = kpi_rules(wall(kpi(targets=DATED)))
    assert "target 90 % (before 2027-01-01), 95 %." in rules["groups"][1]["rules"][0]["annotations"]["description_en"]


def test_pipeline_alerts_have_names_of_their_own() -> None:
    names = [alert.alert for alert in PIPELINE_ALERTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("kpi_id", "min_cases", "alert_after"),
    [
        ("camera_online", 1, timedelta(minutes=5)),
        ("lgsp_success", 20, timedelta(minutes=5)),
        ("dossiers_on_time", 50, timedelta(minutes=10)),
        ("report_on_site", 20, timedelta(minutes=10)),
    ],
)
def test_a_month_needs_more_cases_than_a_moment(kpi_id: str, min_cases: float, alert_after: timedelta) -> None:
    panel = {panel.id: panel for panel in starting_panels()}[kpi_id]
    assert (panel.min_cases, panel.alert_after) == (min_cases, alert_after)


def test_the_starting_catalogue_gives_every_kind_of_panel_and_few_are_never_alerted() -> None:
    panels = starting_panels()
    assert len(panels) >= 60
    assert {panel.form for panel in panels} == {"ratio", "number", "p95"}
    assert {panel.id for panel in panels if panel.has_dims} >= {"source_valid", "source_clean", "alert_ack_time"}
    silent = {panel.id for panel in panels if panel.targets[-1].value is not None and breach(panel) is None}
    assert silent >= {"marketplace_orders", "source_complete"}, "they grow until their period ends"
    told = {panel.id for panel in panels if panel.id in silent and not panel.accumulates}
    assert told == {"camera_coverage"}, "it falls every night with the light; IocCameraUnseen calls for each camera"


def test_no_family_or_unit_of_the_starting_catalogue_is_shown_by_its_id() -> None:
    for panel in starting_panels():
        assert family_name(panel.family, "vi") != family_name(panel.family, "en") or panel.family == "ipv6"
        unit = grafana_unit(panel, "vi")
        assert unit != grafana_unit(panel, "en") or not unit.startswith("suffix") or panel.unit == "cameras", panel.unit


def test_what_an_alert_says_is_written_in_the_figures_own_unit() -> None:
    rules: Any = kpi_rules(wall(*MANY))
    said = {rule["labels"]["kpi"]: rule["annotations"]["description_en"] for rule in rules["groups"][1]["rules"]}
    assert "is {{ $value | humanizePercentage }}, target 90 %." in said["on_time"]
    assert "is {{ $value | humanizeDuration }}, target 90 s." in said["latency"]
    assert "is {{ $value | humanize }}bit/s, target 200 Mbit/s." in said["speed"]
    assert 'is {{ $value | printf "%.0f" }}, target 0 sites.' in said["down"]


def test_every_file_stays_small_enough_to_be_read_by_a_person_and_kept_in_git() -> None:
    files = starting_files()
    assert {path: len(text.encode()) for path, text in files.items() if len(text.encode()) >= 1_000_000} == {}


def test_committed_boards_and_rules_are_what_the_catalogue_generates() -> None:
    files = starting_files()
    for path, text in files.items():
        assert (DEPLOY / path).read_text(encoding="utf-8") == text, (
            f"deploy/{path} is out of date: run `ioc dashboards build`"
        )
    folders = ("grafana/dashboards", "grafana/maps", "grafana/playlists", "prometheus/rules")
    there = {str(path.relative_to(DEPLOY)) for folder in folders for path in (DEPLOY / folder).rglob("*.*")}
    assert there <= set(files), "a file that nothing generates any more"


@pytest.fixture(scope="module", autouse=True)
def small_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The command reads a catalogue of two KPIs: what it makes of all of them is seen above."""
    starting = Settings.model_fields["catalog"].get_default()
    folder = tmp_path_factory.mktemp("small") / "catalog"
    shutil.copytree(starting, folder, ignore=lambda where, names: names if where.endswith("/kpis") else [])
    for kpi_id in ("camera_online", "source_valid"):
        shutil.copy(starting / "kpis" / f"{kpi_id}.yaml", folder / "kpis")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IOC_CATALOG", str(folder))
        yield


def run(*arguments: str) -> Any:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["dashboards", "build", *arguments])


def test_build_writes_once_and_then_finds_nothing_to_do(tmp_path: Path) -> None:
    first, second = (json.loads(run("--out", str(tmp_path), "--json").stdout) for _ in range(2))
    assert first["changed"] == first["files"]
    assert second == {"files": first["files"], "changed": []}


def test_check_writes_nothing_and_exits_1_when_something_would_change(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), "--check").exit_code == 1
    assert not list(tmp_path.iterdir())
    assert run("--out", str(tmp_path)).exit_code == 0
    assert run("--out", str(tmp_path), "--check").exit_code == 0


def test_runbook_links_start_with_the_public_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_PUBLIC_URL", f"{URL}/")
    assert run("--out", str(tmp_path)).exit_code == 0
    assert f"{URL}/runbooks/service-down" in (tmp_path / "prometheus/rules/pipeline.yml").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--out", str(tmp_path / "file"))
    assert "name a folder that can be written" in str(result.exception)


def test_help_contains_an_example() -> None:
    assert "Example" in run("--help").stdout


def test_another_kpi_changes_boards_rules_and_tests_with_no_edit() -> None:
    before, after = (generated_files(wall(*kpis)) for kpis in ([kpi()], [kpi(), kpi("own", family="river_levels")]))
    assert set(after) - set(before) == {f"grafana/dashboards/{x}/sector-river_levels.json" for x in ("vi", "en")}
    changed = {path for path in before if after[path] != before[path]}
    assert changed >= {"prometheus/rules/kpis.yml", "prometheus/tests/kpis.yml", "grafana/dashboards/vi/figures.json"}
