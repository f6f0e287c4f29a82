"""Grafana boards from the catalogue: one JSON per board and language, the same bytes for the same definitions."""

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import kpi_panels
from ioc.wall.camera_panels import add_cameras
from ioc.wall.grafana import DATASOURCE_UID, AnyPanel, Placed, at, flow, linked
from ioc.wall.names import family_name, family_order
from ioc.wall.oncall_panels import add_oncall
from ioc.wall.panels import KpiPanel, Language, Wall, checked
from ioc.wall.pipeline_panels import add_pipeline, alerts_table, figures_age
from ioc.wall.quality_panels import add_quality
from ioc.wall.texts import TEXTS, BoardTexts

__all__ = ["DATASOURCE_UID", "board_uid", "build_boards", "families", "leading", "wall_tag"]

_LEADING: Final = (
    "dossiers_on_time",
    "reports_on_time",
    "camera_coverage",  # a covered camera is online too
    "bts_down",
    "lgsp_success",
    "source_alive",
)
"""What the province wall leads with, as far as the catalogue has it."""
_TILES: Final = 6
_CAMERA_FAMILY, _SOURCE_FAMILY = "camera_ai", "ioc_platform"


def board_uid(board: str, language: Language) -> str:
    """At most 40 characters, which is Grafana's limit."""
    return f"ioc-{board.replace('_', '-')}"[:37] + f"-{language}"


def wall_tag(language: Language) -> str:
    """The tag of the boards that the playlist rotates."""
    return f"ioc-wall-{language}"


def build_boards(wall: Wall, *, language: Language) -> dict[str, dict[str, object]]:
    """Returns Grafana's JSON by board: wall, figures, cameras, oncall, quality, pipeline, sector-<family>.

    Raises:
        ConfigurationError: a KPI is used twice, or has no window.
    """
    texts = TEXTS[language]
    checked(wall.kpis)
    made: dict[str, Callable[[], dashboard.Dashboard]] = {
        "wall": lambda: _province_wall(wall, texts, language),
        "figures": lambda: _figures(wall, texts, language),
        "cameras": lambda: _cameras(wall, texts, language),
        "oncall": lambda: _oncall(wall, texts, language),
        "quality": lambda: _quality(wall, texts, language),
        "pipeline": lambda: _pipeline(wall, texts, language),
    }
    boards = {name: _json(make()) for name, make in made.items()}
    for family, members in families(wall).items():
        boards[f"sector-{family}"] = _json(_sector(family, members, wall, texts, language))
    return boards


def families(wall: Wall) -> Mapping[str, tuple[KpiPanel, ...]]:
    """The KPIs by family, both in the order of the boards."""
    kpis = sorted(wall.kpis, key=lambda kpi: (family_order(kpi.family), kpi.id))
    return {family: tuple(members) for family, members in groupby(kpis, key=lambda kpi: kpi.family)}


def leading(wall: Wall) -> tuple[KpiPanel, ...]:
    """The figures of the province wall: the usual ones, else the first of each family that can miss a target."""
    known = {kpi.id: kpi for kpi in wall.kpis}
    judged = [
        next((k for k in members if k.can_miss(k.targets[-1])), members[0]) for members in families(wall).values()
    ]
    chosen = dict.fromkeys([*(kpi_id for kpi_id in _LEADING if kpi_id in known), *(kpi.id for kpi in judged)])
    return tuple(known[kpi_id] for kpi_id in chosen)[:_TILES]


def _json(board: dashboard.Dashboard) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    return loaded


def _board(name: str, title: str, wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    other: Language = "en" if language == "vi" else "vi"
    return (
        dashboard.Dashboard(f"IOC – {title} – {wall.name(language)}")
        .uid(board_uid(name, language))
        .description(texts.board_description)
        .tags(["ioc", f"ioc-{language}"])
        .timezone("Asia/Ho_Chi_Minh")
        .week_start("monday")
        .readonly()
        .refresh("5s")
        .time("now-6h", "now")
        .link(
            dashboard.DashboardLink(texts.all_boards)
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([f"ioc-{language}"])
            .as_dropdown(True)
        )
        .link(linked(texts.inbox, wall.link(f"/{'?lang=en' if language == 'en' else ''}")))
        .link(
            dashboard.DashboardLink(texts.other_language)
            .type(models.DashboardLinkType.LINK)
            .url(f"/d/{board_uid(name, other)}")
        )
    )


def _province_wall(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    """At most eight panels, big, and nothing to click: a screen that nobody touches."""
    board = _board("wall", texts.wall_title, wall, texts, language)
    board.tags(["ioc", f"ioc-{language}", wall_tag(language)])
    board.timepicker(dashboard.TimePicker().hidden(True))
    tiles = [Placed(kpi_panels.tile(kpi, wall, texts, language, is_alone=True), 8, 7) for kpi in leading(wall)]
    tables = [
        Placed(kpi_panels.missed_table(wall.kpis, texts, language), 12, 9),
        Placed(alerts_table(wall, texts, language), 12, 9),
    ]
    flow(board, [*tiles, *tables], 0)
    return board


def _figures(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    board = _board("figures", texts.figures_title, wall, texts, language)
    kpis = [kpi for members in families(wall).values() for kpi in members]
    age = [Placed(panel, 12, 4) for panel in figures_age(wall, texts)]
    flow(board, [*age, Placed(kpi_panels.figures_table(kpis, texts, language), 24, 26)], 0)
    return board


def _sector(
    family: str, kpis: tuple[KpiPanel, ...], wall: Wall, texts: BoardTexts, language: Language
) -> dashboard.Dashboard:
    title = family_name(family, language)
    board = _board(f"sector-{family}", title, wall, texts, language)
    if family not in (_CAMERA_FAMILY, _SOURCE_FAMILY):  # those have boards of their own
        board.tags(["ioc", f"ioc-{language}", wall_tag(language)])
    _add_kpis(board, kpis, wall, texts, language, 0)
    return board


def _add_kpis(
    board: dashboard.Dashboard,
    kpis: tuple[KpiPanel, ...],
    wall: Wall,
    texts: BoardTexts,
    language: Language,
    y: int,
) -> int:
    """One line for each: the figure over what it is made of, its course, its units or parts."""
    for kpi in kpis:
        flow(board, [Placed(kpi_panels.tile(kpi, wall, texts, language), 6, 5)], y)
        flow(board, [Placed(kpi_panels.strip(kpi, texts, language), 6, 3)], y + 5)
        beside: list[AnyPanel] = []
        course = kpi_panels.trend(kpi, texts, language)
        if course is not None:
            beside.append(course)
        if kpi.has_units:
            beside.append(kpi_panels.by_unit(kpi, texts, language))
        if kpi.has_dims:
            beside.append(kpi_panels.by_dim(kpi, texts, language))
        x = 6
        for panel in beside:
            w = 18 // len(beside)
            board.with_panel(panel.grid_pos(at(x, y, w, 8)))
            x += w
        y += 8
    return y


def _cameras(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    board = _board("cameras", texts.cameras_title, wall, texts, language)
    board.tags(["ioc", f"ioc-{language}", wall_tag(language)])
    y = add_cameras(board, wall, texts, language, 0)
    _add_kpis(board, families(wall).get(_CAMERA_FAMILY, ()), wall, texts, language, y)
    return board


def _oncall(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    board = _board("oncall", texts.oncall_title, wall, texts, language)
    y = flow(board, [Placed(alerts_table(wall, texts, language), 24, 9)], 0)
    y = add_oncall(board, wall, texts, y)
    acknowledged = tuple(kpi for kpi in wall.kpis if kpi.id in ("alert_ack_time", "smoke_alert_confirm"))
    _add_kpis(board, acknowledged, wall, texts, language, y)
    return board


def _quality(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    board = _board("quality", texts.quality_title, wall, texts, language)
    y = add_quality(board, wall, texts, language, 0)
    of_sources = tuple(
        kpi
        for kpi in families(wall).get(_SOURCE_FAMILY, ())
        if kpi.id.startswith("source_") or kpi.id == "manual_share"
    )
    _add_kpis(board, of_sources, wall, texts, language, y)
    return board


def _pipeline(wall: Wall, texts: BoardTexts, language: Language) -> dashboard.Dashboard:
    board = _board("pipeline", texts.pipeline_title, wall, texts, language)
    add_pipeline(board, wall, texts, language, 0)
    return board
