"""Seeded noise that tiles: the stuff of ridges, crops, clouds and smoke. Pure functions of a generator."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2

__all__ = ["Field", "drifted", "fractal_field", "fractal_line"]

Field = NDArray[np.float32]
"""Height × width, mean 0; nine values in ten lie within ±1.7."""


def fractal_field(rng: np.random.Generator, height: int, width: int, *, slope: float, lowest: float = 1.0) -> Field:
    """Returns periodic noise whose amplitude falls as 1/frequency^slope (1 rough … 2.4 soft), unit variance.

    `lowest`: no wave is longer than a side divided by this.
    """
    amplitude = _amplitude(height, width, slope, lowest)
    phase = rng.uniform(0.0, 2 * np.pi, amplitude.shape)
    field = np.fft.irfft2(amplitude * np.exp(1j * phase), s=(height, width))
    return np.asarray((field - field.mean()) / max(field.std(), 1e-9), dtype=np.float32)


@lru_cache(maxsize=32)
def _amplitude(height: int, width: int, slope: float, lowest: float) -> NDArray[np.float64]:
    fy = np.fft.fftfreq(height)[:, None] * height
    fx = np.fft.rfftfreq(width)[None, :] * width
    frequency = np.sqrt(fx * fx + fy * fy)
    amplitude = np.where(frequency >= lowest, 1.0 / np.maximum(frequency, 1.0) ** slope, 0.0)
    amplitude.flags.writeable = False  # it is shared
    return amplitude


def fractal_line(rng: np.random.Generator, length: int, *, slope: float, lowest: float = 1.0) -> NDArray[np.float32]:
    """Returns a periodic line of noise, unit variance: the crest of a ridge."""
    frequency = np.fft.rfftfreq(length) * length
    amplitude = np.where(frequency >= lowest, 1.0 / np.maximum(frequency, 1.0) ** slope, 0.0)
    line = np.fft.irfft(amplitude * np.exp(1j * rng.uniform(0.0, 2 * np.pi, frequency.shape)), n=length)
    return np.asarray((line - line.mean()) / max(line.std(), 1e-9), dtype=np.float32)


def drifted(field: Field, x: Field, y: Field) -> Field:
    """Returns `field` sampled at the points (x, y), in its own pixels, wrapping round at its edges.

    The points must lie within ±30,000: a remap counts in 16 bits.
    """
    wrapped = cv2.remap(field, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    return np.asarray(wrapped, dtype=np.float32)
