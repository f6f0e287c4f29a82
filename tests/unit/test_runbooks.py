"""Runbooks: every alert and every kind of incident has a page, in both languages, that names only what exists."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ioc.catalog import load_catalog
from ioc.cli import build_cli
from ioc.incidents import KINDS, runbook_of
from ioc.oncall.kinds import OWN_KINDS, TEST
from ioc.oncall.pages import runbook_page
from ioc.oncall.web import runbook_markdown
from ioc.settings import Settings
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS
from ioc.wall.panels import Language
from ioc.wall.texts import TEXTS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "ioc" / "oncall" / "runbooks"
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
NAMES = sorted(path.stem for path in PAGES.glob("*.md"))
PRODUCT_PAGES = sorted({alert.runbook for alert in (KPI_MISSED, *PIPELINE_ALERTS)})
KIND_PAGES = {runbook_of(kind) for kind in (*KINDS, *OWN_KINDS)} - {TEST}
PRODUCT_METRICS = {"ioc_events_total", "ioc_consumer_lag_records", "ioc_kpi_denominator"}


def halves(name: str) -> dict[Language, str]:
    """The Vietnamese and the English half of a page."""
    vietnamese, english = (PAGES / f"{name}.md").read_text(encoding="utf-8").split("\n---\n")
    return {"vi": vietnamese, "en": english}


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def linked_pages() -> set[str]:
    urls: set[str] = set()
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            urls |= {rule["annotations"]["runbook_url"] for rule in group["rules"] if "alert" in rule}
    return {url.rsplit("/", 1)[1] for url in urls}


def test_every_alert_of_the_generated_rules_and_every_kind_of_incident_has_a_page() -> None:
    assert linked_pages() == set(PRODUCT_PAGES), "the committed rules are not those of ioc/wall/alerts.py"
    assert linked_pages() | KIND_PAGES <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_on_call_shows_the_page(name: str) -> None:
    markdown = runbook_markdown(name)
    assert markdown is not None
    shown = runbook_page(name, markdown, language="vi")
    assert "<ol>" in shown
    assert "**" not in shown, "bold that did not close"


def test_no_page_is_left_over() -> None:
    assert set(NAMES) == {*PRODUCT_PAGES, *KIND_PAGES, "drill"}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_same_steps_in_vietnamese_and_in_english(name: str) -> None:
    page = halves(name)
    steps = {language: re.findall(r"^(\d+)\. ", text, flags=re.MULTILINE) for language, text in page.items()}
    assert steps["vi"] == steps["en"] == [str(number) for number in range(1, len(steps["vi"]) + 1)]
    assert len(steps["vi"]) >= 5
    for language, text in page.items():
        assert re.match(r"\s*# \S.*\n\n\S", text), f"{language}: a heading, then what it is about"
    assert re.search(r"[ăđơưạảấầệộợụ]", page["vi"])
    assert "việc cần làm" in page["vi"].splitlines()[0]
    assert "what to do" in page["en"].strip().splitlines()[0]


@pytest.mark.parametrize("name", PRODUCT_PAGES)
def test_both_halves_quote_the_same_commands(name: str) -> None:
    """Placeholders are in capitals, and each language has its own."""
    quoted = [
        ["".join(c for c in command if not c.isupper() and c != "-") for command in ioc_commands(text)]
        for text in halves(name).values()
    ]
    assert quoted[0] == quoted[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_when_to_call_whom_and_how_to_know_that_it_is_over(name: str) -> None:
    page = halves(name)
    assert "**Kết thúc**" in page["vi"]
    assert re.search(r"[Gg]ọi|[Bb]áo", page["vi"])
    assert re.search(r"\*\*(It is over|Close)\*\*", page["en"])
    assert re.search(r"[Cc]all |[Tt]ell ", page["en"])


# ---- commands ------------------------------------------------------------------------------------------------------


@cache
def command_line() -> Any:
    return typer.main.get_command(build_cli())


def ioc_commands(text: str) -> Iterator[str]:
    """`dlq list --limit 20` of each quoted `… ioc dlq list --limit 20`; `ioc …` and `ioc:` are no commands."""
    for span in spans(text):
        yield from (match.strip() for match in re.findall(r"(?:^|/|(?<!-u)\s)ioc ((?!…)[^|>`]+)", span))


def problem_of(command: str) -> str:
    """What the command line does not know in `command`; "" where all of it exists."""
    words = command.split()
    here: Any = command_line()
    while words and hasattr(here, "commands") and not words[0].startswith("-"):
        if words[0] not in here.commands:
            return f"no command {words[0]!r}"
        here = here.commands[words.pop(0)]
    if hasattr(here, "commands") and not getattr(here, "invoke_without_command", False):
        return "a group, not a command"
    known = {option for parameter in here.params for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("name", NAMES)
def test_every_ioc_command_of_a_page_exists_with_its_options(name: str) -> None:
    text = "\n".join(halves(name).values())
    assert {command: problem for command in ioc_commands(text) if (problem := problem_of(command))} == {}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        pytest.param("dlq list --topic ioc.onestop.dossiers", "", id="sound"),
        pytest.param("--version", "", id="root option"),
        pytest.param("dlq mend", "no command 'mend'", id="unknown subcommand"),
        pytest.param("dlq", "a group, not a command", id="group"),
        pytest.param("worker --fast", "no option --fast", id="unknown option"),
    ],
)
def test_the_walk_over_the_command_line_finds_what_does_not_exist(command: str, problem: str) -> None:
    assert problem_of(command) == problem


# ---- names ---------------------------------------------------------------------------------------------------------


@cache
def board_words(language: Language) -> frozenset[str]:
    """Every text of the boards in a language, with the names of the alerts that they list."""
    texts = {str(getattr(TEXTS[language], field.name)) for field in fields(TEXTS[language])}
    return frozenset(texts | {getattr(alert, f"name_{language}") for alert in (KPI_MISSED, *PIPELINE_ALERTS)})


@pytest.mark.parametrize("name", PRODUCT_PAGES)
def test_every_panel_and_column_that_a_page_names_is_on_the_board_of_its_language(name: str) -> None:
    page = halves(name)
    marks: Mapping[Language, str] = {"vi": r"«([^»]+)»", "en": r"“([^”]+)”"}
    for language, mark in marks.items():
        named = {text for text in re.findall(mark, page[language]) if "nhập tay, lúc" not in text}
        assert named, f"{language}: names no panel"
        assert named <= board_words(language)


def test_every_unit_and_service_that_a_page_names_is_deployed() -> None:
    units = {
        path.name.removesuffix(".service").split("@")[0] for path in (ROOT / "deploy" / "systemd").glob("*.service")
    }
    services = set(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"])
    for name in NAMES:
        for span in spans("\n".join(halves(name).values())):
            named = re.findall(r"(?:journalctl -u|systemctl (?:status|restart)) ((?:[a-z][a-z@0-9-]+ ?)+)", span)
            for unit in " ".join(named).split():
                assert unit.split("@")[0] in units | {"prometheus"}, f"{name}: {span}"
            named = re.findall(r"docker compose (?:exec|restart|ps|run --rm|logs --(?:tail|since) \w+) ([a-z]+)", span)
            assert set(named) <= services, f"{name}: {span}"


def test_every_page_that_a_page_links_to_exists_and_opens_in_the_same_language() -> None:
    for name in NAMES:
        page = halves(name)
        links = {language: set(re.findall(r"\]\(([^)]+)\)", text)) for language, text in page.items()}
        assert links["vi"] <= set(NAMES) - {name}, name
        assert links["en"] == {f"{link}?lang=en" for link in links["vi"]}, name


def test_every_metric_that_a_page_names_exists() -> None:
    catalog = load_catalog(Settings.model_fields["catalog"].get_default())
    known = PRODUCT_METRICS | {kpi.metric for kpi in catalog.kpis}
    for name in NAMES:
        named = set(re.findall(r"\bioc_[a-z_]+", "\n".join(halves(name).values())))
        assert named <= known, name


def test_the_page_on_dead_letters_explains_every_reason_that_a_department_can_get() -> None:
    modules = [
        path for path in (ROOT / "ioc").glob("*.py") if path.stem != "frames"
    ]  # cameras have reasons of their own
    sources = "".join(path.read_text(encoding="utf-8") for path in modules)
    reasons = set(re.findall(r"InvalidRecord\(\s*\"([a-z_]+)\"", sources))
    assert len(reasons) > 10
    for language, text in halves("dead-letters").items():
        assert reasons <= set(spans(text)), language
