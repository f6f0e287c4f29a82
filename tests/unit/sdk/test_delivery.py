"""What a publisher is told, and what arrives, whatever the far end does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ioc.errors import TransientError
from ioc.sdk.delivery import Delivery
from ioc.sdk.envelopes import Prepared, prepare
from ioc.sdk.results import Result, SpoolFull, Trouble, Verdict
from ioc.sdk.spool import Spool
from tests.unit.sdk.centre import AWAY, UNCLEAR, Centre

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
LONG_S, SHORT_S = 30.0, 0.02
NO = Verdict(outcome="rejected", reason="missing_field", field="data", vi="Thiếu.", en="missing")


def events(amount: int, first: int = 0, source: str = "/lam-dong/onestop/a") -> list[Prepared]:
    return [
        prepare("dossier.submitted", {"n": number}, source=source, now=NOW, event_id=f"e-{number}")
        for number in range(first, first + amount)
    ]


def ids(amount: int, first: int = 0) -> list[str]:
    return [f"e-{number}" for number in range(first, first + amount)]


def outcomes(results: Sequence[Result]) -> list[str]:
    return [result.outcome for result in results]


@asynccontextmanager
async def delivering(centre: Centre, folder: Path | None, *, max_bytes: int = 1 << 20) -> AsyncIterator[Delivery]:
    delivery = Delivery(
        centre,
        lambda: Spool(folder, max_bytes=max_bytes),
        is_durable=folder is not None,
        clock=lambda: NOW,
        chance=lambda: 0.0,
    )
    await delivery.open()
    try:
        yield delivery
    finally:
        await delivery.close()


async def test_every_event_gets_its_own_answer_in_the_order_given(tmp_path: Path) -> None:
    centre = Centre()
    centre.refuse = lambda event: NO if event.id == "e-1" else None
    async with delivering(centre, tmp_path) as delivery:
        results = await delivery.submit([*events(3), *events(1)], LONG_S)
        assert outcomes(results) == ["accepted", "rejected", "accepted", "duplicate"]
        assert (results[1].reason, results[1].field, results[1].vi, results[1].en) == (
            "missing_field",
            "data",
            "Thiếu.",
            "missing",
        )
        assert [kept.id for kept in await delivery.rejected()] == ["e-1"]
        assert delivery.pending == 0
        assert await delivery.submit([], LONG_S) == []


async def test_an_outage_is_waited_out_and_events_arrive_in_order(tmp_path: Path) -> None:
    centre = Centre(*[AWAY] * 20)
    async with delivering(centre, tmp_path) as delivery:
        results = await asyncio.gather(*(delivery.submit(events(10, first), LONG_S) for first in range(0, 100, 10)))
        assert {result.outcome for some in results for result in some} == {"accepted"}
        assert centre.taken == ids(100)
        assert delivery.trouble is None


async def test_while_the_link_is_down_events_are_spooled_and_another_process_sends_them(tmp_path: Path) -> None:
    centre = Centre()
    centre.is_open = False
    async with delivering(centre, tmp_path) as delivery:
        first = await delivery.submit(events(3), SHORT_S)
        assert outcomes(first) == ["spooled"] * 3
        assert (first[0].vi, first[0].en) == (AWAY.vi, AWAY.en)
        later = await delivery.submit(events(2, 3), SHORT_S)  # known to be down: nobody waits again
        assert outcomes(later) == ["spooled"] * 2
        assert await delivery.flush(SHORT_S) == 5
    centre.is_open = True
    async with delivering(centre, tmp_path) as delivery:
        assert await delivery.flush(LONG_S) == 0
        assert outcomes(await delivery.submit(events(1, 5), LONG_S)) == ["accepted"]
    assert centre.taken == ids(6)


async def test_without_a_spool_what_nobody_took_is_given_back(tmp_path: Path) -> None:
    centre = Centre()
    centre.is_open = False
    async with delivering(centre, None) as delivery:
        with pytest.raises(TransientError, match=r"the cable is cut; publish it again with the same id"):
            await delivery.submit(events(2), SHORT_S)
        assert delivery.pending == 0
        centre.is_open = True
        # On a slow machine a try is still on its way when the link is back: then it was that one that arrived.
        assert set(outcomes(await delivery.submit(events(2), LONG_S))) in ({"accepted"}, {"duplicate"})
    assert centre.taken == ids(2)


async def test_an_event_that_breaks_every_request_is_set_aside_and_the_others_arrive_in_order(tmp_path: Path) -> None:
    centre = Centre(poison=["e-7"])
    async with delivering(centre, tmp_path) as delivery:
        results = await delivery.submit(events(20), LONG_S)
        assert outcomes(results) == ["accepted"] * 7 + ["rejected"] + ["accepted"] * 12
        assert (results[7].reason, "Đứt giữa chừng." in results[7].vi) == ("not_taken", True)
        assert centre.taken == [name for name in ids(20) if name != "e-7"]
        assert [(kept.id, kept.reason) for kept in await delivery.rejected()] == [("e-7", "not_taken")]


async def test_no_event_is_blamed_while_the_far_end_is_not_well(tmp_path: Path) -> None:
    centre = Centre(*[UNCLEAR] * 30, is_well=False)
    async with delivering(centre, tmp_path) as delivery:
        assert outcomes(await delivery.submit(events(5), LONG_S)) == ["accepted"] * 5
        assert await delivery.rejected() == []


async def test_a_request_too_large_is_cut_until_it_fits(tmp_path: Path) -> None:
    limit = Trouble(problem="too_large", vi="Lớn.", en="large", refusal=NO)
    centre = Centre(limit, limit)
    async with delivering(centre, tmp_path) as delivery:
        assert outcomes(await delivery.submit(events(40), LONG_S)) == ["accepted"] * 40
    assert centre.taken == ids(40)
    assert centre.requests[:3] == [40, 20, 10]


async def test_a_full_spool_keeps_nothing_of_the_call_and_says_so(tmp_path: Path) -> None:
    centre = Centre()
    centre.is_open = False
    async with delivering(centre, tmp_path, max_bytes=1000) as delivery:
        await delivery.submit(events(3), SHORT_S)
        with pytest.raises(SpoolFull):
            await delivery.submit(events(5, 3), SHORT_S)
        assert delivery.pending == 3


async def test_an_error_of_our_own_keeps_the_events_and_the_task_alive(tmp_path: Path) -> None:
    centre = Centre()
    answers = [RuntimeError("a mistake"), None]

    def refuse(event: object) -> None:
        if (error := answers.pop(0) if answers else None) is not None:
            raise error

    centre.refuse = refuse  # type: ignore[assignment]  # the far end's code is foreign: whatever may come out of it
    async with delivering(centre, tmp_path) as delivery:
        assert outcomes(await delivery.submit(events(1), LONG_S)) == ["accepted"]


async def test_a_caller_that_is_cancelled_leaves_the_event_to_be_sent(tmp_path: Path) -> None:
    centre = Centre()
    centre.is_open = False
    async with delivering(centre, tmp_path) as delivery:
        call = asyncio.create_task(delivery.submit(events(1), LONG_S))
        await asyncio.sleep(0)
        call.cancel()  # while the disk is at work
        assert await delivery.rejected() == []  # the disk's next work: the event is there by now
        centre.is_open = True
        assert await delivery.flush(LONG_S) == 0
    assert centre.taken == ids(1)
