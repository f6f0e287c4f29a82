"""The ground of the camera map, as files of our own: no tile comes from outside.

GeoJSON (RFC 7946: longitude, latitude) holds the catalogue's cameras and what each pose looks at; the gazetteer tells
Grafana where the camera of a metric stands.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Final

from ioc.catalog.cameras import Camera
from ioc.places.bearings import cone

__all__ = ["GAZETTEER", "GROUND", "centre", "gazetteer", "ground"]

GROUND: Final = "public/maps/ioc-cameras.geojson"
GAZETTEER: Final = "public/maps/ioc-gazetteer.json"
"""Where Grafana serves the files, relative to its root: deploy/grafana/maps is mounted there file by file."""

_REACH_M: Final = 5_000.0  # what a view is drawn to; how far smoke is seen depends on the day
_GRID_DEG: Final = 0.1


def centre(cameras: Sequence[Camera]) -> tuple[float, float]:
    """(longitude, latitude) of the middle of the cameras; that of Vietnam where none has a place."""
    placed = _placed(cameras)
    if not placed:
        return 108.0, 16.0
    lons, lats = [lon for _, lon, _ in placed], [lat for _, _, lat in placed]
    return (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2


def _placed(cameras: Sequence[Camera]) -> list[tuple[Camera, float, float]]:
    return [(c, c.lon, c.lat) for c in cameras if c.lon is not None and c.lat is not None]


def ground(cameras: Sequence[Camera]) -> str:
    """GeoJSON text: a grid of tenths of a degree, each declared view to 5 km, each camera as a point."""
    features = [*_grid(cameras)]
    for camera, lon, lat in _placed(cameras):
        features += [
            _feature(cone(view, _REACH_M), camera, pose_id)
            for pose_id in camera.poses
            if (view := camera.view(pose_id)) is not None
        ]
        features.append(_feature(_point(lon, lat), camera, ""))
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1) + "\n"


def _feature(geometry: object, camera: Camera, pose_id: str) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {"camera": camera.camera_id, "name": camera.name_vi, "pose": pose_id},
        "geometry": geometry,
    }


def _point(lon: float, lat: float) -> dict[str, object]:
    return {"type": "Point", "coordinates": [round(lon, 5), round(lat, 5)]}


def _grid(cameras: Sequence[Camera]) -> Iterator[dict[str, object]]:
    placed = _placed(cameras)
    if not placed:
        return
    west, east = _tenths([lon for _, lon, _ in placed])
    south, north = _tenths([lat for _, _, lat in placed])
    lines = [[(x, south), (x, north)] for x in range(west, east + 1)]
    lines += [[(west, y), (east, y)] for y in range(south, north + 1)]
    for line in lines:
        coordinates = [[round(x * _GRID_DEG, 1), round(y * _GRID_DEG, 1)] for x, y in line]
        yield {
            "type": "Feature",
            "properties": {"name": "0,1°"},
            "geometry": {"type": "LineString", "coordinates": coordinates},
        }


def _tenths(degrees: Sequence[float]) -> tuple[int, int]:
    return math.floor(min(degrees) / _GRID_DEG) - 1, math.ceil(max(degrees) / _GRID_DEG) + 1


def gazetteer(cameras: Sequence[Camera]) -> str:
    """Grafana's list of places: the key is the label `camera` of the metrics."""
    places = [
        {"key": camera.camera_id, "name": camera.name_vi, "longitude": round(lon, 5), "latitude": round(lat, 5)}
        for camera, lon, lat in _placed(cameras)
    ]
    return json.dumps(places, ensure_ascii=False, indent=1) + "\n"
