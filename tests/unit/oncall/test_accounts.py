from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.errors import ConfigurationError
from ioc.oncall.accounts import IDLE, LASTS, LONGEST_LOCK, MAX_ADDRESS_FAILURES, Accounts, NewSession, actor_of
from ioc.oncall.models import Account, SignedIn
from tests.unit.oncall.making import NOW, opened

PASSWORD = "mot hai ba bon"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with opened(tmp_path) as store:
        found = Accounts(store.engine, hasher=CHEAP)
        await found.add("lan", PASSWORD, NOW, name="Nguyễn Thị Lan", role="operator", units=("24846",))
        yield found


async def signed_in(accounts: Accounts, password: str = PASSWORD, at: timedelta = timedelta()) -> NewSession:
    outcome = await accounts.sign_in("lan", password, NOW + at, address="127.0.0.1")
    assert isinstance(outcome, NewSession)
    return outcome


async def test_right_password_opens_a_session_of_that_person(accounts: Accounts) -> None:
    visitor = await accounts.visitor((await signed_in(accounts)).cookie, NOW)
    assert visitor is not None
    assert (visitor.name, visitor.role, visitor.units) == ("Nguyễn Thị Lan", "operator", ("24846",))
    actor = actor_of(visitor)
    assert (actor.actor_id, actor.door, actor.units) == ("lan", "web", ("24846",))


async def test_database_holds_neither_password_nor_cookie(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    async with AsyncSession(accounts._engine) as reading:
        (account,) = await reading.scalars(select(Account))
        (kept,) = await reading.scalars(select(SignedIn))
    assert account.password_hash.startswith("$argon2id$")
    assert PASSWORD not in account.password_hash
    assert session.cookie not in kept.token_sha256
    assert session.cookie not in repr(session)


@pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "b" * 500])
async def test_a_cookie_that_was_guessed_opens_nothing(accounts: Accounts, cookie: str) -> None:
    await signed_in(accounts)
    assert await accounts.visitor(cookie, NOW) is None


@pytest.mark.parametrize(
    ("login", "password"), [("lan", "wrong"), ("nobody", PASSWORD), ("", ""), ("LAN'--", "x" * 999)]
)
async def test_wrong_login_or_password_is_refused_alike(accounts: Accounts, login: str, password: str) -> None:
    assert await accounts.sign_in(login, password, NOW, address="a") == "wrong"


async def test_five_failures_lock_for_a_while_and_no_longer(accounts: Accounts) -> None:
    for number in range(5):
        assert await accounts.sign_in("lan", "wrong", NOW, address=f"a{number}") == "wrong"
    assert await accounts.sign_in("lan", PASSWORD, NOW, address="b") == "locked"
    await signed_in(accounts, at=LONGEST_LOCK)


async def test_an_address_that_fails_on_and_on_waits(accounts: Accounts) -> None:
    for number in range(MAX_ADDRESS_FAILURES):
        await accounts.sign_in(f"guess{number}", "wrong", NOW, address="a")
    assert await accounts.sign_in("lan", PASSWORD, NOW, address="a") == "too_often"
    await signed_in(accounts)


async def test_session_ends_an_hour_after_it_was_last_heard_of(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    for minutes in (50, 100, 150):
        assert await accounts.visitor(session.cookie, NOW + timedelta(minutes=minutes)) is not None
    assert await accounts.visitor(session.cookie, NOW + timedelta(minutes=150) + IDLE) is None


async def test_session_ends_after_a_shift_whatever_happens(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    at = timedelta()
    while at + timedelta(minutes=30) < LASTS:
        at += timedelta(minutes=30)
        assert await accounts.visitor(session.cookie, NOW + at) is not None
    assert await accounts.visitor(session.cookie, NOW + LASTS) is None


async def test_signing_out_ends_one_session_and_everywhere_all(accounts: Accounts) -> None:
    first, second, third = [await signed_in(accounts) for _ in range(3)]
    await accounts.sign_out(first.cookie)
    assert [await accounts.visitor(one.cookie, NOW) is None for one in (first, second)] == [True, False]
    await accounts.sign_out_everywhere("lan")
    assert [await accounts.visitor(one.cookie, NOW) for one in (second, third)] == [None, None]


async def test_new_password_and_disabling_end_every_session(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    await accounts.set_password("lan", "nam sau bay tam", NOW)
    assert await accounts.visitor(session.cookie, NOW) is None
    session = await signed_in(accounts, "nam sau bay tam")
    await accounts.set_disabled("lan", True, NOW)
    assert await accounts.visitor(session.cookie, NOW) is None
    assert await accounts.sign_in("lan", "nam sau bay tam", NOW, address="a") == "wrong"
    assert not await accounts.is_empty()


async def test_list_counts_the_sessions_that_live(accounts: Accounts) -> None:
    await signed_in(accounts)
    (row,) = await accounts.all(NOW)
    assert (row.login, row.sessions) == ("lan", 1)
    (row,) = await accounts.all(NOW + IDLE)
    assert row.sessions == 0


@pytest.mark.parametrize(
    ("login", "password", "sentence"),
    [
        ("lan", PASSWORD, "has an account already"),
        ("Lan Nguyễn", PASSWORD, "small letters"),
        ("minh", "short", "10 to 200"),
        ("minh", "minh minh minh", "does not hold the login"),
    ],
)
async def test_what_makes_no_account_is_a_sentence(
    accounts: Accounts, login: str, password: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        await accounts.add(login, password, NOW, name="X", role="viewer")


async def test_unknown_login_is_a_sentence(accounts: Accounts) -> None:
    with pytest.raises(ConfigurationError, match="user list"):
        await accounts.set_disabled("nobody", True, NOW)
