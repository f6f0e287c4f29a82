"""Smoke detectors that differ in weights and threshold, by the text that names them in settings and commands.

`MODEL` or `MODEL@PROBABILITY`: weights as the setting smoke_model names them, and above which probability the network
alarms (0–1; the detector's own where it is left out). Live, shadow and evaluation are all made here, so that what was
compared is what a switch of the setting gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from detectors.smoke import SmokeDetector
from detectors.smoke.choice import RULE, SHIPPED, network_of
from detectors.smoke.masks import PoseMasks
from detectors.smoke.thresholds import SmokeThresholds
from ioc.errors import ConfigurationError

__all__ = ["MakeVariant", "SmokeVariant", "make_variant", "read_variant"]

MakeVariant = Callable[[PoseMasks | None], SmokeDetector]
"""Returns a new detector for a pose with these masks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeVariant:
    """`model` as the setting smoke_model; `alarm_probability` None: the detector's own."""

    model: str
    alarm_probability: float | None = None

    @property
    def name(self) -> str:
        """As short as people and metrics name it: no folder, no ending."""
        weights = self.model if self.model in (RULE, *SHIPPED) else Path(self.model).name.removesuffix(".onnx")
        return weights if self.alarm_probability is None else f"{weights}@{self.alarm_probability:g}"

    @property
    def thresholds(self) -> SmokeThresholds:
        """The detector's, where another alarm probability moves all that the network is asked for by the same odds."""
        usual, asked = SmokeThresholds(), self.alarm_probability
        if asked is None:
            return usual
        odds = _odds(asked) / _odds(usual.alarm_probability)

        def moved(probability: float) -> float:
            return 1.0 if probability >= 1 else odds * _odds(probability) / (1 + odds * _odds(probability))

        return replace(
            usual,
            alarm_probability=asked,
            support_probability=moved(usual.support_probability),
            watch_probability=moved(usual.watch_probability),
            unsteady=(moved(usual.unsteady[0]), moved(usual.unsteady[1])),
            unseen=(moved(usual.unseen[0]), moved(usual.unseen[1])),
        )


def _odds(probability: float) -> float:
    return probability / (1 - probability)


def read_variant(text: str) -> SmokeVariant:
    """Returns the variant that `text` names.

    Raises:
        ConfigurationError: a probability that is none, or one for the rule, which has no network.
    """
    model, at, tail = text.rpartition("@")
    if not at or not model:
        return SmokeVariant(model=text)
    try:
        probability = float(tail)
    except ValueError:
        return SmokeVariant(model=text)  # a path may hold the sign
    if not 0 < probability < 1:
        raise ConfigurationError(f"{text!r}: {tail} is no probability; write one between 0 and 1, as in hpwren@0.6")
    if model == RULE:
        raise ConfigurationError(f"{text!r}: the rule has no network, and so no probability; write {RULE}")
    return SmokeVariant(model=model, alarm_probability=probability)


def make_variant(text: str) -> MakeVariant:
    """Returns what makes detectors of the variant; they share what it loads.

    Raises:
        ConfigurationError: no such variant, or weights that can't be had or used.
    """
    variant = read_variant(text)
    network, thresholds = network_of(variant.model), variant.thresholds
    return lambda masks: SmokeDetector(thresholds, network=network, masks=masks)
