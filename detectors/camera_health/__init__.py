"""Is the camera itself all right: frozen, covered, blurred, turned away, blinded, dirty — or is it only the weather?"""

from detectors.camera_health.detector import CameraHealthDetector, HealthThresholds
from detectors.camera_health.memory import HealthFile

__all__ = ["CameraHealthDetector", "HealthFile", "HealthThresholds"]
