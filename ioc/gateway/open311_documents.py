"""The GeoReport routes in the OpenAPI document."""

from typing import Any

from ioc.gateway.open311_form import UNIT_ATTRIBUTE
from ioc.gateway.open311_format import Format
from ioc.gateway.problems import PROBLEM_TYPE

__all__ = ["documented"]

_TEXT = {"type": "string"}
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["number", "null"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_ERRORS = _list(_object(code={"type": "integer"}, description=_TEXT))
_SERVICES = _list(
    _object(
        service_code=_TEXT,
        service_name=_TEXT,
        description=_TEXT,
        metadata={"type": "boolean"},
        type=_TEXT,
        keywords=_TEXT,
        group=_TEXT,
    )
)
_DEFINITION = _object(
    service_code=_TEXT,
    attributes=_list(
        _object(
            variable={"type": "boolean"},
            code=_TEXT,
            datatype=_TEXT,
            required={"type": "boolean"},
            datatype_description=_TEXT,
            order={"type": "integer"},
            description=_TEXT,
            values=_list(_object(key=_TEXT, name=_TEXT)),
        )
    ),
)
_REQUESTS = _list(
    _object(
        service_request_id=_TEXT,
        status={"enum": ["open", "closed"]},
        status_notes=_OPTIONAL_TEXT,
        service_name=_TEXT,
        service_code=_TEXT,
        description=_OPTIONAL_TEXT,
        agency_responsible=_OPTIONAL_TEXT,
        service_notice=_OPTIONAL_TEXT,
        requested_datetime=_TEXT,
        updated_datetime=_OPTIONAL_TEXT,
        expected_datetime=_OPTIONAL_TEXT,
        address=_OPTIONAL_TEXT,
        address_id=_OPTIONAL_TEXT,
        zipcode=_OPTIONAL_TEXT,
        lat=_NUMBER,
        long=_NUMBER,
        media_url=_OPTIONAL_TEXT,
    )
)
_CREATED = _list(_object(service_request_id=_TEXT, service_notice=_TEXT, account_id=_OPTIONAL_TEXT))
_TOKENS = _list(_object(service_request_id=_TEXT, token=_TEXT))
_DISCOVERY = _object(
    changeset=_TEXT,
    contact=_TEXT,
    key_service=_TEXT,
    endpoints=_list(_object(specification=_TEXT, url=_TEXT, changeset=_TEXT, type=_TEXT, formats=_list(_TEXT))),
)
_FORM = {
    "type": "object",
    "required": ["api_key", "service_code", UNIT_ATTRIBUTE],
    "properties": dict.fromkeys(
        (
            "api_key", "jurisdiction_id", "service_code", UNIT_ATTRIBUTE, "lat", "long", "address_string", "address_id",
            "description", "media_url", "email", "phone", "device_id", "account_id", "first_name", "last_name",
        ),
        _TEXT,
    ),
}  # fmt: skip


def documented(root: str, path: str, method: str, format: Format) -> dict[str, Any]:
    """Returns the arguments of a route that describe it."""
    media = "application/json" if format == "json" else "text/xml"
    content = _content_of(root, path, method)
    success = 201 if method == "POST" else 200
    responses: dict[int | str, dict[str, Any]] = {success: _response("the answer", media, content, format)}
    for status, why in _errors_of(path, method).items():
        responses[status] = _response(why, media, _ERRORS, format)
    if method == "POST":
        _add_problems(responses)
    return {
        "status_code": success,
        "responses": responses,
        "operation_id": f"open311_{method}_{path.strip('/').replace('/', '_')}".lower(),
        "openapi_extra": {"parameters": _parameters(path, method), **_body(method)},
    }


def _add_problems(responses: dict[int | str, dict[str, Any]]) -> None:
    """What is refused before it reaches the route is told as every door of the gateway tells it."""
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, why in ((408, "the body came too slowly"), (413, "the body is too large")):
        responses[status] = {"description": why, "content": problem}
    for status in (400, 415, 503):
        responses[status] = {**responses[status], "content": {**responses[status]["content"], **problem}}


def _content_of(root: str, path: str, method: str) -> dict[str, Any]:
    if root != "service_requests":
        return {"discovery": _DISCOVERY, "services": _SERVICES, "service_definition": _DEFINITION}[root]
    if method == "POST":
        return _CREATED
    return _TOKENS if path.startswith("/tokens") else _REQUESTS


def _errors_of(path: str, method: str) -> dict[int, str]:
    wrong_place = {404: "no such thing, or another jurisdiction_id"}
    if method == "POST":
        return {
            **wrong_place,
            400: "the form can't be taken; says which field",
            403: "no valid api_key",
            415: "not a form by its Content-Type",
            429: "more reports than the department may send",
            503: "Kafka is away; send the form again",
        }
    if path.startswith("/requests"):
        return {**wrong_place, 400: "a parameter is not as it must be", 403: "not a valid api_key"}
    return wrong_place


def _response(why: str, media: str, schema: dict[str, Any], format: Format) -> dict[str, Any]:
    return {"description": why, "content": {media: {"schema": schema if format == "json" else _TEXT}}}


def _parameters(path: str, method: str) -> list[dict[str, Any]]:
    if method == "POST":
        return [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": _TEXT}]
    names = ["jurisdiction_id"]
    if path.startswith("/requests"):
        names.append("api_key")
    if path.startswith("/requests."):
        names += ["service_request_id", "service_code", "start_date", "end_date", "status"]
    inside = [part.partition("}")[0] for part in path.split("{")[1:]]
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in inside
        ),
        *({"name": name, "in": "query", "required": False, "schema": _TEXT} for name in names),
    ]


def _body(method: str) -> dict[str, Any]:
    if method != "POST":
        return {}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": _FORM}}}}
