"""The publishers' SDK over HTTP, against a server that errs as the world does; and kill -9 of its own process."""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ioc.broker.certificates import provide_certificates
from ioc.errors import ConfigurationError
from ioc.sdk import AsyncPublisher, Draft, Publisher, Result, TransientError
from ioc.settings import Settings
from tests.integration.sdk_gateway import (
    TOKEN,
    Fault,
    FaultyGateway,
    broken_off,
    faulty_gateway,
    hanging,
    lying,
    saying,
)

SOURCE = "/lam-dong/onestop/motcua"
STARTING = Path(Settings.model_fields["catalog"].get_default())


def publisher(url: str, **options: Any) -> AsyncPublisher:
    defaults: dict[str, Any] = {"source": SOURCE, "chance": lambda: 0.1, "wait_s": 10.0, "request_timeout_s": 5.0}
    return AsyncPublisher(url, **{"token": TOKEN, **defaults, **options})


def dossier(number: int) -> dict[str, object]:
    return {
        "dossier_id": f"H36-{number}",
        "service_level": "full",
        "channel": "online",
        "submitted_at": "2026-11-20T08:00:00+07:00",
    }


def drafts(amount: int, first: int = 0) -> list[Draft]:
    return [
        Draft("dossier.submitted", dossier(number), id=f"H36-{number}-submitted")
        for number in range(first, first + amount)
    ]


def names(amount: int, first: int = 0) -> list[tuple[str, str]]:
    return [(SOURCE, f"H36-{number}-submitted") for number in range(first, first + amount)]


def outcomes(results: list[Result]) -> list[str]:
    return [result.outcome for result in results]


# ---- one event, many events ------------------------------------------------------------------------------------------


async def test_an_event_is_accepted_and_a_repeat_is_a_duplicate_and_a_bad_one_comes_back_with_its_reason() -> None:
    async with faulty_gateway() as gateway, publisher(gateway.url) as p:
        assert (await p.publish("dossier.submitted", dossier(1), id="a")).outcome == "accepted"
        assert (await p.publish("dossier.submitted", dossier(1), id="a")).outcome == "duplicate"
        refused = await p.publish("dossier.submitted", {"x": 1}, id="b")
        assert (refused.outcome, refused.reason, refused.field, refused.vi, refused.en) == (
            "rejected",
            "missing_field",
            "dossier_id",
            "Thiếu.",
            "missing",
        )
        assert (await p.publish("dossier.submitted", {"x": float("nan")}, id="c")).reason == "bad_json"
        assert not refused.is_safe
        assert gateway.taken == [(SOURCE, "a")]
        assert p.status.trouble is None


async def test_a_batch_is_answered_event_by_event_and_arrives_in_order(tmp_path: Path) -> None:
    async with faulty_gateway() as gateway, publisher(gateway.url, spool=tmp_path) as p:
        results = await p.publish_all([*drafts(1200), Draft("dossier.submitted", {})])
        assert outcomes(results) == ["accepted"] * 1200 + ["rejected"]
        assert gateway.taken == names(1200)
        assert len(gateway.requested_at_s) == 3
        assert [kept.reason for kept in await p.rejected()] == ["missing_field"]


async def test_with_the_catalogue_at_hand_a_bad_event_never_leaves_the_machine() -> None:
    async with faulty_gateway() as gateway, publisher(gateway.url, catalog=STARTING, source="onestop/motcua") as p:
        good = await p.publish("dossier.submitted", dossier(1), id="a", time="2026-11-20T08:00:00+07:00")
        assert (good.outcome, good.source) == ("accepted", SOURCE)
        bad = [
            await p.publish("dossier.submitted", {**dossier(2), "channel": "smoke signals"}),
            await p.publish("dossier.lost", dossier(2)),
            await p.publish("dossier.submitted", dossier(2), source="/lam-dong/citizen/app"),
        ]
        assert [result.reason for result in bad] == ["not_allowed", "unknown_type", "foreign_source"]
        assert all(result.vi and result.en for result in bad)
        assert gateway.taken == [(SOURCE, "a")]
        assert p.status.checks == "catalogue"


async def test_the_same_without_asyncio_from_several_threads(tmp_path: Path) -> None:
    def work(url: str) -> list[str]:
        with Publisher(url, TOKEN, source=SOURCE, spool=tmp_path) as p:
            found = outcomes(p.publish_all(drafts(5)))
            with ThreadPoolExecutor(4) as threads:
                for some in threads.map(lambda number: p.publish_all(drafts(1, number)), range(5, 25)):
                    found += outcomes(some)
            found.append(p.publish("dossier.submitted", dossier(0), id="H36-0-submitted").outcome)
            assert (p.flush(5), p.pending, p.rejected(), p.status.trouble) == (0, 0, [], None)
        return found

    async with faulty_gateway() as gateway:
        assert await asyncio.to_thread(work, gateway.url) == ["accepted"] * 25 + ["duplicate"]
        assert sorted(gateway.taken) == sorted(names(25))


# ---- a world that errs -----------------------------------------------------------------------------------------------


def _fewer(true: dict[str, Any]) -> Any:
    return {"results": true["results"][:-1]}


def _others(true: dict[str, Any]) -> Any:
    return {"results": [{**result, "id": "another"} for result in true["results"]]}


def _unheard(true: dict[str, Any]) -> Any:
    return {"results": [{**result, "outcome": "lost"} for result in true["results"]]}


@pytest.mark.parametrize(
    "fault",
    [
        saying(500),
        saying(502),
        saying(429),
        saying(408),
        broken_off,
        hanging,
        lying(lambda true: "<html>Please log in to the hotel's Wi-Fi</html>"),
        lying(_fewer),
        lying(_others),
        lying(_unheard),
        lying(lambda true: {}),
    ],
    ids=["500", "502", "429", "408", "broken-off", "hang", "html", "fewer", "others", "unheard", "empty"],
)
async def test_a_faulty_answer_is_asked_again_and_nothing_is_lost_or_doubled(fault: Fault, tmp_path: Path) -> None:
    async with (
        faulty_gateway(fault, fault) as gateway,
        publisher(gateway.url, spool=tmp_path, request_timeout_s=0.3) as p,
    ):
        results = await p.publish_all(drafts(3))
        assert {result.outcome for result in results} <= {"accepted", "duplicate"}
        assert gateway.taken == names(3)
        assert (p.pending, p.status.trouble) == (0, None)


async def test_an_event_that_a_proxy_cuts_every_time_is_set_aside_and_the_others_arrive(tmp_path: Path) -> None:
    async def cutting(gateway: FaultyGateway, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
        if any(event["id"] == "H36-3-submitted" for event in events):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return gateway.take(events)

    async with faulty_gateway(*[cutting] * 100) as gateway, publisher(gateway.url, spool=tmp_path) as p:
        results = await p.publish_all(drafts(30))
        assert [result.id for result in results if result.outcome != "accepted"] == ["H36-3-submitted"]
        assert (results[3].reason, [kept.id for kept in await p.rejected()]) == ("not_taken", ["H36-3-submitted"])
        assert gateway.taken == names(3) + names(26, 4)


async def test_the_far_end_says_when_to_come_again(tmp_path: Path) -> None:
    async with (
        faulty_gateway(saying(503, Retry_After="1")) as gateway,
        publisher(gateway.url, spool=tmp_path, wait_s=0.2) as p,
    ):
        (spooled,) = await p.publish_all(drafts(1))
        assert (spooled.outcome, spooled.vi, spooled.en) == ("spooled", "Không được.", "no")
        assert await p.flush(5) == 0
        first_s, second_s = gateway.requested_at_s
        assert second_s - first_s >= 1.0
        assert gateway.taken == names(1)


async def test_a_rotated_token_keeps_events_in_the_spool_until_its_file_holds_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    async with faulty_gateway() as gateway, publisher(gateway.url, token=file, spool=tmp_path / "s", wait_s=0.3) as p:
        gateway.tokens = {"ioc_new"}
        (spooled,) = await p.publish_all(drafts(1))
        assert spooled.outcome == "spooled"
        assert "mã truy cập (HTTP 401)" in spooled.vi
        assert "ask the centre for the new token" in spooled.en
        file.unlink()
        (spooled,) = await p.publish_all(drafts(1, 1))
        assert spooled.outcome == "spooled"
        file.write_text("ioc_new")
        assert await p.flush(10) == 0
        assert gateway.taken == names(2)


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
async def test_a_clock_an_hour_wrong_is_told_and_new_events_carry_the_right_time(
    hours: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    true = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
    async with (
        faulty_gateway(clock=lambda: true) as gateway,
        publisher(gateway.url, catalog=STARTING, clock=lambda: true + timedelta(hours=hours)) as p,
    ):
        # the first goes out before anybody could compare; a fact with its own, true time is never refused for it
        assert (await p.publish("dossier.submitted", dossier(1), time="2026-11-22T08:00:00+07:00")).is_safe
        assert p.status.clock_skew_s == hours * 3600
        assert "set it right" in caplog.text
        assert (await p.publish("dossier.submitted", dossier(2))).is_safe
        assert datetime.fromisoformat(gateway.times[-1]) == true
        future = await p.publish("dossier.submitted", dossier(3), time="2026-11-22T09:00:00+07:00")
        assert future.reason == "time_in_future"


def _redirecting(url: str) -> Fault:
    return saying(307, Location=f"{url}/elsewhere")


async def test_the_token_does_not_follow_a_redirect() -> None:
    async with faulty_gateway(*[_redirecting("http://127.0.0.1:1")] * 50) as gateway:
        async with publisher(gateway.url, wait_s=0.2) as p:
            with pytest.raises(TransientError, match=r"redirects \(HTTP 307\) to .*write the right url"):
                await p.publish("dossier.submitted", dossier(1))
        assert gateway.taken == []


# ---- TLS and addresses -----------------------------------------------------------------------------------------------


async def test_a_certificate_that_is_not_trusted_is_a_sentence_and_ca_file_mends_it(tmp_path: Path) -> None:
    made = provide_certificates(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.node)
    async with faulty_gateway(tls=tls) as gateway:
        async with publisher(gateway.url, wait_s=0.3) as p:
            with pytest.raises(TransientError, match=r"is not trusted: .*ca_file="):
                await p.publish("dossier.submitted", dossier(1))
        async with publisher(gateway.url, ca_file=made.ca) as p:
            assert (await p.publish("dossier.submitted", dossier(1))).outcome == "accepted"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:1", "no connection to http://127.0.0.1:1.*is the gateway running"),
        ("http://gateway.invalid", "the host of http://gateway.invalid is not known"),
    ],
    ids=["refused", "unknown-host"],
)
async def test_an_address_where_nobody_is_is_a_sentence(address: str, sentence: str) -> None:
    async with publisher(address, wait_s=0.5) as p:
        with pytest.raises(TransientError, match=sentence):
            await p.publish("dossier.submitted", dossier(1))


async def test_https_to_a_plain_port_is_a_sentence() -> None:
    async with faulty_gateway() as gateway, publisher(gateway.url.replace("http", "https"), wait_s=0.3) as p:
        with pytest.raises(TransientError, match="perhaps that port speaks plain HTTP"):
            await p.publish("dossier.submitted", dossier(1))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "ioc.lamdong.gov.vn"}, "write the gateway's address"),
        ({"url": "https://user:secret@ioc.lamdong.gov.vn"}, "leave out user, password"),
        ({"token": " "}, "the token is empty"),
        ({"token": Path("/nowhere/token")}, "can't be read"),
        ({"ca_file": "/nowhere/ca.pem"}, "no certificates there"),
        ({"source": "onestop"}, "write it in full"),
    ],
    ids=["scheme", "user", "empty-token", "token-file", "ca-file", "source"],
)
def test_wrong_arguments_are_told_at_once_without_secrets(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as told:
        AsyncPublisher(**{"url": "https://ioc.lamdong.gov.vn", "token": TOKEN, "source": SOURCE, **change})
    assert "secret@" not in str(told.value)
    assert TOKEN not in str(told.value)


# ---- kill -9 ---------------------------------------------------------------------------------------------------------

_PUBLISH = """
import sys
from ioc.sdk import Publisher
url, spool = sys.argv[1:]
with Publisher(url, "ioc_motcua_0123456789abcdef", source="/lam-dong/onestop/motcua", spool=spool, wait_s=0.0) as p:
    for number in range(1_000_000):
        result = p.publish("dossier.submitted", {"dossier_id": f"H36-{number}"}, id=f"H36-{number}-submitted")
        print(number, result.outcome, flush=True)
"""


async def test_kill_9_of_the_publisher_loses_nothing_that_it_was_told_is_safe(tmp_path: Path) -> None:
    """Its first events go out, then the link dies, then the process; the next process sends the rest, in order."""

    def until_killed(url: str, close: Callable[[], None]) -> list[int]:
        command = [sys.executable, "-c", _PUBLISH, url, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said: list[tuple[str, str]] = []
            for line in process.stdout:
                number, outcome = line.split()
                said.append((number, outcome))
                if len(said) == 30:
                    close()
                if len(said) == 90:
                    process.kill()
                    break
            said += [(number, outcome) for number, outcome in map(str.split, process.stdout)]
        return [int(number) for number, outcome in said if outcome != "rejected"]

    loop = asyncio.get_running_loop()
    async with faulty_gateway() as gateway:

        def close() -> None:
            loop.call_soon_threadsafe(setattr, gateway, "faults", [saying(503)] * 10_000)

        safe = await asyncio.to_thread(until_killed, gateway.url, close)
        before = len(gateway.taken)
        assert 0 < before < len(safe)
        gateway.faults = []
        async with publisher(gateway.url, spool=tmp_path) as p:
            assert await p.flush(10) == 0
        assert gateway.taken[: len(safe)] == names(len(safe))
        assert len(gateway.taken) == len(set(gateway.taken)) <= len(safe) + 1
        print(json.dumps({"safe": len(safe), "sent before the link died": before}))
