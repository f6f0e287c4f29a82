"""The real Prometheus, with the committed configuration, boards and rules, against an exporter of sample figures.

A board whose query has a wrong label is an empty panel that no linter sees: so every query of every panel is asked, and
every rule is made to fire.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))

# What the contract of the metrics says, written here a second time on purpose.
KPIS = {  # id: (metric, windows, target)
    "dossiers_online": ("ioc_dossiers_online_ratio", ["mtd", "ytd"], 0.8),
    "dossiers_fully_online": ("ioc_dossiers_fully_online_ratio", ["mtd", "ytd"], 0.5),
    "dossiers_on_time": ("ioc_dossiers_on_time_ratio", ["mtd", "ytd"], 0.98),
    "reports_received": ("ioc_reports_received", ["day", "mtd"], None),
    "reports_on_time": ("ioc_reports_on_time_ratio", ["r30d"], 0.9),
    "wan_channels_up": ("ioc_wan_channels_up_ratio", ["now"], 0.99),
    "lgsp_success": ("ioc_lgsp_success_ratio", ["5m", "1h", "day"], 0.99),
    "camera_online": ("ioc_camera_online_ratio", ["now"], 0.95),
}
DENOMINATOR = 1000
DEADLINE_S = 15.0
SCRAPE_S = 0.5


class Province:
    """Sample metrics. Counters move with each scrape; `mood` is healthy, breach, stale or unheard (no fact ever)."""

    def __init__(self) -> None:
        self.mood = "healthy"
        self.scrapes = 0

    def figure(self, kpi: str) -> float:
        target = KPIS[kpi][2]
        if target is None:
            return 42.0
        return target / 2 if self.mood == "breach" else min(1.0, target + 0.001)

    def text(self) -> str:
        self.scrapes += 1
        lines = [*self._kpi_lines(as_of=1000 + self.scrapes, wrong_by=0.0), *self._pipeline_lines(self.scrapes)]
        return "\n".join(lines) + "\n"

    def zombie_text(self) -> str:
        """A second exporter that was cut off: its figures are older and larger, and it calls them current."""
        if self.mood == "unheard":
            return "\n"
        return "\n".join(self._kpi_lines(as_of=900, wrong_by=7.0, stale=0)) + "\n"

    def _kpi_lines(self, *, as_of: float, wrong_by: float, stale: int | None = None) -> Iterator[str]:
        is_stale = int(self.mood in {"stale", "unheard"}) if stale is None else stale
        for kpi, (metric, windows, target) in KPIS.items():
            for window in windows:
                # The total, and a unit's and an agency's figure that no panel of the province may show.
                for admin_unit, agency, value in (
                    ("*", "", self.figure(kpi) + wrong_by),
                    ("23005", "", 99.0),
                    ("*", "H14.01", 99.0),
                ):
                    labels = f'province="lam-dong",admin_unit="{admin_unit}",agency="{agency}",window="{window}"'
                    yield f"{metric}{{{labels}}} {value}"
                    own = f'{{kpi="{kpi}",{labels}}}'
                    yield f"ioc_kpi_numerator{own} {value * DENOMINATOR if target is not None else value}"
                    if target is not None:
                        yield f"ioc_kpi_denominator{own} {DENOMINATOR}"
                    if self.mood != "unheard":
                        yield f"ioc_kpi_as_of_timestamp_seconds{own} {as_of}"
                    yield f"ioc_kpi_stale{own} {is_stale}"
                    yield f"ioc_kpi_manual{own} 0"

    def _pipeline_lines(self, n: int) -> Iterator[str]:
        breach = self.mood == "breach"
        topic = 'topic="ioc.onestop.dossiers"'
        outcomes = {"accepted": 90 * n, "duplicate": 6 * n, "rejected": 4 + (1000 * n if breach else 0)}
        lost = 17 if breach else 0
        yield f'ioc_events_total{{{topic},outcome="in"}} {sum(outcomes.values()) + lost}'
        for outcome, count in outcomes.items():
            yield f'ioc_events_total{{{topic},outcome="{outcome}"}} {count}'
        for outcome in ("analysed", "skipped"):
            yield f'ioc_frames_total{{camera="cam-01",outcome="{outcome}"}} {2 * n}'
        if breach:
            yield 'ioc_frames_total{camera="cam-blind",outcome="analysed"} 5'
        yield f'ioc_detections_total{{detector="smoke",tier="watch"}} {n}'
        yield f'ioc_incidents_total{{kind="smoke",state="open"}} {n // 4}'
        yield f"ioc_consumer_lag_records{{{topic}}} {50_000 if breach else 3}"
        for bound in ("0.1", "1.0", "+Inf"):
            yield f'ioc_stage_seconds_bucket{{stage="decode",le="{bound}"}} {n}'


class Exporters:
    """HTTP doors for texts, each on a free loopback port."""

    def __init__(self) -> None:
        self._servers: list[ThreadingHTTPServer] = []

    def serve(self, text: Callable[[], str]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Prometheus:
    """The real one, with the committed files; only times and addresses are the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{free_port()}"
        shutil.copytree(DEPLOY / "prometheus", folder / "config")
        self._hurry()

    def _hurry(self) -> None:
        path = self.folder / "config/prometheus.yml"
        config = yaml.safe_load(path.read_text())
        seconds = f"{int(SCRAPE_S * 1000)}ms"
        config["global"] = {"scrape_interval": seconds, "scrape_timeout": seconds, "evaluation_interval": seconds}
        path.write_text(yaml.safe_dump(config))
        for rules in (self.folder / "config/rules").iterdir():
            content = yaml.safe_load(rules.read_text())
            for group in content["groups"]:
                group["interval"] = seconds
                for rule in group["rules"]:  # what must last, lasts in promtool's tests, where time costs nothing
                    rule.pop("for", None)
                    rule.pop("keep_firing_for", None)
            rules.write_text(yaml.safe_dump(content, allow_unicode=True))
        # Never the Alertmanager of the machine that the tests run on.
        (self.folder / "config/targets/native/alertmanagers.yml").write_text("[]\n")
        self.targets([])

    def targets(self, groups: list[dict[str, Any]]) -> None:
        """Changed in one step, since Prometheus watches the file."""
        path = self.folder / "config/targets/native/services.yml"
        fresh = path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(groups))
        fresh.replace(path)

    def start(self) -> "subprocess.Popen[bytes]":
        log = (self.folder / "log").open("wb")
        with log:
            return subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.folder}/config/prometheus.yml",
                    f"--storage.tsdb.path={self.folder}/data",
                    f"--web.listen-address={self.address.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters).encode()
        with urllib.request.urlopen(f"{self.address}{path}", data=query or None, timeout=5) as answer:
            return json.load(answer)

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of each series of an instant query."""
        result = self.ask("/api/v1/query", query=expr)["data"]["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]


def eventually(check: Callable[[], None], *, prometheus: Prometheus) -> None:
    """Repeats `check` until it raises no AssertionError; its last one is raised at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            check()
            return
        except (AssertionError, OSError) as error:
            if time.monotonic() > deadline:
                log = (prometheus.folder / "log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"{error}\nPrometheus's log ends with:\n{log}") from error
        pause.wait(0.1)


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
    """Target groups: a worker, a zombie worker, on-call."""
    worker, zombie = exporters.serve(province.text), exporters.serve(province.zombie_text)
    oncall = exporters.serve(lambda: "ioc_oncall_incidents 0\n")
    return [
        {"targets": [worker, zombie], "labels": {"job": "ioc-worker"}},
        {"targets": [oncall], "labels": {"job": "ioc-oncall"}},
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
            assert len(server.query("ioc:kpi_value:total")) == sum(len(windows) for _, windows, _ in KPIS.values())

        eventually(is_warm, prometheus=server)
        yield server
    finally:
        process.kill()
        process.wait(timeout=10)


def panel_queries(board: Path) -> list[tuple[str, str, str]]:
    """(panel, refId, expression) of every query, with Grafana's own variable filled in as Grafana would."""
    panels = json.loads(board.read_text(encoding="utf-8"))["panels"]
    return [
        (
            panel["title"] or panel["description"],
            target["refId"],
            target["expr"].replace("$__rate_interval", f"{int(SCRAPE_S * 8)}s"),
        )
        for panel in panels
        for target in panel.get("targets", [])
    ]


def unfilled(prometheus: Prometheus, board: Path, *, of: Callable[[str], bool]) -> list[str]:
    return [
        f"{panel} / {ref}: {expr}"
        for panel, ref, expr in panel_queries(board)
        if of(ref) and not [value for _, value in prometheus.query(expr) if value == value]
    ]


def main_queries(board: Path, ref: str) -> dict[str, str]:
    """KPI id → the expression of its tile's query `ref`."""
    found = {}
    for _, target, expr in panel_queries(board):
        kpi = re.search(r'kpi="(\w+)"', expr)
        if target == ref and kpi and f"{KPIS[kpi[1]][0]}{{" in expr:
            found[kpi[1]] = expr
    return found


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_query_of_every_panel_is_answered(prometheus: Prometheus, province: Province, board: Path) -> None:
    province.mood = "healthy"
    assert len(panel_queries(board)) > 40

    def fresh_filled() -> None:
        assert unfilled(prometheus, board, of=lambda ref: ref != "stale") == []

    eventually(fresh_filled, prometheus=prometheus)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_tiles_show_the_provinces_figure_once_and_never_the_zombies(
    prometheus: Prometheus, province: Province, board: Path
) -> None:
    province.mood = "healthy"
    tiles = main_queries(board, "fresh")
    assert set(tiles) == set(KPIS)

    def right() -> None:
        for kpi, expr in tiles.items():
            assert prometheus.query(expr) == [({"province": "lam-dong"}, pytest.approx(province.figure(kpi)))], kpi

    eventually(right, prometheus=prometheus)


def test_recorded_figures_are_the_provinces_by_kpi_and_window(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"

    def right() -> None:
        found = {(labels["kpi"], labels["window"]): value for labels, value in prometheus.query("ioc:kpi_value:total")}
        assert set(found) == {(kpi, window) for kpi, (_, windows, _) in KPIS.items() for window in windows}
        assert all(value == pytest.approx(province.figure(kpi)) for (kpi, _), value in found.items())

    eventually(right, prometheus=prometheus)


def test_a_stale_figure_leaves_the_plain_query_and_enters_the_marked_one(
    prometheus: Prometheus, province: Province
) -> None:
    province.mood = "stale"
    fresh, stale = main_queries(BOARDS[0], "fresh"), main_queries(BOARDS[0], "stale")
    assert set(fresh) == set(stale) == set(KPIS)

    def moved() -> None:
        assert [kpi for kpi, expr in fresh.items() if prometheus.query(expr)] == []
        assert [kpi for kpi, expr in stale.items() if not prometheus.query(expr)] == []

    eventually(moved, prometheus=prometheus)


def test_a_figure_without_any_fact_behind_it_is_shown_as_stale_not_as_nothing(
    prometheus: Prometheus, province: Province
) -> None:
    """37 registered cameras and no heartbeat ever: 0 of 37 is online, and there is no as-of to export."""
    province.mood = "unheard"
    stale = main_queries(BOARDS[0], "stale")

    def shown() -> None:
        assert prometheus.query("ioc_kpi_as_of_timestamp_seconds") == []
        assert [kpi for kpi, expr in stale.items() if not prometheus.query(expr)] == []

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


def test_a_healthy_province_fires_the_watchdog_alone(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"

    def only_watchdog() -> None:
        assert firing(prometheus) == {("IocWatchdog", "")}

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
        missed = {(alert, kpi) for alert, kpi in declared_alerts() if kpi}

        def all_missed() -> None:
            seen.update(firing(prometheus))
            assert seen >= missed

        eventually(all_missed, prometheus=prometheus)
        eventually(
            saw("IocConsumerLag", "IocEventsUnaccounted", "IocCameraBlind", "IocDeadLettersRising"),
            prometheus=prometheus,
        )
        province.mood = "stale"
        eventually(saw("IocFigureStale"), prometheus=prometheus)
        nobody = {"targets": [f"127.0.0.1:{free_port()}"], "labels": {"job": "ioc-worker"}}
        prometheus.targets([nobody, *doors[1:]])
        eventually(saw("IocServiceDown", "IocWorkerMissing"), prometheus=prometheus)
        assert seen == declared_alerts()
    finally:
        province.mood = "healthy"
        prometheus.targets(doors)


@pytest.mark.parametrize("path", sorted((DEPLOY / "prometheus/tests").glob("*.yml")), ids=lambda path: path.stem)
def test_rules_pass_their_promtool_tests(path: Path) -> None:
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
