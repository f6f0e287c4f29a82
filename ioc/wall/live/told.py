"""What the wall shows, as JSON: for programs, and for whoever wants to see why a tile looks as it does. Pure."""

from datetime import datetime
from typing import Any

from ioc.wall.live.alerts import Alert
from ioc.wall.live.cameras import CameraView
from ioc.wall.live.snapshot import Snapshot
from ioc.wall.live.tiles import Tile

__all__ = ["as_json"]


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """Returns the snapshot; times are ISO 8601, values in the metric's own unit, null where there is none.

    `not_updated_since` of the figures: all of them are what was read then, null while they are read.
    """
    figures = snapshot.parts["figures"]
    return {
        "revision": snapshot.revision,
        "at": _time(snapshot.at),
        "parts": {
            name: {"heard_at": _time(part.heard_at), "trouble": part.trouble} for name, part in snapshot.parts.items()
        },
        "not_updated_since": _time(figures.heard_at) if figures.is_blind else None,
        "figures": [_figure(tile) for tile in snapshot.tiles],
        "incidents": [_incident(alert) for alert in snapshot.alerts],
        "cameras": [_camera(view) for view in snapshot.cameras],
    }


def _figure(tile: Tile) -> dict[str, Any]:
    return {
        "kpi": tile.kpi.id,
        "window": tile.kpi.window,
        "value": tile.value,
        "reason": tile.reason,
        "standing": tile.standing,
        "target": tile.kpi.target,
        "as_of": _time(tile.as_of),
        "is_stale": tile.is_stale,
        "is_manual": tile.is_manual,
        "trend": tile.trend,
        "before": tile.before,
        "missed_since": tile.missed_since,
        "worst": [{"code": group.code, "value": group.value} for group in tile.groups],
    }


def _incident(alert: Alert) -> dict[str, Any]:
    return {
        "incident_id": alert.incident_id,
        "kind": alert.kind,
        "state": alert.state,
        "severity": alert.severity,
        "is_exercise": alert.is_exercise,
        "opened_at": _time(alert.opened_at),
    }


def _camera(view: CameraView) -> dict[str, Any]:
    return {
        "camera_id": view.camera.camera_id,
        "is_blind": view.is_blind,
        "coverage": None if view.coverage is None else round(view.coverage.share, 4),
        "not_looked_at": view.coverage.reason if view.coverage is not None else "",
        "captured_at": _time(view.captured_at),
        "detections": [{"label": box.label, "tier": box.tier, "score": box.score} for box in view.boxes],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
