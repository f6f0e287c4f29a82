"""Rules: what every alert must carry, and the command that writes them."""

import json
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
from ioc.wall.panels import KpiPanel, panel_of
from ioc.wall.promql import breach
from ioc.wall.rules import kpi_rules, pipeline_rules
from tests.unit.wall.test_boards import MANY, kpi

DEPLOY = Path(__file__).parents[3] / "deploy"
URL = "https://oncall.example.invalid"


@cache
def starting_panels() -> tuple[KpiPanel, ...]:
    catalog = load_catalog(Settings.model_fields["catalog"].get_default())
    return tuple(panel_of(definition) for definition in catalog.kpis)


def alerts() -> list[dict[str, Any]]:
    groups: list[Any] = [*kpi_rules(MANY, public_url=URL)["groups"], *pipeline_rules(public_url=URL)["groups"]]  # type: ignore[misc]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"] + rule["labels"].get("kpi", ""))
def test_every_alert_speaks_both_languages_and_links_what_to_do(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert notes["summary"] != notes["summary_en"]
    assert notes["description"] != notes["description_en"]
    assert notes["runbook_url"].startswith(f"{URL}/runbooks/")
    assert rule["labels"]["severity"] in {"none", "warning", "critical"}


def test_a_kpi_without_a_target_raises_no_alert_and_is_recorded_all_the_same() -> None:
    rules: dict[str, Any] = kpi_rules([kpi("received", unit="reports", target=None)], public_url=URL)
    assert [rule["record"] for group in rules["groups"] for rule in group["rules"]] == ["ioc:kpi_value:total"]


@pytest.mark.parametrize(
    ("definition", "ends"),
    [
        pytest.param(kpi(target=0.95), " < 0.95", id="floor"),
        pytest.param(kpi(target=0, direction="lower_is_better"), " > 0", id="ceiling"),
        pytest.param(kpi(target=0.9, direction="within_band"), None, id="band"),
        pytest.param(kpi(target=None), None, id="no target"),
    ],
)
def test_the_side_of_the_target_follows_the_direction(definition: KpiPanel, ends: str | None) -> None:
    expr = breach(definition)
    assert expr is None if ends is None else str(expr).endswith(ends)


def test_pipeline_alerts_have_names_of_their_own() -> None:
    names = [alert.alert for alert in PIPELINE_ALERTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("kpi_id", "min_denominator", "alert_after"),
    [
        ("camera_online", 1, timedelta(minutes=5)),
        ("lgsp_success", 20, timedelta(minutes=5)),
        ("dossiers_on_time", 50, timedelta(minutes=10)),
    ],
)
def test_a_month_needs_more_cases_than_a_moment(kpi_id: str, min_denominator: float, alert_after: timedelta) -> None:
    panel = {panel.id: panel for panel in starting_panels()}[kpi_id]
    assert (panel.min_denominator, panel.alert_after) == (min_denominator, alert_after)


def test_the_starting_catalogue_gives_the_eight_first_kpis() -> None:
    assert {panel.id for panel in starting_panels()} >= {
        "dossiers_online",
        "dossiers_fully_online",
        "dossiers_on_time",
        "reports_received",
        "reports_on_time",
        "wan_channels_up",
        "lgsp_success",
        "camera_online",
    }


def test_committed_boards_and_rules_are_what_the_catalogue_generates() -> None:
    files = generated_files(starting_panels(), public_url=Settings.model_fields["public_url"].get_default())
    for path, text in files.items():
        assert (DEPLOY / path).read_text(encoding="utf-8") == text, (
            f"deploy/{path} is out of date: run `ioc dashboards build`"
        )
    boards = {f"grafana/dashboards/{path.name}" for path in (DEPLOY / "grafana" / "dashboards").iterdir()}
    rules = {f"prometheus/rules/{path.name}" for path in (DEPLOY / "prometheus" / "rules").iterdir()}
    assert boards | rules <= set(files), "a file that nothing generates any more"


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
