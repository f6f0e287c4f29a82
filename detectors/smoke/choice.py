"""Which weights the smoke detector runs with, by the setting smoke_model."""

import threading
from pathlib import Path

from detectors.base import BgrImage
from detectors.preprocess import Plane
from detectors.smoke.network import MODELS, SmokeNetwork

__all__ = ["RULE", "SHIPPED", "NetworkByThread", "network_of"]

RULE = "rule"
SHIPPED = ("free", "hpwren")


class NetworkByThread:
    """One file of weights for all poses of a process: each thread that looks at frames loads its own copy."""

    def __init__(self, path: Path) -> None:
        """Tries the file at once.

        Raises:
            ConfigurationError: the file can't be had or used.
        """
        self._path = path
        self._own = threading.local()
        self._own.network = SmokeNetwork.load(path)

    def probabilities(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        """As SmokeNetwork.probabilities."""
        network: SmokeNetwork | None = getattr(self._own, "network", None)
        if network is None:
            network = self._own.network = SmokeNetwork.load(self._path)
        return network.probabilities(now, slow, fast)


def network_of(model: str) -> NetworkByThread | None:
    """Returns the network of `model` (free, hpwren, or a path of weights), None for rule.

    Raises:
        ConfigurationError: weights that can't be had or used.
    """
    if model == RULE:
        return None
    return NetworkByThread(MODELS / f"smoke-{model}.onnx" if model in SHIPPED else Path(model))
