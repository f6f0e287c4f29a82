"""The AsyncAPI document is valid by the AsyncAPI Initiative's own JSON Schema, and its references and examples hold."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from ioc.catalog import Catalog
from ioc.contracts.asyncapi import asyncapi_document
from ioc.events import Event

NOW_US = 1_795_312_800_000_000  # 2026-11-22T09:00:00+07:00
# The package @asyncapi/specs comes by deploy/ensure-asyncapi, which `make test` runs first.
SPECS = Path(__file__).parents[3] / ".venv/asyncapi/node_modules/@asyncapi/specs/schemas/3.0.0.json"


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    assert SPECS.exists(), "the official AsyncAPI schema is not here: run deploy/ensure-asyncapi"
    return Draft7Validator(json.loads(SPECS.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return asyncapi_document(catalog, "vi")


@pytest.fixture(scope="module")
def small(catalog: Catalog) -> Catalog:
    """The same catalogue with the two types of the payments and of the press: quicker to judge again and again."""
    names = ("dossier.paid", "press.output")
    return replace(catalog, event_types={name: catalog.event_types[name] for name in names})


def test_the_document_is_valid_by_the_official_schema(
    official: Draft7Validator, document: dict[str, Any], small: Catalog
) -> None:
    for judged in (document, asyncapi_document(small, "en")):
        assert [error.json_path for error in official.iter_errors(judged)] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(("asyncapi",), "9.9.9", id="version"),
        pytest.param(("operations", "send.dossier.paid", "action"), "publish", id="action"),
        pytest.param(("channels", "ioc.onestop.payments", "bindings", "kafka", "partitions"), 0, id="Kafka binding"),
        pytest.param(("components", "securitySchemes", "scram", "type"), "password", id="security scheme"),
        pytest.param(("components", "schemas", "dossier.paid", "required"), "at", id="payload"),
    ],
)
def test_the_official_schema_sees_what_would_be_wrong(
    official: Draft7Validator, small: Catalog, place: tuple[str, ...], value: object
) -> None:
    spoilt = asyncapi_document(small, "vi")
    inner = spoilt
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert not official.is_valid(spoilt)


def test_every_department_topic_is_a_channel_and_every_type_an_operation(
    catalog: Catalog, document: dict[str, Any]
) -> None:
    assert tuple(document["channels"]) == catalog.department_topics()
    own = [t.name for t in catalog.event_types.values() if t.entity and t.topic in catalog.department_topics()]
    assert list(document["operations"]) == [f"send.{name}" for name in own]
    assert len(own) == 51
    kafka = document["channels"]["ioc.onestop.dossiers"]["bindings"]["kafka"]
    assert (kafka["partitions"], kafka["topic"]) == (catalog.partitions, "ioc.onestop.dossiers")


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for pointer in _references(document):
        found: Any = document
        for key in pointer.removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        assert isinstance(found, dict)


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_the_example_of_every_message_is_valid_by_its_payload_and_headers(document: dict[str, Any]) -> None:
    root = DRAFT7.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:document", root)
    for name in document["components"]["messages"]:
        message = document["components"]["messages"][name]
        for part in ("payload", "headers"):
            pointer = {"$ref": f"urn:document#/components/messages/{name}/{part}"}
            for example in message["examples"]:
                if part in example:
                    Draft7Validator(pointer, registry=registry).validate(example[part])


def test_a_type_carries_the_departments_that_may_publish_it(document: dict[str, Any]) -> None:
    assert [tag["name"] for tag in document["operations"]["send.dossier.paid"]["tags"]] == ["van-phong-ubnd"]
    assert [tag["name"] for tag in document["operations"]["send.press.output"]["tags"]] == ["so-khcn", "so-vhttdl"]
    assert document["operations"]["send.dossier.paid"]["title"] == "Hồ sơ được thanh toán"


def test_the_example_of_every_message_in_binary_mode_is_taken_by_the_reader(
    catalog: Catalog, document: dict[str, Any]
) -> None:
    decoder = catalog.decoder()
    for operation in document["operations"].values():
        topic = operation["channel"]["$ref"].removeprefix("#/channels/")
        (example,) = document["components"]["messages"][operation["summary"].split()[1]]["examples"]
        headers = [(name, value.encode()) for name, value in example["headers"].items()]
        (found,) = decoder.decode(topic, headers, json.dumps(example["payload"]).encode(), NOW_US)
        assert isinstance(found, Event)
