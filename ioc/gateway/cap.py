"""The door for CAP 1.2 alerts: POST /v1/cap."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel

from ioc.adapters.kafka_access import kafka_access
from ioc.errors import InvalidRecord
from ioc.event_reading import Event
from ioc.events import MAX_EVENT_BYTES
from ioc.gateway.answers import encode_result, status_of
from ioc.gateway.cap_alert import CapAlert, read_alert
from ioc.gateway.cap_events import ALERT_TYPE, CapEvents, events_of, extended_id, is_real
from ioc.gateway.intake import Result
from ioc.gateway.problems import PROBLEM_TYPE, Language, Problem, language_of, problem_of
from ioc.gateway.services import GatewayServices
from ioc.gateway.topic_tail import TopicTail
from ioc.publishers import Publisher

__all__ = ["AlertRoots", "CapAnswer", "router"]

MEDIA_TYPES = ("application/cap+xml", "application/xml", "text/xml")
KEEP = timedelta(days=400)  # an Update may come as long as its alert's row is kept; alerts are few
MAX_ROOTS = 50_000
_ELEMENTS = {
    "time": "alert/sent",
    "sent": "alert/sent",
    "id": "alert/identifier",
    "identifier": "alert/identifier",
    "expires": "alert/info/expires",
}
"""The element that a field of the event was made from."""

_NOTES: Mapping[str, tuple[str, str]] = {
    "Exercise": ("Tin diễn tập: đã kiểm tra, không công bố và không tính vào chỉ số nào.",
                 "an exercise: checked, not published, and counted in no figure"),
    "Test": ("Tin thử: đã kiểm tra, không công bố và không tính vào chỉ số nào.",
             "a test: checked, not published, and counted in no figure"),
    "System": ("Tin nội bộ của mạng cảnh báo: đã kiểm tra, không công bố.",
               "a message of the alert network itself: checked, not published"),
    "Draft": ("Bản nháp: đã kiểm tra, không công bố.", "a draft: checked, not published"),
}  # fmt: skip


class AlertRoots:
    """Which alert each Update told of, so that a message about the Update finds it. The newest 50,000."""

    def __init__(self) -> None:
        self.of: OrderedDict[str, str] = OrderedDict()

    def add(self, event_id: str, identifier: str) -> None:
        """`event_id`: of the message's event; of several only the first is kept, which is the earliest alert."""
        if "#" not in event_id.rpartition(",")[2]:
            self.of[event_id] = identifier
            self.of.move_to_end(event_id)
            if len(self.of) > MAX_ROOTS:
                self.of.popitem(last=False)

    def learn(self, event: Event, data: Mapping[str, Any]) -> None:
        if event.type.name == ALERT_TYPE and data.get("msgType") == "Update":
            self.add(event.id, event.entity_id)


class CapResult(BaseModel):
    """One event that the alert became."""

    index: int
    outcome: Literal["accepted", "duplicate", "rejected"]
    source: str
    id: str
    reason: str = ""
    field: str = ""
    message: str = ""
    message_vi: str = ""
    message_en: str = ""
    topic: str = ""
    key: str = ""


class CapAnswer(BaseModel):
    """What became of an alert."""

    outcome: Literal["accepted", "duplicate", "rejected"]
    identifier: str
    is_published: bool
    alerts: list[str]
    admin_units: list[str]
    unknown_codes: list[str]
    note_vi: str
    note_en: str
    results: list[CapResult]


_FAULT = {name: {"type": "string"} for name in ("reason", "field", "message_vi", "message_en")}
_PROBLEM: dict[str, Any] = {"content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_FAULTS: dict[str, Any] = {
    "content": {
        PROBLEM_TYPE: {
            "schema": {
                "allOf": [
                    {"$ref": "#/components/schemas/Problem"},
                    {
                        "type": "object",
                        "required": ["faults"],
                        "properties": {
                            "faults": {
                                "type": "array",
                                "description": "every fault of the document, each with its CAP element",
                                "items": {"type": "object", "required": [*_FAULT], "properties": _FAULT},
                            }
                        },
                    },
                ]
            }
        }
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"description": "in Kafka: the alert is published", "model": CapAnswer},
    401: {"description": "no valid token", **_PROBLEM},
    403: {"description": "the department may not publish alerts, or is none of the catalogue", **_PROBLEM},
    408: {"description": "the body came too slowly", **_PROBLEM},
    413: {"description": "the body is too large", **_PROBLEM},
    415: {"description": "not XML by its Content-Type", **_PROBLEM},
    400: {"description": "the body can't be unpacked", **_PROBLEM},
    422: {"description": "not a CAP 1.2 alert, or one that can't be taken: every fault with its element", **_FAULTS},
    429: {"description": "more events than the department may send", **_PROBLEM},
    503: {"description": "Kafka is away; send the same alert again", **_PROBLEM},
}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "One CAP 1.2 alert",
        "content": {media: {"schema": {"type": "string"}} for media in MEDIA_TYPES},
    }
}
_DESCRIBED: dict[str, Any] = {
    "response_model": CapAnswer,
    "response_description": "known already, or not published: an exercise, a test, a draft, the sandbox",
    "responses": _RESPONSES,
    "openapi_extra": _BODY,
}


def router(services: GatewayServices) -> APIRouter:
    """The route, and behind it a view of the alerts told lately."""
    roots = AlertRoots()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_tail(services, roots).run(), name="cap-alerts")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    routes = APIRouter(lifespan=lifespan, tags=["CAP 1.2"])

    def described(summary: str) -> dict[str, Any]:
        return {"summary": summary, **_DESCRIBED}

    async def take(request: Request, publisher: Publisher, *, is_sandbox: bool) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MEDIA_TYPES:
            raise _not_xml()
        language = language_of(request.headers.get("accept-language", ""))
        door = _Door(services, roots, publisher, language, is_sandbox=is_sandbox)
        return await door.take(await request.body())

    @routes.post("/v1/cap", **described("One CAP 1.2 alert"))
    async def take_alert(request: Request, publisher: Annotated[Publisher, Depends(services.authenticate)]) -> Response:
        """An Alert begins a disaster_alert, an Update is its later fact, a Cancel its tombstone."""
        return await take(request, publisher, is_sandbox=False)

    @routes.post("/v1/sandbox/cap", **described("Judge one CAP 1.2 alert; nothing is published"))
    async def try_alert(request: Request, publisher: Annotated[Publisher, Depends(services.authenticate)]) -> Response:
        """The same judgement and answer; nothing is published, counted or remembered."""
        return await take(request, publisher, is_sandbox=True)

    return routes


def _tail(services: GatewayServices, roots: AlertRoots) -> TopicTail:
    return TopicTail(
        services.catalog.event_types[ALERT_TYPE].topic,
        broker=kafka_access(services.settings),
        decoder=services.catalog.decoder(),
        clock=services.clock,
        keep=KEEP,
        on_event=roots.learn,
    )


class _Door:
    """One alert's way in."""

    def __init__(
        self,
        services: GatewayServices,
        roots: AlertRoots,
        publisher: Publisher,
        language: Language,
        *,
        is_sandbox: bool,
    ) -> None:
        self._services, self._roots, self._is_sandbox = services, roots, is_sandbox
        self._publisher, self._language = publisher, language

    async def take(self, body: bytes) -> Response:
        alert = read_alert(body)
        if isinstance(alert, CapAlert) and alert.message_type in ("Ack", "Error"):
            alert = (_not_a_warning(alert.message_type),)
        if isinstance(alert, tuple):
            self._services.charge(self._publisher, 1)
            self._services.intake.refuse(self._publisher, alert[0], body, is_sandbox=self._is_sandbox)
            return self._refused(alert)
        events = self._events(alert)
        self._services.charge(self._publisher, len(events.bodies))
        is_published = is_real(alert) and not self._is_sandbox
        results = await self._services.intake.submit(self._publisher, events.bodies, is_sandbox=not is_published)
        results = [_by_element(result) for result in results]
        faults = [result.error for result in results if result.error is not None]
        if len(faults) == len(results):
            return self._refused(faults, status_of(results[0]))
        if is_published and alert.message_type == "Update":
            self._roots.add(extended_id(alert.sender, alert.identifier, alert.sent), events.identifiers[0])
        answer = self._answer(alert, events, results, is_published=is_published)
        is_new = answer["outcome"] == "accepted" and is_published
        return Response(orjson.dumps(answer), status_code=202 if is_new else 200, media_type="application/json")

    def _events(self, alert: CapAlert) -> CapEvents:
        catalog = self._services.catalog
        event_type = catalog.event_types[ALERT_TYPE]
        own = (source for source in self._publisher.sources if source.split("/")[2:3] == [event_type.family])
        return events_of(
            alert,
            source=next(own, f"/{catalog.province}/{event_type.family}"),  # not its own: the intake says so
            ce_type=event_type.ce_type,
            geography=catalog.geography,
            roots=self._roots.of,
        )

    def _answer(
        self, alert: CapAlert, events: CapEvents, results: Sequence[Result], *, is_published: bool
    ) -> dict[str, Any]:
        outcomes = {result.outcome for result in results}
        note_vi, note_en = _NOTES.get(alert.status, ("", ""))
        return {
            "outcome": next(name for name in ("rejected", "accepted", "duplicate") if name in outcomes),
            "identifier": alert.identifier,
            "is_published": is_published,
            "alerts": events.identifiers,
            "admin_units": events.admin_units,
            "unknown_codes": events.unknown_codes,
            "note_vi": note_vi,
            "note_en": note_en,
            "results": [
                orjson.Fragment(encode_result(number, result, self._language, is_sandbox=not is_published))
                for number, result in enumerate(results)
            ],
        }

    def _refused(self, faults: Sequence[InvalidRecord], status: int = 422) -> Response:
        problem = orjson.loads(problem_of(faults[0], status).body(self._language))
        body = {**problem, "faults": [_fault(fault) for fault in faults]}
        return Response(orjson.dumps(body), status_code=status, media_type=PROBLEM_TYPE)


def _fault(error: InvalidRecord) -> dict[str, str]:
    return {"reason": error.reason, "field": error.field, "message_vi": error.vi, "message_en": error.en}


def _by_element(result: Result) -> Result:
    """The event's fault under the name of the CAP element that it came from."""
    error = result.error
    if error is None:
        return result
    if error.reason == "too_large":
        return result._replace(error=_too_much())
    field = _ELEMENTS.get(error.field, error.field)
    return result._replace(error=InvalidRecord(error.reason, field=field, vi=error.vi, en=error.en))


def _too_much() -> InvalidRecord:
    return InvalidRecord(
        "too_large",
        field="alert/info",
        vi=f"Nội dung cảnh báo vượt {MAX_EVENT_BYTES} byte của một sự kiện; rút gọn lời văn hoặc đa giác (alert/info).",
        en=f"the alert takes more than an event's {MAX_EVENT_BYTES} bytes; shorten texts or polygons (alert/info)",
    )


def _not_a_warning(message_type: str) -> InvalidRecord:
    return InvalidRecord(
        "not_allowed",
        field="alert/msgType",
        vi=f"alert/msgType {message_type} không phải cảnh báo; chỉ nhận Alert, Update, Cancel. Xã xác nhận đã nhận tin "
        "bằng sự kiện disaster.alert_acknowledged gửi vào /v1/events.",
        en=f"alert/msgType {message_type} warns of nothing; write Alert, Update or Cancel. A commune acknowledges an "
        "alert by an event disaster.alert_acknowledged to /v1/events",
    )


def _not_xml() -> Problem:
    return Problem(
        415,
        "bad_content_type",
        field="content-type",
        vi=f"Content-Type phải là {' hoặc '.join(MEDIA_TYPES)}.",
        en=f"the Content-Type must be {' or '.join(MEDIA_TYPES)}",
    )
