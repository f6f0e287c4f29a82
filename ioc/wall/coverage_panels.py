"""What of the cameras was really looked at, why not the rest, and how each detector stands with each pose."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana
from ioc.wall.grafana import BAD, GOOD, PLAIN, STALE, Placed, flow, mapping, query, thresholds
from ioc.wall.texts import BoardTexts

__all__ = ["DETECTOR_STATE", "add_coverage", "detector_states", "state_words"]

_SHARE = "min by (camera, detector) (ioc_camera_coverage_ratio)"
_UNSEEN = "sum by (camera, detector, reason) (increase(ioc_camera_uncovered_minutes_total[1h]))"
DETECTOR_STATE = "max by (detector, version, camera, pose, state, reason) (ioc_detector_state)"
_WORST: Final = 0.5


def add_coverage(board: dashboard.Dashboard, names: models.ValueMap, texts: BoardTexts, y: int) -> int:
    """Adds the panels from line `y`; returns the first free line. `names`: cameras by their ids."""
    panels = [Placed(_shares(names, texts), 12, 10), Placed(_reasons(names, texts), 12, 10)]
    y = flow(board, panels, y)
    return flow(board, [Placed(panel, w, 9) for panel, w in detector_states(names, texts)], y)


def detector_states(names: models.ValueMap, texts: BoardTexts) -> list[tuple[grafana.AnyPanel, int]]:
    """How each detector stands with each pose, what is not well first, and what it works with; with their widths."""
    count = (
        grafana.stat_panel("cameras:detectors", texts.detectors, texts.detectors_help, texts)
        .mappings([state_words(texts)])
        .thresholds(thresholds([(None, PLAIN)]))
        .color_mode(common.BigValueColorMode.VALUE)
        .with_target(query(f"count by (detector, version) ({DETECTOR_STATE})", "{{detector}} {{version}}", "detectors",
                           instant=True))
        .with_target(query("max by (detector, model) (ioc_detector_model)", "{{detector}}: {{model}}", "models",
                           instant=True))
    )  # fmt: skip
    states = grafana.table_panel("cameras:states", texts.detector_states, texts.detector_states_help, texts)
    states.with_target(query(DETECTOR_STATE, "", "states", instant=True, as_table=True))
    renamed = {
        "state": texts.state,
        "reason": texts.reason,
        "camera": texts.camera,
        "pose": texts.pose,
        "detector": texts.detector,
        "version": texts.version,
    }
    states.with_transformation(grafana.organized(renamed, hidden=("Time", "Value", "Value #states")))
    # suspended, ok: what is not well stands above
    worst = {"field": texts.state, "desc": True}
    states.with_transformation(models.DataTransformerConfig(id_val="sortBy", options={"sort": [worst]}))
    coloured = models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})
    states.override_by_name(texts.state, [_mapped(state_words(texts)), coloured])
    states.override_by_name(texts.reason, [_mapped(_reason_words(texts))])
    states.override_by_name(texts.camera, [_mapped(names)])
    return [(states, 16), (count, 8)]


def state_words(texts: BoardTexts) -> models.ValueMap:
    return mapping(
        {
            "ok": (texts.sees, GOOD),
            "degraded": (texts.sees_badly, STALE),
            "suspended": (texts.suspended, BAD),
            "warming_up": (texts.warming_up, STALE),
        }
    )


def _shares(names: models.ValueMap, texts: BoardTexts) -> table.Panel:
    panel = grafana.table_panel("cameras:shares", texts.shares, texts.shares_help, texts)
    panel.with_target(query(_SHARE, "", "shares", instant=True, as_table=True))
    renamed = {"camera": texts.camera, "detector": texts.detector, "Value": texts.share, "Value #shares": texts.share}
    panel.with_transformation(grafana.organized(renamed, hidden=("Time",)))
    panel.with_transformation(_sorted(texts.share, desc=False))
    panel.override_by_name(texts.camera, [_mapped(names)])
    steps = [{"value": None, "color": BAD}, {"value": _WORST, "color": STALE}, {"value": 0.98, "color": GOOD}]
    panel.override_by_name(
        texts.share,
        [
            models.DynamicConfigValue(id_val="unit", value=units.PercentUnit),
            models.DynamicConfigValue(id_val="decimals", value=0),
            models.DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
            models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background"}),
        ],
    )
    return panel


def _reasons(names: models.ValueMap, texts: BoardTexts) -> table.Panel:
    panel = grafana.table_panel("cameras:unseen", texts.unseen, texts.unseen_help, texts)
    panel.no_value(texts.no_unseen).with_target(query(f"{_UNSEEN} > 0", "", "unseen", instant=True, as_table=True))
    renamed = {
        "camera": texts.camera,
        "detector": texts.detector,
        "reason": texts.reason,
        "Value": texts.minutes,
        "Value #unseen": texts.minutes,
    }
    panel.with_transformation(grafana.organized(renamed, hidden=("Time",)))
    panel.with_transformation(_sorted(texts.minutes, desc=True))
    panel.override_by_name(texts.camera, [_mapped(names)])
    panel.override_by_name(texts.reason, [_mapped(_reason_words(texts))])
    panel.override_by_name(texts.minutes, [models.DynamicConfigValue(id_val="decimals", value=0)])
    return panel


def _reason_words(texts: BoardTexts) -> models.ValueMap:
    """The words of `ioc.camera_coverage` and of the detectors; another one is shown as it is."""
    return mapping(
        {
            "offline": (texts.why_offline, None),
            "camera_fault": (texts.why_fault, None),
            "darkness": (texts.why_darkness, None),
            "visibility_degraded": (texts.why_fog, None),
            "degraded": (texts.why_fog, None),
            "skipped": (texts.why_skipped, None),
            "masked": (texts.why_masked, None),
            "suspended": (texts.why_lost_scene, None),
            "warming_up": (texts.warming_up, None),
            "covered": (texts.why_covered, None),
            "blurred": (texts.why_blurred, None),
            "frozen": (texts.why_frozen, None),
            "moved": (texts.why_moved, None),
        }
    )


def _mapped(words: models.ValueMap) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="mappings", value=[words])


def _sorted(field: str, *, desc: bool) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": field, "desc": desc}]})
