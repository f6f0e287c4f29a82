"""Grafana boards from KPI definitions: one per language, the same bytes for the same definitions."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from grafana_foundation_sdk.builders import bargauge, dashboard, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import kpi_panels
from ioc.wall.grafana import DATASOURCE_UID, at, row
from ioc.wall.names import family_name, family_order
from ioc.wall.panels import KpiPanel, Language, checked
from ioc.wall.pipeline_panels import add_pipeline, alerts_table
from ioc.wall.texts import TEXTS, BoardTexts

__all__ = ["DATASOURCE_UID", "board_uid", "build_board"]

_TILES_PER_ROW: Final = 4
_TILE_W, _TILE_H, _STRIP_H = 24 // _TILES_PER_ROW, 5, 3
_WIDE_W, _WIDE_H = 12, 8


def board_uid(language: Language) -> str:
    return f"ioc-province-{language}"


def build_board(kpis: Sequence[KpiPanel], *, language: Language) -> dict[str, object]:
    """Returns the province board in `language` as Grafana's JSON: alerts, all figures, the KPIs by family, pipeline.

    Raises:
        ConfigurationError: a KPI is used twice, or has no window.
    """
    kpis = sorted(checked(kpis), key=lambda kpi: (family_order(kpi.family), kpi.id))
    texts = TEXTS[language]
    board = _empty_board(texts, language)
    board.with_row(row("overview", texts.overview_row, 0))
    board.with_panel(alerts_table(kpis, texts, language).grid_pos(at(0, 1, 9, 11)))
    board.with_panel(kpi_panels.figures_table(kpis, texts, language).grid_pos(at(9, 1, 15, 11)))
    y = 12
    for family, members in groupby(kpis, key=lambda kpi: kpi.family):
        board.with_row(row(f"family:{family}", family_name(family, language), y))
        y = _add_family(board, family, list(members), texts, language, y + 1)
    board.with_row(row("pipeline", texts.pipeline_row, y))
    add_pipeline(board, texts, y + 1)
    loaded: dict[str, object] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    return loaded


def _empty_board(texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    other: Language = "en" if language == "vi" else "vi"
    return (
        dashboard.Dashboard(texts.board_title)
        .uid(board_uid(language))
        .description(texts.board_description)
        .tags(["ioc", language])
        .timezone("Asia/Ho_Chi_Minh")
        .week_start("monday")
        .readonly()
        .refresh("5s")
        .time("now-6h", "now")
        .link(
            dashboard.DashboardLink(texts.other_language)
            .type(models.DashboardLinkType.LINK)
            .url(f"/d/{board_uid(other)}")
        )
    )


def _add_family(
    board: dashboard.Dashboard,
    family: str,
    kpis: Sequence[KpiPanel],
    texts: BoardTexts,
    language: Language,
    y: int,
) -> int:
    """Adds a family's tiles, and under them what is wide; returns the first free line."""
    for index, kpi in enumerate(kpis):
        x, tile_y = index % _TILES_PER_ROW * _TILE_W, y + index // _TILES_PER_ROW * (_TILE_H + _STRIP_H)
        board.with_panel(kpi_panels.tile(kpi, texts, language).grid_pos(at(x, tile_y, _TILE_W, _TILE_H)))
        board.with_panel(kpi_panels.strip(kpi, texts, language).grid_pos(at(x, tile_y + _TILE_H, _TILE_W, _STRIP_H)))
    y += -(-len(kpis) // _TILES_PER_ROW) * (_TILE_H + _STRIP_H)
    wide: list[bargauge.Panel | timeseries.Panel] = [
        *(kpi_panels.by_dim(kpi, texts, language) for kpi in kpis if kpi.has_dims),
        *kpi_panels.trends(f"family:{family}", kpis, texts, language),
    ]
    for index, panel in enumerate(wide):
        board.with_panel(panel.grid_pos(at(index % 2 * _WIDE_W, y + index // 2 * _WIDE_H, _WIDE_W, _WIDE_H)))
    return y + -(-len(wide) // 2) * _WIDE_H
