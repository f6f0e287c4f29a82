"""What the health of a pose is judged by, kept over a restart: the known views, the last good frames, the fault told.

Without it a restart would take a bag over the lens, a lost focus or another view for how it has always been, and what
was told before would never be cleared. Views are mean patterns of pictures whose private areas were painted over.
"""

import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["HealthFile", "HealthMemory", "KeptGood", "KeptHealth", "KeptView", "packed", "unpacked"]

logger = logging.getLogger(__name__)

_FORM = 1  # of what is kept; another one is begun anew


class KeptView(msgspec.Struct, kw_only=True):
    """One `View`; planes as float16."""

    count: int
    coarse_typical: float
    fine_typical: float
    shown: bytes
    fine: bytes
    coarse: bytes


class KeptGood(msgspec.Struct, kw_only=True):
    """One good frame."""

    at: datetime
    light: float
    blown: float
    seen: float
    sharp: float
    blocks: bytes


class KeptHealth(msgspec.Struct, kw_only=True):
    """All of it, as of the frame at `at`."""

    form: int = _FORM
    at: datetime
    mode: str
    views: dict[str, KeptView]
    good: list[KeptGood]
    reported: str
    since: dict[str, datetime]
    symptoms: list[str]
    held_since: datetime | None
    doubted_until: datetime | None = None  # dirt is told later until then


class HealthMemory(Protocol):
    """Where it is kept. Neither ever raises: what can't be kept is forgotten, as a background model is."""

    def load(self) -> KeptHealth | None: ...

    def keep(self, health: KeptHealth) -> None: ...


class HealthFile:
    """One file a pose in `folder`, replaced as a whole: some 0.7 MB."""

    def __init__(self, folder: Path, pose: str) -> None:
        self._path = folder / f"{quote(pose, safe='')}.msgpack"
        self._is_complaining = False

    def load(self) -> KeptHealth | None:
        try:
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=KeptHealth)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            logger.warning("%s can't be used (%s): this pose's health is learnt anew", self._path, error)
            return None
        return kept if kept.form == _FORM else None

    def keep(self, health: KeptHealth) -> None:
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(msgspec.msgpack.encode(health))
            os.replace(part, self._path)
        except OSError as error:
            if not self._is_complaining:
                logger.warning("%s can't be written (%s): a restart forgets this pose's health", self._path, error)
            self._is_complaining = True
            return
        self._is_complaining = False


def packed(plane: NDArray[np.float32]) -> bytes:
    return plane.astype(np.float16).tobytes()


def unpacked(data: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The inverse, but for the rounding.

    Raises:
        ValueError: of another size.
    """
    return np.frombuffer(data, np.float16).reshape(shape).astype(np.float32)
