"""Faults of a camera laid over any scene: what the health detector has to find, and what a scene alone never shows.

A faulty frame is a pure function of (scene, fault, index), as a frame of the scene itself is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage

__all__ = ["FAULTS", "CameraFault", "FaultyScene", "Frames"]


class Frames(Protocol):
    """Whatever draws frames by their number: a `Scene`, a `SitePose`, another `FaultyScene`."""

    def render(self, index: int) -> BgrImage: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFault:
    """One fault of one camera from `start_frame` on, over before `end_frame` (None: never).

    `kind` is one of `FAULTS`; `strength` 0–1: 0.5 is plain to see for a person who compares with yesterday.
    """

    kind: str
    start_frame: int
    end_frame: int | None = None
    strength: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ConfigurationError(f"there is no camera fault {self.kind!r}; there are {', '.join(FAULTS)}")
        if not 0.0 < self.strength <= 1.0:
            raise ConfigurationError(f"strength of a camera fault is over 0 and at most 1, not {self.strength}")

    def is_on(self, index: int) -> bool:
        return index >= self.start_frame and (self.end_frame is None or index < self.end_frame)


class FaultyScene:
    """A scene seen through a camera with faults; they are laid on in the given order."""

    def __init__(self, scene: Frames, *faults: CameraFault) -> None:
        self.scene, self.faults = scene, faults
        self._laid = {fault: _FAULTS[fault.kind](fault) for fault in faults if fault.kind in _FAULTS}
        self._frozen = lru_cache(maxsize=2)(self._frame)

    def render(self, index: int) -> BgrImage:
        """Returns frame `index`: height × width × 3, BGR."""
        frozen = [fault for fault in self.faults if fault.kind == "frozen" and fault.is_on(index)]
        if frozen:  # the camera sends the same picture again; its own clock may tick on
            return self._frozen(max(0, min(fault.start_frame for fault in frozen) - 1)).copy()
        return self._frame(index)

    def render_jpeg(self, index: int, quality: int = 85) -> bytes:
        """Returns frame `index` as a JPEG file."""
        ok, data = cv2.imencode(".jpg", self.render(index), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok, "OpenCV encodes every 8-bit picture as JPEG"
        return bytes(data.tobytes())

    def _frame(self, index: int) -> BgrImage:
        image = self.scene.render(index)
        for fault in self.faults:
            if fault.is_on(index) and fault in self._laid:
                rng = np.random.default_rng(np.random.SeedSequence([fault.seed, index]))
                image = self._laid[fault](image, index - fault.start_frame, rng)
        return image


_Lay = Callable[[BgrImage, int, np.random.Generator], BgrImage]
"""(image, frames since the fault began, the frame's chance) to the faulty image."""


def _covered(fault: CameraFault) -> _Lay:
    """A bag, a cloth, a hand, a leaf or the back of a sign before the lens: near, out of focus, lit by the same day."""
    rng = np.random.default_rng(fault.seed)
    share = 0.55 + 0.45 * fault.strength
    colour = np.array(_COVERS[int(rng.integers(len(_COVERS)))], np.float32)
    side = float(rng.uniform(0, 2 * np.pi))
    folds = fractal_field(rng, 64, 64, slope=2.0, lowest=1)
    lets_through = float(rng.choice((0.0, 0.04, 0.10)))

    @lru_cache(maxsize=2)
    def mask(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
        wave = cv2.resize(folds, (width, height), interpolation=cv2.INTER_CUBIC)
        along = (x * np.cos(side) + y * np.sin(side)) + 0.06 * wave
        reach = np.quantile(along, 1 - share) if share < 0.98 else -9.0
        cover = np.clip((along - reach) / 0.14, 0, 1)
        return cover.astype(np.float32)[..., None], (1 + 0.10 * wave).astype(np.float32)[..., None]

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        cover, shade = mask(*image.shape[:2])
        light = 0.04 + 0.96 * min(1.3, float(image.mean()) / 110)
        cloth = np.clip(_tone(colour, image) * shade * light, 0, 255) * (1 - lets_through)
        cloth += lets_through * float(image.mean())
        grain = chance.normal(0, 1.4, image.shape[:2]).astype(np.float32)[..., None]
        return _clipped(image * (1 - cover) + (cloth + grain) * cover)

    return lay


def _sprayed(fault: CameraFault) -> _Lay:
    """Paint on the housing: blots with soft rims, runs that flow down, fine drops around."""
    rng = np.random.default_rng(fault.seed)
    colour = np.array(_PAINTS[int(rng.integers(len(_PAINTS)))], np.float32)
    blots = [
        (float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.1, 0.8)), float(rng.uniform(0.10, 0.26)))
        for _ in range(2 + round(5 * fault.strength))
    ]
    texture = fractal_field(rng, 128, 128, slope=1.3, lowest=2)
    specks = rng.random((240, 2)), rng.uniform(0.001, 0.006, 240)
    runs = [(x + float(rng.uniform(-0.4, 0.4)) * r, y, r * float(rng.uniform(0.5, 2.2))) for x, y, r in blots]

    @lru_cache(maxsize=2)
    def mask(height: int, width: int) -> NDArray[np.float32]:
        x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
        rough = cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC)
        cover = np.zeros((height, width), np.float32)
        for blot_x, blot_y, radius in blots:
            distance = np.hypot(x - blot_x, (y - blot_y) * height / width) / radius + 0.13 * rough
            cover = np.maximum(cover, np.clip((1.0 - distance) * 3.2, 0, 1))
        for run_x, run_y, long in runs:
            run = (
                np.clip((0.009 - np.abs(x - run_x)) * 180, 0, 1) * (y > run_y) * np.clip((run_y + long - y) * 20, 0, 1)
            )
            cover = np.maximum(cover, 0.95 * run)
        for (speck_x, speck_y), radius in zip(*specks, strict=True):
            centre = (int(speck_x * width), int(speck_y * height))
            cv2.circle(cover, centre, max(1, int(radius * width)), (0.8,), -1, cv2.LINE_AA)
        return np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.009 * width), dtype=np.float32)[..., None]

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        cover = mask(*image.shape[:2]) * np.float32(0.97)
        light = 0.06 + 0.94 * min(1.3, float(image.mean()) / 110)
        return _clipped(image * (1 - cover) + np.clip(_tone(colour, image) * light, 0, 255) * cover)

    return lay


def _blurred(fault: CameraFault) -> _Lay:
    """The focus is lost: at once (a zoom that failed), or it creeps away within half an hour (a loose ring)."""
    creeps = np.random.default_rng(fault.seed).random() < 0.4

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        grown = min(1.0, (age + 1) / 3) if creeps else 1.0
        sigma = (1.8 + 7.0 * fault.strength) * grown * image.shape[1] / 1280
        soft = cv2.GaussianBlur(image, (0, 0), max(0.7, sigma))
        # The sensor's own noise stays sharp.
        noise = chance.normal(0, 1.2, image.shape[:2]).astype(np.float32)[..., None]
        return _clipped(np.asarray(soft, dtype=np.float32) + noise)

    return lay


def _moved(fault: CameraFault) -> _Lay:
    """The camera looks elsewhere: it was knocked, sags on its mast, or came back to the wrong preset."""
    rng = np.random.default_rng(fault.seed)
    reach = 0.05 + 0.30 * fault.strength
    angle = float(rng.choice((0.0, np.pi)) + rng.normal(0, 0.35))
    turn = float(rng.normal(0, 4.0 * fault.strength))
    zoom = float(rng.choice((1.0, 1.0, rng.uniform(1.08, 1.4))))

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom)
        matrix[0, 2] += reach * width * np.cos(angle)
        matrix[1, 2] += 0.6 * reach * width * np.sin(angle)
        # What lies beyond the picture is not known: its mirror image is as good as other ground.
        return _bgr(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))

    return lay


def _tone(colour: NDArray[np.float32], image: BgrImage) -> NDArray[np.float32]:
    """What is grey in the scene is grey before the lens too: an infrared camera knows no colour."""
    is_grey = bool((image[::8, ::8].max(axis=2) == image[::8, ::8].min(axis=2)).all())
    return np.full(3, colour.mean(), np.float32) if is_grey else colour


def _over_exposed(fault: CameraFault) -> _Lay:
    gain = 1.7 + 2.6 * fault.strength

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        return _bgr(cv2.convertScaleAbs(image, alpha=gain, beta=26 * fault.strength))

    return lay


def _under_exposed(fault: CameraFault) -> _Lay:
    gain = 0.34 - 0.28 * fault.strength

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        noise = chance.normal(0, 1.6, image.shape[:2]).astype(np.float32)[..., None]
        return _clipped(image * np.float32(gain) + noise)

    return lay


def _dirty_lens(fault: CameraFault) -> _Lay:
    """Dust, dried rain, a spider's web: soft spots and a grey veil that stay where they are while the world goes on."""
    rng = np.random.default_rng(fault.seed)
    count = round(14 + 46 * fault.strength)
    spots = (
        rng.random((count, 2)),
        np.exp(rng.uniform(np.log(0.008), np.log(0.07), count)),
        rng.uniform(0.25, 0.9, count),
    )
    smear = fractal_field(rng, 64, 64, slope=1.6, lowest=1)
    tone = float(rng.uniform(70, 190))

    @lru_cache(maxsize=2)
    def mask(height: int, width: int) -> NDArray[np.float32]:
        cover = np.zeros((height, width), np.float32)
        for (x, y), radius, thick in zip(*spots, strict=True):
            spot = np.zeros_like(cover)
            cv2.circle(
                spot, (int(x * width), int(y * height)), max(2, int(radius * width)), (float(thick),), -1, cv2.LINE_AA
            )
            cover = np.maximum(cover, spot)
        soft = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.008 * width), dtype=np.float32)
        veil = 0.30 * fault.strength * np.clip(0.7 + 0.6 * cv2.resize(smear, (width, height)), 0, 1.6)
        grey = np.clip((0.35 + 0.45 * fault.strength) * soft + veil, 0, 0.9)
        return np.asarray(grey, dtype=np.float32)[..., None]

    def lay(image: BgrImage, age: int, chance: np.random.Generator) -> BgrImage:
        cover = mask(*image.shape[:2])
        soft = cv2.GaussianBlur(image, (0, 0), 0.006 * image.shape[1])
        light = 0.25 + 0.75 * float(image.mean()) / 120
        dirt = 0.55 * np.asarray(soft, dtype=np.float32) + 0.45 * min(255.0, tone * light)
        return _clipped(image * (1 - cover) + dirt * cover)

    return lay


_COVERS = ((28, 30, 32), (190, 196, 200), (70, 96, 60), (150, 110, 60), (60, 70, 150), (110, 150, 190))
_PAINTS = ((20, 20, 20), (40, 40, 200), (235, 235, 235), (60, 180, 60), (200, 80, 30))

_FAULTS: Mapping[str, Callable[[CameraFault], _Lay]] = MappingProxyType(
    {
        "covered": _covered,
        "sprayed": _sprayed,
        "blurred": _blurred,
        "moved": _moved,
        "over_exposed": _over_exposed,
        "under_exposed": _under_exposed,
        "dirty_lens": _dirty_lens,
    }
)

FAULTS: tuple[str, ...] = ("frozen", *_FAULTS)
"""The kinds of fault that a picture shows. Offline and a skewed clock are no pictures."""


def _clipped(image: object) -> BgrImage:
    return np.asarray(np.clip(np.asarray(image), 0, 255), dtype=np.uint8)


def _bgr(image: object) -> BgrImage:
    return np.asarray(image, dtype=np.uint8)
