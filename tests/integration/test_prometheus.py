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
from datetime import date
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ioc.catalog import load_catalog
from ioc.kpis import KpiDefinition
from ioc.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))

CATALOG = load_catalog(Settings.model_fields["catalog"].get_default())
KPIS = {definition.id: definition for definition in CATALOG.kpis}
PROVINCE = CATALOG.province
RECORDED = {(kpi, window) for kpi, definition in KPIS.items() for window in definition.windows}
CASES = 1000
DEADLINE_S = 20.0
SCRAPE_S = 1.0

# What the contract of the metrics says, written here a second time on purpose. With these labels for each window the
# total is shown, and beside it a unit's, an agency's and a dimension's figure that no panel of the province may show.
TOTAL = 'admin_unit="*",agency=""'
PARTS = ('admin_unit="23005",agency=""', 'admin_unit="*",agency="H14.01"')
DIM = f'{TOTAL},dim="a"'
WRONG = 99.0


def target_of(kpi: str) -> tuple[float | None, str]:
    target = KPIS[kpi].target(date.max)
    assert target is not None
    return target.value, target.direction


def alerts_can_be_missed(kpi: str) -> bool:
    """Whether the province's figure of this KPI is ever an alert; said here a second time on purpose."""
    value, direction = target_of(kpi)
    definition = KPIS[kpi]
    is_running = definition.windows[0] in {"day", "mtd", "qtd", "ytd"}
    grows = is_running and (definition.form == "number" or definition.population != "")
    return value is not None and direction != "within_band" and not (grows and direction == "higher_is_better")


class Province:
    """Sample metrics. Counters move with each scrape; `mood` is healthy, breach, stale or unheard (no fact ever)."""

    def __init__(self) -> None:
        self.mood = "healthy"
        self.scrapes = 0

    def figure(self, kpi: str) -> float:
        target, direction = target_of(kpi)
        if target is None or direction == "within_band":
            return 0.42
        if direction == "higher_is_better":
            return target / 2 if self.mood == "breach" else target
        return target + 1 if self.mood == "breach" else target

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
        for kpi, definition in KPIS.items():
            figures = [(TOTAL, self.figure(kpi) + wrong_by), *((part, WRONG) for part in PARTS)]
            if any(part.dim for part in definition.parts):
                figures.append((DIM, self.figure(kpi) + 2 + wrong_by))
            for window in definition.windows:
                for labels, value in figures:
                    yield from self._figure(definition, f'province="{PROVINCE}",{labels},window="{window}"', value)
                    own = f'{{kpi="{kpi}",province="{PROVINCE}",{labels},window="{window}"}}'
                    if self.mood != "unheard":
                        yield f"ioc_kpi_as_of_timestamp_seconds{own} {as_of}"
                    yield f"ioc_kpi_stale{own} {is_stale}"
                    yield f"ioc_kpi_manual{own} 0"

    def _figure(self, definition: KpiDefinition, labels: str, value: float) -> Iterator[str]:
        yield f"{definition.metric}{{{labels}}} {value}"
        own = f'{{kpi="{definition.id}",{labels}}}'
        if definition.form != "p95":
            yield f"ioc_kpi_numerator{own} {value if definition.form == 'number' else value * CASES}"
        if definition.form != "number":
            yield f"ioc_kpi_denominator{own} {CASES}"

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

    def oncall_text() -> str:
        beat_s = time.time() - (600 if province.mood == "breach" else 0)
        return f"ioc_oncall_incidents 0\nioc_oncall_heartbeat_timestamp_seconds {beat_s}\n"

    oncall = exporters.serve(oncall_text)
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
            assert len(server.query("ioc:kpi_value:total")) == len(RECORDED)

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


def tile_queries(ref: str, *, of_dims: bool = False) -> dict[str, str]:
    """KPI id → the expression `ref` of its tile, or of its bars by dimension."""
    found = {}
    for _, target, expr in panel_queries(BOARDS[0]):
        kpi = re.search(r'kpi="(\w+)"', expr)
        if target == ref and kpi and f"{KPIS[kpi[1]].metric}{{" in expr and ('dim!=""' in expr) == of_dims:
            found[kpi[1]] = expr
    return found


def test_the_boards_of_both_languages_ask_the_same() -> None:
    first, *others = ([(ref, expr) for _, ref, expr in panel_queries(board)] for board in BOARDS)
    assert len(BOARDS) == 2
    assert all(other == first for other in others)


def test_every_query_of_every_panel_is_answered(prometheus: Prometheus, province: Province) -> None:
    """Each is asked until it is answered once: to ask all of them again for each that is slow would take minutes."""
    province.mood = "healthy"
    waiting = [query for query in panel_queries(BOARDS[0]) if query[1] != "stale"]
    assert len(waiting) > 5 * len(KPIS)

    def all_answered() -> None:
        waiting[:] = [
            (panel, ref, expr)
            for panel, ref, expr in waiting
            if not [value for _, value in prometheus.query(expr) if value == value]
        ]
        assert waiting == []

    eventually(all_answered, prometheus=prometheus)


def test_tiles_show_the_provinces_figure_once_and_never_the_zombies(prometheus: Prometheus, province: Province) -> None:
    province.mood = "healthy"
    tiles = tile_queries("fresh")
    assert set(tiles) == set(KPIS)

    def right() -> None:
        for kpi, expr in tiles.items():
            assert prometheus.query(expr) == [({"province": PROVINCE}, pytest.approx(province.figure(kpi)))], kpi

    eventually(right, prometheus=prometheus)


def test_bars_show_each_value_of_the_dimension_once_and_never_the_zombies(
    prometheus: Prometheus, province: Province
) -> None:
    province.mood = "healthy"
    bars = tile_queries("fresh", of_dims=True)
    assert set(bars) == {kpi for kpi, definition in KPIS.items() if any(part.dim for part in definition.parts)}

    def right() -> None:
        for kpi, expr in bars.items():
            wanted = ({"province": PROVINCE, "dim": "a"}, pytest.approx(province.figure(kpi) + 2))
            assert prometheus.query(expr) == [wanted], kpi

    eventually(right, prometheus=prometheus)


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
        missed = {("IocKpiTargetMissed", kpi) for kpi in KPIS if alerts_can_be_missed(kpi)}
        assert missed == {(alert, kpi) for alert, kpi in declared_alerts() if kpi}

        def all_missed() -> None:
            seen.update(firing(prometheus))
            assert seen >= missed

        eventually(all_missed, prometheus=prometheus)
        eventually(
            saw("IocConsumerLag", "IocEventsUnaccounted", "IocCameraBlind", "IocDeadLettersRising", "IocOncallSilent"),
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
