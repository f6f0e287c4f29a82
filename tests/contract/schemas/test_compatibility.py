"""What was published holds: a change that would break a department is told with its type, its field and the fix."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ioc.catalog import Catalog
from ioc.cli import build_cli
from ioc.cli.init import SHIPPED
from ioc.contracts.published import FOLDER, compare, publish
from ioc.errors import ConfigurationError
from ioc.event_types import EventType, FieldSpec

NAME = "dossier.rated"
CE_TYPE = "vn.ioc.dossier.rated.v1"


def _field(name: str, **changes: object) -> Callable[[EventType], EventType]:
    def change(of: EventType) -> EventType:
        fields = tuple(replace(spec, **changes) if spec.name == name else spec for spec in of.fields)  # type: ignore[arg-type]
        return replace(of, fields=fields)

    return change


def _type(**changes: object) -> Callable[[EventType], EventType]:
    return lambda of: replace(of, **changes)  # type: ignore[arg-type]


def _without(name: str) -> Callable[[EventType], EventType]:
    return lambda of: replace(of, fields=tuple(spec for spec in of.fields if spec.name != name))


def _with(spec: FieldSpec) -> Callable[[EventType], EventType]:
    return lambda of: replace(of, fields=(*of.fields, spec))


BREAKING = [
    pytest.param("dossier.rated", _without("score"), "score", "gone", id="field removed"),
    pytest.param("dossier.rated", _field("score", is_required=True), "score", "required now", id="field required"),
    pytest.param(
        "dossier.rated", _with(FieldSpec(name="by", is_required=True)), "by", "required now", id="new and required"
    ),
    pytest.param(
        "dossier.rated", _field("score", type="number"), "score", "was integer and is number", id="type changed"
    ),
    pytest.param("dossier.rated", _field("score", minimum=2), "score", "minimum was 1 and is 2", id="minimum raised"),
    pytest.param("dossier.rated", _field("score", maximum=4), "score", "maximum was 5 and is 4", id="maximum lowered"),
    pytest.param(
        "telecom.fibre_route", _field("length_km", maximum=9), "length_km", "maximum was open", id="bound new"
    ),
    pytest.param(
        "report.rated",
        _field("rating", enum=("satisfied",)),
        "rating",
        "accept is not allowed",
        id="enum value removed",
    ),
    pytest.param("report.rated", _field("rating", enum=()), "rating", "was enum and is string", id="enum dropped"),
    pytest.param("meeting.session", _field("level", enum=("3", "2")), "level", "3 is not allowed", id="enum retyped"),
    pytest.param("dossier.rated", _field("at", type="date_or_time"), "at", "was time", id="time became a day"),
    pytest.param(
        "dossier.rated", _type(topic="ioc.onestop.ratings"), "topic", "topic was ioc.onestop.dossiers", id="topic"
    ),
    pytest.param("dossier.rated", _type(partition_key="score"), "partition_key", "was dossier_id", id="record key"),
    pytest.param("dossier.rated", _type(entity="rating"), "entity", "entity was dossier", id="entity"),
    pytest.param(
        "health.visit", _type(entity_key=("facility_id",)), "entity_key", "was facility_id, hour", id="entity key"
    ),
    pytest.param("dossier.rated", _type(time_field="ce_time"), "time_field", "time_field was at", id="time field"),
    pytest.param("dossier.rated", _type(kind="state"), "kind", "kind was fact", id="kind"),
    pytest.param(
        "soc.incident", _type(fact_times=("detected_at", "closed_at")), "closed_at", "fact_times", id="time bounded"
    ),
]


@pytest.mark.parametrize(("name", "change", "field", "sentence"), BREAKING)
def test_an_incompatible_change_is_told_with_type_field_and_fix(
    catalog: Catalog, name: str, change: Callable[[EventType], EventType], field: str, sentence: str
) -> None:
    types = {**catalog.event_types, name: change(catalog.event_types[name])}
    (broken,) = compare(SHIPPED, types).breaks
    assert (broken.type_name, broken.field) == (name, field)
    assert sentence in broken.en
    assert "or raise ce_type to vn.ioc." in broken.en
    assert broken.en.endswith(".v2")
    assert "hãy khôi phục" in broken.vi


COMPATIBLE = [
    pytest.param(
        "dossier.rated", _with(FieldSpec(name="by")), "properties.data.properties.by", id="new optional field"
    ),
    pytest.param("dossier.rated", _field("score", maximum=10), "properties.data.properties.score.maximum", id="wider"),
    pytest.param(
        "report.rated",
        _field("rating", enum=("satisfied", "accept", "unsatisfied", "angry")),
        "properties.data.properties.rating.enum",
        id="another value",
    ),
    pytest.param(
        "soc.incident", _field("status", is_required=False), "properties.data.anyOf", id="not required any more"
    ),
    pytest.param("dossier.rated", _field("score", vi="điểm chấm"), "texts", id="another description"),
]


@pytest.mark.parametrize(("name", "change", "place"), COMPATIBLE)
def test_a_compatible_change_breaks_nothing_and_waits_to_be_published(
    catalog: Catalog, name: str, change: Callable[[EventType], EventType], place: str
) -> None:
    types = {**catalog.event_types, name: change(catalog.event_types[name])}
    found = compare(SHIPPED, types)
    assert found.breaks == ()
    ((ce_type, differs),) = found.unpublished
    assert ce_type == catalog.event_types[name].ce_type
    assert differs.startswith(place)


def test_a_type_that_is_gone_is_told(catalog: Catalog) -> None:
    types = {name: event_type for name, event_type in catalog.event_types.items() if name != NAME}
    (broken,) = compare(SHIPPED, types).breaks
    assert broken.type_name == NAME
    assert "gone from event_types.yaml" in broken.en


def test_publishing_is_refused_until_the_version_goes_up(catalog: Catalog, tmp_path: Path) -> None:
    assert len(publish(tmp_path, catalog.event_types)) == 56
    assert publish(tmp_path, catalog.event_types) == []
    broken = _without("score")(catalog.event_types[NAME])
    before = (tmp_path / FOLDER / f"{CE_TYPE}.json").read_bytes()
    with pytest.raises(
        ConfigurationError, match=r"dossier\.rated\.score: .*raise ce_type to vn\.ioc\.dossier\.rated\.v2"
    ):
        publish(tmp_path, {**catalog.event_types, NAME: broken})
    assert (tmp_path / FOLDER / f"{CE_TYPE}.json").read_bytes() == before
    raised = {**catalog.event_types, NAME: replace(broken, ce_type="vn.ioc.dossier.rated.v2")}
    assert publish(tmp_path, raised) == ["vn.ioc.dossier.rated.v2"]
    found = compare(tmp_path, raised)
    assert (found.breaks, found.unpublished, found.superseded) == ((), (), (CE_TYPE,))


def test_two_versions_may_live_side_by_side(catalog: Catalog) -> None:
    heir = replace(
        _without("score")(catalog.event_types[NAME]), name="dossier.scored", ce_type="vn.ioc.dossier.rated.v2"
    )
    found = compare(SHIPPED, {**catalog.event_types, "dossier.scored": heir})
    assert (found.breaks, found.unpublished) == ((), (("vn.ioc.dossier.rated.v2", "new"),))


def test_a_damaged_published_file_is_named(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / FOLDER / f"{CE_TYPE}.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"rated\.v1\.json can't be read"):
        compare(tmp_path, catalog.event_types)
    path.write_text('{"type": "object"}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not a schema that `ioc catalog publish` wrote"):
        compare(tmp_path, catalog.event_types)


def test_the_shipped_catalogue_is_published_as_it_is_and_names_no_province(catalog: Catalog) -> None:
    found = compare(SHIPPED, catalog.event_types)
    assert (found.published, found.breaks, found.unpublished) == (56, (), ())
    for path in (SHIPPED / FOLDER).glob("*.json"):
        assert "lam-dong" not in path.read_text(encoding="utf-8")


def test_the_command_says_kindly_that_nothing_is_published_and_later_what_is_wrong(tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "own"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("published"))
    run = CliRunner()
    first = run.invoke(build_cli(), ["catalog", "compat", "--catalog", str(folder)])
    assert first.exit_code == 0
    assert "nothing is published yet" in first.output
    assert run.invoke(build_cli(), ["catalog", "publish", "--catalog", str(folder)]).exit_code == 0
    types = folder / "event_types.yaml"
    types.write_text(types.read_text(encoding="utf-8").replace("minimum: 1, maximum: 5", "minimum: 1, maximum: 4"))
    found = run.invoke(build_cli(), ["catalog", "compat", "--json", "--catalog", str(folder)])
    assert found.exit_code == 1
    answer = json.loads(found.output)
    assert {broken["type"] for broken in answer["breaks"]} == {"dossier.rated", "soc.incident", "soc.system_level"}
