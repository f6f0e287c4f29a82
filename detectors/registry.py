"""Which detectors watch a pose: a list of plug-ins by name."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from detectors.base import Detector, Observation
from detectors.camera_health import CameraHealthDetector, HealthFile
from detectors.construction import ConstructionDetector, PoseFile
from detectors.sampling import SampledDetector
from detectors.smoke.choice import RULE
from detectors.smoke.masks import PoseMasks
from detectors.smoke_variants import make_variant
from ioc.catalog.cameras import Camera, Pose

__all__ = ["DETECTORS", "DetectorFactory", "build_detectors", "detectors_with", "pose_masks", "smoke_with"]

DetectorFactory = Callable[[Camera, Pose], Detector | None]
"""Returns a new detector for a pose of a camera, or None where it has nothing to watch there."""


# After local midnight: slots of four hours then see a day at its first light, 9:15, 13:15 and 17:15, by daylight all
# the year and with an evening in it, when work out of hours goes on; from midnight on the last would be at 16:00.
_SLOTS_BEGIN = timedelta(hours=1, minutes=15)


def detectors_with(
    smoke_model: str,
    *,
    memory: Path | None = None,
    construction_memory: Path | None = None,
    construction_every: timedelta = timedelta(0),
) -> Mapping[str, DetectorFactory]:
    """Returns every detector by its name; a new one is one line here and passes tests/contract/test_detectors.py.

    `smoke_model` names a variant (see `detectors.smoke_variants`); its poses share what it loads. In the folder
    `memory` the health of each pose outlives the process, in `construction_memory` what is known of its building; None:
    it does not. The construction detector is shown a frame each `construction_every`; 0: every frame.

    Raises:
        ConfigurationError: weights that can't be had or used.
    """

    def camera_health(camera: Camera, pose: Pose) -> Detector:
        kept = None if memory is None else HealthFile(memory, f"{camera.camera_id}:{pose.pose_id}")
        return CameraHealthDetector(grace=timedelta(seconds=camera.health_grace_s), memory=kept)

    def construction(camera: Camera, pose: Pose) -> Detector | None:
        if not pose.zones:
            return None
        kept = (
            None if construction_memory is None else PoseFile(construction_memory, f"{camera.camera_id}:{pose.pose_id}")
        )
        return _sampled(ConstructionDetector(pose.zones, ground=pose.ground, memory=kept), construction_every)

    return MappingProxyType(
        {"smoke": smoke_with(smoke_model), "construction": construction, "camera_health": camera_health}
    )


def smoke_with(model: str) -> DetectorFactory:
    """Returns what makes smoke detectors of the variant `model`, each with its pose's masks.

    Raises:
        ConfigurationError: weights that can't be had or used.
    """
    make = make_variant(model)
    return lambda camera, pose: make(pose_masks(pose))


def pose_masks(pose: Pose) -> PoseMasks:
    """What is private is not looked at either."""
    return PoseMasks(
        sky=tuple(mask.polygon for mask in pose.masks if mask.kind == "sky"),
        hidden=tuple(mask.polygon for mask in pose.masks if mask.kind in ("occlusion", "private")),
    )


def _sampled(detector: ConstructionDetector, every: timedelta) -> Detector:
    if every <= timedelta(0):
        return detector
    if detector.resumed_at is None:
        return SampledDetector(detector, every=every, begins=_SLOTS_BEGIN)
    told = Observation(state="warming_up" if detector.is_learning else "ok")
    return SampledDetector(detector, every=every, begins=_SLOTS_BEGIN, last=(detector.resumed_at, told))


DETECTORS = detectors_with(RULE)
"""The detectors that need no file of weights."""


def build_detectors(
    camera: Camera, pose_id: str, *, detectors: Mapping[str, DetectorFactory] = DETECTORS
) -> tuple[Detector, ...]:
    """Returns new detectors for one pose of one camera, in the order of `detectors`; none for an inactive camera."""
    if not camera.is_active:
        return ()
    pose = camera.pose(pose_id)
    return tuple(detector for build in detectors.values() if (detector := build(camera, pose)) is not None)
