"""Tokens of the departments: issued once, kept as digests, two valid while one is rotated, expired or revoked at once.

A token is `ioc_<id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess
(OWASP asks for slow hashes where people choose the secret).
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from ioc.errors import ConfigurationError

__all__ = ["MAX_VALID", "Identity", "LastUsed", "Token", "TokenFile", "TokenVerifier"]

MAX_VALID = 2
"""Tokens of one publisher that are valid at the same time: the old and the new one of a rotation."""
LOOK_EVERY_S = 0.5
MAX_TOKEN_CHARS = 200

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a token: never the secret itself."""

    id: str
    publisher: str
    sha256: str
    created_at: _Moment
    expires_at: _Moment | None = None
    revoked_at: _Moment | None = None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sends a request: the publisher's name, and which of its tokens it showed."""

    publisher: str
    token_id: str


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    tokens: list[Token] = []


class TokenFile:
    """`gateway-tokens.json` in the state folder: written whole and in one go, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Token, ...]:
        """Returns every token ever issued and not pruned, oldest first.

        Raises:
            ConfigurationError: the file is not what this program writes.
        """
        try:
            return tuple(msgspec.json.decode(self.path.read_bytes(), type=_Content).tokens)
        except FileNotFoundError:
            return ()
        except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{self.path}: the tokens can't be read ({error}); put the file back from a backup, or remove it and "
                f"issue new tokens with: ioc gateway token issue NAME"
            ) from None

    def issue(self, publisher: str, *, now: datetime, valid_for: timedelta | None = None) -> tuple[Token, str]:
        """Returns a new token of `publisher` and its text, which is kept nowhere.

        Raises:
            ConfigurationError: it has two valid ones already.
        """
        with self._changing() as tokens:
            valid = [token for token in tokens if token.publisher == publisher and token.is_valid(now)]
            if len(valid) >= MAX_VALID:
                raise ConfigurationError(
                    f"{publisher} has {len(valid)} valid tokens ({', '.join(token.id for token in valid)}); revoke one "
                    f"with: ioc gateway token revoke ID, or replace both with: ioc gateway token rotate {publisher}"
                )
            return self._add(tokens, publisher, now=now, valid_for=valid_for)

    def rotate(
        self, publisher: str, *, now: datetime, overlap: timedelta, valid_for: timedelta | None = None
    ) -> tuple[Token, str]:
        """Returns a new token and its text. The newest of the old ones stays valid for `overlap`, any other ends now.

        Raises:
            ConfigurationError: there is none to replace.
        """
        with self._changing() as tokens:
            valid = [token for token in tokens if token.publisher == publisher and token.is_valid(now)]
            if not valid:
                raise ConfigurationError(
                    f"{publisher} has no valid token to replace; issue one with: ioc gateway token issue {publisher}"
                )
            newest = max(valid, key=lambda token: token.created_at)
            for place, token in enumerate(tokens):
                if token in valid:
                    ends = now + overlap if token is newest else now
                    ends = ends if token.expires_at is None else min(ends, token.expires_at)
                    tokens[place] = msgspec.structs.replace(token, expires_at=ends)
            return self._add(tokens, publisher, now=now, valid_for=valid_for)

    def revoke(self, token_id: str, *, now: datetime) -> Token:
        """Returns the token that is worth nothing from now on.

        Raises:
            ConfigurationError: no such token.
        """
        with self._changing() as tokens:
            for place, token in enumerate(tokens):
                if token.id == token_id:
                    tokens[place] = msgspec.structs.replace(token, revoked_at=token.revoked_at or now)
                    return tokens[place]
        raise ConfigurationError(f"{self.path}: no token has the id {token_id!r}; see: ioc gateway token list")

    def _add(
        self, tokens: list[Token], publisher: str, *, now: datetime, valid_for: timedelta | None
    ) -> tuple[Token, str]:
        taken = {token.id for token in tokens}
        token_id = next(text for text in iter(lambda: secrets.token_hex(4), "") if text not in taken)
        secret = secrets.token_urlsafe(32)
        token = Token(
            id=token_id,
            publisher=publisher,
            sha256=_digest(secret),
            created_at=now,
            expires_at=None if valid_for is None else now + valid_for,
        )
        tokens.append(token)
        return token, f"ioc_{token_id}_{secret}"

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """One writer at a time; nothing is written where the body raises."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = [*self.read()]
            yield tokens
            write_private(self.path, msgspec.json.format(msgspec.json.encode(_Content(tokens)), indent=1))
        finally:
            os.close(lock)


def write_private(path: Path, content: bytes) -> None:
    """Writes the file whole, mode 600: a reader sees the old content or the new one, also after a power cut."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class TokenVerifier:
    """Answers whose a token is. Sees a change of the file within half a second, without a restart.

    Args:
        monotonic: seconds, to look at the file not more often than twice a second.
    """

    def __init__(self, file: TokenFile, *, monotonic: Callable[[], float]) -> None:
        self._file, self._monotonic = file, monotonic
        self._tokens: dict[str, Token] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._look_at_s = float("-inf")
        self._used: dict[str, datetime] = {}
        self.trouble = ""
        self._look()

    def identify(self, text: str, now: datetime) -> Identity | None:
        """Returns who shows the token `text`; None where it is unknown, wrong, expired or revoked."""
        if self._monotonic() >= self._look_at_s:
            self._look()
        kind, _, rest = text[: MAX_TOKEN_CHARS + 1].partition("_")
        token_id, _, secret = rest.partition("_")
        token = self._tokens.get(token_id)
        if kind != "ioc" or not secret or len(text) > MAX_TOKEN_CHARS:
            return None
        shown = _digest(secret)
        if token is None:
            return None
        if not hmac.compare_digest(shown, token.sha256) or not token.is_valid(now):
            return None
        self._used[token_id] = now
        return Identity(publisher=token.publisher, token_id=token_id)

    def take_used(self) -> dict[str, datetime]:
        """Returns when which token was last used, since the last call."""
        used, self._used = self._used, {}
        return used

    def _look(self) -> None:
        """A file that can't be read leaves the tokens as they were: a slip of the hand must not lock everybody out."""
        self._look_at_s = self._monotonic() + LOOK_EVERY_S
        try:
            found = self._file.path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        except FileNotFoundError:
            self._tokens, self._stamp = {}, None
            return
        if stamp == self._stamp:
            return
        try:
            self._tokens = {token.id: token for token in self._file.read()}
            self.trouble = ""
        except ConfigurationError as error:
            self.trouble = str(error)
        self._stamp = stamp


class LastUsed:
    """When each token was last used: a file of the gateway's own beside the tokens', so that each has one writer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, datetime]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Moment])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return {}  # it is told for information only

    def add(self, used: dict[str, datetime]) -> None:
        if used:
            write_private(self._path, msgspec.json.encode(self.read() | used))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
