"""The gateway as one ASGI application: the hot paths plain, everything else FastAPI."""

import logging

from fastapi import FastAPI, Request
from fastapi.responses import Response

from ioc import __version__
from ioc.errors import InvalidRecord, TransientError
from ioc.gateway.problems import PROBLEM_TYPE, Problem, language_of, problem_of
from ioc.gateway.services import GatewayServices

__all__ = ["build_app"]

logger = logging.getLogger(__name__)


def build_app(services: GatewayServices) -> FastAPI:
    """Returns the application over `services`; starts nothing."""
    app = FastAPI(title="IOC gateway", version=__version__, docs_url=None, redoc_url=None)
    _answer_errors(app)
    _include_routers(app, services)
    return app


def _include_routers(app: FastAPI, services: GatewayServices) -> None:
    """Each door adds itself by one line."""


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return _response(request, problem)

    @app.exception_handler(InvalidRecord)
    async def on_invalid(request: Request, error: InvalidRecord) -> Response:
        return _response(request, problem_of(error))

    @app.exception_handler(TransientError)
    async def on_transient(request: Request, error: TransientError) -> Response:
        return _response(request, unavailable(error))


def _response(request: Request, problem: Problem) -> Response:
    language = language_of(request.headers.get("accept-language", ""))
    return Response(
        problem.body(language), status_code=problem.status, headers=dict(problem.headers), media_type=PROBLEM_TYPE
    )


def unavailable(error: TransientError) -> Problem:
    """503: the same request may be sent again."""
    return Problem(
        503,
        "unavailable",
        vi="Hệ thống nhận dữ liệu tạm thời không sẵn sàng; chưa xác nhận sự kiện nào, hãy gửi lại nguyên yêu cầu này.",
        en=f"events can't be stored at the moment; nothing was acknowledged, send the same request again ({error})",
        headers={"Retry-After": "2"},
    )
