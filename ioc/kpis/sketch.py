"""Quantiles of durations from counted bins: mergeable and subtractable, each answer within 1 % of a true sample.

Bin k holds the durations in (γ^(k-1), γ^k] µs with γ = (1 + α) / (1 - α); its value 2 γ^k / (γ + 1) lies within α of
each of them. Source: DDSketch (Masson, Rim, Lee, VLDB 2019), the logarithmic mapping; the bins are kept exactly, so
that what was added can be taken away again.
"""

from collections.abc import Mapping
from math import ceil, floor, log

__all__ = ["ALPHA", "bin_of", "quantile", "value_of"]

ALPHA = 0.005
_GAMMA = (1 + ALPHA) / (1 - ALPHA)
_LOG_GAMMA = log(_GAMMA)


def bin_of(duration_us: int) -> int:
    """Returns the bin of a duration: its order is the durations' order. Negative durations mirror the positive."""
    if duration_us > 0:
        return ceil(log(duration_us) / _LOG_GAMMA) + 1
    return -bin_of(-duration_us) if duration_us < 0 else 0


def value_of(bin_number: int) -> float:
    """Returns the value that stands for a bin, in µs."""
    if bin_number > 0:
        return 2 * _GAMMA ** (bin_number - 1) / (_GAMMA + 1)
    return -value_of(-bin_number) if bin_number < 0 else 0.0


def quantile(bins: Mapping[int, int], q: float) -> float | None:
    """Returns the sample of rank floor(q (n - 1)) as its bin's value in µs, None without samples."""
    total = sum(bins.values())
    if total <= 0:
        return None
    rank = floor(q * (total - 1))
    for bin_number in sorted(bins):
        rank -= bins[bin_number]
        if rank < 0:
            return value_of(bin_number)
    raise ValueError("the bins hold negative counts")
