"""Which detectors watch a pose: a list of plug-ins by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from detectors.base import Detector
from detectors.construction import ConstructionDetector
from detectors.smoke import SmokeDetector
from ioc.catalog.cameras import Camera, Pose

__all__ = ["DETECTORS", "DetectorFactory", "build_detectors"]

DetectorFactory = Callable[[Pose], Detector | None]
"""Returns a new detector for a pose, or None where it has nothing to watch there."""


def _smoke(pose: Pose) -> Detector | None:
    del pose  # smoke may rise anywhere
    return SmokeDetector()


def _construction(pose: Pose) -> Detector | None:
    return ConstructionDetector(pose.zones) if pose.zones else None


DETECTORS: Mapping[str, DetectorFactory] = MappingProxyType({"smoke": _smoke, "construction": _construction})
"""Every detector by its name; a new one is one line here and passes tests/contract/test_detectors.py."""


def build_detectors(
    camera: Camera, pose_id: str, *, detectors: Mapping[str, DetectorFactory] = DETECTORS
) -> tuple[Detector, ...]:
    """Returns new detectors for one pose of one camera, in the order of `detectors`; none for an inactive camera."""
    if not camera.is_active:
        return ()
    pose = camera.pose(pose_id)
    return tuple(detector for build in detectors.values() if (detector := build(pose)) is not None)
