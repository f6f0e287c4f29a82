"""The board of the sources' quality contract: đúng, đủ, sạch, sống, source by source."""

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana, promql
from ioc.wall.grafana import BAD, GOOD, PLAIN, Placed, flow, mapping, query, thresholds
from ioc.wall.panels import KpiPanel, Language, Wall
from ioc.wall.texts import BoardTexts

__all__ = ["ALIVE", "add_quality"]

# Of several exporters the one that has heard the source is right: one that was cut off hears it no more.
ALIVE = "max by (province, source) (ioc_source_alive)"
_SCORES = ("source_valid", "source_clean")
"""The KPIs that are told by source."""


def add_quality(board: dashboard.Dashboard, wall: Wall, texts: BoardTexts, language: Language, y: int) -> int:
    """Adds the panels from line `y`; returns the first free line."""
    late = (
        grafana.stat_panel("quality:late", texts.late_sources, texts.late_sources_help, texts)
        .thresholds(thresholds([(None, GOOD), (1, BAD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query(f"sum(1 - {ALIVE})", texts.late, "late", instant=True))
        .with_target(query(f"count({ALIVE})", texts.known, "known", instant=True))
        .override_by_query("known", [grafana.fixed(PLAIN)])
    )
    by_topic = 'sum by (topic) (rate(ioc_events_total{outcome="rejected"}[$__rate_interval])) * 60'
    rejected = grafana.lines(
        "quality:rejected", texts.rejected_by_topic, texts.rejected_by_topic_help, units.Short, texts
    ).with_target(query(by_topic, "{{topic}}", "rejected"))
    return flow(
        board, [Placed(_sources(wall, texts, language), 14, 13), Placed(late, 10, 5), Placed(rejected, 10, 8)], y
    )


def _sources(wall: Wall, texts: BoardTexts, language: Language) -> table.Panel:
    known = {kpi.id: kpi for kpi in wall.kpis}
    panel = grafana.table_panel("quality:sources", texts.sources, texts.sources_help, texts)
    renamed = {"source": texts.source, "Value #alive": texts.alive}
    panel.with_target(query(ALIVE, "", "alive", instant=True, as_table=True))
    for kpi in (known[kpi_id] for kpi_id in _SCORES if kpi_id in known):
        _add_score(panel, kpi, renamed, language)
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "province")))
    panel.with_transformation(
        models.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": texts.alive, "desc": False}]})
    )
    words = mapping({"0": (texts.alive_no, BAD), "1": (texts.alive_yes, GOOD)})
    coloured = models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})
    panel.override_by_name(texts.alive, [models.DynamicConfigValue(id_val="mappings", value=[words]), coloured])
    return panel


def _add_score(panel: table.Panel, kpi: KpiPanel, renamed: dict[str, str], language: Language) -> None:
    """Only what is current: an empty cell is no figure."""
    fresh = promql.value_by_dim(kpi, kpi.windows[0], is_stale=False)
    named = f'label_replace({fresh}, "source", "$1", "dim", "(.*)")'
    ref = kpi.id
    panel.with_target(query(f"max by (province, source) ({named})", "", ref, instant=True, as_table=True))
    renamed[f"Value #{ref}"] = kpi.name(language)
    panel.override_by_name(kpi.name(language), [models.DynamicConfigValue(id_val="unit", value=units.PercentUnit)])
