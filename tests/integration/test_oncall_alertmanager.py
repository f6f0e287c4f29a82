"""A real Alertmanager, with the committed configuration, fires into on-call; Kafka is away all the time."""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from ioc.oncall.channels import WebhookTarget
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.service import OncallConfig, run_oncall
from ioc.oncall.signatures import SigningKey
from ioc.oncall.store import sqlite_url
from ioc.oncall.switch import SwitchConfig
from tests.unit.oncall.making import SECRET

DEPLOY = Path(__file__).parents[2] / "deploy"
TOKEN = "only-for-tests-0123456789"
KEY = SigningKey.from_text(SECRET, where="test")
WAIT_S = 20.0
TIMES = {"group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1s"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def eventually(check: Callable[[], Awaitable[None]]) -> None:
    """Repeats `check` until it raises no AssertionError; its last one is raised at the deadline."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            return await check()
        except (AssertionError, KeyError, aiohttp.ClientConnectionError):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


@dataclass(slots=True)
class Site:
    """An Alertmanager, an on-call that may be off, who receives its notices, and a session to ask them with."""

    folder: Path
    session: aiohttp.ClientSession
    receiver: WebhookReceiver
    oncall_port: int = field(default_factory=free_port)
    alertmanager: str = field(default_factory=lambda: f"http://127.0.0.1:{free_port()}")

    @property
    def oncall(self) -> str:
        return f"http://127.0.0.1:{self.oncall_port}"

    def write_config(self) -> Path:
        """The committed file; only times, the address and the token's place are the test's own."""
        config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
        for route in (config["route"], *config["route"]["routes"]):
            route.update(TIMES)
        (hook,) = config["receivers"][0]["webhook_configs"]
        assert hook["url"] == "http://127.0.0.1:8081/hooks/alertmanager"
        hook["url"] = f"{self.oncall}/hooks/alertmanager"
        (self.folder / "token").write_text(f"{TOKEN}\n")
        hook["http_config"]["authorization"]["credentials_file"] = str(self.folder / "token")
        path = self.folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    async def fire(self, name: str, *, ended: bool = False, **labels: str) -> None:
        now = datetime.now(UTC)
        alert = {
            "labels": {"alertname": name, "severity": "warning", **labels},
            "annotations": {"summary": f"{name} (vi)", "summary_en": f"{name} (en)", "description": "vì sao"},
            "generatorURL": "http://prometheus.test/graph",
            **({"endsAt": (now - timedelta(milliseconds=1)).isoformat()} if ended else {}),
        }
        async with self.session.post(f"{self.alertmanager}/api/v2/alerts", json=[alert]) as answer:
            assert answer.status == 200, await answer.text()

    async def incidents(self) -> dict[str, dict[str, Any]]:
        """By the alert's name."""
        async with self.session.get(f"{self.oncall}/api/incidents") as answer:
            return {i["extra"]["alertname"]: i for i in (await answer.json())["incidents"]}

    async def totals(self) -> dict[str, dict[str, int]]:
        async with self.session.get(f"{self.oncall}/api/incidents") as answer:
            found: dict[str, dict[str, int]] = (await answer.json())["totals"]
            return found

    async def counted(self, outcome: str) -> float:
        async with self.session.get(f"{self.oncall}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        wanted = f'ioc_oncall_alerts_total{{outcome="{outcome}"}} '
        return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)

    def amtool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["amtool", f"--alertmanager.url={self.alertmanager}", *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout

    @asynccontextmanager
    async def running_oncall(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        config = OncallConfig(
            broker=f"127.0.0.1:{free_port()}",  # nobody listens
            database_url=sqlite_url(self.folder / "oncall.db"),
            evidence=self.folder / "evidence",
            province="lam-dong",
            port=self.oncall_port,
            webhook=WebhookTarget(url=self.receiver.url, key=KEY),
            switch=SwitchConfig(hook_token=TOKEN),
        )
        service = asyncio.create_task(run_oncall(config, stop=stop, announce=lambda _: None))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(service, 10)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    receiver = WebhookReceiver(key=KEY)
    await receiver.start()
    async with aiohttp.ClientSession() as session:
        made = Site(tmp_path, session, receiver)
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        assert program, "deploy/ensure-tools installs it"
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220  (starts at once, and is only waited for when killed)
                [
                    program,
                    f"--config.file={made.write_config()}",
                    f"--storage.path={tmp_path / 'data'}",
                    f"--web.listen-address={made.alertmanager.removeprefix('http://')}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield made
        finally:
            process.kill()
            process.wait(timeout=10)
            await receiver.stop()


async def test_alertmanager_fires_repeats_inhibits_silences_and_resolves(site: Site) -> None:
    await eventually(lambda: site.fire("IocConsumerLag", topic="t"))  # before on-call is there: it is sent again
    async with site.running_oncall():
        await _arrives_once_and_repeats_change_nothing(site)
        await _what_is_inhibited_or_always_fires_is_no_incident(site)
        await _a_silence_keeps_quiet_and_is_not_undone(site)
        # The cause first: of what it inhibits, Alertmanager tells no end either.
        await _ends(site, "alert_ioc_worker_missing", "IocWorkerMissing", severity="critical")
        await _ends(site, "alert_ioc_consumer_lag", "IocConsumerLag", topic="t")


async def _ends(site: Site, kind: str, name: str, **labels: str) -> None:
    await site.fire(name, ended=True, **labels)

    async def resolved() -> None:
        assert (await site.totals())[kind] == {"resolved": 1}

    await eventually(resolved)


async def _arrives_once_and_repeats_change_nothing(site: Site) -> None:
    async def arrived() -> None:
        incident = (await site.incidents())["IocConsumerLag"]
        assert (incident["kind"], incident["severity"]) == ("alert_ioc_consumer_lag", "warning")
        assert (incident["place_vi"], incident["place_en"]) == ("IocConsumerLag (vi)", "IocConsumerLag (en)")
        assert incident["extra"]["generator_url"] == "http://prometheus.test/graph"

    await eventually(arrived)
    await site.receiver.wait_for(unique=1)

    async def repeated() -> None:
        assert await site.counted("repeated") >= 2

    await eventually(repeated)
    assert site.receiver.unique == 1
    assert (await site.totals())["alert_ioc_consumer_lag"] == {"open": 1}


async def _what_is_inhibited_or_always_fires_is_no_incident(site: Site) -> None:
    await site.fire("IocWorkerMissing", severity="critical")
    await site.fire("IocWatchdog", severity="none")

    async def told() -> None:
        assert "IocWorkerMissing" in await site.incidents()
        assert await site.counted("watchdog") >= 1

    await eventually(told)
    await site.fire("IocKpiTargetMissed", kpi="dossiers_on_time")
    await site.fire("IocDeadLettersRising", topic="t")  # the one that comes shows that the other had its time

    async def later() -> None:
        assert "IocDeadLettersRising" in await site.incidents()

    await eventually(later)
    assert set(await site.incidents()) == {"IocConsumerLag", "IocWorkerMissing", "IocDeadLettersRising"}


async def _a_silence_keeps_quiet_and_is_not_undone(site: Site) -> None:
    told = site.receiver.unique
    site.amtool("silence", "add", "alertname=IocEventsUnaccounted", "--comment=test", "--author=test", "--duration=1h")
    await site.fire("IocEventsUnaccounted", topic="t", severity="critical")
    await site.fire("IocFigureStale", kpi="k", severity="page")  # not silenced; inhibited by the worker's absence
    await site.fire("IocServiceDown", job="ioc-oncall", severity="critical")

    async def later() -> None:
        assert "IocServiceDown" in await site.incidents()

    await eventually(later)
    await site.receiver.wait_for(unique=told + 1)
    assert not {"IocEventsUnaccounted", "IocFigureStale"} & set(await site.incidents())
    (silence,) = json.loads(site.amtool("silence", "query", "--output=json"))
    assert silence["status"]["state"] == "active"


async def test_the_wrong_token_is_refused_and_alertmanager_says_so(site: Site) -> None:
    async with site.running_oncall():
        (site.folder / "token").write_text("another-token-0123456789\n")
        await eventually(lambda: site.fire("IocConsumerLag", topic="t"))

        async def refused() -> None:
            assert await site.counted("refused") >= 1

        await eventually(refused)
        assert await site.incidents() == {}
    assert "401" in (site.folder / "log").read_text(errors="replace")
