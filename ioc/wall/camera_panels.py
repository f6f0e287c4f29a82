"""The board of the cameras: who sends frames and who is blind, what was seen, and where it stands on our own map."""

from grafana_foundation_sdk.builders import dashboard, geomap, table
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import geomap as geomap_models

from ioc.wall import grafana, promql
from ioc.wall.camera_map import GAZETTEER, GROUND, centre
from ioc.wall.coverage_panels import add_coverage
from ioc.wall.grafana import BAD, GOOD, PLAIN, STALE, Built, Placed, flow, mapping, query, thresholds
from ioc.wall.panels import Language, Wall
from ioc.wall.texts import BoardTexts

__all__ = ["add_cameras"]

_PER_MINUTE = "sum by (camera) (rate(ioc_frames_total[5m])) * 60"


def add_cameras(board: dashboard.Dashboard, wall: Wall, texts: BoardTexts, language: Language, y: int) -> int:
    """Adds the panels from line `y`; returns the first free line."""
    names = mapping({camera.camera_id: (_name(wall, camera.camera_id, language), None) for camera in wall.cameras})
    seen = (
        grafana.stat_panel("cameras:seen", texts.cameras_seen, texts.cameras_seen_help, texts)
        .thresholds(thresholds([(None, PLAIN)]))
        .color_mode(common.BigValueColorMode.VALUE)
        .with_target(query(f"count({_PER_MINUTE} > 0)", texts.with_frames, "seen", instant=True))
    )
    online = next((kpi for kpi in wall.kpis if kpi.id == "camera_online"), None)
    if online is not None:  # its denominator is the register, also of those that nobody has ever heard
        registered = promql.companion("denominator", online, online.windows[0])
        seen.with_target(query(registered, texts.registered, "registered", instant=True))
    coverage = 'sum(rate(ioc_frames_total{outcome="analysed"}[5m])) / sum(rate(ioc_frames_total[5m]))'
    analysed = (
        grafana.stat_panel("cameras:coverage", texts.coverage, texts.coverage_help, texts)
        .unit(units.PercentUnit)
        .decimals(1)
        .thresholds(thresholds([(None, BAD), (0.9, GOOD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query(coverage, texts.coverage, "coverage", instant=True))
    )
    refused = grafana.lines(
        "cameras:refused", texts.refused_regions, texts.refused_regions_help, units.Short, texts
    ).with_target(
        query(
            "sum by (detector, reason) (rate(ioc_detections_rejected_total[$__rate_interval])) * 60",
            "{{detector}} {{reason}}",
            "refused",
        )
    )
    frames = (
        grafana.lines("cameras:frames", texts.frames_by_camera, texts.frames_by_camera_help, units.Short, texts)
        .min(0)
        .with_target(query("sum by (camera) (rate(ioc_frames_total[$__rate_interval])) * 60", "{{camera}}", "frames"))
    )
    panels = [
        Placed(_map(wall, texts), 12, 14),
        Placed(seen, 6, 5),
        Placed(analysed, 6, 5),
    ]
    flow(board, panels, y)
    board.with_panel(_blind(names, texts).grid_pos(grafana.at(12, y + 5, 12, 9)))
    y = add_coverage(board, names, texts, y + 14)
    return flow(board, [Placed(frames, 12, 9), Placed(_seen_by(names, texts), 12, 9), Placed(refused, 24, 7)], y)


def _name(wall: Wall, camera_id: str, language: Language) -> str:
    camera = next(camera for camera in wall.cameras if camera.camera_id == camera_id)
    return camera.name_vi if language == "vi" else camera.name_en or camera.name_vi


def _blind(names: models.ValueMap, texts: BoardTexts) -> table.Panel:
    fires = 'max by (camera) (ALERTS{alertstate="firing",alertname="IocCameraBlind"})'
    panel = grafana.table_panel("cameras:blind", texts.blind_cameras, texts.blind_cameras_help, texts)
    panel.no_value(texts.no_blind).with_target(query(fires, "", "blind", instant=True, as_table=True))
    panel.with_transformation(grafana.organized({"camera": texts.camera}, hidden=("Time", "Value", "Value #blind")))
    panel.override_by_name(texts.camera, [models.DynamicConfigValue(id_val="mappings", value=[names])])
    return panel


def _seen_by(names: models.ValueMap, texts: BoardTexts) -> table.Panel:
    panel = grafana.table_panel(
        "cameras:detections", texts.detections_by_camera, texts.detections_by_camera_help, texts
    )
    panel.with_target(
        query(
            "sum by (camera, detector, tier) (increase(ioc_detections_total[1h]))",
            "",
            "detections",
            instant=True,
            as_table=True,
        )
    )
    renamed = {"camera": texts.camera, "Value": texts.detections, "Value #detections": texts.detections}
    panel.with_transformation(grafana.organized(renamed, hidden=("Time",)))
    worst = {"field": texts.detections, "desc": True}
    panel.with_transformation(models.DataTransformerConfig(id_val="sortBy", options={"sort": [worst]}))
    panel.override_by_name(texts.camera, [models.DynamicConfigValue(id_val="mappings", value=[names])])
    panel.override_by_name(texts.detections, [models.DynamicConfigValue(id_val="decimals", value=0)])
    return panel


def _map(wall: Wall, texts: BoardTexts) -> geomap.Panel:
    """The ground is a GeoJSON file that Grafana itself serves. A camera without any frame has no circle on it."""
    lon, lat = centre(wall.cameras)
    view = geomap_models.MapViewConfig.from_json({"id": "coords", "lat": lat, "lon": lon, "zoom": 9})
    ground = common.MapLayerOptions(
        type_val="geojson",
        name="ioc",
        config={"src": GROUND, "rules": [], "style": {"color": {"fixed": PLAIN}, "opacity": 0.3}},
    )
    circles = common.MapLayerOptions(
        type_val="markers",
        name=texts.frames,
        location=common.FrameGeometrySource(
            mode=common.FrameGeometrySourceMode.LOOKUP, lookup="camera", gazetteer=GAZETTEER
        ),
        config={
            "showLegend": True,
            "style": {
                "color": {"field": "Value", "fixed": STALE},
                "opacity": 0.8,
                "size": {"fixed": 9, "min": 6, "max": 15},
                "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
            },
        },
        tooltip=True,
    )
    return (
        geomap.Panel()
        .id(grafana.panel_id("cameras:map"))
        .title(texts.camera_map)
        .description(texts.camera_map_help)
        .datasource(grafana.DATASOURCE)
        .no_value(texts.no_data)
        .unit(units.Short)
        .thresholds(thresholds([(None, BAD), (grafana.ABOVE, GOOD)]))
        .view(Built(view))
        .basemap(Built(ground))
        .layers([Built(circles)])
        .with_target(query(_PER_MINUTE, "{{camera}}", "frames", instant=True, as_table=True))
    )
