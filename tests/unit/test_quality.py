"""The quality contract: from the figures of a source to words and what to fix; and from a scrape to the figures."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ioc.adapters.figures import FigureReader, readings_of
from ioc.kpis import Target
from ioc.quality import FigureKey, Reading, Score, quality_of
from ioc.reject_advice import ADVICE, advice_of
from tests.unit.domain.making import catalog

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
ONESTOP, INDICATORS = "/lam-dong/onestop", "/lam-dong/indicators"
TARGETS = {kpi.id: kpi.target(NOW.date()) for kpi in catalog().kpis}
DEFINITIONS = {kpi.id: kpi for kpi in catalog().kpis}
GOOD = {
    FigureKey("source_valid", "day", ONESTOP): Reading(value=1.0, numerator=5, denominator=5),
    FigureKey("source_clean", "day", ONESTOP): Reading(value=0.995, numerator=199, denominator=200),
    FigureKey("source_alive", "now", ONESTOP): Reading(value=1.0, numerator=1, denominator=1),
}


def score(kpi: str, readings: Mapping[FigureKey, Reading], source: str = ONESTOP, **options: object) -> Score:
    found = quality_of(source, readings, TARGETS, **options)  # type: ignore[arg-type]  # options of a table
    return next(each for each in found.scores if each.kind.kpi == kpi)


@pytest.mark.parametrize(
    ("kpi", "value", "state"),
    [
        pytest.param("source_valid", 0.99, "good", id="valid, at its target"),
        pytest.param("source_valid", 0.9899, "bad", id="valid, just below"),
        pytest.param("source_valid", None, "unknown", id="valid, no figure"),
        pytest.param("source_clean", 0.5, "bad", id="clean, below"),
        pytest.param("source_alive", 0.0, "bad", id="not alive"),
        pytest.param("source_alive", 1.0, "good", id="alive"),
    ],
)
def test_a_score_is_judged_by_the_catalogues_target(kpi: str, value: float | None, state: str) -> None:
    window = {"source_alive": "now"}.get(kpi, "day")
    found = score(kpi, {FigureKey(kpi, window, ONESTOP): Reading(value=value)})
    assert found.state == state
    assert (found.fix is not None) == (state == "bad")


@pytest.mark.parametrize(
    ("value", "state"), [pytest.param(0.2, "good", id="at its target"), pytest.param(0.21, "bad", id="above")]
)
def test_of_what_is_typed_by_hand_less_is_better(value: float, state: str) -> None:
    found = score("manual_share", {FigureKey("manual_share", "now", ""): Reading(value=value)}, INDICATORS)
    assert (found.state, found.is_provincial) == (state, True)


def test_no_figure_is_never_a_good_one() -> None:
    found = quality_of(ONESTOP, {}, TARGETS)
    assert found.state == "unknown"
    assert found.verdict.vi == "Chưa có số liệu"
    assert found.fixes == ()


def test_figures_on_target_are_good_only_when_all_are_there() -> None:
    assert quality_of(ONESTOP, GOOD, TARGETS).state == "good"
    fewer = {key: reading for key, reading in GOOD.items() if key.kpi != "source_alive"}
    found = quality_of(ONESTOP, fewer, TARGETS)
    assert (found.state, found.verdict.vi) == ("unknown", "Chưa đủ số liệu")


def test_one_figure_below_its_target_makes_the_source_need_work() -> None:
    readings = {**GOOD, FigureKey("source_valid", "day", ONESTOP): Reading(value=0.5)}
    found = quality_of(ONESTOP, readings, TARGETS)
    assert (found.state, len(found.fixes)) == ("bad", 1)


def test_completeness_and_hand_typing_are_about_sources_of_statistics_alone() -> None:
    total = {FigureKey("source_complete", "mtd", ""): Reading(value=0.5, numerator=62, denominator=124)}
    assert score("source_complete", total, ONESTOP).state == "not_asked"
    found = score("source_complete", total, INDICATORS)
    assert found.state == "bad"
    assert found.fix is not None
    assert "Còn 62 xã" in found.fix.vi


def test_a_figure_of_the_source_itself_goes_before_the_provinces() -> None:
    readings = {
        FigureKey("manual_share", "now", ""): Reading(value=0.9),
        FigureKey("manual_share", "now", INDICATORS): Reading(value=0.1),
    }
    found = score("manual_share", readings, INDICATORS)
    assert (found.reading.value, found.is_provincial) == (0.1, False)


def test_the_fix_names_the_most_frequent_reason_and_what_to_do_about_it() -> None:
    below = {FigureKey("source_valid", "day", ONESTOP): Reading(value=0.5)}
    found = score("source_valid", below, reasons=[("bad_time", 12), ("missing_field", 1)])
    assert found.fix is not None
    assert "bad_time (12 lần)" in found.fix.vi
    assert advice_of("bad_time")[1] in found.fix.en


def test_a_source_that_is_silent_is_told_its_promise() -> None:
    found = score("source_alive", {FigureKey("source_alive", "now", ONESTOP): Reading(value=0.0)}, promise_s=86_400)
    assert found.fix is not None
    assert "1 ngày" in found.fix.vi
    assert "`ioc doctor`" in found.fix.en


def test_a_target_that_is_not_set_judges_nothing() -> None:
    targets = {**TARGETS, "source_valid": Target(value=None, direction="higher_is_better", basis="")}
    found = quality_of(ONESTOP, {FigureKey("source_valid", "day", ONESTOP): Reading(value=0.1)}, targets)
    assert found.scores[0].state == "good"


# ---- advice ---------------------------------------------------------------------------------------------------------


def test_every_reason_that_a_department_can_get_has_its_advice() -> None:
    modules = [path for path in (ROOT / "ioc").glob("*.py") if path.stem != "frames"]
    text = "".join(path.read_text(encoding="utf-8") for path in modules)
    reasons = set(re.findall(r"InvalidRecord\(\s*\"([a-z_]+)\"", text))
    assert len(reasons) > 10
    assert reasons <= ADVICE.keys()


def test_advice_is_there_in_both_languages_and_for_a_reason_unheard_of() -> None:
    for vi, en in (*ADVICE.values(), advice_of("of tomorrow")):
        assert vi.endswith(".")
        assert en.endswith(".")
        assert vi != en


# ---- from a scrape --------------------------------------------------------------------------------------------------

SCRAPE = """\
# HELP ioc_source_valid_ratio Events accepted ('đúng')
# TYPE ioc_source_valid_ratio gauge
ioc_source_valid_ratio{admin_unit="*",agency="",window="day"} 0.9
ioc_source_valid_ratio{admin_unit="*",agency="",window="day",dim="/lam-dong/onestop"} 0.75
ioc_source_alive{source="/lam-dong/onestop"} 0.0
ioc_bts_down_sites{admin_unit="*",agency="",window="now"} 3.0
# TYPE ioc_kpi_numerator gauge
ioc_kpi_numerator{kpi="source_valid",admin_unit="*",agency="",window="day",dim="/lam-dong/onestop"} 3.0
ioc_kpi_numerator{kpi="bts_down",admin_unit="*",agency="",window="now"} 3.0
ioc_kpi_denominator{kpi="source_valid",admin_unit="*",agency="",window="day",dim="/lam-dong/onestop"} 4.0
ioc_kpi_stale{kpi="source_valid",admin_unit="*",agency="",window="day",dim="/lam-dong/onestop"} 1.0
ioc_kpi_as_of_timestamp_seconds{kpi="source_valid",admin_unit="*",agency="",window="day",\
dim="/lam-dong/onestop"} 1795305600.0
ioc_kpi_denominator{kpi="source_clean",admin_unit="*",agency="",window="day",dim="/lam-dong/onestop"} 0.0
"""


def test_the_series_about_sources_are_read_from_a_scrape() -> None:
    found = readings_of(SCRAPE, DEFINITIONS)
    assert found == {
        FigureKey("source_valid", "day", ""): Reading(value=0.9),
        FigureKey("source_valid", "day", ONESTOP): Reading(
            value=0.75,
            numerator=3.0,
            denominator=4.0,
            is_stale=True,
            as_of=datetime.fromtimestamp(1795305600, UTC),
        ),
        FigureKey("source_clean", "day", ONESTOP): Reading(value=None, denominator=0.0),
        FigureKey("source_alive", "now", ONESTOP): Reading(value=0.0),
    }


class Page:
    """What the figures role answers: a text, or nothing."""

    def __init__(self) -> None:
        self.text: str | None = SCRAPE
        self.asked, self.now_s = 0, 0.0
        self.reader = FigureReader(self._fetch, DEFINITIONS, clock=lambda: NOW, monotonic=lambda: self.now_s)

    async def _fetch(self) -> str:
        self.asked += 1
        if self.text is None:
            raise ConnectionRefusedError(111, "refused")
        return self.text


def test_figures_are_read_once_in_five_seconds() -> None:
    page = Page()
    asyncio.run(page.reader.read())
    page.now_s = 4.9
    asyncio.run(page.reader.read())
    assert page.asked == 1
    page.now_s = 5.1
    asyncio.run(page.reader.read())
    assert page.asked == 2


def test_what_was_read_last_is_kept_with_its_time_when_nothing_answers() -> None:
    page = Page()
    before = asyncio.run(page.reader.read())
    page.text, page.now_s = None, 10.0
    after = asyncio.run(page.reader.read())
    assert (after.readings, after.read_at) == (before.readings, NOW)
    assert after.trouble


@pytest.mark.parametrize("text", [None, 'ioc_source_valid_ratio{dim="x" 1\n'], ids=["no answer", "no metrics"])
def test_without_an_answer_there_are_no_figures(text: str | None) -> None:
    page = Page()
    page.text = text
    found = asyncio.run(page.reader.read())
    assert (found.readings, found.read_at) == ({}, None)
    assert found.trouble
