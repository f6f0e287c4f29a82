"""The report for programs: figures as in the log, times in seconds, days and moments in ISO 8601. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from ioc.wall.report.happenings import KindSummary
from ioc.wall.report.model import Change, Report, Row
from ioc.wall.report.ranking import Rank, Ranking
from ioc.windows import moment_of

__all__ = ["report_json"]


def report_json(report: Report) -> dict[str, Any]:
    """Returns the report as JSON's own types."""
    return {
        "span": report.span.kind,
        "name": report.span.name,
        "made_at": report.made_at.isoformat(),
        "provisional": report.is_provisional,
        "attention": [{"kpi": row.kpi.id, "window": row.window} for row in report.attention],
        "missed": [{"kpi": row.kpi.id, "window": row.window} for row in report.missed],
        "figures": [_row(row) for row in report.rows],
        "late": [
            {"kpi": late.explained.kpi.id, "window": late.explained.window, "unexplained": late.unexplained}
            for late in report.late
        ],
        "incidents": _history(report),
        "silent_sources": {
            "known": report.silences.is_known,
            "sources": report.silences.sources,
            "silent": [
                {
                    "source": one.source,
                    "last_heard": None if one.last_heard is None else one.last_heard.isoformat(),
                    "promise_s": one.promise_s,
                }
                for one in report.silences.silent
            ],
        },
    }


def _row(row: Row) -> dict[str, Any]:
    figure, target = row.figure, row.target
    as_of_us = figure.as_of_us if figure is not None else None
    corrected = row.entry.corrected_from if row.entry is not None else None
    return {
        "kpi": row.kpi.id,
        "family": row.kpi.family,
        "unit": row.kpi.unit,
        "window": row.window,
        "period": row.period.name,
        "value": figure.value if figure else None,
        "numerator": figure.numerator if figure else None,
        "denominator": figure.denominator if figure else None,
        "as_of": None if as_of_us is None else moment_of(as_of_us).isoformat(),
        "stale": figure.is_stale if figure else None,
        "provenance": ("manual" if figure.is_manual else "auto") if figure else None,
        "rule_version": figure.rule_version if figure else None,
        "provisional": row.is_provisional,
        "corrected_from": corrected.value if corrected else None,
        "target": None if target is None else {"value": target.value, "direction": target.direction},
        "verdict": row.verdict,
        "before": _change(row.before),
        "year_before": _change(row.year_before),
        "ranking": _ranking(row.ranking),
        "watched_by": list(row.kpi.watched_by),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "period": change.period,
        "state": change.state,
        "value": change.older,
        "difference": change.difference,
        "other_rule": change.has_other_rule,
    }


def _ranking(ranking: Ranking | None) -> dict[str, Any] | None:
    if ranking is None:
        return None
    return {
        "period": ranking.period,
        "units": ranking.units,
        "best": _ranks(ranking.best),
        "worst": _ranks(ranking.worst),
        "without_value": list(ranking.without_value),
    }


def _ranks(ranks: Sequence[Rank]) -> list[dict[str, Any]]:
    return [
        {"place": rank.place, "value": rank.value, "units": [member.code for member in rank.members]} for rank in ranks
    ]


def _history(report: Report) -> dict[str, Any]:
    history = report.history
    return {
        "trouble": history.trouble or None,
        "complete": not history.is_cut and not history.trouble,
        "untold": sorted(history.untold),
        "kinds": [_kind(kind) for kind in history.kinds],
        "exercises": [_kind(kind) for kind in history.exercises],
    }


def _kind(kind: KindSummary) -> Mapping[str, Any]:
    times = {"noticed": kind.noticed, "acknowledged": kind.acknowledged, "resolved": kind.resolved}
    return {
        "kind": kind.kind,
        "incidents": kind.incidents,
        "still_open": kind.still_open,
        **{
            name: {"known": found.known, "median_s": found.median_s, "longest_s": found.longest_s}
            for name, found in times.items()
        },
    }
