"""Every event type and every field says what it is, in both languages, with a sample that the reader takes."""

import json
import re
from dataclasses import replace

from ioc.catalog import Catalog
from ioc.cli.init import SHIPPED
from ioc.contracts import template_columns
from ioc.contracts.examples import example_problems

_VIETNAMESE = re.compile(r"[àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ]", re.IGNORECASE)


def test_every_event_type_says_what_it_is_in_both_languages(catalog: Catalog) -> None:
    missing = [
        f"{event_type.name}.{key}"
        for event_type in catalog.event_types.values()
        for key in ("title_vi", "title_en", "description_vi", "description_en", "department")
        if not getattr(event_type, key)
    ]
    assert missing == []


def test_every_field_says_what_it_is_in_both_languages(catalog: Catalog) -> None:
    fields = [(event_type, spec) for event_type in catalog.event_types.values() for spec in event_type.fields]
    assert [f"{event_type.name}.{spec.name}" for event_type, spec in fields if not (spec.vi and spec.en)] == []
    assert [f"{t.name}.{spec.name}" for t, spec in fields if not _VIETNAMESE.search(spec.vi)] == []
    assert [f"{t.name}.{spec.name}" for t, spec in fields if _VIETNAMESE.search(spec.en)] == []


def test_a_field_example_that_the_reader_would_refuse_is_told(catalog: Catalog) -> None:
    assert [problem for problem in example_problems(SHIPPED, catalog) if "examples of its fields" in problem] == []
    rated = catalog.event_types["dossier.rated"]
    fields = tuple(replace(spec, example=6) if spec.name == "score" else spec for spec in rated.fields)
    spoilt = replace(catalog, event_types={"dossier.rated": replace(rated, fields=fields)})
    (problem,) = example_problems(SHIPPED, spoilt)
    assert "event_types.yaml: dossier.rated.score: the examples of its fields make an event that is refused" in problem


def test_a_template_shows_required_columns_first_with_titles_and_an_example(catalog: Catalog) -> None:
    columns = template_columns(catalog.event_types["dossier.submitted"])
    assert [column.name for column in columns if column.required] == [
        "dossier_id",
        "service_level",
        "channel",
        "submitted_at",
    ]
    first = columns[0]
    assert (first.title_vi, first.title_en, first.type) == ("mã hồ sơ", "id of the dossier", "string")
    assert first.example == "H36.14-261122-0001"
    level = columns[1]
    assert (level.type, level.enum, level.example) == ("enum", ("full", "partial", "info"), "full")


def test_a_list_is_one_cell_and_a_place_is_json(catalog: Catalog) -> None:
    cells = {column.name: column.example for column in template_columns(catalog.event_types["telecom.site"])}
    assert cells["tech"] == "4G;5G"
    assert json.loads(cells["geo"])["type"] == "Point"
    assert cells["shared"] == "true"
