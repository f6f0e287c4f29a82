"""The map without tiles: a graticule or the province's own GeoJSON, cameras, and where an incident lies. Pure.

Every layer is the name of one of Leaflet's factories with its arguments, so that it can be compared and sent.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from geographiclib.geodesic import Geodesic

from ioc.places.ellipse import Ellipse, ellipse_polygon
from ioc.wall.live.alerts import Alert
from ioc.wall.live.cameras import CameraView
from ioc.wall.live.palette import PALETTE

__all__ = ["Extent", "Layer", "base_layers", "camera_layers", "cone", "extent_of", "incident_layers"]

_EARTH_KM_A_DEGREE = 111.32
_CONE_KM = 12.0
_CONE_HALF_DEG = 6.0
_MARGIN_DEG = 0.12  # about the length of a cone


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """`key` names it on the map: equal keys are equal layers."""

    key: str
    factory: str
    arguments: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """South, west, north and east edge, in degrees."""

    south: float
    west: float
    north: float
    east: float


def extent_of(points: Iterable[tuple[float, float]]) -> Extent:
    """The edges around (lon, lat) points with a margin; without points, Viet Nam."""
    found = list(points)
    if not found:
        return Extent(south=8.4, west=102.1, north=23.4, east=109.5)
    lons, lats = [lon for lon, _ in found], [lat for _, lat in found]
    return Extent(
        south=min(lats) - _MARGIN_DEG,
        west=min(lons) - _MARGIN_DEG,
        north=max(lats) + _MARGIN_DEG,
        east=max(lons) + _MARGIN_DEG,
    )


def base_layers(extent: Extent, geojson: Mapping[str, Any] | None) -> list[Layer]:
    """The province's own map, or a graticule of which each line says its degrees."""
    if geojson is not None:
        shape = {"color": PALETTE.line, "weight": 2, "fillColor": PALETTE.card, "fillOpacity": 0.6}
        return [Layer(key="base", factory="geoJSON", arguments=[geojson, {"style": shape, "interactive": False}])]
    span = max(extent.north - extent.south, extent.east - extent.west)
    step = next(step for step in (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0) if span / step <= 6 or step == 5.0)
    style = {"color": PALETTE.line, "weight": 1, "interactive": False}
    layers = []
    for lat in _multiples(extent.south - step, extent.north + step, step):
        points = [[lat, extent.west - 2], [lat, extent.east + 2]]
        layers.append(Layer(key=f"lat{lat}", factory="polyline", arguments=[points, style]))
        layers.append(_label(f"lat{lat}t", lat, extent.west, f"{lat:g}° B/N", "right", "wall-degree"))
    for lon in _multiples(extent.west - step, extent.east + step, step):
        points = [[extent.south - 2, lon], [extent.north + 2, lon]]
        layers.append(Layer(key=f"lon{lon}", factory="polyline", arguments=[points, style]))
        layers.append(_label(f"lon{lon}t", extent.south, lon, f"{lon:g}° Đ/E", "top", "wall-degree"))
    return layers


def camera_layers(views: Iterable[CameraView]) -> list[Layer]:
    """A point for each camera that has a place: full where it sees, hollow where it is blind; a name where it has
    detected something, for all of them would cover one another."""
    layers = []
    for view in views:
        camera = view.camera
        if camera.lon is None or camera.lat is None:
            continue
        color = PALETTE.muted if view.is_blind else PALETTE.good
        style = {
            "radius": 8,
            "color": color,
            "weight": 3,
            "fillColor": color,
            "fillOpacity": 0.0 if view.is_blind else 0.9,
        }
        key = f"cam:{camera.camera_id}:{int(view.is_blind)}"
        layers.append(Layer(key=key, factory="circleMarker", arguments=[[camera.lat, camera.lon], style]))
        if view.boxes:
            name = escape(camera.camera_id)
            layers.append(_label(f"{key}:name", camera.lat, camera.lon, name, "right", "wall-camera-name"))
    return layers


def incident_layers(alerts: Iterable[Alert], views: Iterable[CameraView]) -> list[Layer]:
    """Where incidents lie: one that was located as a full point with its ellipse and the bearing of every camera that
    sees it; else a hollow point in the cones of its cameras. An exercise is dashed, an early sight dotted and in the
    colour of information."""
    places = {
        view.camera.camera_id: (view.camera.lon, view.camera.lat)
        for view in views
        if view.camera.lon is not None and view.camera.lat is not None
    }
    layers = []
    for number, alert in enumerate(alerts, 1):
        rays = [(*places[camera], azimuth_deg) for camera, azimuth_deg in alert.bearings if camera in places]
        key = f"inc:{alert.incident_id}:{alert.state}:{alert.severity}:{number}:{alert.lon},{alert.lat}"
        style = _incident_style(alert)
        if alert.ellipse is not None and alert.lon is not None and alert.lat is not None:
            lon, lat, fill = alert.lon, alert.lat, style["color"]
            layers += _located(key, alert, alert.ellipse, rays, style)
        elif rays:
            cones = [cone(*ray) for ray in rays]
            lat, lon = cones[0][2]
            fill = PALETTE.ground
            filled = {**style, "weight": 3, "fillColor": style["color"], "fillOpacity": 0.25, "interactive": False}
            layers += [
                Layer(key=f"{key}:cone{n or ''}:{points[2]}", factory="polygon", arguments=[points, filled])
                for n, points in enumerate(cones)
            ]
        elif alert.lon is not None and alert.lat is not None:
            lon, lat, fill = alert.lon, alert.lat, PALETTE.ground
        else:
            continue
        point = {**style, "radius": 14, "weight": 4, "fillColor": fill, "fillOpacity": 1}
        name = "wall-incident-number" + (" wall-located" if alert.ellipse is not None else "")
        layers.append(Layer(key=f"{key}:{lat},{lon}", factory="circleMarker", arguments=[[lat, lon], point]))
        layers.append(_label(f"{key}:{lat},{lon}:n", lat, lon, str(number), "center", name))
    return layers


def _incident_style(alert: Alert) -> dict[str, Any]:
    if alert.is_candidate:
        return {"color": PALETTE.info, "dashArray": "2 8"}
    color = PALETTE.bad if alert.severity == "critical" else PALETTE.warn
    return {"color": color, **({"dashArray": "8 8"} if alert.is_exercise else {})}


def _located(
    key: str, alert: Alert, ellipse: Ellipse, rays: Sequence[tuple[float, float, float]], style: Mapping[str, Any]
) -> list[Layer]:
    """The bearings to where they pass the fire, and the ellipse of 95 % around it."""
    assert alert.lon is not None
    assert alert.lat is not None
    key = f"{key}:{ellipse}"
    outline = ellipse_polygon(alert.lon, alert.lat, ellipse)["coordinates"][0]
    filled = {**style, "weight": 3, "fillColor": style["color"], "fillOpacity": 0.25, "interactive": False}
    thin = {**style, "weight": 2, "interactive": False}
    layers = [Layer(key=f"{key}:ellipse", factory="polygon", arguments=[[[y, x] for x, y in outline], filled])]
    for lon, lat, azimuth_deg in rays:
        reach_m = float(Geodesic.WGS84.Inverse(lat, lon, alert.lat, alert.lon)["s12"]) + ellipse.semi_major_m
        end = Geodesic.WGS84.Direct(lat, lon, azimuth_deg, reach_m)
        points = [[lat, lon], [round(float(end["lat2"]), 6), round(float(end["lon2"]), 6)]]
        layers.append(Layer(key=f"{key}:ray:{points}", factory="polyline", arguments=[points, thin]))
    return layers


def cone(lon: float, lat: float, azimuth_deg: float) -> list[list[float]]:
    """Returns [lat, lon] corners of the wedge that a camera looks into: 12 km far, 12° wide. Flat-earth reckoning: at
    this size it is off by less than a pixel."""
    corners = [[lat, lon]]
    for turn in (-_CONE_HALF_DEG, 0.0, _CONE_HALF_DEG):
        angle = math.radians(azimuth_deg + turn)
        north = math.cos(angle) * _CONE_KM / _EARTH_KM_A_DEGREE
        east = math.sin(angle) * _CONE_KM / (_EARTH_KM_A_DEGREE * math.cos(math.radians(lat)))
        corners.append([round(lat + north, 5), round(lon + east, 5)])
    return corners


def _label(key: str, lat: float, lon: float, text: str, direction: str, name: str) -> Layer:
    options = {"permanent": True, "direction": direction, "className": name, "content": text, "interactive": False}
    return Layer(key=key, factory="tooltip", arguments=[[lat, lon], options])


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [round(number * step, 4) for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
