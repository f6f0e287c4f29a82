"""Open figures by HTTP: the KPI log as JSON and CSV, what each KPI says, and the entities that a figure counts.

`figures_router` is mounted by whoever serves the wall. It computes nothing: figures are the log's; entities come from
the audit of rows that is handed in. Errors are RFC 9457 problems in both languages.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.errors import IocError
from ioc.gateway.problems import PROBLEM_TYPE, Language, Problem, language_of
from ioc.kpis import KpiDefinition
from ioc.kpis.audit import Explanation, Wanted
from ioc.wall.figure_audit import Auditor
from ioc.wall.figure_questions import (
    after_of,
    clock_of,
    cursor_of,
    day_of,
    headings,
    next_url,
    not_found,
    prefers_csv,
)
from ioc.wall.figure_store import FigureStore, Kept
from ioc.wall.figure_store import Query as StoreQuery
from ioc.wall.figure_table import csv_text, figure_json
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["Explain", "FigureServices", "figures_router"]

MAX_LIMIT = 10_000
_LIMIT = 1_000
_MAX_ENTITIES = 1_000

Explain = Callable[[KpiDefinition, str, int, Wanted], Awaitable[Explanation]]
"""(KPI, window, clock in µs, series) → the entities behind the figure; `ioc.cli` hands it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureServices:
    """What the routes need. `is_current`: whether the store is up with the log, and when it last was. `licence`: under
    which the province gives its figures away, "" where it has not said."""

    catalog: Catalog
    store: FigureStore
    clock: Clock
    explain: Explain
    is_current: Callable[[], tuple[bool, datetime | None]]
    licence: str = ""


class _Route(APIRoute):
    """Answers problems itself, so that the router is right in whatever application it is mounted."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                found = problem
            except RequestValidationError as error:
                where = str(error.errors()[0]["loc"][-1])
                found = Problem(
                    422,
                    "invalid_query",
                    vi=f"Tham số {where!r} không hợp lệ.",
                    en=f"parameter {where!r} is not valid: {error.errors()[0]['msg']}",
                    field=where,
                )
            except IocError as error:
                found = Problem(503, "unavailable", vi="Hiện chưa trả lời được; hãy thử lại sau.", en=str(error))
            body = found.body(_language(request))
            return Response(body, found.status, media_type=PROBLEM_TYPE, headers=dict(found.headers))

        return answer


def figures_router(services: FigureServices) -> APIRouter:
    """Returns the routes under /v1: figures, one figure, its entities, the KPIs."""
    router = APIRouter(prefix="/v1", tags=["figures"], route_class=_Route)
    handlers = _Handlers(services)
    csv_too = {200: {"content": {"application/json": {}, "text/csv": {}}}, 304: {"description": "not changed"}}
    add = router.add_api_route
    summary = "The KPI log: closed figures with corrections, and running totals"
    add("/figures", handlers.figures, methods=["GET"], summary=summary, responses=csv_too)  # type: ignore[arg-type]
    add("/figures.csv", handlers.figures_csv, methods=["GET"], summary=f"{summary}, as CSV")
    add("/figures/{kpi}/{window}/{period}", handlers.figure, methods=["GET"], summary="One figure with its rule")
    add(
        "/figures/{kpi}/{window}/{period}/entities",
        handlers.entities,
        methods=["GET"],
        summary="The entities that a figure counts, by id, as the rows tell today; `current` is the running period",
    )
    add("/kpis", handlers.kpis, methods=["GET"], summary="What each KPI counts")
    add("/kpis/{kpi}", handlers.kpi, methods=["GET"], summary="What one KPI counts")
    add("/openapi.json", lambda: _json(_described(router), {}), methods=["GET"], include_in_schema=False)
    return router


Text = Annotated[str | None, Query(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The filters of a list, as they came."""

    kpi: str | None
    window: str | None
    period: str | None
    unit: str | None
    agency: str | None
    dim: str | None
    since: str | None
    until: str | None
    cursor: str | None
    limit: int

    def query(self) -> StoreQuery:
        return StoreQuery(
            kpi=self.kpi,
            window=self.window,
            period=self.period,
            admin_unit=self.unit,
            agency=self.agency,
            dim=self.dim,
            since=day_of("from", self.since),
            until=day_of("to", self.until),
            after=after_of(self.cursor),
            limit=self.limit + 1,  # one more tells whether there is a next page
        )


class _Handlers:
    def __init__(self, services: FigureServices) -> None:
        self._services = services
        self._kpis = {kpi.id: kpi for kpi in services.catalog.kpis}
        self._auditor = Auditor(services.explain)

    async def figures(
        self,
        request: Request,
        kpi: Text = None,
        window: Text = None,
        period: Text = None,
        unit: Annotated[str | None, Query(max_length=200, description="`*`: the province")] = None,
        agency: Text = None,
        dim: Text = None,
        since: Annotated[
            str | None, Query(alias="from", description="periods that end on this local day or later")
        ] = None,
        until: Annotated[
            str | None, Query(alias="to", description="periods that end on this local day or before")
        ] = None,
        cursor: Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = _LIMIT,
        headers: Annotated[str, Query(pattern="^(code|vi|en)$", description="CSV: names of the columns")] = "code",
        bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, as Excel wants")] = False,
        note: Annotated[bool, Query(description="CSV: a last line with source and licence")] = False,
    ) -> Response:
        asked = _Asked(
            kpi=kpi, window=window, period=period, unit=unit, agency=agency, dim=dim,
            since=since, until=until, cursor=cursor, limit=limit,
        )  # fmt: skip
        self._known(kpi)
        wants_csv = request.url.path.endswith(".csv") or prefers_csv(request.headers.get("accept", ""))
        tag = await self._etag(request, wants_csv)
        shown = self._headers() | {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Language"}
        if tag in request.headers.get("if-none-match", "").replace(" ", "").split(","):
            return Response(status_code=304, headers=shown)
        found = await asyncio.to_thread(self._services.store.find, asked.query())
        page, following = found[:limit], cursor_of(found[limit - 1].key) if len(found) > limit else None
        if following is not None:
            shown["Link"] = f'{shown.get("Link", "")}, <{next_url(request, following)}>; rel="next"'.lstrip(", ")
        language = _language(request)
        told = [figure_json(kept, self._services.catalog, language) for kept in page]
        if wants_csv:
            line = self._note(language) if note else ""
            text = csv_text(told, headers=headings(headers), has_bom=bom, note=line)
            shown["Content-Disposition"] = 'attachment; filename="figures.csv"'
            return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=shown)
        return _json(self._about(language) | {"next": following, "figures": told}, shown)

    figures_csv = figures

    async def figure(
        self, request: Request, kpi: str, window: str, period: str, unit: str = "*", agency: str = "", dim: str = ""
    ) -> Response:
        definition = self._definition(kpi, window)
        kept = await self._logged(kpi, window, period, Wanted(unit, agency, dim))
        if kept is None:
            raise not_found(f"{kpi}, {window}, {period}, {unit} {agency} {dim}".rstrip())
        language = _language(request)
        entities = f"{request.url.path}/entities?" + urlencode({"unit": unit, "agency": agency, "dim": dim})
        told = figure_json(kept, self._services.catalog, language)
        about = self._about(language) | {"figure": told, "kpi": self._tell(definition, kept.last_day)}
        return _json(about | {"entities": entities}, self._headers())

    async def entities(
        self,
        request: Request,
        kpi: str,
        window: str,
        period: str,
        unit: str = "*",
        agency: str = "",
        dim: str = "",
        limit: Annotated[int, Query(ge=0, le=_MAX_ENTITIES)] = 100,
    ) -> Response:
        definition = self._definition(kpi, window)
        now_us = microseconds_of(self._services.clock())
        clock_us, name = clock_of(window, period, now_us)
        wanted = Wanted("" if unit == "*" else unit, agency, dim)
        self._check(definition, wanted)
        explained = await self._auditor.explain(definition, window, clock_us, wanted)
        kept = await self._logged(kpi, window, name, Wanted(unit, agency, dim)) if name else None
        told = self._auditor.tell(explained, limit=limit, logged=None if kept is None else kept.logged)
        head = {"kpi": kpi, "window": window, "period": name, "admin_unit": unit, "agency": agency, "dim": dim}
        return _json(self._about(_language(request)) | head | told, self._headers())

    async def kpis(self, request: Request) -> Response:
        today = self._services.clock().astimezone(LOCAL_ZONE).date()
        about = self._about(_language(request))
        return _json(about | {"kpis": [self._tell(kpi, today) for kpi in self._services.catalog.kpis]}, self._headers())

    async def kpi(self, request: Request, kpi: str) -> Response:
        today = self._services.clock().astimezone(LOCAL_ZONE).date()
        self._known(kpi)
        return _json(self._about(_language(request)) | self._tell(self._kpis[kpi], today), self._headers())

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _logged(self, kpi: str, window: str, period: str, wanted: Wanted) -> Kept | None:
        query = StoreQuery(
            kpi=kpi, window=window, period=period, admin_unit=wanted.admin_unit or "*", agency=wanted.agency,
            dim=wanted.dim, limit=1,
        )  # fmt: skip
        found = await asyncio.to_thread(self._services.store.find, query)
        return found[0] if found else None

    def _known(self, kpi: str | None) -> None:
        if kpi is not None and kpi not in self._kpis:
            raise not_found(f"KPI {kpi}")

    def _definition(self, kpi: str, window: str) -> KpiDefinition:
        self._known(kpi)
        definition = self._kpis[kpi]
        if window not in definition.windows:
            raise not_found(f"{kpi}: {', '.join(definition.windows)}; {window}")
        return definition

    def _check(self, kpi: KpiDefinition, wanted: Wanted) -> None:
        """A series that the KPI can't have is told before anything is read."""
        group = "admin_unit" if wanted.admin_unit else "agency" if wanted.agency else ""
        has_dim = any(part.dim for part in kpi.parts)
        is_one = sum(map(bool, wanted)) <= 1
        if not is_one or (group and kpi.group_by != group) or (wanted.dim and not has_dim):
            raise not_found(f"{kpi.id}: {' '.join(wanted)}".rstrip())

    def _tell(self, kpi: KpiDefinition, on: date) -> dict[str, Any]:
        target = kpi.target(on)
        return {
            "id": kpi.id,
            "name_vi": kpi.name_vi,
            "name_en": kpi.name_en,
            "family": kpi.family,
            "kind": kpi.kind,
            "unit": kpi.unit,
            "form": kpi.form,
            "metric": kpi.metric,
            "windows": list(kpi.windows),
            "group_by": kpi.group_by,
            "fed_by": list(kpi.fed_by),
            "stale_after_s": kpi.stale_after_s,
            "rule_version": kpi.rule_version,
            "target": None if target is None else {"value": target.value, "direction": target.direction},
            "note": kpi.note,
        }

    def _about(self, language: Language) -> dict[str, Any]:
        is_current, read_at = self._services.is_current()
        return {
            "attribution": self._attribution(language),
            "licence": self._services.licence or None,
            "log_is_current": is_current,
            "log_read_at": None if read_at is None else read_at.astimezone(LOCAL_ZONE).isoformat(),
        }

    def _attribution(self, language: Language) -> str:
        catalog = self._services.catalog
        return f"Nguồn: {catalog.name_vi}, IOC" if language == "vi" else f"Source: {catalog.name_en}, IOC"

    def _note(self, language: Language) -> str:
        unsaid = "giấy phép: chưa công bố" if language == "vi" else "licence: not declared"
        licence = self._services.licence or unsaid
        return f"{self._attribution(language)}; {licence}"

    def _headers(self) -> dict[str, str]:
        licence = self._services.licence
        return {"Link": f'<{licence}>; rel="license"'} if licence.startswith("http") and licence.isascii() else {}

    async def _etag(self, request: Request, wants_csv: bool) -> str:
        """Changes with the log, the question and the language; the rest of the answer follows from them."""
        offset = await asyncio.to_thread(lambda: self._services.store.next_offset)
        asked = f"{request.url.query} {wants_csv} {_language(request)} {self._services.is_current()[0]}"
        return f'W/"{offset}-{hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()}"'


# ---- small things ----------------------------------------------------------------------------------------------------


def _described(router: APIRouter) -> dict[str, Any]:
    """The OpenAPI document of these routes alone: who mounts them may have none."""
    return get_openapi(
        title="IOC open figures",
        version="1",
        description="Số liệu mở của sổ chỉ số. The figures of the KPI log.",
        routes=router.routes,
    )


def _json(body: object, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


def _language(request: Request) -> Language:
    asked = request.query_params.get("lang")
    if asked in ("vi", "en"):
        return "en" if asked == "en" else "vi"
    return language_of(request.headers.get("accept-language", ""))
