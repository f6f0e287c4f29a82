"""`ioc bench smoke`: the whole table of what the smoke detector must reach, part by part."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from detectors.evaluation.models import read_folds
from ioc.cli.bench_parts import measured_parts, parts_of
from ioc.cli.bench_smoke_latency import measure_latency
from ioc.cli.bench_smoke_onsets import measure_onsets
from ioc.cli.bench_smoke_scenes import measure_day, measure_nuisances, measure_plumes
from ioc.cli.bench_smoke_sequences import measure_sequences
from ioc.cli.bench_smoke_speed import measure_memory, measure_speed
from ioc.cli.bench_table import Measure

__all__ = ["PARTS", "measure_smoke", "parts_named"]

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "sequences": "labelled real fires and clean crops (needs --data)",
        "onsets": "composites with a known onset on real backgrounds (needs --data)",
        "nuisances": "rendered fog, shadows, dust, rain, glare, headlights, trees, shake",
        "plumes": "rendered plumes",
        "day": "a quiet rendered day of 37 cameras",
        "speed": "frames a second on one core",
        "memory": "memory of a camera pose",
        "latency": "first smoke frame captured to alert handed out, through real Kafka",
    }
)
_NEED_DATA = ("sequences", "onsets")


def parts_named(only: str | None) -> tuple[str, ...]:
    """Returns the parts of a comma-separated list, all of them for None.

    Raises:
        ConfigurationError: a name that is no part.
    """
    return parts_of(only, PARTS)


def measure_smoke(
    *, parts: Sequence[str], model: str, data: Path | None, folds: Path | None, is_quick: bool
) -> list[Measure]:
    """Runs the parts in their order; one that fails is a line that missed, one that can't run here says so."""
    known = read_folds(folds) if folds is not None else None
    few = {"each": 3} if is_quick else {}
    runs: dict[str, Callable[[Path], list[Measure]]] = {
        "sequences": lambda folder: measure_sequences(folder, model, known),
        "onsets": lambda folder: measure_onsets(folder, model, known, **({"each": 1} if is_quick else {})),
        "nuisances": lambda _: measure_nuisances(model, known, **few),
        "plumes": lambda _: measure_plumes(model, known, **({"count": 12} if is_quick else {})),
        "day": lambda _: measure_day(model, known, is_quick=is_quick),
        "speed": lambda _: measure_speed(model, known, data),
        "memory": lambda _: measure_memory(model),
        "latency": lambda _: measure_latency(model, is_quick=is_quick),
    }
    return measured_parts(parts, runs, PARTS, needs_data=_NEED_DATA, data=data)
