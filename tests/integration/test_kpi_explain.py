"""`ioc kpi explain` on a real broker: the entities behind the figures that a real worker exports."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ioc.broker import EmbeddedKafka
from tests.integration.dossiers import NOW, binary, dossier
from tests.integration.running import (
    Figure,
    Running,
    eventually,
    own_broker,
    publish,
    run_ioc,
    start_worker,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@dataclass(frozen=True, slots=True)
class Site:
    kafka: EmbeddedKafka
    worker: Running
    folder: Path

    def explain(self, *arguments: str) -> CompletedProcess[str]:
        return run_ioc(
            "kpi", "explain", *arguments, broker=self.kafka.address, state=self.folder, timeout_s=60, IOC_NOW=NOW
        )

    def told(self, *arguments: str) -> dict[str, Any]:
        answer = self.explain(*arguments, "--json")
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        assert told["adds_up"]
        return told


EVENTS = [
    binary(dossier("d-1")),
    binary(dossier("d-2", channel="counter")),
    binary(dossier("d-3", data={"agency_code": "H36.02"})),
    binary(dossier("d-4", data={"submitted_at": "2026-10-20T08:00:00+07:00"})),
    binary(dossier("d-5", channel="fax")),  # refused
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("explain")
    with (
        own_broker(folder) as kafka,
        start_worker("events,figures", broker=kafka.address, folder=folder, IOC_NOW=NOW) as worker,
    ):
        yield Site(kafka, worker.await_ready(), folder)


async def test_a_figure_is_explained_by_its_entities_while_the_worker_goes_on(site: Site) -> None:
    await publish(site.kafka.address, EVENTS)

    def exported() -> None:
        shown = site.worker.metrics().figure("dossiers_online", "mtd")
        assert shown == Figure(numerator=2, denominator=3)

    eventually(exported, within_s=20, alive=[site.worker])
    total = site.told("dossiers_online", "--window", "mtd")
    assert (total["value"], total["numerator"], total["denominator"]) == (2 / 3, 2.0, 3.0)
    assert (total["period"], total["provenance"], total["as_of"]) == (
        "2026-11",
        "auto",
        "2026-11-20T08:00:00+07:00",
    )
    assert [(item["id"], item["side"], item["bucket"]) for item in total["entities"]] == [
        ("d-1", "both", "2026-11-20"),
        ("d-2", "denominator", "2026-11-20"),
        ("d-3", "both", "2026-11-20"),
    ]
    assert total["entities"][0]["facts"] == [
        {
            "source": "/lam-dong/onestop/dvcqg",
            "id": "d-1-submitted",
            "type": "dossier.submitted",
            "time": "2026-11-20T08:00:00+07:00",
        }
    ]
    agency = site.told("dossiers_online", "--agency", "H36.02")
    assert [item["id"] for item in agency["entities"]] == ["d-3"]
    october = site.told("dossiers_online", "--at", "2026-10-31")
    assert (october["period"], [item["id"] for item in october["entities"]]) == ("2026-10", ["d-4"])

    quality = site.told("source_valid", "--window", "day", "--dim", "/lam-dong/onestop/dvcqg")
    assert (quality["numerator"], quality["denominator"]) == (4.0, 5.0)

    cameras = site.told("camera_online", "--limit", "1")
    assert (cameras["denominator"], cameras["missing_total"]) == (37.0, 37)
    assert cameras["missing"] == [{"id": "cam-01", "heard": False}]

    # Nobody was fenced: the worker that was read from goes on.
    await publish(site.kafka.address, [binary(dossier("d-6"))])

    def goes_on() -> None:
        assert site.worker.metrics().figure("dossiers_online", "mtd") == Figure(numerator=3, denominator=4)

    eventually(goes_on, within_s=20, alive=[site.worker])


async def test_the_text_names_rule_entities_and_sources(site: Site) -> None:
    await publish(site.kafka.address, [binary(dossier("t-1", data={"agency_code": "H99"}))])

    def exported() -> None:
        shown = site.worker.metrics().figure("dossiers_online", "mtd", agency="H99")
        assert shown == Figure(numerator=1, denominator=1)

    eventually(exported, within_s=20, alive=[site.worker])
    text = site.explain("dossiers_online", "--agency", "H99").stdout
    for part in (
        "value         1  (1 / 1)",
        "counts        rows of dossier",
        "counted: 1\n  dossier t-1  both  1 / 1  2026-11-20",
        "2026-11-20T08:00:00+07:00  dossier.submitted  /lam-dong/onestop/dvcqg  id t-1-submitted",
        "what is listed adds up to the figure",
    ):
        assert part in text, text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dossiers_onlin"], "did you mean dossiers_online"),
        (["dossiers_online", "--window", "r7d"], "has the windows mtd, ytd; choose one"),
        (["camera_online", "--unit", "99999"], "no such unit in Tỉnh Lâm Đồng"),
        (["dossiers_online", "--unit", "24781"], "leave --unit out"),
        (["dossiers_online", "--dim", "x"], "leave --dim out"),
        (["camera_online", "--at", "2026-11-01"], "ioc.kpi.values"),
        (["dossiers_online", "--at", "yesterday"], "write it like 2026-11-22T08:00:00+07:00"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_answered_is_said_in_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    answer = run_ioc("kpi", "explain", *arguments, broker="127.0.0.1:1", state=tmp_path, timeout_s=60, IOC_NOW=NOW)
    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert answer.stderr.count("\n") == 1
