"""Who may sign in to the operators' pages, and who is signed in. Passwords are argon2id's, cookies random numbers.

A session ends an hour after its page was last heard of (an open page counts: at night nothing may happen for hours,
and its bell must ring), and after thirteen hours whatever happens: a shift and its handover.
"""

import asyncio
import hashlib
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ioc.errors import ConfigurationError
from ioc.oncall.database import writing
from ioc.oncall.lifecycle import Actor
from ioc.oncall.models import Account, SignedIn

__all__ = ["Accounts", "Denied", "NewSession", "Role", "Visitor", "actor_of", "checked_password"]

Role = Literal["viewer", "operator", "administrator"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "administrator")
Denied = Literal["wrong", "locked", "too_often"]

IDLE = timedelta(hours=1)
LASTS = timedelta(hours=13)
SEEN_EVERY = timedelta(minutes=1)  # how exact `seen_at` is: a write for every request would be waste
MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 10, 200  # NIST SP 800-63B: length, no rules of composition
FREE_FAILURES = 5
FIRST_LOCK, LONGEST_LOCK = timedelta(seconds=30), timedelta(minutes=5)  # longer would let anybody lock the duty out
MAX_ADDRESS_FAILURES, ADDRESS_WINDOW = 30, timedelta(minutes=10)
MAX_ADDRESSES = 10_000
HASHES_AT_ONCE = 2  # each takes 64 MiB
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who looks at a page. `login` "": nobody signed in, on this machine while there is no account."""

    login: str = ""
    actor_id: str = ""
    name: str = ""
    role: Role = "viewer"
    units: tuple[str, ...] = ("*",)
    language: str = ""
    csrf_token: str = ""

    @property
    def may_act(self) -> bool:
        return self.role != "viewer"

    @property
    def is_administrator(self) -> bool:
        return self.role == "administrator"


def actor_of(visitor: Visitor) -> Actor:
    return Actor(
        actor_id=visitor.actor_id, name=visitor.name, role=visitor.role, door="web", units=tuple(visitor.units)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """`cookie` is for the browser alone: the database keeps its SHA-256."""

    cookie: str
    login: str

    def __repr__(self) -> str:
        return f"NewSession(login={self.login!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    login: str
    name: str
    person_id: str
    role: Role
    units: tuple[str, ...]
    language: str
    is_disabled: bool
    created_at: datetime
    sessions: int


def checked_password(password: str, login: str) -> str:
    """Returns the password; raises ConfigurationError where it is too easy."""
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS or login in password.lower():
        raise ConfigurationError(
            f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters and does not hold the login; "
            "a few words that don't belong together are good"
        )
    return password


class Accounts:
    """Accounts and sessions in the on-call database. `hasher` is cheap in tests."""

    def __init__(self, engine: AsyncEngine, *, hasher: PasswordHasher | None = None) -> None:
        self._engine = engine
        self._writing = writing(engine)
        self._hasher = hasher or PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._nobody = ""
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()

    # ---- accounts ----------------------------------------------------------------------------------------------------

    async def is_empty(self) -> bool:
        """Whether there is no account at all; a disabled one counts."""
        async with AsyncSession(self._engine) as session:
            return await session.scalar(select(Account.login).limit(1)) is None

    async def add(
        self,
        login: str,
        password: str,
        now: datetime,
        *,
        name: str,
        role: Role,
        units: tuple[str, ...] = ("*",),
        language: str = "vi",
        person_id: str = "",
    ) -> None:
        """Raises ConfigurationError where the login is taken or is none, or the password too easy."""
        if not _LOGIN.fullmatch(login):
            raise ConfigurationError(f"{login!r}: a login has small letters, digits, dots and dashes, 80 at most")
        hashed = await self._hash(checked_password(password, login))
        async with AsyncSession(self._writing) as session, session.begin():
            if await session.get(Account, login) is not None:
                raise ConfigurationError(f"{login!r} has an account already; ioc oncall user passwd {login} changes it")
            session.add(
                Account(
                    login=login,
                    name=name,
                    person_id=person_id,
                    role=role,
                    units=list(units),
                    language=language,
                    password_hash=hashed,
                    created_at=now,
                    changed_at=now,
                )
            )

    async def set_password(self, login: str, password: str, now: datetime) -> None:
        """Sets it, lifts a lock, and ends the login's sessions."""
        hashed = await self._hash(checked_password(password, login))
        async with AsyncSession(self._writing) as session, session.begin():
            account = await _known(session, login)
            account.password_hash, account.changed_at = hashed, now
            account.failed_logins, account.locked_until = 0, None
            await session.execute(delete(SignedIn).where(SignedIn.login == login))

    async def set_disabled(self, login: str, is_disabled: bool, now: datetime) -> None:
        """A disabled login's sessions end at once."""
        async with AsyncSession(self._writing) as session, session.begin():
            account = await _known(session, login)
            account.is_disabled, account.changed_at = is_disabled, now
            await session.execute(delete(SignedIn).where(SignedIn.login == login))

    async def all(self, now: datetime) -> list[AccountRow]:
        live = (
            select(SignedIn.login, func.count().label("sessions"))
            .where(SignedIn.expires_at > now, SignedIn.seen_at > now - IDLE)
            .group_by(SignedIn.login)
            .subquery()
        )
        query = select(Account, live.c.sessions).outerjoin(live, live.c.login == Account.login).order_by(Account.login)
        async with AsyncSession(self._engine) as session:
            return [
                AccountRow(
                    login=account.login,
                    name=account.name,
                    person_id=account.person_id,
                    role=cast(Role, account.role),
                    units=tuple(account.units),
                    language=account.language,
                    is_disabled=account.is_disabled,
                    created_at=account.created_at,
                    sessions=sessions or 0,
                )
                for account, sessions in await session.execute(query)
            ]

    # ---- sessions ----------------------------------------------------------------------------------------------------

    async def sign_in(self, login: str, password: str, now: datetime, *, address: str) -> NewSession | Denied:
        """A new session, or why not. Every failure takes as long: it does not tell whether the login exists."""
        if self._is_too_often(address, now):
            return "too_often"
        async with AsyncSession(self._engine) as session:
            account = await session.get(Account, login) if _LOGIN.fullmatch(login) else None
        if account is not None and account.locked_until is not None and now < account.locked_until:
            return "locked"
        is_right = await self._verify(account.password_hash if account else "", password[:MAX_PASSWORD_CHARS])
        if account is None or account.is_disabled or not is_right:
            self._note_failure(address, now)
            if account is not None and not account.is_disabled:
                await self._count_failure(login, now)
            return "wrong"
        return await self._begin(login, now)

    async def visitor(self, cookie: str, now: datetime) -> Visitor | None:
        """Who holds the cookie; None where it is none, or its session has ended."""
        if not cookie or len(cookie) > 100:
            return None
        digest = _digest(cookie)
        async with AsyncSession(self._engine) as session:
            query = select(SignedIn, Account).join(Account, Account.login == SignedIn.login)
            found = (await session.execute(query.where(SignedIn.token_sha256 == digest))).one_or_none()
        if found is None:
            return None
        signed_in, account = found
        if account.is_disabled or now >= signed_in.expires_at or now >= signed_in.seen_at + IDLE:
            return None
        if now - signed_in.seen_at >= SEEN_EVERY:
            await self._see(digest, now)
        return Visitor(
            login=account.login,
            actor_id=account.person_id or account.login,
            name=account.name,
            role=cast(Role, account.role),
            units=tuple(account.units),
            language=account.language,
            csrf_token=signed_in.csrf_token,
        )

    async def sign_out(self, cookie: str) -> None:
        async with AsyncSession(self._writing) as session, session.begin():
            await session.execute(delete(SignedIn).where(SignedIn.token_sha256 == _digest(cookie)))

    async def sign_out_everywhere(self, login: str) -> None:
        async with AsyncSession(self._writing) as session, session.begin():
            await session.execute(delete(SignedIn).where(SignedIn.login == login))

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _begin(self, login: str, now: datetime) -> NewSession:
        cookie = secrets.token_urlsafe(32)
        async with AsyncSession(self._writing) as session, session.begin():
            account = await _known(session, login)
            account.failed_logins, account.locked_until = 0, None
            is_over = (SignedIn.expires_at <= now) | (SignedIn.seen_at <= now - IDLE)
            await session.execute(delete(SignedIn).where(is_over))
            session.add(
                SignedIn(
                    token_sha256=_digest(cookie),
                    login=login,
                    csrf_token=secrets.token_urlsafe(32),
                    created_at=now,
                    seen_at=now,
                    expires_at=now + LASTS,
                )
            )
        return NewSession(cookie=cookie, login=login)

    async def _see(self, digest: str, now: datetime) -> None:
        async with AsyncSession(self._writing) as session, session.begin():
            found = await session.get(SignedIn, digest)
            if found is not None:
                found.seen_at = max(found.seen_at, now)

    async def _count_failure(self, login: str, now: datetime) -> None:
        async with AsyncSession(self._writing) as session, session.begin():
            account = await _known(session, login)
            account.failed_logins += 1
            over = account.failed_logins - FREE_FAILURES
            if over >= 0:
                account.locked_until = now + min(FIRST_LOCK * 2 ** min(over, 10), LONGEST_LOCK)

    def _is_too_often(self, address: str, now: datetime) -> bool:
        recent = [at for at in self._failures.get(address, []) if now - at < ADDRESS_WINDOW]
        if recent:
            self._failures[address] = recent
        else:
            self._failures.pop(address, None)
        return len(recent) >= MAX_ADDRESS_FAILURES

    def _note_failure(self, address: str, now: datetime) -> None:
        self._failures.setdefault(address, []).append(now)
        self._failures.move_to_end(address)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, hashed: str, password: str) -> bool:
        """A login that does not exist costs the same."""
        if not self._nobody:
            self._nobody = await self._hash(secrets.token_urlsafe(16))
        try:
            async with self._hashing:
                await asyncio.to_thread(self._hasher.verify, hashed or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(hashed)


async def _known(session: AsyncSession, login: str) -> Account:
    account = await session.get(Account, login)
    if account is None:
        raise ConfigurationError(f"{login!r} has no account; ioc oncall user list shows them")
    return account


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
