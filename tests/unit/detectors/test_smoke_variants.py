"""Variants of the smoke detector by the text that names them."""

import pytest

from detectors.smoke.thresholds import SmokeThresholds
from detectors.smoke_variants import SmokeVariant, make_variant, read_variant
from ioc.errors import ConfigurationError

USUAL = SmokeThresholds()


@pytest.mark.parametrize(
    ("text", "variant", "name"),
    [
        ("free", SmokeVariant(model="free"), "free"),
        ("rule", SmokeVariant(model="rule"), "rule"),
        ("hpwren@0.65", SmokeVariant(model="hpwren", alarm_probability=0.65), "hpwren@0.65"),
        ("models/hills.v2.onnx", SmokeVariant(model="models/hills.v2.onnx"), "hills.v2"),
        ("models/hills.onnx@0.4", SmokeVariant(model="models/hills.onnx", alarm_probability=0.4), "hills@0.4"),
        ("at@home/hills.onnx", SmokeVariant(model="at@home/hills.onnx"), "hills"),
    ],
)
def test_a_variant_is_weights_and_a_probability(text: str, variant: SmokeVariant, name: str) -> None:
    assert read_variant(text) == variant
    assert variant.name == name


@pytest.mark.parametrize("text", ["free@0", "free@1", "free@60", "free@nan", "rule@0.5"])
def test_a_probability_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"probability"):
        make_variant(text)


def test_without_a_probability_the_detector_is_as_it_comes() -> None:
    assert read_variant("free").thresholds == USUAL


@pytest.mark.parametrize("asked", [0.2, 0.5, 0.6, 0.95])
def test_another_probability_moves_all_that_the_network_is_asked_for(asked: float) -> None:
    thresholds = read_variant(f"free@{asked}").thresholds
    assert thresholds.alarm_probability == asked
    assert max(thresholds.support_probability, thresholds.watch_probability) < asked, (
        "what is enough with the rule, or to be watched, is less"
    )
    steps = [thresholds.in_doubt(doubt).alarm_probability for doubt in ("", "unsteady_picture", "dark")]
    assert steps == sorted(steps), "in doubt it asks for no less than in clear air"
    assert thresholds.unseen[1] == 1.0, "by night and in fog the rule alone never alarms"
    if asked == USUAL.alarm_probability:
        assert thresholds.support_probability == pytest.approx(USUAL.support_probability)
        assert thresholds.unsteady == pytest.approx(USUAL.unsteady)
