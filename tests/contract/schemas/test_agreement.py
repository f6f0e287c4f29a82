"""The reader and the JSON Schema come from one source, so they agree on any value; where a schema cannot see what the
reader sees, or the reader forgives what the contract does not promise, it is named here."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ioc.catalog import Catalog
from ioc.contracts import Samples, json_schema
from ioc.event_types import EventType, FieldSpec
from ioc.events import Event, EventDecoder, Rejected

NOW_US = 1_795_312_800_000_000  # 2026-11-22T09:00:00+07:00

_TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "24781",
            "99999",
            "2478",
            "2026-11-22",
            "2026-02-30",
            "2026-11-22T08:00:00+07:00",
            "2026-11-22T01:00:00Z",
            "2026-11-22t01:00:00.123z",
            "2026-11-22T08:00:00",
            "2026-11-22T25:00:00+07:00",
            "22/11/2026",
            "٢٠٢٦-11-22",
            "2026-11-22T08:00:00.123456789012345678901234567890Z",
            "2026-11-22T08:00:60Z",
            "cam-01",
            "full",
            "a\u0000b",
        ]
    ),
)
_NUMBERS = st.one_of(
    st.integers(-(2**55), 2**55),
    st.integers(-3, 12),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
)
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
_VALUES = st.one_of(_LEAVES, st.lists(_LEAVES, max_size=3), st.dictionaries(st.text(max_size=3), _LEAVES, max_size=2))


def _kinds(catalog: Catalog) -> list[tuple[EventType, FieldSpec]]:
    """One field of each kind, in a key and outside one: every way in which a field is read."""
    found: dict[tuple[object, ...], tuple[EventType, FieldSpec]] = {}
    for event_type in catalog.event_types.values():
        for spec in event_type.fields if event_type.entity else ():
            kind = (
                spec.type if not spec.enum else "enum",
                spec.name in event_type.entity_key,
                spec.is_required,
                spec.minimum,
                spec.maximum,
                type(spec.enum[0]).__name__ if spec.enum else "",
            )
            found.setdefault(kind, (event_type, spec))
    return list(found.values())


@pytest.fixture(scope="module")
def judged(catalog: Catalog) -> list[tuple[EventType, FieldSpec, Draft202012Validator]]:
    return [
        (event_type, spec, Draft202012Validator(json_schema(event_type, catalog.province)))
        for event_type, spec in _kinds(catalog)
    ]


@pytest.fixture(scope="module")
def decoder(catalog: Catalog) -> EventDecoder:
    return catalog.decoder()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_VALUES)
def test_reader_and_schema_agree_on_any_value_of_any_kind_of_field(
    judged: list[tuple[EventType, FieldSpec, Draft202012Validator]], decoder: EventDecoder, value: Any
) -> None:
    for event_type, spec, validator in judged:
        event = Samples().event(event_type)
        event["data"][spec.name] = value
        _agree(decoder, validator, event_type, event)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attribute=st.sampled_from(["id", "source", "time", "type", "data", "deleted"]), value=_VALUES)
def test_reader_and_schema_agree_on_any_attribute_of_the_envelope(
    judged: list[tuple[EventType, FieldSpec, Draft202012Validator]],
    decoder: EventDecoder,
    attribute: str,
    value: Any,
) -> None:
    event_type, _, validator = judged[0]
    event = Samples().event(event_type)
    if attribute == "deleted":
        event["data"] = {"camera_id": "cam-01", "deleted": value}
    else:
        event[attribute] = value
    if attribute == "time" and value in (None, ""):
        return  # forgiven on Kafka, where the fact tells its own time; the gateway and files ask for it
    _agree(decoder, validator, event_type, event)


@pytest.mark.parametrize(
    ("spoil", "is_valid"),
    [
        pytest.param({"specversion": None}, False, id="specversion left out"),
        pytest.param({"time": None}, False, id="time left out where the fact has its own"),
        pytest.param({"time": "20261122T080000+0700"}, False, id="time in another ISO 8601 form"),
    ],
)
def test_the_reader_forgives_more_than_the_contract_promises(
    catalog: Catalog, decoder: EventDecoder, spoil: dict[str, Any], is_valid: bool
) -> None:
    event_type = catalog.event_types["report.status_changed"]
    event = {**Samples().event(event_type), **spoil}
    event = {name: value for name, value in event.items() if value is not None}
    assert isinstance(decoder.decode(event_type.topic, (), json.dumps(event).encode(), NOW_US)[0], Event)
    assert Draft202012Validator(json_schema(event_type, catalog.province)).is_valid(event) is is_valid


def _agree(
    decoder: EventDecoder, validator: Draft202012Validator, event_type: EventType, event: dict[str, Any]
) -> None:
    found = decoder.decode(event_type.topic, (), json.dumps(event).encode(), NOW_US)[0]
    is_valid = validator.is_valid(event)
    if isinstance(found, Event):
        assert is_valid, (event_type.name, event)
    elif is_valid:
        schema: Any = validator.schema
        assert isinstance(found, Rejected)
        assert found.error.reason in schema["x-ioc-not-seen-by-schema"], (event_type.name, event, found.error)
        if found.error.reason == "bad_time":  # a day that no calendar has
            assert re.search(r"-(30|31)", json.dumps(event))
