"""Rates, room and memories are bounded."""

import asyncio

import pytest

from ioc.gateway import bodies
from ioc.gateway.bodies import read_body
from ioc.gateway.dedup import AcknowledgedIds
from ioc.gateway.limits import Budget, RateLimit
from ioc.gateway.problems import Problem, language_of


def test_a_rate_lets_a_burst_through_and_then_its_pace() -> None:
    rate = RateLimit(10.0, burst=20.0)
    assert rate.wait_s("a", 20, 0.0) == 0
    assert rate.wait_s("a", 5, 0.0) == pytest.approx(0.5)
    assert rate.wait_s("b", 20, 0.0) == 0, "each department has its own"
    assert rate.wait_s("a", 5, 0.5) == 0


def test_more_than_a_burst_passes_when_nothing_was_owed_and_is_owed_then() -> None:
    rate = RateLimit(10.0, burst=20.0)
    assert rate.wait_s("a", 50, 0.0) == 0
    assert rate.wait_s("a", 1, 2.9) > 0
    assert rate.wait_s("a", 1, 3.2) == 0


def test_what_a_request_held_is_free_after_it() -> None:
    budget = Budget(requests=2, size_bytes=100)
    with budget.request() as first, budget.request() as second:
        first.take(60)
        with pytest.raises(Problem, match="503 overloaded"):
            second.take(41)
        with pytest.raises(Problem, match="503 overloaded"), budget.request():
            pass
        first.give(60)
        second.take(41)
    assert (budget.requests, budget.held_bytes) == (0, 0)


def test_a_silent_sender_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "CHUNK_TIMEOUT_S", 0.01)

    async def read() -> None:
        never: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, object]:
            return await never

        with Budget(requests=1, size_bytes=100).request() as hold:
            await read_body({b"content-length": b"10"}, receive, limit_bytes=100, hold=hold)

    with pytest.raises(Problem, match="408 too_slow"):
        asyncio.run(read())


def test_an_acknowledged_event_is_known_until_another_takes_its_place() -> None:
    known = AcknowledgedIds(slots=8)
    digests = [known.digest("/lam-dong/onestop", str(number), "dossier", "d") for number in range(100)]
    for digest in digests:
        known.add(digest)
    assert digests[-1] in known
    assert sum(digest in known for digest in digests) <= 8
    assert AcknowledgedIds(slots=8).digest("a", "b", "c", "d") != known.digest("a", "b", "c", "d"), "a key of its own"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("vi,en;q=0.9", "vi"),
        ("fr", "vi"),
        ("en;q=0.1, vi;q=0", "en"),
        ("en;q=x", "vi"),
    ],
)
def test_the_language_is_vietnamese_unless_english_is_preferred(header: str, language: str) -> None:
    assert language_of(header) == language


def test_the_newest_hundred_thousand_are_all_known() -> None:
    """A table with one place for each digest forgets one of two that meet: of 1,200 events every other time one."""
    known = AcknowledgedIds()
    digests = [known.digest("/lam-dong/onestop", str(number), "dossier", str(number)) for number in range(100_000)]
    for digest in digests:
        known.add(digest)
    assert all(digest in known for digest in digests[-20_000:])
    assert sum(digest in known for digest in digests) >= 99_999


def test_of_nine_on_one_shelf_the_oldest_goes() -> None:
    known = AcknowledgedIds(slots=8)
    digests = [known.digest("s", str(number), "e", "k") for number in range(9)]
    for digest in digests:
        known.add(digest)
    assert [digest in known for digest in digests] == [False] + [True] * 8
