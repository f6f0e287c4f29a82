"""Every event type has examples, judged by the reader that the worker uses, and by its JSON Schema."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ioc.catalog import Catalog, load_catalog
from ioc.cli.init import SHIPPED, find_place, write_catalog
from ioc.contracts import json_schema
from ioc.contracts.examples import FOLDER, ContractExample, example_problems, examples_in
from ioc.contracts.published import compare
from ioc.contracts.schema import NOT_SEEN
from ioc.errors import ConfigurationError


@pytest.fixture(scope="module")
def examples(catalog: Catalog) -> list[ContractExample]:
    return list(examples_in(SHIPPED, catalog))


@pytest.fixture(scope="module")
def validators(catalog: Catalog) -> dict[str, Draft202012Validator]:
    return {
        event_type.name: Draft202012Validator(json_schema(event_type, catalog.province))
        for event_type in catalog.event_types.values()
    }


def test_the_reader_judges_every_example_as_its_file_says(catalog: Catalog) -> None:
    assert list(example_problems(SHIPPED, catalog)) == []


def test_every_type_with_an_entity_has_one_accepted_and_three_rejected_examples_of_different_reasons(
    catalog: Catalog, examples: list[ContractExample]
) -> None:
    accepted = Counter(example.type_name for example in examples if not example.reason)
    reasons: dict[str, set[str]] = {}
    for example in examples:
        if example.reason:
            reasons.setdefault(example.type_name, set()).add(example.reason)
    names = {event_type.name for event_type in catalog.event_types.values() if event_type.entity}
    assert accepted.keys() == names == reasons.keys()
    assert {name: found for name, found in reasons.items() if len(found) < 3} == {}


def test_the_examples_show_every_reason_that_one_event_can_be_refused_for(examples: list[ContractExample]) -> None:
    assert {example.reason for example in examples} >= {
        "missing_field",
        "wrong_type",
        "not_allowed",
        "out_of_range",
        "bad_time",
        "bad_json",
        "bad_id",
        "bad_version",
        "foreign_source",
        "wrong_topic",
        "unknown_type",
        "unknown_admin_unit",
        "unknown_camera",
        "time_in_future",
        "time_too_old",
    }


def test_the_schema_takes_what_is_accepted_and_refuses_what_a_schema_can_see(
    examples: list[ContractExample], validators: dict[str, Draft202012Validator]
) -> None:
    otherwise = [
        (example.type_name, example.name)
        for example in examples
        if _is_valid(validators[example.type_name], example.body) != (not example.reason or not example.is_visible)
    ]
    assert otherwise == []


def _is_valid(validator: Draft202012Validator, body: bytes) -> bool:
    try:
        event = json.loads(body, parse_constant=_refuse)
    except ValueError:
        return False
    return validator.is_valid(event)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def test_the_schema_is_blind_only_for_what_it_says_itself(catalog: Catalog, examples: list[ContractExample]) -> None:
    for example in examples:
        if not example.is_visible and example.reason:
            schema = json_schema(catalog.event_types[example.type_name], catalog.province)
            assert example.reason in schema["x-ioc-not-seen-by-schema"]


def test_the_example_in_a_schema_is_valid_by_it(validators: dict[str, Draft202012Validator]) -> None:
    for validator in validators.values():
        schema: Any = validator.schema
        validator.validate(schema["examples"][0])


@pytest.mark.parametrize("name", ["indicator.reported", "telecom.site", "camera.heartbeat", "tourism.stay"])
def test_a_schema_is_one_of_draft_2020_12(validators: dict[str, Draft202012Validator], name: str) -> None:
    """Four types, which have every kind of field between them."""
    Draft202012Validator.check_schema(validators[name].schema)


def test_another_province_starts_with_contracts_that_hold(tmp_path: Path) -> None:
    write_catalog(find_place("thanh-hoa"), tmp_path / "thanh-hoa")
    theirs = load_catalog(tmp_path / "thanh-hoa")
    examples = list(examples_in(tmp_path / "thanh-hoa", theirs))
    assert list(example_problems(tmp_path / "thanh-hoa", theirs)) == []
    assert len({example.type_name for example in examples}) == 54  # without a camera no heartbeat can be accepted
    assert b'"/thanh-hoa/onestop' in next(e.body for e in examples if e.type_name == "dossier.submitted")
    found = compare(tmp_path / "thanh-hoa", theirs.event_types)
    assert (found.published, found.breaks, found.unpublished) == (56, (), ())


def test_the_example_file_of_the_documentation_holds(tmp_path: Path, catalog: Catalog) -> None:
    text = (Path(__file__).parents[3] / "deploy/docs/contracts.md").read_text(encoding="utf-8")
    path = tmp_path / FOLDER / "report.rated.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    assert [problem for problem in example_problems(tmp_path, catalog) if "the file is missing" not in problem] == []
    assert len(list(examples_in(tmp_path, catalog))) == 4


def test_the_documentation_names_every_reason_that_a_schema_cannot_see() -> None:
    text = (Path(__file__).parents[3] / "deploy/docs/contracts.md").read_text(encoding="utf-8")
    section = text.partition("## Lược đồ không thấy hết")[2].partition("## ")[0]
    assert [reason for reason in NOT_SEEN if f"`{reason}`" not in section] == []


_WRONG = [
    pytest.param("accepted: []", "accepted", id="nothing accepted"),
    pytest.param("rejected: []", "rejected", id="nothing rejected"),
    pytest.param("now: yesterday", "now", id="no time"),
    pytest.param("wishes: []", "wishes", id="unknown key"),
]


@pytest.mark.parametrize(("line", "key"), _WRONG)
def test_a_malformed_file_is_told_with_its_key(tmp_path: Path, catalog: Catalog, line: str, key: str) -> None:
    text = (SHIPPED / "contracts/examples/report.rated.yaml").read_text(encoding="utf-8")
    name = line.partition(":")[0]
    kept = "\n".join(_without(text.splitlines(), name))
    path = tmp_path / "contracts/examples/report.rated.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{kept}\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"report\.rated\.yaml: {key}"):
        list(examples_in(tmp_path, catalog))


def _without(lines: list[str], key: str) -> Iterator[str]:
    is_inside = False
    for line in lines:
        if not line.startswith(" "):
            is_inside = line.startswith(f"{key}:")
        if not is_inside:
            yield line


def test_a_type_without_examples_and_a_wrong_expectation_are_told(tmp_path: Path, catalog: Catalog) -> None:
    text = (SHIPPED / "contracts/examples/report.rated.yaml").read_text(encoding="utf-8")
    path = tmp_path / "contracts/examples/report.rated.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("reason: not_allowed", "reason: wrong_type"), encoding="utf-8")
    problems = list(example_problems(tmp_path, catalog))
    assert any("dossier.paid.yaml: the file is missing" in problem for problem in problems)
    assert any("is rejected as not_allowed at 'rating', the file says rejected as wrong_type" in p for p in problems)
