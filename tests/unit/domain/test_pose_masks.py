"""Masks of a pose: from cameras.yaml to the smoke detector of that pose."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter, ValidationError

from ioc.catalog.camera_files import CameraEntry, cameras_of
from ioc.catalog.cameras import Camera, Mask
from ioc.errors import ConfigurationError
from streams.metrics import PipelineMetrics
from tests.unit.domain.making import catalog

CORNER = [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]


def read(**masks: object) -> Camera:
    values = {"name_vi": "Đồi", "poses": {"p0": {"masks": masks}}}
    declared = TypeAdapter(dict[str, CameraEntry]).validate_python({"cam-01": values})
    return cameras_of(Path("cameras.yaml"), declared, catalog().geography, set())["cam-01"]


@pytest.mark.parametrize("kind", ["sky", "occlusion", "private"])
def test_a_drawn_mask_belongs_to_its_pose(kind: str) -> None:
    masks = read(m1={"kind": kind, "polygon": CORNER}).pose("p0").masks
    assert [(mask.kind, mask.polygon) for mask in masks] == [(kind, ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5)))]
    assert all(isinstance(mask, Mask) for mask in masks)


@pytest.mark.parametrize("outside", [[1.2, 0.5], [0.5, -0.01]])
def test_a_mask_that_reaches_out_of_the_picture_is_refused_by_name(outside: list[float]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cam-01\.poses\.p0\.masks\.roof\.polygon: every x and y lies between"
    ):
        read(roof={"kind": "occlusion", "polygon": [*CORNER, outside]})


@pytest.mark.parametrize("wrong", [{"kind": "cloud", "polygon": CORNER}, {"kind": "sky", "polygon": CORNER[:2]}])
def test_a_mask_of_another_kind_or_without_an_area_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read(m1=wrong)


def test_how_a_detector_stands_is_one_series_a_pose_and_a_repeated_frame_changes_nothing() -> None:
    registry = CollectorRegistry()
    metrics = PipelineMetrics(registry)
    for state, reason in (
        ("warming_up", ""),
        ("ok", ""),
        ("degraded", "visibility_degraded"),
        ("ok", "repeated_frame"),
    ):
        metrics.watching("smoke", "cam-01", "p0", state, reason, version="2.0.1")
    series = [s.labels for metric in registry.collect() if metric.name == "ioc_detector_state" for s in metric.samples]
    assert [(labels["state"], labels["reason"]) for labels in series] == [("degraded", "visibility_degraded")]
