"""`units.yaml`: what a province says of its units beyond today's list, and the provinces of the articles' figures."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from ioc.catalog import Catalog, load_catalog
from ioc.catalog.units import UnitsFile, geography_of, units_of
from ioc.errors import ConfigurationError
from ioc.geography import Geography, Unit
from tests.fixtures.units.make_units import PROVINCES, codes_of, yaml_of
from tests.unit.domain.making import catalog, copy_of_catalog

FIXTURES = Path(__file__).parents[2] / "fixtures" / "units"
BEFORE, REFORM = date(2025, 6, 30), date(2025, 7, 1)
TODAY = (
    Unit(code="24781", name_vi="Phường Một", name_en="Mot ward"),
    Unit(code="24846", name_vi="Xã Hai", name_en="Hai commune"),
)


def geography(text: str) -> Geography:
    return geography_of(UnitsFile.model_validate(yaml.safe_load(text)), TODAY)


def is_few(path: Path) -> bool:
    """Units have nothing to do with most KPIs."""
    return path.stem in ("dossiers_online", "source_complete", "reports_off_site")


def loaded(folder: Path, text: str) -> Catalog:
    """The starting catalogue with a units.yaml of `text`, and without the cameras, which lie in today's units."""
    copy_of_catalog(folder, is_few)
    (folder / "cameras.yaml").write_text("{}", encoding="utf-8")
    (folder / "units.yaml").write_text(text, encoding="utf-8")
    return load_catalog(folder)


# ---- with today's list -----------------------------------------------------------------------------------------------


def test_todays_units_are_in_force_at_all_times_until_the_file_dates_them() -> None:
    assert all((unit.valid_from, unit.valid_to, unit.successors) == (None, None, ()) for unit in units_of(68))
    assert [unit.code for unit in geography("{}").in_force(date(2000, 1, 1))] == ["24781", "24846"]
    strict = geography('units: {"24781": {from: 2025-07-01}}')
    assert [unit.code for unit in strict.in_force(BEFORE)] == ["24846"]
    assert len(strict.in_force(REFORM)) == 2


def test_a_former_unit_counts_for_the_one_that_absorbed_it() -> None:
    found = geography('units: {"24700": {name_vi: Xã Cũ, to: 2025-06-30, successors: ["24781"]}}')
    assert [unit.code for unit in found.in_force(BEFORE)] == ["24781", "24846", "24700"]
    assert found.resolve("24700", REFORM) == "24781"
    former = found.unit("24700")
    assert former is not None
    assert (former.name_vi, former.name_en) == ("Xã Cũ", "Xã Cũ")


def test_a_decreed_split_takes_effect_on_its_day() -> None:
    found = geography(
        """
        units:
          "24846": {to: 2027-12-31, successors: ["24847", "24848"]}
          "24847": {name_vi: Xã Hai Đông, name_en: East Hai commune, from: 2028-01-01}
          "24848": {name_vi: Xã Hai Tây, name_en: West Hai commune, from: 2028-01-01}
        """
    )
    assert [unit.code for unit in found.in_force(date(2027, 12, 31))] == ["24781", "24846"]
    assert [unit.code for unit in found.in_force(date(2028, 1, 1))] == ["24781", "24847", "24848"]
    assert found.resolve("24846", date(2028, 1, 1)) is None


def test_an_entry_keeps_the_names_of_today_unless_it_gives_others() -> None:
    kept = geography('units: {"24781": {to: 2030-12-31}}').unit("24781")
    renamed = geography('units: {"24781": {name_vi: Phường Mới}}').unit("24781")
    assert kept is not None
    assert renamed is not None
    assert (kept.name_vi, kept.name_en) == ("Phường Một", "Mot ward")
    assert (renamed.name_vi, renamed.name_en) == ("Phường Mới", "Phường Mới")


def test_a_catalogue_without_the_file_has_todays_units_and_one_with_it_has_both(tmp_path: Path) -> None:
    found = loaded(tmp_path / "a", 'units: {"24700": {name_vi: Xã Cũ, to: 2025-06-30, successors: ["24781"]}}')
    assert len(found.geography) == len(catalog().geography) + 1
    assert found.geography.resolve("24700", REFORM) == "24781"


def test_with_only_the_units_of_the_file_are_all_there_are(tmp_path: Path) -> None:
    found = loaded(tmp_path / "a", 'only: true\nunits: {"01267": {name_vi: Xã Một}}')
    assert [unit.code for unit in found.geography.units()] == ["01267"]


# ---- one mistake at a time -------------------------------------------------------------------------------------------

MISTAKES = [
    ("units: {24700: {name_vi: X}}", "units.24700", "quotation marks"),
    ("units: {01201: {name_vi: X}}", "units.641", "quotation marks"),
    ('units: {"247": {name_vi: X}}', "units.247", "five digits"),
    ('units: {"٢٤٧٠٠": {name_vi: X}}', "units.٢٤٧٠٠", "five digits"),
    ('units: {"24700": {name: X}}', "units.24700.name", "not permitted"),
    ('units: {"24700": {name_vi: X, to: soon}}', "units.24700.to", "date"),
    ('units: {"24700": {name_vi: X, to: 2025-06-30, successors: [24781]}}', "units.24700.successors.0", "quotation"),
    ('units: {"24700": {to: 2025-06-30}}', "24700: name_vi", "is missing"),
    ('units: {"24700": {name_vi: X}}', "24700", "give `to` (a former unit) or `from`"),
    ('units: {"24700": {name_vi: X, from: 2025-07-01, to: 2025-06-30}}', "24700: from", "is after to"),
    ('units: {"24700": {name_vi: X, to: 2025-06-30, successors: ["24699"]}}', "24700: successors", "is not a unit"),
    ('units: {"24781": {successors: ["24846"]}}', "24781: successors", "give `to`"),
    (
        'units: {"24781": {to: 2025-06-30, successors: ["24846"]}, "24846": {to: 2025-06-30, successors: ["24781"]}}',
        "24781: successors",
        "is not in force on 2025-07-01",
    ),
    ("only: true", "only", "no units"),
    ("only: perhaps", "only", "boolean"),
    ("colour: red", "colour", "not permitted"),
    ("- a", "units.yaml", "dictionary"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_catalog(tmp_path_factory.mktemp("catalog") / "lam-dong", is_few)


@pytest.mark.parametrize(("text", "key", "says"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_a_mistake_in_the_file_is_a_sentence_that_names_file_and_key(
    folder: Path, text: str, key: str, says: str
) -> None:
    (folder / "units.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(folder)
    sentence = str(refused.value)
    assert "units.yaml: " in sentence
    assert key in sentence
    assert says in sentence
    assert "\n" not in sentence


def test_an_empty_file_says_nothing(folder: Path) -> None:
    (folder / "units.yaml").write_text("# later\n", encoding="utf-8")
    assert len(load_catalog(folder).geography) == 124


# ---- the provinces of the articles -----------------------------------------------------------------------------------


def article(slug: str) -> Geography:
    content = yaml.safe_load((FIXTURES / f"{slug}.yaml").read_text(encoding="utf-8"))
    return geography_of(UnitsFile.model_validate(content), ())


@pytest.mark.parametrize("slug", PROVINCES)
def test_the_fixture_is_what_its_script_writes(slug: str) -> None:
    assert (FIXTURES / f"{slug}.yaml").read_text(encoding="utf-8") == yaml_of(PROVINCES[slug])


@pytest.mark.parametrize(("slug", "before", "after"), [("cao-bang", 161, 56), ("hoa-binh", 151, 46)])
def test_the_articles_provinces_have_their_communes_of_2022_and_all_of_them_went_on(
    slug: str, before: int, after: int
) -> None:
    found = article(slug)
    assert len(found.in_force(date(2022, 12, 31))) == len(found.in_force(BEFORE)) == before
    assert len(found.in_force(REFORM)) == after
    assert found.changes() == (REFORM,)
    assert all(found.resolve(unit.code, REFORM) for unit in found.units())


def test_136_of_161_communes_have_a_station_and_after_the_merger_the_stations_count_for_the_merged() -> None:
    found = article("cao-bang")
    stations = codes_of(PROVINCES["cao-bang"])[:136]
    shares = []
    for on in (date(2022, 12, 31), REFORM):
        told = {found.resolve(code, on) for code in stations} - {None}
        shares.append((len(told), len(found.in_force(on))))
    assert shares[0] == (136, 161)
    assert round(136 / 161, 3) == 0.845
    assert shares[1] == (47, 56)  # the 136th is the first of the 47th of its 56 groups


def test_the_examples_of_the_docs_are_a_sound_file_in_both_languages(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "deploy" / "docs" / "geography.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, flags=re.S)
    assert len(examples) == 2
    vietnamese, english = (yaml.safe_load(example) for example in examples)
    assert vietnamese == english
    found = loaded(tmp_path / "a", examples[0]).geography
    assert (len(found), len(found.in_force(date(2028, 1, 1)))) == (127, 125)
    assert (found.resolve("24700", REFORM), found.resolve("24846", date(2028, 1, 1))) == ("24781", None)
