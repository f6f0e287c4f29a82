"""The gateway as one ASGI application: the hot paths plain, everything else FastAPI behind a bounded body."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ioc import __version__
from ioc.errors import InvalidRecord, TransientError
from ioc.gateway.bodies import ClientGone, Receive, Scope, Send, headers_of, read_body
from ioc.gateway.door import Doorkeeper
from ioc.gateway.events import EventsDoor, respond
from ioc.gateway.limits import Budget
from ioc.gateway.metrics import GatewayMetrics
from ioc.gateway.problems import PROBLEM_TYPE, Problem, language_of, problem_of

__all__ = ["MAX_OTHER_BODY_BYTES", "Gateway", "build_api"]

logger = logging.getLogger(__name__)

MAX_OTHER_BODY_BYTES = 1024 * 1024  # alerts, citizens' reports, forms
DRAIN_S = 1.0
"""What was refused early is read on for so long: a connection closed at once would take the answer with it (TCP resets
it when unread bytes are left)."""


def build_api(routers: Sequence[APIRouter]) -> FastAPI:
    """Returns the FastAPI part over `routers`; every error is a problem in two languages."""
    api = FastAPI(title="IOC gateway", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers:
        api.include_router(router)
    for kind in (Problem, InvalidRecord, TransientError, HTTPException, RequestValidationError):
        api.add_exception_handler(kind, _on_error)
    return api


async def _on_error(request: Request, error: Exception) -> Response:
    problem = problem_for(error)
    language = language_of(request.headers.get("accept-language", ""))
    return Response(
        problem.body(language), status_code=problem.status, headers=dict(problem.headers), media_type=PROBLEM_TYPE
    )


@dataclass(slots=True)
class _Exchange:
    """One request and what was said of it so far."""

    receive: Receive
    send: Send
    is_read: bool = False
    status: int = 0

    async def get(self) -> "dict[str, object]":
        message = dict(await self.receive())
        if not message.get("more_body", False):
            self.is_read = True
        return message

    async def put(self, message: "Mapping[str, object]") -> None:
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
        await self.send(dict(message))


class Gateway:
    """The ASGI application.

    Args:
        api: everything but the hot paths.
        doors: the hot paths, by their path.
        other_budget: of the doors that read a body before they know who sends it (forms); strangers who are slow with
            theirs must not use up the events' own `budget`.
    """

    def __init__(
        self,
        api: FastAPI,
        *,
        doors: Mapping[str, EventsDoor],
        doorkeeper: Doorkeeper,
        budget: Budget,
        other_budget: Budget,
        metrics: GatewayMetrics,
        monotonic: Callable[[], float],
    ) -> None:
        self.api = api
        self._doors, self._doorkeeper = doors, doorkeeper
        self._budget, self._other_budget = budget, other_budget
        self._metrics, self._monotonic = metrics, monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.api(scope, receive, send)
            return
        started_s = self._monotonic()
        exchange = _Exchange(receive, send)
        try:
            await self._answer(scope, exchange)
        except ClientGone:
            exchange.status = 499
        except (Problem, TransientError, InvalidRecord) as error:
            await _refuse(scope, exchange, problem_for(error))
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if exchange.status:
                raise
            await _refuse(scope, exchange, _internal())
        door = scope["path"] if scope["path"] in self._doors else "other"
        self._metrics.request(door, exchange.status, self._monotonic() - started_s)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        door = self._doors.get(scope["path"])
        if door is None:
            await self._answer_other(scope, exchange)
            return
        if scope["method"] != "POST":
            raise _bad_method("POST")
        headers = headers_of(scope)
        publisher = self._doorkeeper.publisher_of(headers.get(b"authorization", b""))
        language = language_of(headers.get(b"accept-language", b"").decode("latin-1"))
        with self._budget.request() as hold:
            await door.answer(publisher, headers, language, exchange.get, exchange.put, hold)

    async def _answer_other(self, scope: Scope, exchange: _Exchange) -> None:
        if scope["method"] in ("GET", "HEAD"):  # health and metrics answer also under load
            await self.api(scope, exchange.get, exchange.put)
            return
        if scope["path"].startswith("/v1/"):  # who has no token is told so before a byte of the body is waited for
            self._doorkeeper.publisher_of(headers_of(scope).get(b"authorization", b""))
        with self._other_budget.request() as hold:
            body = await read_body(headers_of(scope), exchange.get, limit_bytes=MAX_OTHER_BODY_BYTES, hold=hold)
            pieces = [{"type": "http.request", "body": body, "more_body": False}]

            async def replay() -> "dict[str, object]":
                return pieces.pop() if pieces else await exchange.get()

            plain = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
            length = (b"content-length", str(len(body)).encode())
            await self.api({**scope, "headers": [*plain, length]}, replay, exchange.put)


async def _refuse(scope: Scope, exchange: _Exchange, problem: Problem) -> None:
    headers = headers_of(scope)
    body = problem.body(language_of(headers.get(b"accept-language", b"").decode("latin-1")))
    if exchange.is_read or not _has_body(headers):
        await respond(exchange.put, problem.status, body, content_type=PROBLEM_TYPE.encode(), headers=problem.headers)
        return
    told = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    told += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    start = {"type": "http.response.start", "status": problem.status, "headers": [*told, (b"connection", b"close")]}
    await exchange.put(start)
    await exchange.put({"type": "http.response.body", "body": body, "more_body": True})
    if b"expect" not in headers:
        await _drain(exchange)
    await exchange.put({"type": "http.response.body", "body": b""})


async def _drain(exchange: _Exchange) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            while not exchange.is_read:
                await exchange.get()
    except TimeoutError:
        pass


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


# ---- errors as problems ----------------------------------------------------------------------------------------------


def problem_for(error: Exception) -> Problem:
    """Returns how `error` is told; an unknown one is our own."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, InvalidRecord):
        return problem_of(error)
    if isinstance(error, TransientError):
        logger.info("answered 503: %s", error)
        return _unavailable()
    if isinstance(error, RequestValidationError):
        return _bad_request(error)
    if isinstance(error, HTTPException):
        if error.status_code == 405:
            return _bad_method((error.headers or {}).get("Allow", "GET"))
        return _not_found() if error.status_code == 404 else _other(error)
    return _internal()


def _unavailable() -> Problem:
    return Problem(
        503,
        "unavailable",
        vi="Hệ thống nhận dữ liệu tạm thời không sẵn sàng; chưa xác nhận sự kiện nào, hãy gửi lại nguyên yêu cầu này.",
        en="events can't be stored at the moment; nothing of it was acknowledged, send the same request again",
        headers={"Retry-After": "2"},
    )


def _bad_request(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return Problem(
        422, "bad_request", field=name, vi=f"Tham số {name} không hợp lệ.", en=f"parameter {name}: {first['msg']}"
    )


def _not_found() -> Problem:
    return Problem(
        404, "not_found", vi="Không có địa chỉ này; xem /openapi.json.", en="no such path; see /openapi.json"
    )


def _bad_method(allowed: str) -> Problem:
    return Problem(
        405,
        "bad_method",
        vi=f"Địa chỉ này chỉ nhận phương thức {allowed}.",
        en=f"this path takes {allowed} only",
        headers={"Allow": allowed},
    )


def _other(error: HTTPException) -> Problem:
    return Problem(
        error.status_code,
        "bad_request",
        vi="Yêu cầu không hợp lệ.",
        en=f"the request is not valid: {error.detail}",
        headers=error.headers,
    )


def _internal() -> Problem:
    return Problem(
        500,
        "internal_error",
        vi="Lỗi nội bộ của cổng nhận dữ liệu; hãy gửi lại, và báo cho trung tâm nếu còn lỗi.",
        en="an error of the gateway's own; send it again, and tell the centre if it stays",
    )
