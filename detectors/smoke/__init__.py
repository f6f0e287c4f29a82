"""Smoke by day and by eye, for one camera pose: a rule that watches, a network that confirms."""

from detectors.smoke.detector import SmokeDetector
from detectors.smoke.thresholds import SmokeThresholds

__all__ = ["SmokeDetector", "SmokeThresholds"]
