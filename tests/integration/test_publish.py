"""`ioc publish` on a real broker: good lines arrive where the worker looks for them, bad ones are named."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord

from ioc.catalog import Catalog, load_catalog
from ioc.cli.bench_csv import write_dossiers_csv
from ioc.cli.init import find_place, write_catalog
from ioc.clock import clock_from_setting
from ioc.errors import PermanentError
from ioc.events import Event
from ioc.partitioning import partitioner
from ioc.publishing import EventJudge
from ioc.publishing.sender import open_sender
from ioc.windows import microseconds_of
from tests.conftest import KafkaForTests
from tests.integration.topic_reading import records_of
from tests.unit.publishing.making import dossier_line, joined, row, table

NOW = "2026-11-22T08:00:00+07:00"
PARTITIONS = 4


@pytest.fixture
def own_catalog(tmp_path: Path, fresh_name: Callable[[str], str]) -> Catalog:
    """The starting catalogue with a topic of its own for dossiers, so that tests share the broker in peace."""
    folder = tmp_path / "catalog"
    write_catalog(find_place("lam-dong"), folder)
    path = folder / "event_types.yaml"
    topic = f"ioc.onestop.{fresh_name('dossiers')}"
    path.write_text(path.read_text(encoding="utf-8").replace("ioc.onestop.dossiers", topic), encoding="utf-8")
    return load_catalog(folder)


def dossiers_topic(catalog: Catalog) -> str:
    return catalog.event_types["dossier.submitted"].topic


def ioc_publish(catalog: Catalog, broker: str, *arguments: str, stream: bytes = b"") -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "ioc", "publish", *arguments, "--json"],
        input=stream,
        capture_output=True,
        timeout=60,
        env={**os.environ, "IOC_CATALOG": catalog.folder, "IOC_BROKER": broker, "IOC_NOW": NOW},
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def kill_once_there(path: Path, catalog: Catalog, broker: str, *arguments: str) -> None:
    """Runs `ioc publish` until it has written `path`, and no further."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ioc", "publish", *arguments],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "IOC_CATALOG": catalog.folder, "IOC_BROKER": broker, "IOC_NOW": NOW},
    )
    while not path.exists() and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "it was over before it could be killed"


def partition_of(record: ConsumerRecord) -> int:
    return partitioner(PARTITIONS)([record.key])[0]


async def test_good_lines_are_events_in_kafka_and_bad_ones_are_named(
    kafka: KafkaForTests, own_catalog: Catalog
) -> None:
    topic = await kafka.create_topic(dossiers_topic(own_catalog), partitions=PARTITIONS)
    good = [dossier_line(number) for number in range(300)]
    lines = [*good[:100], b'{"torn', *good[100:], dossier_line(999, without="id"), b"\xff\xfe"]
    path = Path(own_catalog.folder).parent / "events.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + joined(lines, end=b"\r\n"))

    code, answer = ioc_publish(own_catalog, kafka.address, str(path))

    errors = answer["errors"]
    assert isinstance(errors, list)
    assert (code, answer["accepted"], answer["rejected"]) == (1, 300, 3)
    assert [(error["line"], error["reason"]) for error in errors] == [
        (101, "bad_json"),
        (302, "missing_field"),
        (303, "not_utf8"),
    ]
    records = await records_of(kafka.address, topic)
    assert sorted(record.value for record in records) == sorted(good)
    decoder, now_us = own_catalog.decoder(), microseconds_of(clock_from_setting(NOW)())
    for record in records:
        (found,) = decoder.decode(topic, record.headers, record.value, now_us)
        assert isinstance(found, Event), found
        assert record.key == found.partition_key.encode()
        assert record.partition == partition_of(record)
    assert {record.partition for record in records} == set(range(PARTITIONS))
    for partition in range(PARTITIONS):
        of_partition = [json.loads(record.value)["id"] for record in records if record.partition == partition]
        assert of_partition == sorted(of_partition, key=lambda event_id: int(event_id[2:]))


async def test_standard_input_is_published_too(kafka: KafkaForTests, own_catalog: Catalog) -> None:
    topic = await kafka.create_topic(dossiers_topic(own_catalog), partitions=PARTITIONS)
    code, answer = ioc_publish(own_catalog, kafka.address, "-", stream=dossier_line(1))
    assert (code, answer) == (0, {"accepted": 1, "rejected": 0, "errors": []})
    assert [record.value for record in await records_of(kafka.address, topic)] == [dossier_line(1)]


async def test_a_dry_run_sends_nothing(kafka: KafkaForTests, own_catalog: Catalog) -> None:
    topic = await kafka.create_topic(dossiers_topic(own_catalog), partitions=PARTITIONS)
    code, answer = ioc_publish(own_catalog, kafka.address, "-", "--dry-run", stream=dossier_line(1))
    assert (code, answer["accepted"]) == (0, 1)
    assert await records_of(kafka.address, topic) == []


async def test_a_table_goes_in_whole_batches_with_every_key_where_the_worker_looks_for_it(
    kafka: KafkaForTests, own_catalog: Catalog, tmp_path: Path
) -> None:
    topic = await kafka.create_topic(dossiers_topic(own_catalog), partitions=PARTITIONS)
    path, rejects = tmp_path / "ho-so.csv", tmp_path / "sai.csv"
    path.write_text(table(row(1), row(2, muc_do="?"), row(3, ngay_tra="21/11/2026 10:00")), encoding="utf-8")
    code, answer = ioc_publish(
        own_catalog, kafka.address, str(path), "--as", "mot-cua-ho-so", "--rejects", str(rejects)
    )
    assert (code, answer["accepted"], answer["rejected"]) == (1, 3, 1)
    rejects.write_text(rejects.read_text(encoding="utf-8").replace("?", "Toàn trình"), encoding="utf-8")
    again = ioc_publish(own_catalog, kafka.address, str(rejects), "--as", "mot-cua-ho-so")
    assert again == (0, {"accepted": 1, "rejected": 0, "errors": []})

    records = await records_of(kafka.address, topic)
    assert sorted(record.key.decode()[-1] for record in records) == ["1", "2", "3", "3"]
    assert all(record.partition == partition_of(record) for record in records)
    assert not list(tmp_path.glob("*.ioc-journal"))


async def test_after_kill_9_the_same_command_goes_on_where_it_was_and_no_row_is_lost(
    kafka: KafkaForTests, own_catalog: Catalog, tmp_path: Path
) -> None:
    topic = await kafka.create_topic(dossiers_topic(own_catalog), partitions=PARTITIONS)
    path, rows = tmp_path / "ho-so.csv", 60_000
    write_dossiers_csv(path, rows)
    arguments = (str(path), "--as", "mot-cua-ho-so")
    journal = path.with_name("ho-so.csv.ioc-journal")
    kill_once_there(journal, own_catalog, kafka.address, *arguments)

    code, answer = ioc_publish(own_catalog, kafka.address, *arguments)

    assert (code, answer["accepted"], answer["rejected"]) == (0, rows, 0)
    resumed = answer["resumed_after_row"]
    assert isinstance(resumed, int)
    assert 0 < resumed < rows
    assert not journal.exists()
    ids = [json.loads(record.value)["id"] for record in await records_of(kafka.address, topic)]
    assert len(set(ids)) == rows
    assert len(ids) - rows < 0.5 * rows, "what was known to be safe was not sent again"


async def test_a_topic_that_is_not_there_is_a_sentence(
    kafka: KafkaForTests, own_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ioc.publishing.sender._TOPIC_TIMEOUT_S", 0.5)
    outgoing = EventJudge(own_catalog).judge(dossier_line(1), microseconds_of(clock_from_setting(NOW)()))
    async with open_sender(kafka.address) as sender:
        with pytest.raises(PermanentError, match=r"shows no topic ioc\.onestop\.dossiers-.*ioc topics apply"):
            await sender.send(outgoing)
