"""What the demo reads from the doors of its services, and what it makes of it."""

from typing import Any

import pytest

from ioc.catalog import load_catalog
from ioc.cli.demo_state import DemoState, Facts, read_metrics, read_oncall
from ioc.cli.demo_view import LiveView
from ioc.settings import Settings

METRICS = """\
ioc_events_total{topic="a",outcome="in"} 5
ioc_events_total{topic="b",outcome="in"} 2
ioc_kpi_target{kpi="camera_online"} 0.95
ioc_camera_online_ratio{province="p",admin_unit="*",agency="",window="now"} 0.5
ioc_camera_online_ratio{province="p",admin_unit="24778",agency="",window="now"} 0.9
ioc_kpi_numerator{kpi="camera_online",province="p",admin_unit="*",agency="",window="now"} 18
ioc_kpi_denominator{kpi="camera_online",province="p",admin_unit="*",agency="",window="now"} 36
ioc_kpi_stale{kpi="camera_online",province="p",admin_unit="*",agency="",window="now"} 1
ioc_alert_ack_time_seconds{province="p",admin_unit="*",agency="",window="r7d"} 240
ioc_alert_ack_time_seconds{province="p",admin_unit="*",agency="",window="r7d",dim="critical"} 60
ioc_kpi_denominator{kpi="alert_ack_time",province="p",admin_unit="*",agency="",window="r7d"} 31
ioc_kpi_stale{kpi="alert_ack_time",province="p",admin_unit="*",agency="",window="r7d"} 0
ioc_kpi_numerator{kpi="bts_down",province="p",admin_unit="*",agency="",window="now"} 3
ioc_bts_down{province="p",admin_unit="*",agency="",window="now"} 3
ioc_kpi_denominator{kpi="data_reuse",province="p",admin_unit="*",agency="",window="mtd"} 0
"""


@pytest.fixture(scope="module")
def facts() -> Facts:
    catalog = load_catalog(Settings.model_fields["catalog"].get_default())
    facts = Facts(definitions={kpi.id: kpi for kpi in catalog.kpis})
    facts.addresses = {"worker": "http://here", "oncall": "http://here", "Kafka": "here:1"}
    read_metrics(facts, METRICS)
    return facts


def test_the_provinces_totals_are_read_and_nobody_elses(facts: Facts) -> None:
    found = {
        kpi.definition.id: (kpi.window, kpi.value, kpi.numerator, kpi.denominator, kpi.target, kpi.is_stale)
        for kpi in facts.kpis
    }
    assert found == {
        "camera_online": ("now", 0.5, 18, 36, 0.95, True),
        "alert_ack_time": ("r7d", 240, None, 31, None, False),
        "bts_down": ("now", 3, 3, None, None, False),
        "data_reuse": ("mtd", None, None, 0, None, False),
    }


def test_the_summary_counts_figures_with_a_value_and_names_the_others(facts: Facts) -> None:
    summary = DemoState(phase="ended", seconds=1, planned_s=None, facts=facts).as_json()
    assert summary["kpis_exported"] == 3
    assert "data_reuse" in summary["kpis_without_value"]
    assert len(summary["kpis_without_value"]) == len(facts.definitions) - 3
    assert summary["events"]["in"] == 7


def test_the_screen_writes_each_figure_in_its_unit(
    facts: Facts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    view = LiveView(is_terminal=False, is_silent=True)
    view.end(DemoState(phase="ended", seconds=1, planned_s=None, facts=facts))
    text = capsys.readouterr().out
    for told in ("50.0%", "18 / 36", "95.0%", "CŨ · stale", "240 s", "n = 31", "3 / "):
        assert told in text, (told, text)


def incident(incident_id: str, **fields: Any) -> dict[str, Any]:
    told = {"first_notified_at": "2026-11-22T09:00:05+00:00", "first_frame_at": "2026-11-22T09:00:00+00:00"}
    return {"incident_id": incident_id, "kind": "smoke", "state": "open", **told, **fields}


def test_incidents_told_as_long_over_or_joined_to_another_are_not_what_the_run_found() -> None:
    facts = Facts()
    simulated = incident("sim-7-001", first_notified_at="2026-11-01T00:00:00+00:00", state="resolved")
    same_fire = incident("smoke-cam-02", state="resolved", joined_into="smoke-cam-01")
    answer = {"incidents": [simulated, same_fire, incident("smoke-cam-01")], "outbox_pending": 0}
    read_oncall(facts, answer)
    summary = DemoState(phase="ended", seconds=1, planned_s=None, facts=facts).as_json()
    assert summary["incidents"] == {"construction": 0, "smoke": 1}
    assert summary["first_frame_to_alert_s"] == 5
