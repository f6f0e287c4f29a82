"""The report to leaders and the open figures on a real broker: what a worker wrote down, counted once more here."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ioc.adapters.kafka_access import KafkaAddress
from ioc.catalog import load_catalog
from ioc.cli.open_figures import open_figures
from ioc.clock import clock_from_setting
from ioc.settings import Settings
from tests.integration.dossiers import NOW, binary, dossier
from tests.integration.running import Record, eventually, own_broker, publish, run_ioc, start_worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(150)]

MONTHS = {"2026-09": 10, "2026-10": 12}
"""Month → how many dossiers of the plan below."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A dossier as this test knows it; nothing of the product counts here."""

    name: str
    month: str
    agency: str
    is_online: bool


PLAN = [
    Planned(f"{month}-{n}", month, f"H36.{1 + n % 3:02}", (n + int(month[-2:])) % 4 != 0)
    for month, amount in MONTHS.items()
    for n in range(amount)
]


def records() -> list[Record]:
    """Every dossier, and every fourth of them twice."""
    events = [
        binary(
            dossier(
                one.name,
                channel="online" if one.is_online else "counter",
                data={"submitted_at": f"{one.month}-15T08:00:00+07:00", "agency_code": one.agency},
            )
        )
        for one in PLAN
    ]
    return events + events[::4]


def share(month: str, agency: str = "") -> tuple[int, int]:
    mine = [one for one in PLAN if one.month == month and agency in ("", one.agency)]
    return sum(one.is_online for one in mine), len(mine)


@dataclass(frozen=True, slots=True)
class Site:
    broker: str
    folder: Path

    def report(self, *arguments: str) -> dict[str, Any]:
        done = run_ioc(
            "report", *arguments, "--json", broker=self.broker, state=self.folder, timeout_s=60,
            IOC_NOW=NOW, IOC_ONCALL_URL="http://127.0.0.1:1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("report")
    with (
        own_broker(folder) as kafka,
        start_worker("events,figures", broker=kafka.address, folder=folder, IOC_NOW=NOW) as worker,
    ):
        worker.await_ready()
        asyncio.run(publish(kafka.address, records()))
        site = Site(kafka.address, folder)

        def written() -> None:
            (figure,) = [one for one in site.report("--month", "2026-10")["figures"] if is_online_share(one)]
            assert (figure["numerator"], figure["before"]["value"]) == (share("2026-10")[0], value("2026-09"))

        eventually(written, within_s=40, alive=[worker])
        yield site


def is_online_share(figure: dict[str, Any]) -> bool:
    return (figure["kpi"], figure["window"]) == ("dossiers_online", "mtd")


def value(month: str, agency: str = "") -> float:
    above, below = share(month, agency)
    return above / below


def test_the_months_report_is_the_independent_sum_and_ranks_the_agencies(site: Site) -> None:
    folder = site.folder / "reports"
    report = site.report("--month", "2026-10", "--lang", "all", "--out", f"{folder}/")
    (figure,) = [one for one in report["figures"] if is_online_share(one)]
    assert (figure["numerator"], figure["denominator"]) == share("2026-10")
    assert (figure["value"], figure["provisional"], figure["provenance"]) == (value("2026-10"), False, "auto")
    assert figure["before"]["difference"] == pytest.approx(value("2026-10") - value("2026-09"))
    assert figure["verdict"] == ("met" if value("2026-10") >= 0.8 else "missed")
    ranking = figure["ranking"]
    told = {unit: rank["value"] for rank in ranking["best"] + ranking["worst"] for unit in rank["units"]}
    assert told == {agency: value("2026-10", agency) for agency in ("H36.01", "H36.02", "H36.03")}
    assert sorted(page.name for page in folder.iterdir()) == ["report-2026-10-en.html", "report-2026-10-vi.html"]
    text = (folder / "report-2026-10-vi.html").read_text(encoding="utf-8")
    assert "Báo cáo điều hành tháng 10/2026" in text
    assert 'id="oncall-trouble"' in text, "nobody answers for on-call, and the report says so"
    assert report["incidents"]["complete"] is False


def test_the_default_is_yesterday(site: Site) -> None:
    report = site.report()
    assert (report["span"], report["name"], report["provisional"]) == ("day", "2026-11-21", False)


async def test_open_figures_tell_the_log_and_open_to_the_dossiers(site: Site) -> None:
    settings = Settings(state=site.folder / "open", now=NOW)
    catalog, clock = load_catalog(settings.catalog), clock_from_setting(NOW)
    parts = open_figures(settings, catalog, clock=clock, broker=KafkaAddress(site.broker))
    api = FastAPI()
    api.include_router(parts.router)
    following = asyncio.create_task(parts.follower.run())
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url="http://figures", trust_env=False
        ) as client:
            await asyncio.wait_for(parts.follower.caught_up.wait(), 30)
            told = (await client.get("/v1/figures/dossiers_online/mtd/2026-10")).json()
            assert (told["figure"]["numerator"], told["figure"]["denominator"]) == share("2026-10")
            entities = (await client.get(f"{told['entities']}&limit=1000")).json()
            assert (entities["agrees_with_log"], entities["adds_up"]) == (True, True)
            assert {item["id"] for item in entities["entities"]} == {one.name for one in PLAN if one.month == "2026-10"}
            lines = (
                await client.get("/v1/figures.csv?kpi=dossiers_online&window=mtd&unit=*&agency=")
            ).text.splitlines()
            assert len(lines) == 1 + len(MONTHS)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        parts.store.close()
