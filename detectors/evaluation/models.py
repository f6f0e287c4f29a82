"""Which smoke model judges which site.

Weights that have seen a site prove nothing about it. A file of folds, as training writes it, names weights and the
sites that they have not seen: `[{"model": "fold-0.onnx", "left_out": ["hpwren_D", "hpwren_G"]}, …]`, paths relative to
the file. The model of `--model` judges every site that no fold leaves out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from detectors.evaluation.running import MakeSmoke
from detectors.smoke import SmokeDetector
from detectors.smoke_variants import make_variant, read_variant
from ioc.errors import ConfigurationError

__all__ = ["Folds", "read_folds", "smoke_by_site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """Files of weights by the site that they have not seen."""

    sites: Mapping[str, str]


def read_folds(path: Path) -> Folds:
    """Returns the folds of a JSON file.

    Raises:
        ConfigurationError: no such file, not the shape above, or a file of weights that is not there.
    """
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))
        pairs = [(str(fold["model"]), [str(site) for site in fold["left_out"]]) for fold in folds]
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; give the JSON that training wrote with --folds") from None
    except (OSError, ValueError, TypeError, KeyError):
        raise ConfigurationError(
            f'{path}: not a list of folds; write [{{"model": "WEIGHTS.onnx", "left_out": ["SITE", …]}}, …]'
        ) from None
    return Folds(sites={site: _weights(path, name) for name, sites in pairs for site in sites})


def smoke_by_site(model: str, folds: Folds | None = None) -> MakeSmoke:
    """Returns what makes the detector of a site: by `folds`, else with `model` (see `smoke_variants`).

    Each file of weights is loaded once.

    Raises:
        ConfigurationError: (what is returned does) weights that can't be had or used.
    """
    variant_of = cache(make_variant)

    def make(site: str) -> tuple[str, SmokeDetector]:
        chosen = model if folds is None else folds.sites.get(site, model)
        return read_variant(chosen).name, variant_of(chosen)(None)

    return make


def _weights(folds: Path, name: str) -> str:
    weights = folds.parent / name
    if not weights.is_file():
        raise ConfigurationError(f"{folds}: weights {str(weights)!r} are not there; train them, or correct the path")
    return str(weights)
