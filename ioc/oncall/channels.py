"""Ways to reach people. A channel makes one try; the outbox decides about another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

import aiohttp
import orjson

from ioc.clock import Clock
from ioc.errors import ConfigurationError, PermanentError, TransientError
from ioc.oncall.channels_threads import in_daemon_thread
from ioc.oncall.notices import Digest, Notice, console_block, webhook_body
from ioc.oncall.secrets import Resolve, no_secrets
from ioc.oncall.signatures import SigningKey, sign

__all__ = [
    "Channel",
    "ConsoleChannel",
    "PeopleChannel",
    "Receipt",
    "RetryLater",
    "WebhookChannel",
    "WebhookTarget",
    "judge_answer",
    "webhook_target",
]

WEBHOOK_TIMEOUT_S = 10.0
CONSOLE_TIMEOUT_S = 5.0
MAX_RETRY_AFTER_S = 600.0
_RETRIED_CLIENT_ERRORS = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that a channel took a notice, in its own words."""

    reference: str


class RetryLater(TransientError):
    """The receiver named the pause it wants."""

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """Stable: part of the idempotency key and a label of metrics."""

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        """Makes one try and returns the receipt. May be called again with the same key after a crash.

        Raises:
            TransientError: worth another try.
            PermanentError: another try would fail the same way.
        """


@runtime_checkable
class PeopleChannel(Channel, Protocol):
    """A channel that a person reads: one message at a time, in order, and a burst as one digest."""

    async def send_digest(self, digest: Digest, *, idempotency_key: str) -> Receipt:
        """As `send`, for many notices in one message."""


class ConsoleChannel:
    """A block of text on a terminal or into a journal.

    The write runs in a thread of its own: a full pipe that nobody reads once stopped the whole service, webhooks and
    health included.
    """

    name = "console"

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        ready: asyncio.Event | None = None,
        timeout_s: float = CONSOLE_TIMEOUT_S,
    ) -> None:
        self._write = write
        self._ready = ready
        self.timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._writing: asyncio.Future[None] | None = None

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        if self._ready is not None:
            await self._ready.wait()
        async with self._turn:
            if self._writing is not None:
                await asyncio.wait({self._writing}, timeout=self.timeout_s)
                if not self._writing.done():
                    raise TransientError("the console has not taken the text before this one yet")
            block = console_block(notice).encode()
            self._writing = in_daemon_thread(lambda: self._write(block), name="console", expected=(OSError, ValueError))
            done, _ = await asyncio.wait({self._writing}, timeout=self.timeout_s)
            if not done:
                raise TransientError("the console takes no text: is its pipe full?")
            error = self._writing.exception()
        if error is not None:  # a closed terminal may come back with the next start
            raise TransientError(f"the console is gone: {type(error).__name__}")
        return Receipt(reference="written")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """Where to, signed with what. The address may hold a token: only `origin` is ever shown."""

    url: str
    key: SigningKey

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.port else f"{parts.scheme}://{parts.hostname}"

    def __repr__(self) -> str:
        return f"WebhookTarget({self.origin})"


def webhook_target(url: str, secret: str | None, *, secret_setting: str) -> WebhookTarget:
    """Returns the checked target.

    Raises:
        ConfigurationError: not an http(s) address, or the secret is missing or too short; never shows either.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("oncall_webhook_url (IOC_ONCALL_WEBHOOK_URL, --webhook) must start with http(s)://")
    if not secret:
        raise ConfigurationError(
            f"{secret_setting}: a webhook is set but its secret is not; receivers need it to tell "
            "our alerts from forged ones"
        )
    return WebhookTarget(url=url, key=SigningKey.from_text(secret, where=secret_setting))


class WebhookChannel:
    """A signed POST (Standard Webhooks). The receiver tells repeats by `webhook-id`.

    A person of the plan may have an address of their own, signed with the same key; else it is the settings' one.
    """

    name = "webhook"

    def __init__(
        self,
        target: WebhookTarget,
        *,
        session: aiohttp.ClientSession,
        clock: Clock,
        resolve: Resolve = no_secrets,
        timeout_s: float = WEBHOOK_TIMEOUT_S,
    ) -> None:
        self._target = target
        self._resolve = resolve
        self._session = session
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(timeout_s, 5.0))

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        body = orjson.dumps(webhook_body(notice))
        headers = sign(self._target.key, message_id=idempotency_key, at=self._clock(), body=body)
        headers["content-type"] = "application/json"
        own = self._resolve(notice.to.address)
        target = WebhookTarget(url=own, key=self._target.key) if own else self._target
        return await self._post(target, body, headers)

    async def _post(self, target: WebhookTarget, body: bytes, headers: dict[str, str]) -> Receipt:
        try:
            async with self._session.post(
                target.url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return judge_answer(response.status, response.headers.get("retry-after", ""))
        except TimeoutError:
            raise TransientError(f"{target.origin} did not answer in time") from None
        except aiohttp.InvalidURL:
            raise PermanentError("the webhook address is not valid") from None
        except (aiohttp.ClientError, OSError) as error:
            # The error's text may hold the address with its token: its type is enough.
            raise TransientError(f"{target.origin} can't be reached: {type(error).__name__}") from None


def judge_answer(status: int, retry_after: str) -> Receipt:
    """2xx is taken; 5xx, 408, 425 and 429 are worth another try; the rest (redirects too) can't get better."""
    if 200 <= status < 300:
        return Receipt(reference=f"HTTP {status}")
    if status in _RETRIED_CLIENT_ERRORS or status >= 500:
        if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 9:
            raise RetryLater(f"HTTP {status}", after_s=min(float(retry_after), MAX_RETRY_AFTER_S))
        raise TransientError(f"HTTP {status}")
    raise PermanentError(f"HTTP {status}")
