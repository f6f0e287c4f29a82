"""Who takes alerts in the tests, over real sockets: a mail server, Telegram's Bot API, and a webhook's receiver."""

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import orjson
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["FakeTelegram", "MailBox", "SlowReceiver"]


@dataclass(slots=True)
class MailBox:
    """An SMTP server that keeps what it takes. `answers`: what it says to the next mails instead."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def start(self) -> "MailBox":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.test", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos
        return f"250 OK queued as {len(self.mails)}"


@dataclass(slots=True)
class _HttpServer:
    """On loopback; started again, it has the port that it had."""

    port: int = 0
    _runner: web.AppRunner | None = None

    async def _serve(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@dataclass(slots=True)
class FakeTelegram(_HttpServer):
    """Answers the Bot API's calls. `answers`: (status, JSON) for the next ones instead; `updates`: presses."""

    token: str = "1:token"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sent(self, *methods: str) -> list[dict[str, Any]]:
        wanted = methods or ("sendMessage", "sendPhoto")
        return [fields for method, fields in self.calls if method in wanted]

    async def start(self) -> "FakeTelegram":
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", self._call)
        await self._serve(app)
        return self

    async def _call(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != self.token:
            return _json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        method, form = request.match_info["method"], await request.post()
        fields = {
            name: value.file.read() if isinstance(value, web.FileField) else value for name, value in form.items()
        }
        if method == "getUpdates":
            offset = int(str(fields["offset"]))
            found = [update for update in self.updates if update["update_id"] >= offset]
            return _json(200, {"ok": True, "result": found})
        if self.answers:
            status, answer = self.answers.pop(0)
            return _json(status, answer)
        self.calls.append((method, fields))
        self.arrived.set()
        return _json(200, {"ok": True, "result": {"message_id": len(self.calls)}})

    def press(self, data: str, *, chat: str, update_id: int = 7) -> None:
        """Somebody presses a button in `chat`."""
        message = {"message_id": 1, "chat": {"id": int(chat), "type": "private"}}
        self.updates.append({"update_id": update_id, "callback_query": {"id": "q", "data": data, "message": message}})


@dataclass(slots=True)
class SlowReceiver(_HttpServer):
    """A webhook's receiver that takes a message and does not answer until it is let go."""

    keys: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    is_answering: bool = True
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> "SlowReceiver":
        app = web.Application()
        app.router.add_post("/", self._post)
        await self._serve(app)
        return self

    async def _post(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.keys.append(request.headers["webhook-id"])
        self.incidents.append(body["data"]["incident"]["incident_id"])
        self.arrived.set()
        if not self.is_answering:
            await asyncio.Event().wait()
        return web.Response(status=204)


def _json(status: int, data: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")
