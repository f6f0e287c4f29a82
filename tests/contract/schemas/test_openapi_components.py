"""The events' schemas as the gateway's OpenAPI carries them."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ioc.catalog import Catalog
from ioc.contracts import Samples, openapi_components


@pytest.fixture(scope="module")
def components(catalog: Catalog) -> dict[str, Any]:
    return openapi_components(catalog)


def test_there_is_a_component_for_each_type_of_a_department_and_none_of_the_product(
    catalog: Catalog, components: dict[str, Any]
) -> None:
    departments = {t.name for t in catalog.event_types.values() if t.entity and t.topic in catalog.department_topics()}
    assert components.keys() - {"Event"} == departments
    assert "incident.action" not in components


def test_an_event_is_told_apart_by_its_type(catalog: Catalog, components: dict[str, Any]) -> None:
    mapping = components["Event"]["discriminator"]["mapping"]
    assert mapping["vn.ioc.dossier.paid.v1"] == "#/components/schemas/dossier.paid"
    assert [each["$ref"] for each in components["Event"]["oneOf"]] == list(mapping.values())
    whole = {"$ref": "#/components/schemas/Event", "components": {"schemas": components}}
    event = Samples.of(catalog).event(catalog.event_types["dossier.paid"])
    Draft202012Validator(whole).validate(event)
    assert not Draft202012Validator(whole).is_valid({**event, "type": "vn.ioc.dossier.digitised.v1"})
