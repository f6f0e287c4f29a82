"""Building and obstruction seen from fixed cameras; new surfaces between two aerial pictures."""

from detectors.construction.detector import ConstructionDetector
from detectors.construction.memory import PoseFile
from detectors.construction.thresholds import ConstructionThresholds

__all__ = ["ConstructionDetector", "ConstructionThresholds", "PoseFile"]
