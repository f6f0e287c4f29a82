"""What people press in Telegram: "on it" below a notice. Asked for with long polling, so that nothing must reach us.

Only a chat that the plan names may acknowledge, and only what was sent to it.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.errors import PermanentError, TransientError
from ioc.oncall.channels_telegram import ACKNOWLEDGE_PREFIX, TelegramApi, TelegramChannel
from ioc.oncall.database import writing
from ioc.oncall.delivery_turns import Turn, always
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Acknowledge, Actor
from ioc.oncall.links_words import acknowledged_words
from ioc.oncall.models import OutboxEntry, ServiceMark
from ioc.oncall.secrets import Resolve
from ioc.oncall.store import Acted

__all__ = ["TelegramAnswers"]

logger = logging.getLogger(__name__)

POLL_S = 25
PAUSE_S = 5.0  # after a failed poll, and while another service has its turn
OFFSET_MARK = "telegram_offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Press:
    query_id: str
    chat: str
    message_id: int
    data: str


class TelegramAnswers:
    """Takes presses until cancelled. The offset lies in SQL: a press is taken once more after a crash, never lost."""

    def __init__(
        self, api: TelegramApi, *, desk: Desk, resolve: Resolve, turn: Turn = always, poll_s: int = POLL_S
    ) -> None:
        self._api = api
        self._desk = desk
        self._resolve = resolve
        self._turn = turn
        self._poll_s = poll_s

    async def run(self) -> None:
        while True:
            try:
                if await self._turn():
                    await self.take()
                else:
                    await asyncio.sleep(PAUSE_S)
            except (TransientError, PermanentError) as error:
                logger.warning("Telegram's presses can't be asked for, next in %.0f s: %s", PAUSE_S, error)
                await asyncio.sleep(PAUSE_S)
            except (SQLAlchemyError, OSError) as error:
                logger.error("Telegram's presses: the database does not answer: %s", getattr(error, "orig", error))
                await asyncio.sleep(PAUSE_S)

    async def take(self) -> int:
        """Asks once and does what was pressed; returns how many updates came."""
        offset = await self._offset()
        fields = {"offset": offset, "timeout": self._poll_s, "allowed_updates": ["callback_query", "message"]}
        updates = await self._api.call("getUpdates", fields, timeout_s=self._poll_s + 10)
        for update in updates if isinstance(updates, list) else []:
            await self._take_one(update)
            await self._keep_offset(int(update["update_id"]) + 1)
        return len(updates or ())

    async def _take_one(self, update: dict[str, Any]) -> None:
        press = _press_of(update)
        try:
            if press is not None:
                await self._pressed(press)
            elif _is_greeting(update):
                await self._greet(update["message"])
        except PermanentError as error:  # too old to be answered, or the chat is gone: it was done all the same
            logger.info("Telegram took no answer to a press: %s", error)

    async def _pressed(self, press: _Press) -> None:
        entry = await self._entry(press.data.removeprefix(ACKNOWLEDGE_PREFIX))
        actor = self._actor(entry, press.chat)
        if entry is None or actor is None:
            await self._answer(press, "Không nhận được ở đây / Not accepted here")
            return
        outcome = await self._desk.act(entry.incident_id, Acknowledge(), actor)
        view = await self._desk.store.incident(entry.incident_id)
        if view is None:
            return
        said = acknowledged_words(view.row, actor, is_news=isinstance(outcome, Acted) and outcome.is_news)
        await self._answer(press, said.en if entry.language == "en" else said.vi)
        if said.is_mine:
            fields = {"chat_id": press.chat, "message_id": press.message_id, "reply_markup": {"inline_keyboard": []}}
            await self._api.call("editMessageReplyMarkup", fields)

    def _actor(self, entry: OutboxEntry | None, chat: str) -> Actor | None:
        """The person whose chat it is, where the plan still names it and the notice went there."""
        person = self._desk.keeper().people.get(entry.recipient) if entry is not None else None
        if entry is None or person is None:
            return None
        known = [one.key for one in person.addresses if one.channel == TelegramChannel.name]
        if entry.address not in known or self._resolve(entry.address) != chat:
            return None
        return Actor(actor_id=person.person_id, name=person.name, role="operator", door="channel")

    async def _answer(self, press: _Press, text: str) -> None:
        await self._api.call("answerCallbackQuery", {"callback_query_id": press.query_id, "text": text[:200]})

    async def _greet(self, message: dict[str, Any]) -> None:
        """Tells a newcomer the number that the administrator must put into the plan."""
        chat = str(message["chat"]["id"])
        text = (
            f"Mã chat của bạn: {chat}. Hãy gửi mã này cho người quản trị trực ban.\n"
            f"Your chat id: {chat}. Give it to the on-call administrator."
        )
        await self._api.call("sendMessage", {"chat_id": chat, "text": text})

    async def _entry(self, key: str) -> OutboxEntry | None:
        async with AsyncSession(self._desk.store.engine) as session:
            return await session.scalar(select(OutboxEntry).where(OutboxEntry.idempotency_key == key))

    async def _offset(self) -> int:
        async with AsyncSession(self._desk.store.engine) as session:
            mark = await session.get(ServiceMark, OFFSET_MARK)
            return int(mark.value) if mark is not None else 0

    async def _keep_offset(self, offset: int) -> None:
        async with AsyncSession(writing(self._desk.store.engine)) as session, session.begin():
            await session.merge(ServiceMark(name=OFFSET_MARK, value=str(offset)))


def _press_of(update: dict[str, Any]) -> _Press | None:
    query = update.get("callback_query") or {}
    message, data = query.get("message") or {}, query.get("data")
    if not isinstance(data, str) or not data.startswith(ACKNOWLEDGE_PREFIX) or "chat" not in message:
        return None
    return _Press(
        query_id=str(query.get("id", "")),
        chat=str(message["chat"].get("id", "")),
        message_id=int(message.get("message_id", 0)),
        data=data,
    )


def _is_greeting(update: dict[str, Any]) -> bool:
    message = update.get("message") or {}
    return str(message.get("text", "")).startswith("/start") and (message.get("chat") or {}).get("type") == "private"
