"""Which smoke model judges which site.

Weights that have seen a site prove nothing about it. A file of folds names, for each site, the weights that were
trained without it: `{"sites": {"hpwren_H": "fold-0.onnx", …}, "default": "all.onnx"}`, paths relative to the file;
`default` (or the model of `--model`) judges every other site.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from detectors.evaluation.running import MakeSmoke
from detectors.smoke import SmokeDetector
from ioc.errors import ConfigurationError

__all__ = ["Folds", "read_folds", "smoke_by_site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """Models by site; `default` judges the sites that are not named, "" where the folds do not say."""

    sites: Mapping[str, str]
    default: str = ""


def read_folds(path: Path) -> Folds:
    """Returns the folds of a JSON file.

    Raises:
        ConfigurationError: no such file, not the shape above, or a file of weights that is not there.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; give the JSON that training wrote with --folds") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: not readable as JSON: {error}") from None
    sites = value.get("sites") if isinstance(value, dict) else None
    if not isinstance(sites, dict) or not all(isinstance(name, str) for name in sites.values()):
        raise ConfigurationError(f'{path}: no "sites"; write {{"sites": {{"SITE": "WEIGHTS.onnx"}}}}')
    default = value.get("default") or ""
    return Folds(
        sites={site: _weights(path, name) for site, name in sites.items()},
        default=_weights(path, default) if default else "",
    )


def smoke_by_site(model: str, folds: Folds | None = None) -> MakeSmoke:
    """Returns what makes the detector of a site: by `folds`, else with `model` (free, hpwren, rule or a path).

    Raises:
        ConfigurationError: weights that can't be had or used.
    """

    def make(site: str) -> tuple[str, SmokeDetector]:
        chosen = model if folds is None else folds.sites.get(site) or folds.default or model
        return Path(chosen).name, _new(chosen)

    return make


def _new(model: str) -> SmokeDetector:
    if model != "rule":
        raise ConfigurationError(f"model {model!r} is not there; give rule")
    return SmokeDetector()


def _weights(folds: Path, name: str) -> str:
    if name in ("free", "hpwren", "rule"):
        return name
    weights = folds.parent / name
    if not weights.is_file():
        raise ConfigurationError(f"{folds}: weights {str(weights)!r} are not there; train them, or correct the path")
    return str(weights)
