"""Topics on a real broker: made once, agreed upon, and a missing broker told in a sentence."""

import asyncio
import json
import socket
import time
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

from ioc.adapters.topics import ensure_topics, find_cluster, list_topics
from ioc.catalog import load_catalog
from ioc.catalog.topics import TopicSpec
from ioc.cli import topics as topics_command
from ioc.errors import ConfigurationError, PermanentError, TransientError
from ioc.settings import load_settings
from tests.conftest import KafkaForTests

# What the catalogue of a whole province needs.
_MANY = 65


async def test_two_callers_make_a_province_of_topics_once_and_quickly(
    kafka: KafkaForTests, fresh_name: Callable[[str], str]
) -> None:
    stem = fresh_name("province")
    config = {"cleanup.policy": "compact"}
    specs = [TopicSpec(name=f"{stem}.{i}", partitions=4, config=config) for i in range(_MANY)]
    began = time.monotonic()
    reports = await asyncio.gather(*(ensure_topics(kafka.address, specs) for _ in range(2)))
    assert time.monotonic() - began < 10
    made = [name for report in reports for name in report.created]
    assert sorted(made) == sorted(spec.name for spec in specs)
    live = {topic.name: topic for topic in await list_topics(kafka.address)}
    assert all(live[spec.name].partitions == 4 and live[spec.name].has_leaders for spec in specs)


async def test_a_second_call_changes_nothing(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> None:
    specs = [TopicSpec(name=fresh_name("again"), partitions=2)]
    await ensure_topics(kafka.address, specs)
    report = await ensure_topics(kafka.address, specs)
    assert (report.created, report.existing, report.mismatched) == ((), (specs[0].name,), ())


async def test_another_partition_count_is_named(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> None:
    topic = await kafka.create_topic(fresh_name("narrow"), partitions=2)
    wider = [TopicSpec(name=topic, partitions=8)]
    with pytest.raises(ConfigurationError, match=f"topic {topic} has 2 partitions, needs 8"):
        await ensure_topics(kafka.address, wider)
    (found,) = (await ensure_topics(kafka.address, wider, strict=False)).mismatched
    assert (found.has_partitions, found.needs_partitions) == (2, 8)


async def test_more_replicas_than_brokers_are_lowered_with_a_warning(
    kafka: KafkaForTests, fresh_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    topic = fresh_name("copies")
    await ensure_topics(kafka.address, [TopicSpec(name=topic, partitions=1, replication=3)])
    assert {live.replication for live in await list_topics(kafka.address) if live.name == topic} == {1}
    assert "lowered" in caplog.text


async def test_a_setting_that_kafka_does_not_know_is_quoted(
    kafka: KafkaForTests, fresh_name: Callable[[str], str]
) -> None:
    topic = fresh_name("wrong")
    with pytest.raises(PermanentError, match=f"{topic}.*nonsense"):
        await ensure_topics(kafka.address, [TopicSpec(name=topic, partitions=1, config={"nonsense": "1"})])


async def test_two_declarations_of_one_topic_must_agree(kafka: KafkaForTests) -> None:
    specs = [TopicSpec(name="twice", partitions=count) for count in (1, 2)]
    with pytest.raises(ConfigurationError, match="declared twice"):
        await ensure_topics(kafka.address, specs)


async def test_no_broker_is_a_sentence_within_the_time() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, never listening
        port = closed.getsockname()[1]
        with pytest.raises(TransientError, match=rf"no Kafka at 127\.0\.0\.1:{port}: start one with `ioc broker`"):
            await ensure_topics(f"127.0.0.1:{port}", [TopicSpec(name="any", partitions=1)], timeout_s=0.5)


async def test_a_web_server_is_not_taken_for_kafka() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="does not speak Kafka"):
            await find_cluster(f"127.0.0.1:{port}", timeout_s=0.5)


@pytest.mark.parametrize("broker", ["", "localhost", "host:", "host:99999", "a:1,,b:2", "host:abc"])
async def test_a_broker_setting_that_is_no_address_is_named(broker: str) -> None:
    with pytest.raises(ConfigurationError, match="IOC_BROKER"):
        await find_cluster(broker)


def test_the_command_applies_the_starting_catalogue_and_may_be_repeated(kafka: KafkaForTests) -> None:
    app = typer.Typer()
    topics_command.register(app)
    declared = {spec.name for spec in load_catalog(load_settings().catalog).topics()} | {"ioc.doctor"}
    answers = []
    for _ in range(2):
        done = CliRunner().invoke(app, ["topics", "apply", "--broker", kafka.address, "--json"])
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.stdout))
    assert {*answers[0]["created"], *answers[0]["existing"]} == declared
    assert (answers[1]["created"], set(answers[1]["existing"]), answers[1]["mismatched"]) == ([], declared, [])
    assert answers[0]["acls"]["authorizer"] is False
    listed = CliRunner().invoke(app, ["topics", "list", "--broker", kafka.address, "--json"])
    assert declared <= {row["topic"] for row in json.loads(listed.stdout)}
