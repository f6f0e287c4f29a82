"""Events to the gateway over HTTP: one batch a request, one verdict an event."""

import logging
import ssl
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.sdk import troubles
from ioc.sdk.results import LinkTrouble, Trouble, Verdict
from ioc.sdk.retrying import retry_after_s
from ioc.sdk.spool import Spooled

__all__ = ["GatewayTransport", "Token"]

logger = logging.getLogger(__name__)

BATCH_TYPE = "application/cloudevents-batch+json"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONNECT_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 16 * 1024 * 1024  # 500 results of two sentences each are far below it
_BUSY = (408, 425, 429, 502, 503, 504)
_ADDRESS = (401, 404, 405, 406, 407, 410, 415, 421)  # these speak of the token or the address, not of an event

Token = str | Path
"""The secret itself, or the file that holds it: that one is read for each request, so it may be rotated meanwhile."""


class _Answer(msgspec.Struct, gc=False):
    """One result of a batch; a refusal may lie flat in it or below `error`."""

    outcome: str
    id: str | None = None
    reason: str | None = None
    field: str | None = None
    message_vi: str | None = None
    message_en: str | None = None
    error: Any = None


class _Answers(msgspec.Struct, gc=False):
    results: list[_Answer]


class _Problem(msgspec.Struct, gc=False):
    """RFC 9457, with what the gateway adds."""

    reason: str = ""
    field: str | None = None
    message_vi: str = ""
    message_en: str = ""
    detail: str = ""


class GatewayTransport:
    """Speaks to the gateway at `url`. Opens nothing until the first request.

    Args:
        url: https://host[:port][/prefix], without /v1.
        token: the department's secret.
        ca_file: PEM file of the centre's root certificate where the machine doesn't trust it.
        timeout_s: of one request, from the first byte to the last.
    """

    def __init__(self, url: str, token: Token, *, clock: Clock, ca_file: Path | None, timeout_s: float) -> None:
        self._url = _checked(url)
        self._token, self._clock = token, clock
        _read_token(token)
        if self._url.scheme == "http" and self._url.host not in _LOOPBACK:
            logger.warning("the token goes to %s in clear text; use https", self._url)
        self._ssl: ssl.SSLContext | bool = True
        if ca_file is not None:
            self._ssl = _trusting(ca_file)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_TIMEOUT_S)
        self._session: aiohttp.ClientSession | None = None
        self.clock_skew_s: float | None = None

    async def send(self, events: Sequence[Spooled]) -> list[Verdict]:
        """Returns one verdict for each event, in their order.

        Raises:
            LinkTrouble: there is no verdict about all of them; whatever arrived is known by source and id.
        """
        body = b"[" + b",".join(event.body for event in events) + b"]"
        status, headers, text = await self._ask("POST", "v1/events", body)
        if status < 500 and (answers := _read_answers(text)) is not None:
            return self._verdicts(answers, events, status)
        raise LinkTrouble(self._trouble(status, headers, text))

    async def is_well(self) -> bool:
        """Whether the gateway takes this token and says that it can do its work."""
        try:
            ready, _, _ = await self._ask("GET", "readyz")
            known, _, _ = await self._ask("GET", "v1/types")
        except LinkTrouble:
            return False
        return ready == 200 and known not in (401, 403) and known < 500

    async def get(self, path: str, etag: str) -> tuple[int, str, bytes]:
        """Returns status, ETag and body of what lies at `path`; `etag`: of the copy at hand, "" for none."""
        status, headers, body = await self._ask("GET", path, etag=etag)
        return status, headers.get("ETag", ""), body

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ---- one request -----------------------------------------------------------------------------------------------

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, etag: str = ""
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=True)
        try:
            headers = {"Authorization": f"Bearer {_read_token(self._token)}", "User-Agent": "ioc-sdk"}
        except ConfigurationError as error:  # the file was there at the start, and is not just now
            raise LinkTrouble(troubles.no_token(str(error))) from None
        if body is not None:
            headers["Content-Type"] = BATCH_TYPE
        if etag:
            headers["If-None-Match"] = etag
        try:
            async with self._session.request(
                method, self._url / path, data=body, headers=headers, ssl=self._ssl, allow_redirects=False
            ) as answer:
                self._look_at_clock(answer.headers.get("Date"))
                text = await answer.content.read(_MAX_ANSWER_BYTES)
                while chunk := await answer.content.read(_MAX_ANSWER_BYTES):
                    text += chunk
                    if len(text) > _MAX_ANSWER_BYTES:
                        answer.close()
                        raise LinkTrouble(troubles.unknown_answer(str(self._url), answer.status))
                return answer.status, answer.headers, text
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LinkTrouble(troubles.network_trouble(error, str(self._url))) from error

    def _look_at_clock(self, date: str | None) -> None:
        """Date has whole seconds, and the way here takes some time: good to a few seconds, and meant for hours."""
        try:
            theirs = parsedate_to_datetime(date) if date else None
        except (TypeError, ValueError):
            return
        if theirs is not None and theirs.tzinfo is not None:
            self.clock_skew_s = (self._clock() - theirs).total_seconds()

    def _verdicts(self, answers: list[_Answer], events: Sequence[Spooled], status: int) -> list[Verdict]:
        """Every event must be answered by its own id: a wrong answer believed is an event lost."""
        is_whole = len(answers) == len(events) and all(
            answer.id is None or answer.id == event.id or answer.outcome == "rejected"
            for answer, event in zip(answers, events, strict=True)
        )
        verdicts = [_verdict(answer) for answer in answers] if is_whole else []
        if not is_whole or None in verdicts:
            raise LinkTrouble(troubles.unknown_answer(str(self._url), status))
        return [verdict for verdict in verdicts if verdict is not None]

    def _trouble(self, status: int, headers: Mapping[str, str], text: bytes) -> Trouble:
        problem = _read_problem(text)
        if status in _BUSY:
            pause = retry_after_s(headers.get("Retry-After"), self._clock())
            return troubles.busy(status, pause, problem.message_vi, problem.message_en)
        if 300 <= status < 400:
            return troubles.redirected(status, str(self._url), headers.get("Location", ""))
        if status in _ADDRESS or (status == 403 and not problem.reason.startswith("not_your")):
            return troubles.locked_out(status, str(self._url))
        if not problem.reason or status >= 500:
            return troubles.unknown_answer(str(self._url), status)
        refusal = Verdict(
            outcome="rejected",
            reason=problem.reason,
            field=problem.field or "",
            vi=problem.message_vi or problem.detail,
            en=problem.message_en or problem.detail,
        )
        return troubles.too_large(refusal) if status == 413 else troubles.unclear(refusal.vi, refusal.en, refusal)


# ---- what comes in ---------------------------------------------------------------------------------------------------


def _checked(url: str) -> URL:
    try:
        parsed = URL(url)
    except (TypeError, ValueError):
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError(f"url={url!r}: write the gateway's address, like https://ioc.lamdong.gov.vn")
    if parsed.user or parsed.query_string:
        raise ConfigurationError("url: leave out user, password and query; the token is an argument of its own")
    return parsed


def _read_token(token: Token) -> str:
    try:
        text = token.read_text(encoding="utf-8") if isinstance(token, Path) else token
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the token file {token} can't be read ({error})") from None
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError("the token is empty or holds odd characters; paste it as the centre gave it")
    return text


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca_file={ca_file}: no certificates there ({error}); it must be a PEM file") from None


def _read_answers(text: bytes) -> list[_Answer] | None:
    try:
        return msgspec.json.decode(text, type=_Answers).results
    except (msgspec.DecodeError, RecursionError):
        return None


def _read_problem(text: bytes) -> _Problem:
    try:
        return msgspec.json.decode(text, type=_Problem)
    except (msgspec.DecodeError, RecursionError):
        return _Problem()


def _verdict(answer: _Answer) -> Verdict | None:
    if answer.outcome not in ("accepted", "duplicate", "rejected"):
        return None
    told = answer.error if isinstance(answer.error, dict) else {}

    def word(name: str, own: str | None) -> str:
        found = own if own is not None else told.get(name)
        return found if isinstance(found, str) else ""

    return Verdict(
        outcome="accepted"
        if answer.outcome == "accepted"
        else "duplicate"
        if answer.outcome == "duplicate"
        else "rejected",
        reason=word("reason", answer.reason),
        field=word("field", answer.field),
        vi=word("message_vi", answer.message_vi),
        en=word("message_en", answer.message_en),
    )
