"""Notices by Telegram's Bot API: the picture with the text below it, and two buttons.

https://core.telegram.org/bots/api describes `sendPhoto`, `sendMessage` and the answers.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from ioc.errors import PermanentError, TransientError
from ioc.oncall.channels import MAX_RETRY_AFTER_S, Receipt, RetryLater
from ioc.oncall.channels_pictures import Picture, no_picture
from ioc.oncall.notices import Digest, Message, Notice
from ioc.oncall.secrets import Resolve

__all__ = ["ACKNOWLEDGE_PREFIX", "DEFAULT_API", "TelegramApi", "TelegramChannel"]

DEFAULT_API = "https://api.telegram.org"
TIMEOUT_S = 15.0
MAX_CAPTION_CHARS, MAX_TEXT_CHARS = 1024, 4096
ACKNOWLEDGE_PREFIX = "a:"
"""What a button's data starts with; the notice's idempotency key follows (64 bytes are allowed, 52 are used)."""


class TelegramApi:
    """Calls of one bot. The token is part of every address, so no address is ever shown."""

    def __init__(self, token: str, *, session: aiohttp.ClientSession, base_url: str = DEFAULT_API) -> None:
        self._root = f"{base_url.rstrip('/')}/bot{token}"
        self._session = session

    async def call(
        self, method: str, fields: dict[str, Any], *, jpeg: bytes | None = None, timeout_s: float = TIMEOUT_S
    ) -> Any:
        """Returns the `result` of the answer.

        Raises:
            TransientError: not reached, busy (RetryLater), or the token is refused: an administrator mends that.
            PermanentError: Telegram will not take it: the chat is gone, or the bot is blocked there.
        """
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.post(
                    f"{self._root}/{method}", data=_form(fields, jpeg), allow_redirects=False
                ) as response,
            ):
                status, body = response.status, await response.read()
        except TimeoutError:
            raise TransientError("Telegram did not answer in time") from None
        except aiohttp.InvalidURL:
            raise PermanentError("the address of Telegram's API is not valid") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(f"Telegram can't be reached: {type(error).__name__}") from None
        return _result(status, body)


def _form(fields: dict[str, Any], jpeg: bytes | None) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    if jpeg is not None:
        form.add_field("photo", jpeg, filename="incident.jpg", content_type="image/jpeg")
    return form


def _result(status: int, body: bytes) -> Any:
    try:
        answer = orjson.loads(body)
        is_ok = status == 200 and answer["ok"] is True
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise TransientError(f"Telegram answered HTTP {status} with no JSON of its own") from None
    if is_ok:
        return answer.get("result")
    text = f"Telegram: {status} {str(answer.get('description', ''))[:200]}"
    if status == 429:
        after = (answer.get("parameters") or {}).get("retry_after", 1)
        raise RetryLater(text, after_s=min(float(after), MAX_RETRY_AFTER_S) if isinstance(after, int | float) else 1.0)
    if status in (400, 403):
        raise PermanentError(text)
    raise TransientError(text)  # 5xx; 401 and 404: the token is wrong until somebody mends it


class TelegramChannel:
    """One message a try. The receipt is the message's number in its chat."""

    name = "telegram"

    def __init__(
        self,
        api: TelegramApi,
        *,
        resolve: Resolve,
        picture: Picture = no_picture,
    ) -> None:
        self._api = api
        self._resolve = resolve
        self._picture = picture

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        fields: dict[str, Any] = {"chat_id": self._chat(notice), "reply_markup": _keyboard(notice, idempotency_key)}
        text = _without_link(notice)
        jpeg = await self._picture(notice)
        if jpeg is not None:
            try:
                caption = _cut(text, MAX_CAPTION_CHARS)
                return _receipt(await self._api.call("sendPhoto", {**fields, "caption": caption}, jpeg=jpeg))
            except PermanentError as error:
                if not _is_of_picture(error):
                    raise
        return _receipt(await self._api.call("sendMessage", {**fields, "text": _cut(text, MAX_TEXT_CHARS)}))

    async def send_digest(self, digest: Digest, *, idempotency_key: str) -> Receipt:
        fields = {"chat_id": self._chat(digest), "text": _cut(digest.text, MAX_TEXT_CHARS)}
        return _receipt(await self._api.call("sendMessage", fields))

    def _chat(self, message: Message) -> str:
        chat = self._resolve(message.to.address)
        if not chat:
            raise PermanentError("no chat is given for this person")
        return chat


def _without_link(notice: Notice) -> str:
    """The buttons acknowledge: a long link would only take the picture's caption away."""
    return notice.message_en if notice.to.language == "en" else notice.message_vi


def _keyboard(notice: Notice, key: str) -> dict[str, Any]:
    rows = []
    if notice.is_calling:
        rows.append([{"text": "Đã nhận / On it", "callback_data": f"{ACKNOWLEDGE_PREFIX}{key}"}])
    if _is_public(notice.open_url):
        rows.append([{"text": "Xem / Open", "url": notice.open_url}])
    return {"inline_keyboard": rows}


def _is_public(url: str) -> bool:
    """Telegram refuses a whole message for a button that leads to a bare host name or a loopback address."""
    host = urlsplit(url).hostname or ""
    return "." in host and not host.startswith("127.") and host != "0.0.0.0"  # noqa: S104


def _is_of_picture(error: PermanentError) -> bool:
    return any(word in str(error).upper() for word in ("PHOTO", "IMAGE", "CAPTION"))


def _cut(text: str, longest: int) -> str:
    """Telegram counts UTF-16 units."""
    if len(text.encode("utf-16-le")) // 2 <= longest:
        return text
    return text.encode("utf-16-le")[: 2 * (longest - 1)].decode("utf-16-le", "ignore") + "…"


def _receipt(result: Any) -> Receipt:
    number = result.get("message_id", "?") if isinstance(result, dict) else "?"
    return Receipt(reference=f"message {number}")
