"""Pieces of judged events through the HTTP gateway, for departments without Kafka."""

import asyncio
import email.utils
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from ioc.errors import ConfigurationError, InvalidRecord, PermanentError, TransientError
from ioc.publishing.judge import Outgoing
from ioc.publishing.pieces import Piece, RejectedRow
from ioc.publishing.publication import OnSafe

__all__ = ["GatewaySink", "open_gateway", "token_of"]

_EVENTS = 500  # of a request
_BODY_BYTES = 1 << 20
_TRIES = 8
_MAX_PAUSE_S = 15.0
_TIMEOUT_S = 60.0
_BATCHED = "application/cloudevents-batch+json"
_WAIT_AND_SEE = frozenset((408, 429, 500, 502, 503, 504))


def token_of(path: Path) -> str:
    """Returns the token that `path` holds.

    Raises:
        ConfigurationError: it can't be read, or is none.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--token-file {path} can't be read: {error}") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"--token-file {path}: the file must hold the token and nothing else")
    return token


class GatewaySink:
    """Posts pieces in batches, in order, and waits for each answer; repeats what the gateway could not take."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url.rstrip("/") + "/v1/events"

    async def send(self, piece: Piece, on_safe: OnSafe) -> None:
        """Returns once the gateway has answered for every event.

        Raises:
            ConfigurationError: the token is not taken.
            PermanentError: the gateway answers what it should not.
            TransientError: it does not answer, or is too busy for too long.
        """
        refused: dict[int, RejectedRow] = {}
        numbers = iter(piece.numbers)
        for events in _parts(piece.events):
            results = await self._post(b"[" + b",".join([outgoing.value for outgoing in events]) + b"]", len(events))
            for result in results:
                number = next(numbers)
                if result.get("outcome") == "rejected":
                    refused.setdefault(number, piece.refused(number, _error(result)))
        on_safe(piece, list(refused.values()))

    async def flush(self) -> None:
        return

    async def _post(self, body: bytes, count: int) -> list[dict[str, Any]]:
        said = ""
        for attempt in range(_TRIES):
            try:
                async with self._session.post(self._url, data=body, headers={"content-type": _BATCHED}) as response:
                    if response.status in _WAIT_AND_SEE:
                        said = f"answers {response.status}"
                        pause_s = _pause_s(response.headers.get("retry-after", ""), attempt)
                    else:
                        return _results(response.status, await _content(response), count)
            except (aiohttp.ClientError, TimeoutError) as error:
                said, pause_s = f"does not answer ({type(error).__name__})", _pause_s("", attempt)
            await asyncio.sleep(pause_s)
        raise TransientError(f"the gateway at {self._url} {said}; try again later.")


async def _content(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError:
        return None


def _results(status: int, content: Any, count: int) -> list[dict[str, Any]]:
    if status in (401, 403):
        raise ConfigurationError("the gateway does not take the token: ask for a new one (`ioc gateway token issue`)")
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list) or len(results) != count:
        detail = content.get("detail", "") if isinstance(content, dict) else ""
        raise PermanentError(f"the gateway answered {status} {str(detail)[:200]} where {count} results were due.")
    return results


def _error(result: dict[str, Any]) -> InvalidRecord:
    return InvalidRecord(
        str(result.get("reason", "rejected")),
        field=str(result.get("field", "")),
        vi=str(result.get("message_vi", "")),
        en=str(result.get("message_en", "")),
    )


def _parts(events: Sequence[Outgoing]) -> list[list[Outgoing]]:
    parts: list[list[Outgoing]] = []
    size = _BODY_BYTES
    for outgoing in events:
        if size + len(outgoing.value) > _BODY_BYTES or len(parts[-1]) >= _EVENTS:
            parts.append([])
            size = 0
        parts[-1].append(outgoing)
        size += len(outgoing.value)
    return parts


def _pause_s(retry_after: str, attempt: int) -> float:
    """What the gateway asks for, in seconds or as a date; else longer from try to try."""
    if retry_after.isdigit():
        return min(float(retry_after), _MAX_PAUSE_S)
    if retry_after and email.utils.parsedate(retry_after) is not None:
        return _MAX_PAUSE_S
    return min(0.25 * float(2**attempt), _MAX_PAUSE_S)


@asynccontextmanager
async def open_gateway(url: str, token: str) -> AsyncIterator[GatewaySink]:
    """Yields a sink to the gateway at `url`.

    Raises:
        ConfigurationError: `url` is none.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"--gateway {url!r}: write it like https://ioc.example.vn")
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers={"authorization": f"Bearer {token}"}) as session:
        yield GatewaySink(session, url)
