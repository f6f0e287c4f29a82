"""`ioc worker --roles events,figures` on a real broker: every mode, every refusal, reroutes, rebalances, ends."""

import json
import signal
import socket
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ioc.broker import EmbeddedKafka
from tests.integration.dossiers import DOSSIERS, NOW, PARTITIONS, Flow, binary, dossier, here, home, in_thread
from tests.integration.raw_batches import CODECS, send_compressed, send_with_header_name
from tests.integration.running import (
    READY_S,
    Record,
    Running,
    committed,
    eventually,
    own_broker,
    publish,
    run_ioc,
    start_worker,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

CALLS = "ioc.lgsp.calls"
STRUCTURED = [("content-type", b"application/cloudevents+json")]
BATCHED = [("content-type", b"application/cloudevents-batch+json")]


# ---- modes on the wire -----------------------------------------------------------------------------------------------


def structured(event: dict[str, Any], **place: Any) -> Record:
    key = event["data"]["dossier_id"].encode()
    return Record(topic=DOSSIERS, key=key, value=json.dumps(event).encode(), headers=STRUCTURED, **place)


def batched(events: Sequence[dict[str, Any]], **place: Any) -> Record:
    return Record(topic=DOSSIERS, key=None, value=json.dumps(events).encode(), headers=BATCHED, **place)


@dataclass(frozen=True, slots=True)
class Site:
    """A broker of its own and a worker on it, shared by the tests that only add events: they look at differences."""

    kafka: EmbeddedKafka
    worker: Running

    def outcomes(self, topic: str = DOSSIERS) -> Counter[str]:
        metrics = self.worker.metrics()
        rerouted = int(metrics.total("ioc_events_rerouted_total", topic=topic))
        return Counter(metrics.outcomes(topic)) + Counter({"rerouted": rerouted})

    def online(self) -> tuple[float, float]:
        """Numerator and denominator of dossiers_online, this month."""
        shown = self.worker.metrics().figure("dossiers_online", "mtd")
        return shown.numerator or 0, shown.denominator or 0

    async def send(self, *records: Record, topic: str = DOSSIERS, **expected: int) -> list[str]:
        """Publishes, waits until that many outcomes were added, checks the sum; returns topic/partition/offset."""
        before = self.outcomes(topic)
        found = await publish(self.kafka.address, records)

        def added() -> None:
            assert self.outcomes(topic) - before == Counter(expected)

        eventually(added, within_s=20, alive=[self.worker])
        return [f"{receipt.topic}/{receipt.partition}/{receipt.offset}" for receipt in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("events")
    with (
        own_broker(folder) as kafka,
        start_worker("events,figures", broker=kafka.address, folder=folder, IOC_NOW=NOW) as worker,
    ):
        yield Site(kafka, worker.await_ready())


def figures_become(site: Site, numerator: float, denominator: float) -> None:
    def same() -> None:
        assert site.online() == (numerator, denominator)

    eventually(same, within_s=20, alive=[site.worker])


# ---- modes -----------------------------------------------------------------------------------------------------------


async def test_binary_structured_and_batched_mode_count_the_same(site: Site) -> None:
    numerator, denominator = site.online()
    names = here("modes", 1, 6)
    await site.send(
        binary(dossier(names[0])),
        structured(dossier(names[1], channel="counter")),
        batched([dossier(name) for name in names[2:5]], partition=1),
        **{"in": 5, "accepted": 5},
    )
    figures_become(site, numerator + 4, denominator + 5)
    again = [structured(dossier(names[0])), batched([dossier(names[1]), dossier(names[5])], partition=1)]
    await site.send(*again, **{"in": 3, "accepted": 1, "duplicate": 2})
    figures_become(site, numerator + 5, denominator + 6)


async def test_a_batch_is_split_by_key_and_each_part_counts_once_where_it_belongs(site: Site) -> None:
    numerator, denominator = site.online()
    names = [here("split", partition, 1)[0] for partition in range(PARTITIONS)]
    whole = batched([dossier(name) for name in names], partition=2)
    await site.send(whole, **{"in": 4, "accepted": 4, "rerouted": 3})
    figures_become(site, numerator + 4, denominator + 4)


async def test_a_bad_event_in_a_batch_leaves_its_neighbours(site: Site) -> None:
    names = here("neighbours", 0, 2)
    whole = batched([dossier(names[0]), dossier("x", data={"channel": "fax"}), dossier(names[1])], partition=0)
    (ref,) = await site.send(whole, **{"in": 3, "accepted": 2, "rejected": 1})
    (letter,) = (await dead_letters(site.kafka.address))[ref]
    assert (letter["index"], letter["reason"]) == (1, "not_allowed")


# ---- refusals --------------------------------------------------------------------------------------------------------


async def dead_letters(broker: str) -> dict[str, list[dict[str, Any]]]:
    letters = defaultdict(list)
    for record in await committed(broker, "ioc.dead-letters"):
        letter = json.loads(record.value)
        letters[letter["event_ref"]].append(letter)
    return letters


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return event | {"data": {key: value for key, value in event["data"].items() if key != name}}


def raw(value: bytes | None, headers: Sequence[tuple[str, bytes]] = (), key: bytes | None = b"bad") -> Record:
    return Record(topic=DOSSIERS, key=key, value=value, headers=headers)


def refused() -> list[tuple[str, Record]]:
    """(expected reason, record)."""
    good = binary(dossier("bad"))
    headers = list(good.headers)
    later = {"submitted_at": "2099-01-01T00:00:00+07:00"}
    earlier = {"submitted_at": "1970-01-01T00:00:00+07:00"}
    return [
        ("bad_json", raw(b'{"dossier_id": ', headers)),
        ("bad_json", raw(b"\xff\xfe not text", headers)),
        ("bad_json", raw(None, headers)),
        ("bad_json", raw(b"{", STRUCTURED)),
        ("bad_json", raw(b'{"not": "a list"}', BATCHED)),
        ("unknown_type", binary(dossier("bad", type="vn.ioc.dossier.dreamt.v1"))),
        ("wrong_topic", binary(dossier("bad"), topic=CALLS)),
        ("missing_field", binary(without(dossier("bad"), "channel"))),
        ("missing_field", raw(good.value, [pair for pair in headers if pair[0] != "ce_id"])),
        ("missing_field", raw(good.value, [pair for pair in headers if pair[0] != "ce_source"])),
        ("wrong_type", binary(dossier("bad", data={"channel": 7}))),
        ("wrong_type", binary(dossier("bad", data={"fee_due_vnd": "much"}))),
        ("not_allowed", binary(dossier("bad", data={"channel": "fax"}))),
        ("bad_time", binary(dossier("bad", data={"submitted_at": "2026-11-20 08:00"}))),
        ("foreign_source", binary(dossier("bad", source="/lam-dong/lgsp"))),
        ("foreign_source", binary(dossier("bad", source="/khanh-hoa/onestop"))),
        ("time_in_future", binary(dossier("bad", time="2099-01-01T00:00:00+07:00"))),
        ("time_in_future", binary(dossier("bad", data=later))),
        ("time_too_old", binary(dossier("bad", time="1970-01-01T00:00:00Z"))),
        ("time_too_old", binary(dossier("bad", data=earlier))),
        ("unknown_admin_unit", binary(dossier("bad", data={"admin_unit": "99999"}))),
        ("bad_id", binary(dossier("bad", data={"dossier_id": "a\x00b"}))),
        ("bad_header", raw(good.value, [*headers[:2], ("ce_source", b"\xff\xff"), *headers[3:]])),
        ("too_large", raw(b'{"dossier_id": "bad", "x": "' + b"y" * 300_000 + b'"}', headers)),
    ]


async def test_every_refusal_is_one_dead_letter_with_reason_and_in_is_the_sum_of_the_outcomes(site: Site) -> None:
    before = site.worker.metrics().outcomes()
    cases = refused()
    good = [binary(dossier(name)) for name in here("after-the-bad", home("bad"), 3)]
    found = await publish(site.kafka.address, [*(record for _, record in cases), *good])
    refs = [f"{receipt.topic}/{receipt.partition}/{receipt.offset}" for receipt in found[: len(cases)]]

    def counted() -> None:
        after = site.worker.metrics().outcomes()
        added = {name: after[name] - before[name] for name in after}
        assert added == {
            "in": len(cases) + len(good),
            "accepted": len(good),
            "duplicate": 0,
            "rejected": len(cases),
        }

    eventually(counted, within_s=20, alive=[site.worker])
    letters = await dead_letters(site.kafka.address)
    assert {ref: len(letters[ref]) for ref in refs} == dict.fromkeys(refs, 1)
    assert [letters[ref][0]["reason"] for ref in refs] == [reason for reason, _ in cases]
    assert all(letters[ref][0]["message_vi"] and letters[ref][0]["message_en"] for ref in refs)
    totals = site.worker.metrics().outcomes()
    assert totals["in"] == totals["accepted"] + totals["duplicate"] + totals["rejected"]


# ---- where keys belong -----------------------------------------------------------------------------------------------


async def test_a_producer_with_another_partitioner_is_rerouted_counted_once_and_its_figures_are_right(
    site: Site,
) -> None:
    numerator, denominator = site.online()
    astray, home_bound = here("astray", 3, 3), here("home", 3, 1)
    wrong = [binary(dossier(name), partition=0) for name in astray]
    await site.send(*wrong, binary(dossier(home_bound[0])), **{"in": 4, "accepted": 4, "rerouted": 3})
    # The same events once more, by either way: they are known, wherever they arrive.
    await site.send(*wrong, **{"in": 3, "duplicate": 3, "rerouted": 3})
    await site.send(*(binary(dossier(name)) for name in astray), **{"in": 3, "duplicate": 3})
    figures_become(site, numerator + 4, denominator + 4)
    at_home = {found.key for found in await committed(site.kafka.address, DOSSIERS) if found.partition == 3}
    assert at_home >= {name.encode() for name in astray}


# ---- 1 → 2 → 1 -------------------------------------------------------------------------------------------------------


async def test_a_second_worker_comes_and_goes_while_events_flow_and_nothing_is_lost_or_counted_twice(
    tmp_path: Path,
) -> None:
    with own_broker(tmp_path) as kafka:
        place = {"broker": kafka.address, "folder": tmp_path, "IOC_NOW": NOW}
        with start_worker("events,figures", name="first", **place) as first:
            first.await_ready()
            async with Flow(kafka.address) as flow:
                await flow.reaches(200)
                with start_worker("events", name="second", **place) as second:
                    await in_thread(second.await_ready)
                    await flow.reaches(400)

                    def both_work() -> None:
                        assert second.metrics().outcomes(DOSSIERS)["in"] > 0

                    await in_thread(eventually, both_work, within_s=30, alive=[first, second])
                    await flow.reaches(200)
                    began = time.monotonic()
                    assert await in_thread(second.end) == 0
                    assert time.monotonic() - began < 5
                await flow.reaches(400)
            await in_thread(flow.check, first)
            assert first.end() == 0


# ---- beginnings and ends ---------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker without a broker, and how long it took to give up."""

    address: str
    done: "subprocess.CompletedProcess[str]"
    seconds: float


@pytest.fixture(scope="module", autouse=True)
def without_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Ended]"]:
    """Started before everything else here: it only waits, for ten seconds."""

    def run() -> Ended:
        address, state = f"127.0.0.1:{closed_port()}", tmp_path_factory.mktemp("alone")
        began = time.monotonic()
        done = run_ioc("worker", broker=address, state=state, timeout_s=30)
        return Ended(address, done, time.monotonic() - began)

    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(run)


def test_without_a_broker_the_worker_says_so_in_a_sentence_and_ends(without_broker: "Future[Ended]") -> None:
    ended = without_broker.result(timeout=40)
    done = ended.done
    assert ended.seconds < 15
    assert done.returncode == 1
    assert f"no Kafka at {ended.address}" in done.stderr
    assert "ioc broker" in done.stderr
    assert "IOC_BROKER" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "it must not say that it is ready"


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        ((), {"IOC_CATALOG": "/nowhere/at/all"}, "/nowhere/at/all"),
        ((), {"IOC_NOW": "tomorrow"}, "IOC_NOW"),
        ((), {"IOC_FLUSH_S": "0"}, "IOC_FLUSH_S"),
        (("--roles", "events,frame"), {}, "frames, incidents, events, figures"),
        (("--config", "/nowhere/ioc.toml"), {}, "/nowhere/ioc.toml"),
    ],
    ids=["catalogue nowhere", "clock", "flush", "role", "settings file"],
)
def test_a_wrong_setting_is_named_with_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], told: str
) -> None:
    done = run_ioc("worker", *arguments, broker="127.0.0.1:9", state=tmp_path, timeout_s=30, **settings)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_http_port_is_named_with_exit_code_2(site: Site, tmp_path: Path) -> None:
    taken = site.worker.address.rpartition(":")[2]
    done = run_ioc(
        "worker",
        "--roles",
        "figures",
        broker=site.kafka.address,
        state=tmp_path,
        timeout_s=30,
        IOC_HTTP_PORT=taken,
    )
    assert done.returncode == 2, done.stderr
    assert f"127.0.0.1:{taken}" in done.stderr
    assert "IOC_HTTP_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def ends_within_five_seconds(worker: Running, number: signal.Signals) -> None:
    said = worker.log()
    began = time.monotonic()
    worker.signal(number)
    assert worker.process.wait(15) == 0, worker.log()
    assert time.monotonic() - began < 5
    assert "Traceback" not in worker.log().removeprefix(said)


def test_a_worker_of_all_roles_that_is_scraped_from_its_first_moment_becomes_ready_and_ends_well_on_sigterm(
    tmp_path: Path,
) -> None:
    """Prometheus and a supervisor's probe do not wait until a worker has started."""
    unanswered: list[str] = []
    with (
        own_broker(tmp_path) as kafka,
        start_worker("frames,incidents,events,figures", broker=kafka.address, folder=tmp_path) as worker,
    ):

        def ready_and_scraped() -> None:
            answers = {path: worker.get(path) for path in ("/metrics", "/readyz", "/healthz")}
            unanswered.extend(text for status, text in answers.values() if status not in (200, 503))
            assert [status for status, _ in answers.values()] == [200, 200, 200]

        eventually(ready_and_scraped, within_s=READY_S, alive=[worker])
        assert unanswered == []
        ends_within_five_seconds(worker, signal.SIGTERM)


# ---- what other clients write ----------------------------------------------------------------------------------------


async def test_other_codecs_and_a_header_name_that_is_no_text_stop_nothing_by_the_systems_clock(tmp_path: Path) -> None:
    """Java's and librdkafka's producers compress where a department turned it on, and header names are any bytes."""
    minute_ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()

    def just_now(name: str) -> Record:
        return binary(dossier(name, time=minute_ago, data={"submitted_at": minute_ago}))

    names = here("odd", 2, len(CODECS) + 2)
    with own_broker(tmp_path) as kafka, start_worker("events,figures", broker=kafka.address, folder=tmp_path) as worker:
        worker.await_ready()
        for codec, name in zip(CODECS, names, strict=False):
            await send_compressed(kafka.address, just_now(name), 2, codec)
        offset = await send_with_header_name(kafka.address, just_now(names[-2]), 2, b"\xff\xfe" * 8)
        await publish(kafka.address, [just_now(names[-1])])

        def went_on() -> None:
            outcomes = worker.metrics().outcomes(DOSSIERS)
            assert outcomes["in"] == outcomes["accepted"] + outcomes["rejected"] == len(names)

        eventually(went_on, within_s=20, alive=[worker])
        accepted = worker.metrics().outcomes(DOSSIERS)["accepted"]
        letters = await dead_letters(kafka.address)
        assert set(letters) <= {f"{DOSSIERS}/2/{offset}"}
        assert accepted == len(names) - len(letters)
        figures_become(Site(kafka, worker), accepted, accepted)
        ends_within_five_seconds(worker, signal.SIGINT)
