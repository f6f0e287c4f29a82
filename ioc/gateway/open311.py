"""Open311 GeoReport v2 over the citizens' reports: /open311/v2.

A façade: a report that comes in is an event `report.submitted` like any other, and what became of it is read from the
events of the receiving agencies. Every answer in JSON or XML, by the ending of the path.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from ioc.adapters.kafka_access import kafka_access
from ioc.errors import InvalidRecord, TransientError
from ioc.event_reading import Event
from ioc.gateway.open311_answers import discovery, service_definition, service_list, shown, token_answer
from ioc.gateway.open311_documents import documented
from ioc.gateway.open311_form import read_form
from ioc.gateway.open311_format import MEDIA_TYPES, Format, render
from ioc.gateway.open311_index import Fact, Query, ReportIndex
from ioc.gateway.open311_intake import ReportIntake, salt_of
from ioc.gateway.open311_services import REPORT_TYPE, load_report_services
from ioc.gateway.problems import Language, Problem, language_of, sentence
from ioc.gateway.services import GatewayServices
from ioc.gateway.topic_tail import TopicTail
from ioc.publishers import Publisher
from ioc.windows import LOCAL_ZONE

__all__ = ["KEEP", "router"]

KEEP = timedelta(days=90)  # the standard's own longest span of a list
"""How far back the view of the reports goes."""

PREFIX = "/open311/v2"
_FORM = "application/x-www-form-urlencoded"


class GeoReportError(Exception):
    """Ends a request with GeoReport's own error."""

    def __init__(self, code: int, vi: str, en: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(en)
        self.code, self.vi, self.en, self.headers = code, vi, en, dict(headers or {})


def router(services: GatewayServices) -> APIRouter:
    """The routes, and behind them the view of the recent reports.

    Raises:
        ConfigurationError: report_services.yaml is not as it must be.
    """
    door = _Door(services)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(door.tail().run(), name="open311-reports")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    routes = APIRouter(prefix=PREFIX, lifespan=lifespan, tags=["Open311 GeoReport v2"])
    for format in ("json", "xml"):
        _add(routes, "GET", f"/discovery.{format}", "discovery", door.discovery, format)
        _add(routes, "GET", f"/services.{format}", "services", door.service_list, format)
        _add(routes, "GET", f"/services/{{service_code}}.{format}", "service_definition", door.definition, format)
        _add(routes, "POST", f"/requests.{format}", "service_requests", door.submit, format)
        _add(routes, "GET", f"/requests.{format}", "service_requests", door.requests, format)
        _add(routes, "GET", f"/requests/{{service_request_id}}.{format}", "service_requests", door.request, format)
        _add(routes, "GET", f"/tokens/{{token}}.{format}", "service_requests", door.token, format)
    return routes


Answer = Callable[[Request], Awaitable[tuple[int, Sequence[Mapping[str, Any]] | Mapping[str, Any]]]]


def _add(routes: APIRouter, method: str, path: str, root: str, answer: Answer, format: Format) -> None:
    """One route: `answer` gives status and content, a GeoReportError its error, both in `format`."""

    async def endpoint(request: Request) -> Response:
        language = language_of(request.headers.get("accept-language", ""))
        headers: dict[str, str] = {}
        try:
            status, content = await answer(request)
            body = render(root, content, format)
        except GeoReportError as error:
            said = error.vi if language == "vi" else error.en
            status, headers = error.code, error.headers
            body = render("errors", [{"code": error.code, "description": said}], format)
        return Response(body, status_code=status, headers=headers, media_type=MEDIA_TYPES[format])

    routes.add_api_route(
        path,
        endpoint,
        methods=[method],
        name=f"{method} {path}",
        response_class=Response,
        **documented(root, path, method, format),
    )


class _Door:
    """What the routes share."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services
        self._kinds = {kind.code: kind for kind in load_report_services(services.catalog)}
        self._index = ReportIndex(covers_since=services.clock() - KEEP)
        self._intake = ReportIntake(
            services, codes=frozenset(self._kinds), salt=lambda: salt_of(services.settings.state)
        )

    def tail(self) -> TopicTail:
        return TopicTail(
            self._services.catalog.event_types[REPORT_TYPE].topic,
            broker=kafka_access(self._services.settings),
            decoder=self._services.catalog.decoder(),
            clock=self._services.clock,
            keep=KEEP,
            on_event=self._learn,
        )

    def _learn(self, event: Event, data: Mapping[str, Any]) -> None:
        self._index.add(
            Fact(
                type=event.type.name,
                report_id=event.entity_id,
                event_id=event.id,
                at_us=event.order_us,
                is_tombstone=event.is_tombstone,
                data=data,
            )
        )

    async def discovery(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        return 200, discovery(self._services.catalog, str(request.base_url).rstrip("/") + PREFIX)

    async def service_list(self, request: Request) -> tuple[int, Sequence[Mapping[str, Any]]]:
        self._check_jurisdiction(request.query_params.get("jurisdiction_id", ""))
        return 200, service_list(self._kinds.values(), _language(request))

    async def definition(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        self._check_jurisdiction(request.query_params.get("jurisdiction_id", ""))
        kind = self._kinds.get(request.path_params["service_code"])
        if kind is None:
            raise GeoReportError(404, "Không có loại phản ánh này.", "there is no such service_code")
        today = self._services.clock().astimezone(LOCAL_ZONE).date()
        return 200, service_definition(kind, self._services.catalog.geography.in_force(today), _language(request))

    async def submit(self, request: Request) -> tuple[int, Sequence[Mapping[str, Any]]]:
        """One report; `api_key` is the gateway's token. With an Idempotency-Key a repeat is the same report."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise GeoReportError(
                415,
                f"Content-Type phải là {_FORM}; ảnh thì gửi địa chỉ trong media_url.",
                f"the Content-Type must be {_FORM}; give the address of a picture as media_url",
            )
        try:
            fields = read_form(await request.body())
            self._check_jurisdiction(fields.get("jurisdiction_id", ""))
            publisher = self._publisher(request, fields.get("api_key", ""))
            taken = await self._intake.take(publisher, fields, request.headers.get("idempotency-key", ""))
        except InvalidRecord as error:
            raise GeoReportError(400, sentence(error, "vi"), sentence(error, "en")) from None
        except Problem as problem:
            raise _as_geo_report(problem) from None
        except TransientError as error:
            raise GeoReportError(
                503,
                "Chưa lưu được phản ánh; hãy gửi lại sau ít giây với cùng Idempotency-Key.",
                f"the report could not be stored; send it again with the same Idempotency-Key ({error})",
                {"Retry-After": "2"},
            ) from None
        if taken.fact is not None:
            self._index.add(taken.fact)
        notice = {"vi": "Đã tiếp nhận phản ánh.", "en": "The report was received."}[_language(request)]
        return 201, [{"service_request_id": taken.report_id, "service_notice": notice, "account_id": None}]

    async def requests(self, request: Request) -> tuple[int, Sequence[Mapping[str, Any]]]:
        parameters = request.query_params
        self._check_jurisdiction(parameters.get("jurisdiction_id", ""))
        query = Query(
            ids=_listed(parameters.get("service_request_id")),
            services=_listed(parameters.get("service_code")),
            states=_states(parameters.get("status")),
            since=_moment("start_date", parameters.get("start_date")),
            until=_moment("end_date", parameters.get("end_date")),
        )
        return 200, self._shown(request, query)

    async def request(self, request: Request) -> tuple[int, Sequence[Mapping[str, Any]]]:
        self._check_jurisdiction(request.query_params.get("jurisdiction_id", ""))
        found = self._shown(request, Query(ids=(request.path_params["service_request_id"],)))
        if not found:
            since = self._index.covers_since.astimezone(LOCAL_ZONE).isoformat(timespec="seconds")
            raise GeoReportError(
                404,
                f"Không có phản ánh này trong các phản ánh từ {since}.",
                f"there is no such report among those since {since}",
            )
        return 200, found

    async def token(self, request: Request) -> tuple[int, Sequence[Mapping[str, Any]]]:
        """A report's id is told at once, so it is its own token."""
        token = request.path_params["token"]
        if not self._index.find(Query(ids=(token,))):
            raise GeoReportError(404, "Không có mã này.", "there is no such token")
        return 200, token_answer(token)

    def _shown(self, request: Request, query: Query) -> list[Mapping[str, Any]]:
        names = {code: kind.name(_language(request)) for code, kind in self._kinds.items()}
        geography, is_whole = self._services.catalog.geography, self._may_see_all(request)
        return [shown(report, names, geography, is_whole=is_whole) for report in self._index.find(query)]

    def _may_see_all(self, request: Request) -> bool:
        """A citizen's own words are shown only to departments that tell of reports: people write names and numbers
        into them."""
        api_key = request.query_params.get("api_key", "")
        if not api_key and "authorization" not in request.headers:
            return False
        try:
            publisher = self._publisher(request, api_key)
        except Problem as problem:
            raise _as_geo_report(problem) from None
        event_type = self._services.catalog.event_types[REPORT_TYPE]
        return event_type in publisher.own_types({event_type.name: event_type})

    def _check_jurisdiction(self, told: str) -> None:
        province = self._services.catalog.province
        if told and told != province:
            raise GeoReportError(
                404, f"jurisdiction_id phải là {province}.", f"the jurisdiction_id must be {province}, or left out"
            )

    def _publisher(self, request: Request, api_key: str) -> Publisher:
        """`api_key` is a token like that of the Authorization header; both ways lead through the one check."""
        if api_key:
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"authorization"]
            bearer = f"Bearer {api_key}".encode("utf-8", "replace")
            request = Request({**request.scope, "headers": [*headers, (b"authorization", bearer)]})
        return self._services.authenticate(request)


def _as_geo_report(problem: Problem) -> GeoReportError:
    code = 403 if problem.status == 401 else problem.status  # GeoReport's own code for a missing or wrong api_key
    headers = {name: value for name, value in problem.headers.items() if name.lower() == "retry-after"}
    return GeoReportError(code, problem.vi, problem.en, headers)


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language", ""))


def _listed(text: str | None) -> frozenset[str]:
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip())


def _states(text: str | None) -> frozenset[str]:
    states = _listed(text)
    if not states <= {"open", "closed"}:
        raise GeoReportError(400, "status phải là open hoặc closed.", "status must be open or closed")
    return states


def _moment(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "+"))  # an unescaped plus of an offset
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GeoReportError(
            400,
            f"{name} phải là thời gian có múi giờ như 2026-11-22T08:00:00+07:00.",
            f"{name} must be a time with its offset, like 2026-11-22T08:00:00+07:00",
        )
    return moment
