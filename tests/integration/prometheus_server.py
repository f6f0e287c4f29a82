"""The real Prometheus with the committed configuration, the questions of the boards, and doors that answer scrapes."""

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.integration.sample_province import KPIS

__all__ = [
    "DEPLOY",
    "RULES",
    "Exporters",
    "Prometheus",
    "Question",
    "eventually",
    "free_port",
    "questions",
    "tile_expressions",
]

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana/dashboards/vi").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
DEADLINE_S = 20.0
SCRAPE_S = 1.0


class Question(NamedTuple):
    """A query of a panel of a board."""

    board: str
    panel: str
    ref: str
    expr: str


def questions() -> Iterator[Question]:
    """Every query of every board (both languages ask the same, see tests/unit/wall), with Grafana's own variable
    filled in as Grafana would."""
    for path in BOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                expr = target["expr"].replace("$__rate_interval", f"{int(SCRAPE_S * 20)}s")
                yield Question(path.stem, panel["title"] or panel["description"], target["refId"], expr)


def tile_expressions() -> dict[str, dict[str, str]]:
    """KPI id → the queries of its tile on its sector's board by ref (fresh, stale, manual; where a target changes on a
    day, one for each): exactly one of them is answered at any time, none where there is no value."""
    found: dict[str, dict[str, str]] = {}
    for question in questions():
        kpi = re.search(r'kpi="(\w+)"', question.expr)
        is_tile = question.board.startswith("sector-") and re.fullmatch(r"(fresh|stale|manual)(_\d+)?", question.ref)
        if kpi and is_tile and f"{KPIS[kpi[1]].metric}{{" in question.expr and 'dim=""' in question.expr:
            found.setdefault(kpi[1], {})[question.ref] = question.expr
    return found


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

    def __init__(self, folder: Path, *, scrape_s: float = SCRAPE_S) -> None:
        self.folder, self.scrape_s = folder, scrape_s
        self.address = f"http://127.0.0.1:{free_port()}"
        shutil.copytree(DEPLOY / "prometheus", folder / "config")
        self._hurry()

    def _hurry(self) -> None:
        path = self.folder / "config/prometheus.yml"
        config = yaml.safe_load(path.read_text())
        seconds = f"{int(self.scrape_s * 1000)}ms"
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

    def alertmanager(self, address: str) -> None:
        path = self.folder / "config/targets/native/alertmanagers.yml"
        path.write_text(yaml.safe_dump([{"targets": [address]}]))

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


def eventually(check: Callable[[], None], *, prometheus: Prometheus, within_s: float = DEADLINE_S) -> None:
    """Repeats `check` until it raises no AssertionError; its last one is raised at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + within_s
    while True:
        try:
            check()
            return
        except (AssertionError, OSError) as error:
            if time.monotonic() > deadline:
                log = (prometheus.folder / "log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"{error}\nPrometheus's log ends with:\n{log}") from error
        pause.wait(0.1)
