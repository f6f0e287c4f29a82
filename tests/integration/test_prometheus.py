"""The real Prometheus, with the committed configuration, boards and rules, against an exporter of sample figures.

A board whose query has a wrong label is an empty panel that no linter sees: so every query of every panel is asked, and
every rule is made to fire.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.prometheus_server import DEPLOY, RULES, Exporters, Prometheus, eventually, free_port, questions
from tests.integration.sample_province import KPIS, PROVINCE, RECORDED, Province, alerts_can_be_missed


@pytest.fixture(scope="module")
def province() -> Province:
    return Province()


@pytest.fixture(scope="module")
def exporters() -> Iterator[Exporters]:
    exporters = Exporters()
    yield exporters
    exporters.close()


@pytest.fixture(scope="module")
def doors(exporters: Exporters, province: Province) -> list[dict[str, Any]]:
    """Target groups: a worker, a zombie worker, on-call, the gateway."""
    worker, zombie = exporters.serve(province.text), exporters.serve(province.zombie_text)
    oncall, gateway = exporters.serve(province.oncall_text), exporters.serve(province.gateway_text)
    return [
        {"targets": [worker, zombie], "labels": {"job": "ioc-worker"}},
        {"targets": [oncall], "labels": {"job": "ioc-oncall"}},
        {"targets": [gateway], "labels": {"job": "ioc-gateway"}},
    ]


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, province: Province, doors: list[dict[str, Any]]
) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("prometheus"))
    server.targets(doors)
    process = server.start()
    try:

        def is_warm() -> None:
            assert province.scrapes >= 5  # rates need two samples, recorded figures one more
            assert len(server.query("ioc:kpi_value:total")) == len(RECORDED)

        eventually(is_warm, prometheus=server)
        yield server
    finally:
        process.kill()
        process.wait(timeout=10)


def near(value: float) -> Any:
    return pytest.approx(value)


QUIET = re.compile(r"stale|manual|blind|behind|value_")
"""What is asked for and not there while all is well: old and hand-typed figures, misses, blind cameras, zombies."""


def tile_queries(ref: str, *, of_dims: bool = False) -> dict[str, str]:
    """KPI id → the expression `ref` of its tile, or of its bars by dimension."""
    found = {}
    for question in questions():
        kpi = re.search(r'kpi="(\w+)"', question.expr)
        is_tile = question.ref == ref and question.board.startswith("sector-")
        if kpi and is_tile and f"{KPIS[kpi[1]].metric}{{" in question.expr and ('dim!=""' in question.expr) == of_dims:
            found[kpi[1]] = question.expr
    return found


def test_every_query_of_every_panel_is_answered(prometheus: Prometheus, province: Province) -> None:
    """Each is asked until it is answered once: to ask all of them again for each that is slow would take minutes."""
    province.mood = "healthy"
    by_expr = {question.expr: question for question in questions()}
    waiting = [expr for expr, question in by_expr.items() if not QUIET.match(question.ref)]
    waiting += [e for e, question in by_expr.items() if question.board == "figures" and e not in waiting]
    assert len(waiting) > 8 * len(KPIS)

    def all_answered() -> None:
        waiting[:] = [expr for expr in waiting if not [v for _, v in prometheus.query(expr) if v == v]]
        assert [by_expr[expr] for expr in waiting] == []

    eventually(all_answered, prometheus=prometheus)


def test_units_are_called_by_their_names_and_each_stands_once(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"
    by_unit = {q.expr for q in questions() if q.ref == "value" and "group_left (name_vi)" in q.expr}
    wanted = {"admin_unit": [("23005", "Xã Mẫu")], "agency": [("H14.01", "Sở Mẫu")]}
    assert len(by_unit) == sum(definition.group_by in wanted for definition in KPIS.values())

    def named() -> None:
        for expr in by_unit:
            group = "agency" if "ioc_agency_info" in expr else "admin_unit"
            found = prometheus.query(expr)
            assert [(labels[group], labels["name_vi"]) for labels, _ in found] == wanted[group], expr

    eventually(named, prometheus=prometheus)


def test_tiles_show_the_provinces_figure_once_and_never_the_zombies(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"
    tiles = tile_queries("fresh")
    assert set(tiles) == set(KPIS)

    def right() -> None:
        for kpi, expr in tiles.items():
            assert prometheus.query(expr) == [({"province": PROVINCE}, near(province.figure(kpi)))], kpi

    eventually(right, prometheus=prometheus)


def test_bars_show_each_value_of_the_dimension_once_and_never_the_zombies(
    prometheus: Prometheus, province: Province
) -> None:
    province.mood = "healthy"
    bars = tile_queries("fresh", of_dims=True)
    assert set(bars) == {kpi for kpi, definition in KPIS.items() if any(part.dim for part in definition.parts)}

    def right() -> None:
        for kpi, expr in bars.items():
            wanted = ({"province": PROVINCE, "dim": "a"}, near(province.figure(kpi) + 2))
            assert prometheus.query(expr) == [wanted], kpi

    eventually(right, prometheus=prometheus)


def test_the_zombie_is_named(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"
    behind = next(question.expr for question in questions() if question.ref == "behind")

    def named() -> None:
        ((labels, count),) = prometheus.query(behind)
        assert count == len(RECORDED), labels

    eventually(named, prometheus=prometheus)


def test_when_the_newest_exporter_dies_the_zombies_figures_stand_there_as_old_ones(
    prometheus: Prometheus, province: Province
) -> None:
    """It calls them current itself, and Prometheus has seen newer ones."""
    province.mood = "killed"
    fresh, stale = tile_queries("fresh"), tile_queries("stale")

    def marked() -> None:
        assert next((kpi for kpi, expr in fresh.items() if prometheus.query(expr)), None) is None
        for kpi, expr in stale.items():
            assert prometheus.query(expr) == [({"province": PROVINCE}, near(province.figure(kpi) + 7.0))], kpi
        assert {value for _, value in prometheus.query("ioc:kpi_stale:total")} == {1.0}

    try:
        eventually(marked, prometheus=prometheus)
    finally:
        province.mood = "healthy"


def test_recorded_figures_are_the_provinces_by_kpi_and_window(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"

    def right() -> None:
        found = {(labels["kpi"], labels["window"]): value for labels, value in prometheus.query("ioc:kpi_value:total")}
        assert set(found) == RECORDED
        assert all(value == pytest.approx(province.figure(kpi)) for (kpi, _), value in found.items())

    eventually(right, prometheus=prometheus)


def test_a_stale_figure_leaves_the_plain_query_and_enters_the_marked_one(
    prometheus: Prometheus, province: Province
) -> None:
    province.mood = "stale"
    fresh, stale = tile_queries("fresh"), tile_queries("stale")
    assert set(fresh) == set(stale) == set(KPIS)

    def moved() -> None:  # names the first that has not moved: asking all again and again would take long
        assert next((kpi for kpi, expr in stale.items() if not prometheus.query(expr)), None) is None
        assert next((kpi for kpi, expr in fresh.items() if prometheus.query(expr)), None) is None

    eventually(moved, prometheus=prometheus)


def test_a_figure_without_any_fact_behind_it_is_shown_as_stale_not_as_nothing(
    prometheus: Prometheus, province: Province
) -> None:
    """37 registered cameras and no heartbeat ever: 0 of 37 is online, and there is no as-of to export."""
    province.mood = "unheard"
    stale = tile_queries("stale")

    def shown() -> None:
        assert prometheus.query("ioc_kpi_as_of_timestamp_seconds") == []
        assert next((kpi for kpi, expr in stale.items() if not prometheus.query(expr)), None) is None

    eventually(shown, prometheus=prometheus)


def firing(prometheus: Prometheus) -> set[tuple[str, str]]:
    """What fires, as `declared_alerts` names it: (alert, kpi) of a KPI's own rule, else (alert, "")."""
    alerts = prometheus.query('ALERTS{alertstate="firing"}')
    pairs = {(labels["alertname"], labels.get("kpi", "")) for labels, _ in alerts}
    return {pair if pair in declared_alerts() else (pair[0], "") for pair in pairs}


@cache
def declared_alerts() -> frozenset[tuple[str, str]]:
    rules = [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    return frozenset((rule["alert"], rule["labels"].get("kpi", "")) for rule in rules if "alert" in rule)


def test_prometheus_took_every_rule_and_evaluates_it_without_error(prometheus: Prometheus) -> None:
    def healthy() -> None:
        groups = prometheus.ask("/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) == sum(
            len(group["rules"]) for path in RULES for group in yaml.safe_load(path.read_text())["groups"]
        )
        assert {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in rules} == {
            (rule["name"], "ok", "") for rule in rules
        }

    eventually(healthy, prometheus=prometheus)


def test_a_healthy_province_with_a_zombie_fires_the_watchdog_and_names_the_zombie(
    prometheus: Prometheus, province: Province
) -> None:
    province.mood = "healthy"

    def only_watchdog() -> None:
        assert firing(prometheus) == {("IocWatchdog", ""), ("IocFiguresBehind", "")}

    eventually(only_watchdog, prometheus=prometheus)


def test_every_alert_can_fire(prometheus: Prometheus, province: Province, doors: list[dict[str, Any]]) -> None:
    """In three scenes, since a stale figure is never also a missed target, and no worker means no figures."""
    province.mood = "healthy"
    seen: set[tuple[str, str]] = set()

    def saw(*wanted: str) -> Callable[[], None]:
        def check() -> None:
            seen.update(firing(prometheus))
            assert {alert for alert, _ in seen} >= set(wanted)

        return check

    try:
        province.mood = "breach"
        missed = {("IocKpiTargetMissed", kpi) for kpi in KPIS if alerts_can_be_missed(kpi)}
        assert missed == {(alert, kpi) for alert, kpi in declared_alerts() if kpi}

        def all_missed() -> None:
            seen.update(firing(prometheus))
            assert seen >= missed

        eventually(all_missed, prometheus=prometheus)
        eventually(
            saw(
                "IocConsumerLag",
                "IocEventsUnaccounted",
                "IocCameraBlind",
                "IocCameraOffline",
                "IocCameraUnseen",
                "IocCaseNewsSilent",
                "IocEvidenceSweepStale",
                "IocDeadLettersRising",
                "IocOncallSilent",
                "IocFiguresBehind",
                "IocFiguresLeftOut",
                "IocSourceLate",
                "IocFramesSkipped",
                "IocGatewayFailing",
                "IocGatewayUnaccounted",
                "IocGatewayNotKept",
            ),
            prometheus=prometheus,
        )
        province.mood = "stale"
        eventually(saw("IocFigureStale"), prometheus=prometheus)
        nobody = {"targets": [f"127.0.0.1:{free_port()}"], "labels": {"job": "ioc-worker"}}
        prometheus.targets([nobody])
        eventually(saw("IocServiceDown", "IocWorkerMissing", "IocFiguresMissing"), prometheus=prometheus)
        assert seen == declared_alerts()
    finally:
        province.mood = "healthy"
        prometheus.targets(doors)


@pytest.mark.parametrize("path", sorted((DEPLOY / "prometheus/tests").glob("*.yml")), ids=lambda path: path.stem)
def test_rules_pass_their_promtool_tests(path: Path) -> None:
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
