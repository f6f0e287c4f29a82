"""A detector over labelled sequences: what it found, how early, and what it raised for nothing."""

from detectors.evaluation.running import EvaluatedName, MakeSmoke, Witness, evaluate
from detectors.evaluation.scoring import Evaluation, Look, Run, SequenceResult, TierResult, scored, totals_of
from detectors.evaluation.sweep import Operating, sweep

__all__ = [
    "EvaluatedName",
    "Evaluation",
    "Look",
    "MakeSmoke",
    "Operating",
    "Run",
    "SequenceResult",
    "TierResult",
    "Witness",
    "evaluate",
    "scored",
    "sweep",
    "totals_of",
]
