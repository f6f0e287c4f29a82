"""The report as HTML for paper and screen. Pure: data in, text out; Jinja escapes everything."""

from datetime import date, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby

import jinja2

from ioc.agencies import agency_named
from ioc.catalog import Catalog
from ioc.wall.names import family_name, family_order, unit_name
from ioc.wall.panels import Language
from ioc.wall.report.happenings import KindSummary, Times
from ioc.wall.report.model import Change, Report, Row
from ioc.wall.report.numbers import (
    NONE,
    amount,
    day_text,
    difference,
    duration,
    moment_text,
    number,
    period_text,
)
from ioc.wall.report.ranking import FEW_CASES, Member, Rank, Ranking
from ioc.wall.report.words import WORDS, kind_name, window_text
from ioc.windows import local_date

__all__ = ["report_html"]

_NAMED = 3  # units of one rank that are named; the rest are counted
_NEVER_FEW = ("now",)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((files("ioc.wall.report") / "report.html.jinja").read_text(encoding="utf-8"))


def report_html(report: Report, catalog: Catalog, language: Language) -> str:
    """Returns a whole HTML document that names no outside address and runs no script."""
    told = _Teller(report, catalog, language)
    return _template().render(
        language=language, report=report, t=told, w=WORDS[language], families=_families(report), few=FEW_CASES
    )


def _families(report: Report) -> list[tuple[str, list[Row]]]:
    rows = sorted(report.rows, key=lambda row: family_order(row.kpi.family))
    return [(family, list(group)) for family, group in groupby(rows, key=lambda row: row.kpi.family)]


class _Teller:
    """How each part of the report is said in one language."""

    def __init__(self, report: Report, catalog: Catalog, language: Language) -> None:
        self._report, self._catalog, self._language = report, catalog, language
        self._words = WORDS[language]

    # ---- the whole ---------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        span = self._report.span
        name = period_text(span.name, self._language)
        return f"{self._words[f'title_{span.kind}']} {name}"

    @property
    def province(self) -> str:
        return self._report.province_vi if self._language == "vi" else self._report.province_en

    @property
    def made_at(self) -> str:
        return moment_text(self._report.made_at, self._language)

    @property
    def counts(self) -> list[tuple[int, str, str]]:
        """(how many, of what, class) of the rows."""
        rows, report = self._report.rows, self._report
        found = [(len(report.attention), "attention"), (len(report.missed), "missed")]
        found += [
            (sum(row.verdict == verdict for row in rows), verdict)
            for verdict in ("met", "running", "no_target", "no_figure")
        ]
        return [(count, self._words[f"count_{name}"], name) for count, name in found]

    @property
    def ranked(self) -> list[Row]:
        rows = [row for row in self._report.rows if row.ranking is not None]
        return sorted(rows, key=lambda row: family_order(row.kpi.family))

    # ---- one row -----------------------------------------------------------------------------------------------------

    def name(self, row: Row) -> str:
        return row.kpi.name_vi if self._language == "vi" else row.kpi.name_en

    def family(self, family: str) -> str:
        return family_name(family, self._language)

    def window(self, row: Row) -> str:
        return window_text(row.window, period_text(row.period.name, self._language), self._language)

    def value(self, row: Row) -> str:
        return self.amount(row, row.figure.value if row.figure is not None else None)

    def amount(self, row: Row, value: float | None) -> str:
        return amount(value, row.kpi.unit, self._language, unit_name(row.kpi.unit, self._language))

    def parts(self, row: Row) -> str:
        figure = row.figure
        if figure is None or row.kpi.form == "number":
            return ""
        if row.kpi.form == "p95":
            return self._words["p95_of"].format(n=self._count(figure.denominator))
        return f"{self._count(figure.numerator)}/{self._count(figure.denominator)}"

    def _count(self, value: float | None) -> str:
        return NONE if value is None else number(value, self._language, 1)

    def target(self, row: Row) -> str:
        if row.verdict == "no_target" or row.target is None or row.target.value is None:
            return NONE
        sign = "≥" if row.target.direction == "higher_is_better" else "≤"
        if row.target.direction == "within_band":
            sign = "≈"
        return f"{sign} {self.amount(row, row.target.value)}"

    def verdict(self, row: Row) -> str:
        return self._words[f"v_{row.verdict}"]

    def change(self, row: Row, change: Change) -> str:
        word = self._words[f"c_{change.state}"]
        if change.difference is None or change.state == "same":
            return word
        return f"{difference(change.difference, row.kpi.unit, self._language)} {word}"

    def older(self, row: Row, change: Change) -> str:
        """The older value and its period, "" where there is none."""
        if change.older is None:
            return ""
        # A day is not broken at its hyphens.
        period = period_text(change.period, self._language).replace("-", "\N{NON-BREAKING HYPHEN}")
        text = f"{self.amount(row, change.older)} ({period})"
        return f"{text}, {self._words['other_rule']}" if change.has_other_rule else text

    def marks(self, row: Row) -> list[str]:
        figure, words = row.figure, self._words
        if figure is None or row.entry is None:
            return [words["m_never"]]
        marks = [words["m_nothing"]] if figure.value is None else []
        marks += [words["m_provisional"]] if row.is_provisional else []
        marks += [words["m_stale"]] if figure.is_stale else []
        if row.kpi.kind == "snapshot":
            method = words["by_hand" if figure.is_manual else "automatic"]
            as_of = NONE if figure.as_of_us is None else self.day(local_date(figure.as_of_us))
            marks.append(words["m_snapshot"].format(as_of=as_of, method=method))
        elif figure.is_manual:
            marks.append(words["m_manual"])
        if row.entry.corrected_from is not None:
            marks.append(words["m_corrected"].format(value=self.amount(row, row.entry.corrected_from.value)))
        is_few = figure.denominator is not None and 0 < figure.denominator < FEW_CASES
        return marks + ([words["m_few"]] if is_few and row.window not in _NEVER_FEW else [])

    def owners(self, row: Row) -> str:
        return ", ".join(row.kpi.watched_by) or NONE

    def weakest(self, row: Row) -> str:
        ranking = row.ranking
        if ranking is None or not ranking.worst:
            return NONE
        text = "; ".join(self.rank(row, rank) for rank in ranking.worst[:2])
        return text + self.older_period(row, ranking)

    # ---- ranks -------------------------------------------------------------------------------------------------------

    def rank(self, row: Row, rank: Rank) -> str:
        named = ", ".join(self._member(row, member) for member in rank.members[:_NAMED])
        more = len(rank.members) - _NAMED
        rest = f" {self._words['and_more'].format(more=more)}" if more > 0 else ""
        units = row.ranking.units if row.ranking is not None else len(rank.members)
        place = self._words["rank"].format(place=rank.place, units=units)
        return f"{place}, {self.amount(row, rank.value)}: {named}{rest}"

    def _member(self, row: Row, member: Member) -> str:
        name = self.unit(member.code)
        parts = ""
        if row.kpi.form == "ratio":
            parts = f" ({self._count(member.numerator)}/{self._count(member.denominator)})"
        return f"{name}{parts}{'*' if member.has_few_cases else ''}"

    def unit(self, code: str) -> str:
        """The unit's or agency's name; an agency that the catalogue does not name is called by its code."""
        unit = self._catalog.geography.unit(code) or agency_named(self._catalog.agencies, code)
        return unit.name_vi if self._language == "vi" else unit.name_en

    def older_period(self, row: Row, ranking: Ranking) -> str:
        if ranking.period == row.period.name:
            return ""
        told = self._words["older_period"].format(period=period_text(ranking.period, self._language))
        return f" ({told})"

    # ---- incidents and sources ---------------------------------------------------------------------------------------

    def kind(self, kind: str) -> str:
        return kind_name(kind, self._language)

    def times(self, times: Times, of: KindSummary) -> str:
        if times.median_s is None:
            return NONE
        text = f"{self.duration(times.median_s)} ({self.duration(times.longest_s)})"
        return text if times.known == of.incidents else f"{text}, {times.known} {self._words['of']} {of.incidents}"

    @property
    def untold(self) -> str:
        names = [name for name in ("noticed", "acknowledged", "resolved") if name in self._report.history.untold]
        return ", ".join(self._words[name] for name in names)

    def duration(self, seconds: float | None) -> str:
        return duration(seconds, self._language)

    def moment(self, moment: datetime) -> str:
        return moment_text(moment, self._language)

    def day(self, day: date) -> str:
        return day_text(day, self._language)

    def severity(self, severity: str) -> str:
        return self._words.get(severity, severity)
