"""Embedded Kafka for real: data, faults, and a command line that leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.topics import ensure_topics, list_topics
from ioc.broker import EmbeddedKafka
from ioc.broker.jars import provide_jars, read_lock
from ioc.catalog.topics import TopicSpec
from ioc.errors import ConfigurationError, PermanentError
from ioc.settings import load_settings
from tests.conftest import KafkaForTests

_IOC = [sys.executable, "-c", "import ioc.cli; ioc.cli.COMMAND_MODULES = ('broker',); ioc.cli.main()"]


async def _send(address: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def _read(address: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        while len(values) < end:
            values += [
                record.value for record in (await consumer.getmany(partition, timeout_ms=500)).get(partition, [])
            ]
        return values


async def test_what_is_sent_is_read_back(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> None:
    topic = await kafka.create_topic(fresh_name("events"), partitions=1)
    await _send(kafka.address, topic, [b"one", b"two", b"three"])
    assert await _read(kafka.address, topic) == [b"one", b"two", b"three"]


async def test_a_frame_of_four_megabytes_passes(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> None:
    topic = await kafka.create_topic(fresh_name("frames"), partitions=1)
    frame = bytes(range(256)) * 16_384
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, max_request_size=5_000_000) as producer:
        await producer.send_and_wait(topic, frame, partition=0)
    assert await _read(kafka.address, topic) == [frame]


async def test_a_topic_that_nobody_declared_is_not_made(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> None:
    topic = fresh_name("undeclared")
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, request_timeout_ms=1_000) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(topic, b"lost?")
    assert topic not in {live.name for live in await list_topics(kafka.address)}


async def test_data_is_there_after_a_clean_stop_and_after_a_hard_one(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, jars=load_settings().kafka_jars) as broker:
        await ensure_topics(broker.address, [TopicSpec(name="kept", partitions=1)])
        await _send(broker.address, "kept", [b"before the clean stop"])
        address = broker.address
        assert broker.restart() == address
        await _send(broker.address, "kept", [b"before the hard stop"])
        broker.kill()
        assert broker.pid is None
    moved = EmbeddedKafka(tmp_path, jars=load_settings().kafka_jars)  # a new owner, on another port
    with moved:
        assert moved.address != address
        assert await _read(moved.address, "kept") == [b"before the clean stop", b"before the hard stop"]


def test_a_taken_port_is_named(kafka: KafkaForTests, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"port {kafka.broker.port} .*taken.*--port"):
        EmbeddedKafka(tmp_path, port=kafka.broker.port, jars=load_settings().kafka_jars).start()


def test_a_folder_in_use_is_refused(kafka: KafkaForTests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ioc.broker.embedded._LOCK_WAIT_S", 0.0)
    second = EmbeddedKafka(kafka.broker.directory, jars=load_settings().kafka_jars)
    with pytest.raises(ConfigurationError, match=rf"another broker is running.*process {os.getpid()}"):
        second.start()
    assert kafka.broker.is_running


def test_a_broker_that_ends_early_is_quoted(tmp_path: Path) -> None:
    broker = EmbeddedKafka(tmp_path, jars=load_settings().kafka_jars)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=abc\n", encoding="utf-8")
    with pytest.raises(PermanentError, match=r"(?s)ended by itself.*Stored node id 77"):
        broker.start()
    assert not broker.is_running


def test_a_tampered_jar_never_runs(tmp_path: Path, kafka: KafkaForTests) -> None:
    good = provide_jars(read_lock(), local=load_settings().kafka_jars)
    (tmp_path / "jars").mkdir()
    for jar in good.glob("*.jar"):
        (tmp_path / "jars" / jar.name).symlink_to(jar)
    victim = next((tmp_path / "jars").glob("kafka-raft-*.jar"))
    content = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(content + b"\0")
    with pytest.raises(ConfigurationError, match=rf"{victim.name}: is not the jar that was locked"):
        EmbeddedKafka(tmp_path / "data", jars=tmp_path / "jars").start()


def _environment(**changes: str) -> dict[str, str]:
    return {**{key: value for key, value in os.environ.items() if key != "IOC_CONFIG"}, **changes}


def test_without_network_the_sentence_names_the_way_out(tmp_path: Path) -> None:
    closed_door = "http://127.0.0.1:9"
    environment = _environment(XDG_CACHE_HOME=str(tmp_path), HTTPS_PROXY=closed_door, https_proxy=closed_door)
    environment.pop("IOC_KAFKA_JARS", None)
    command = [*_IOC, "broker", "--dir", str(tmp_path / "kafka"), "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "can't be fetched" in done.stderr
    assert "IOC_KAFKA_JARS" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("nodes", "signum"), [(1, signal.SIGTERM), (3, signal.SIGINT)], ids=["one node", "three"])
def test_the_command_says_ready_first_and_ends_well_on_a_signal(
    kafka: KafkaForTests, tmp_path: Path, nodes: int, signum: signal.Signals
) -> None:
    command = [*_IOC, "broker", "--dir", str(tmp_path), "--port", "0", "--nodes", str(nodes)]
    with subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        word, addresses = shell.stdout.readline().split()
        machines = psutil.Process(shell.pid).children(recursive=True)
        assert word == "ready"
        assert len(addresses.split(",")) == len(machines) == nodes
        shell.send_signal(signum)
        assert shell.wait(15) == 0
    assert psutil.wait_procs(machines, timeout=1)[1] == []


def test_no_java_stays_behind_when_the_command_is_killed_hard(kafka: KafkaForTests, tmp_path: Path) -> None:
    command = [*_IOC, "broker", "--dir", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline().startswith("ready ")
        (java,) = psutil.Process(shell.pid).children(recursive=True)
        shell.kill()
    assert psutil.wait_procs([java], timeout=5)[1] == []


def test_the_command_fails_with_the_log_when_kafka_dies_under_it(kafka: KafkaForTests, tmp_path: Path) -> None:
    command = [*_IOC, "broker", "--dir", str(tmp_path), "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=_environment(), stdout=pipe, stderr=pipe, text=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline().startswith("ready ")
        (java,) = psutil.Process(shell.pid).children(recursive=True)
        java.kill()
        _, said = shell.communicate(timeout=10)
    assert shell.returncode == 1
    assert "Kafka ended by itself" in said
    assert "Traceback" not in said
