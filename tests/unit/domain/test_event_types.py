"""The bounds that a field of an event type declares, and the letters about them."""

import msgspec
import pytest

from ioc.event_types import EventType, FieldSpec, FieldType, struct_of
from ioc.rejections import invalid_field, too_late
from tests.unit.domain.making import catalog, us


def event_type(spec: FieldSpec) -> EventType:
    return EventType(
        number=0,
        name="water.sample",
        ce_type="vn.ioc.water.sample.v1",
        topic="ioc.water.samples",
        partition_key="sample_id",
        kind="fact",
        entity="water_sample",
        entity_key=("sample_id",),
        time_field="ce_time",
        fields=(FieldSpec(name="sample_id", is_required=True), spec),
    )


def reason(spec: FieldSpec, value: float) -> str:
    """The reason for which the value is refused, "" where it is taken."""
    body = msgspec.json.encode({"sample_id": "s1", spec.name: value})
    try:
        msgspec.json.decode(body, type=struct_of(event_type(spec), "water.sample", tombstone=False))
    except msgspec.ValidationError as error:
        return invalid_field(str(error)).reason
    return ""


@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize(
    ("minimum", "maximum", "refused"),
    [
        (None, None, []),
        (0, None, [-1]),
        (None, 100, [101]),
        (0, 100, [-1, 101]),
    ],
)
def test_both_bounds_of_a_number_are_held(
    kind: FieldType, minimum: int | None, maximum: int | None, refused: list[int]
) -> None:
    spec = FieldSpec(name="full_percent", type=kind, minimum=minimum, maximum=maximum)
    assert [value for value in (-1, 0, 100, 101) if reason(spec, value)] == refused
    assert {reason(spec, value) for value in refused} <= {"out_of_range"}


def test_a_bound_of_a_number_holds_between_whole_numbers_too() -> None:
    spec = FieldSpec(name="full_percent", type="number", maximum=100)
    assert (reason(spec, 100.0), reason(spec, 100.001)) == ("", "out_of_range")


@pytest.mark.parametrize(
    ("name", "told", "field"),
    [
        ("lgsp.service_call", True, "window_start"),
        ("lgsp.service_call", False, "time"),
        ("permit.construction", True, "time"),
    ],
)
def test_what_comes_too_late_is_told_the_field_and_the_local_time_that_decided(
    name: str, told: bool, field: str
) -> None:
    """A type's own time, unless it is null or the type has none: then the CloudEvents time."""
    of = catalog().event_types[name]
    values = [1 if told else None for _ in of.stored]
    error = too_late(of, values, us("2025-01-02T06:30"), 400)
    assert (error.reason, error.field) == ("too_late", field)
    for sentence in (error.vi, error.en):
        assert f"{field}=2025-01-02T06:30:00+07:00" in sentence
        assert f"{of.entity} " in sentence
