"""Every event type and every field says what it is, in both languages, with a sample that the reader takes."""

import json
import re
from datetime import UTC, datetime

from ioc.catalog import Catalog
from ioc.contracts import Samples, template_columns
from ioc.event_types import EventType
from ioc.events import Event, EventDecoder
from ioc.windows import microseconds_of

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


def test_the_sample_of_every_type_is_accepted_by_the_reader(catalog: Catalog) -> None:
    decoder, samples = catalog.decoder(), Samples.of(catalog)
    now_us = _now_us()
    refused = {
        event_type.name: found
        for event_type in catalog.event_types.values()
        if event_type.entity and not isinstance(found := _read(decoder, event_type, samples, now_us), Event)
    }
    assert refused == {}


def _read(decoder: EventDecoder, event_type: EventType, samples: Samples, now_us: int) -> object:
    body = json.dumps(samples.event(event_type)).encode()
    return decoder.decode(event_type.topic, (), body, now_us)[0]


def _now_us() -> int:
    return microseconds_of(datetime(2026, 11, 22, 2, tzinfo=UTC))


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
