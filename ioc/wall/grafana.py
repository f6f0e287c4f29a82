"""Pieces of Grafana panels that all boards are made of.

Every figure is asked for as an *instant* query. Over a range, Grafana would show the last value that was ever there,
so that a dead exporter's figure would stand on the wall for hours looking alive.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import bargauge, dashboard, geomap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from ioc.wall.texts import BoardTexts

__all__ = [
    "ABOVE",
    "BAD",
    "DATASOURCE",
    "DATASOURCE_UID",
    "GOOD",
    "PLAIN",
    "STALE",
    "AnyPanel",
    "Built",
    "Placed",
    "at",
    "fixed",
    "flow",
    "last",
    "lines",
    "linked",
    "mapping",
    "organized",
    "panel_id",
    "query",
    "row",
    "stat_panel",
    "table_panel",
    "thresholds",
]

DATASOURCE_UID: Final = "ioc-prometheus"
DATASOURCE = models.DataSourceRef(type_val="prometheus", uid=DATASOURCE_UID)

# Okabe and Ito's colours, told apart with every kind of colour blindness; never red against green.
GOOD, BAD, PLAIN, STALE = "#0072B2", "#D55E00", "#5B5B66", "#E69F00"

_COLUMNS: Final = 24
_Model = TypeVar("_Model")

# A threshold counts from its value upwards; "not more than the target" must leave the target itself good.
ABOVE: Final = 1e-9


def at(x: int, y: int, w: int, h: int) -> models.GridPos:
    return models.GridPos(x=x, y=y, w=w, h=h)


AnyPanel = stat.Panel | table.Panel | timeseries.Panel | bargauge.Panel | geomap.Panel


class Built(cogbuilder.Builder[_Model]):
    """A model of the SDK where it asks for a builder and has none."""

    def __init__(self, model: _Model) -> None:
        self._model = model

    def build(self) -> _Model:
        return self._model


class Placed(NamedTuple):
    """A panel and its size on the grid of 24 columns."""

    panel: AnyPanel
    w: int
    h: int


def flow(board: dashboard.Dashboard, panels: Iterable[Placed], y: int) -> int:
    """Puts panels side by side, line by line, from line `y`; returns the first free line."""
    x = line_h = 0
    for panel, w, h in panels:
        if x + w > _COLUMNS:
            x, y, line_h = 0, y + line_h, 0
        board.with_panel(panel.grid_pos(at(x, y, w, h)))
        x, line_h = x + w, max(line_h, h)
    return y + line_h


def linked(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url).target_blank(True)


def panel_id(key: str) -> int:
    """A number that stays with the panel when others come and go, so that links to it live on."""
    return zlib.crc32(key.encode()) & 0x7FFFFFFF


def row(key: str, title: str, y: int) -> dashboard.Row:
    return dashboard.Row(title).id(panel_id(f"row:{key}")).grid_pos(at(0, y, 24, 1))


def query(expr: str, legend: str, ref: str, *, instant: bool = False, as_table: bool = False) -> prometheus.Dataquery:
    built = prometheus.Dataquery().datasource(DATASOURCE).expr(expr).legend_format(legend).ref_id(ref)
    built = built.editor_mode(prometheus_models.QueryEditorMode.CODE)
    built = built.instant() if instant else built.range()
    kind = prometheus_models.PromQueryFormat.TABLE if as_table else prometheus_models.PromQueryFormat.TIME_SERIES
    return built.format(kind)


def thresholds(steps: Iterable[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def mapping(words: Mapping[str, tuple[str, str | None]]) -> models.ValueMap:
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


def fixed(color: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def last() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"])


def stat_panel(key: str, title: str, description: str, texts: BoardTexts) -> stat.Panel:
    return (
        stat.Panel()
        .id(panel_id(key))
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .no_value(texts.no_data)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .reduce_options(last())
    )


def table_panel(key: str, title: str, description: str, texts: BoardTexts) -> table.Panel:
    return (
        table.Panel()
        .id(panel_id(key))
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .no_value(texts.no_data)
        .thresholds(thresholds([(None, PLAIN)]))
    )


def organized(renamed: Mapping[str, str], *, hidden: Sequence[str]) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate(renamed)},
            "renameByName": dict(renamed),
        },
    )


def lines(key: str, title: str, description: str, unit: str, texts: BoardTexts) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .id(panel_id(key))
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .no_value(texts.no_data)
        .unit(unit)
        .line_width(2)
        .span_nulls(False)  # a gap is a fact
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
