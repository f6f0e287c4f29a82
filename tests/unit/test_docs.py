"""The documentation of the catalogue's files says everything, and nothing that is not so; its links lead somewhere."""

import re
import shutil
import typing
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from ioc.catalog import Catalog, files, imports, load_catalog, oncall
from ioc.event_types import FieldType
from ioc.expressions import _FUNCTIONS
from ioc.kpis.parts import BUILT_IN
from ioc.settings import Settings
from ioc.windows import grain_of
from tests.integration.tutorial_steps import matches, steps_of

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "deploy" / "docs"
REFERENCE = (DOCS / "kpi-files.md").read_text(encoding="utf-8")
STARTING = Path(Settings.model_fields["catalog"].get_default())

MODELS: dict[str, type[BaseModel]] = {
    "province.yaml": files.ProvinceFile,
    "event_types.yaml": files.EventTypeEntry,
    "Trường · A field": files.FieldEntry,
    "entities.yaml": files.ColumnEntry,
    "kpis/*.yaml": files.KpiFile,
    "Phần · A part": files.PartEntry,
    "Chỉ tiêu · The target": files.TargetEntry,
    "Căn cứ · Evidence": files.EvidenceEntry,
    "Con số đã công bố · Seeds": files.SeedEntry,
    "Ví dụ · Worked examples": files.ExampleEntry,
    "sources.yaml": files.SourcesFile,
    "agencies.yaml": files.AgencyEntry,
    "terms.yaml": files.TermsFile,
    "Thời hạn · A term": files.TermEntry,
    "publishers.yaml": files.PublisherEntry,
    "oncall.yaml": oncall.OncallFile,
    "Người · A person": oncall.PersonEntry,
    "Địa chỉ · An address": oncall.AddressEntry,
    "Lịch trực · A roster": oncall.RosterEntry,
    "Luân phiên · A rotation": oncall.RotationEntry,
    "Trực thay · An override": oncall.OverrideEntry,
    "Chuỗi leo thang · A policy": oncall.PolicyEntry,
    "Cấp · A level": oncall.LevelEntry,
    "Tuyến · A route": oncall.RouteEntry,
    "Giờ · Hours": oncall.HoursEntry,
    "Giờ yên lặng · Quiet hours": oncall.QuietEntry,
    "Bảo trì · Maintenance": oncall.MaintenanceEntry,
    "Chập chờn · Flapping": oncall.FlapsEntry,
    "imports.yaml": imports.ImportEntry,
    "Sự kiện của một dòng · An event of a row": imports.ImportEventEntry,
}
"""The reference's section of each kind of entry."""


def section(title: str) -> str:
    """The text under a heading, up to the next heading of any level."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##+ |\Z)", REFERENCE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, f"kpi-files.md has no section {title!r}"
    return found[1]


def first_column(text: str) -> list[list[str]]:
    """For each table of `text` the words in backticks that its first column holds."""
    tables: list[list[str]] = []
    words: list[str] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            words = None
        elif words is None:
            words = []
            tables.append(words)
        else:
            words += re.findall(r"`([^`]+)`", line.split("|")[1])
    return tables


def own_keys(model: type[BaseModel]) -> set[str]:
    inherited = files.PartEntry.model_fields.keys() if model is files.KpiFile else set()
    return {field.alias or name for name, field in model.model_fields.items() if name not in inherited}


@pytest.mark.parametrize(("title", "model"), MODELS.items(), ids=MODELS)
def test_every_key_of_a_file_is_in_its_table_and_no_other(title: str, model: type[BaseModel]) -> None:
    extra = {"keep_days"} if model is files.ColumnEntry else set()
    assert sorted(first_column(section(title))[0]) == sorted(own_keys(model) | extra)


@pytest.mark.parametrize(("title", "model"), MODELS.items(), ids=MODELS)
def test_every_value_that_a_key_may_have_is_told(title: str, model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if name in (files.PartEntry.model_fields if model is files.KpiFile else ()):
            continue
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            for value in typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ():
                assert f"`{value}`" in section(title), f"{title}: {name}: {value}"


def test_every_type_of_a_field_is_told() -> None:
    assert sorted(first_column(section("Trường · A field"))[1]) == sorted(typing.get_args(FieldType))


def test_every_function_of_the_expressions_is_told() -> None:
    words = first_column(section("Biểu thức · Expressions"))[0]
    assert {word for word in words if word.isalpha()} - {"clock", "in", "and", "or", "not"} == _FUNCTIONS.keys()


def test_the_built_in_entities_are_told_with_their_columns() -> None:
    rows = [line for line in section("entities.yaml").splitlines() if line.startswith("| `source_")]
    told = {names[0]: names[1:] for names in (re.findall(r"`([^`]+)`", "|".join(row.split("|")[:3])) for row in rows)}
    assert told == {name: list(columns) for name, columns in BUILT_IN.items()}


def test_every_window_that_is_told_exists() -> None:
    windows = first_column(section("Cửa sổ · Windows"))[0]
    assert {grain_of(window) for window in windows} == {"now", "minute", "day"}
    shipped = {window for path in (STARTING / "kpis").glob("*.yaml") for window in _windows_of(path)}
    assert {window for window in shipped if not window.startswith("r")} <= set(windows)


def _windows_of(path: Path) -> list[str]:
    found = re.search(r"^windows: \[(.*)\]", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found is not None, f"{path.name} has no windows on one line"
    return found[1].replace(" ", "").split(",")


# ---- the examples of the reference ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The catalogue that the YAML blocks of the reference make, each in the file that its first line names."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "kpis").mkdir()
    for name in ("province.yaml", "cameras.yaml", "permits.yaml"):
        shutil.copy(STARTING / name, folder)
    blocks = re.findall(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```$", REFERENCE, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == REFERENCE.count("```yaml"), "each block begins with its file's name"
    for name, text in blocks:
        (folder / name).write_text(text, encoding="utf-8")
    return load_catalog(folder)


def test_the_examples_of_the_reference_hold(documented: Catalog) -> None:
    runner = documented.example_runner()
    problems = [
        problem
        for kpi_id, examples in documented.examples.items()
        for example in examples
        for problem in runner.problems(kpi_id, example)
    ]
    assert not problems
    assert all(documented.examples.values())


def test_the_examples_of_the_reference_use_every_way_to_make_a_column(documented: Catalog) -> None:
    used = {column.operator for entity in documented.entities for column in entity.columns}
    assert used == files.ColumnEntry.model_fields.keys() - {"of", "where", "prefer", "by", "until"}


def test_the_examples_of_the_reference_use_every_key_of_a_part(documented: Catalog) -> None:
    parts = [part for kpi in documented.kpis for part in kpi.parts]
    unused = [
        name
        for name, field in files.PartEntry.model_fields.items()
        if all(getattr(part, name) == field.default for part in parts)
    ]
    assert not unused


# ---- the tutorial --------------------------------------------------------------------------------------------------


def test_the_tutorial_ends_with_files_that_the_reference_explains() -> None:
    """The integration test follows it on Kafka; here is only that nothing in it is beyond the reference."""
    commands = "".join(
        step.commands for step in steps_of((DOCS / "tutorial-first-figure.md").read_text(encoding="utf-8"))
    )
    kpi = re.search(r"water_samples_safe\.yaml <<'EOF'\n(.*?)^EOF$", commands, flags=re.MULTILINE | re.DOTALL)
    assert kpi is not None
    assert yaml.safe_load(kpi[1]).keys() <= own_keys(files.KpiFile) | own_keys(files.PartEntry)


@pytest.mark.parametrize(
    ("shown", "output", "is_so"),
    [
        ("ready\n", "ready\n", True),
        ("ready\n", "not ready\n", False),
        ("ready\n", "ready\nand more\n", False),
        ("ready\n…\n", "ready\nand more\n", True),
        ("…\nready\n", "one\ntwo\nready\n", True),
        ("…\nready\n", "one\ntwo\n", False),
        ("… topics created, 0 were there\n", "55 topics created, 0 were there\n", True),
        ("… topics created, 0 were there\n", "55 topics created, 1 were there\n", False),
        ("a…b\n", "a\nb\n", False),
        ("1.0\n", "1x0\n", False),
    ],
)
def test_an_answer_is_compared_with_what_the_text_shows(shown: str, output: str, is_so: bool) -> None:
    assert matches(output, shown) is is_so


def test_an_answer_that_no_command_gave_is_refused() -> None:
    with pytest.raises(ValueError, match="line 3: an answer must follow its command"):
        steps_of("words\n\n```text\nready\n```\n")


# ---- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing = [link for link in links if "://" not in link and not (DOCS / link).exists()]
    assert not missing


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DOCS.glob("*.md") if path.name != "README.md" and f"({path.name})" not in index] == []
