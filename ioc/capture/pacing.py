"""When each camera's next still is due. The time and the sleep are arguments, so that tests wait for nothing."""

import asyncio
import itertools
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from ioc.errors import ConfigurationError

__all__ = ["MAX_FPS", "Pacer", "Slot", "parse_duration_s"]

_UNITS_S = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

MAX_FPS = 1000.0  # beyond any camera; keeps a typing error from spinning


@dataclass(frozen=True, slots=True)
class Slot:
    """The moment `step` of lane (camera) number `lane`. `is_missed`: the lane's next moment is already due."""

    lane: int
    step: int
    is_missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacer:
    """A schedule of `fps` moments a second for each lane, all lanes advancing together.

    Lane i is due a share i/lanes of a period after lane 0, which spreads the load and keeps it fair. Due times are
    multiples of the period from the start, so that errors don't add up. A moment reached so late that the same lane's
    next one is due is missed, unless `is_every_frame` (a replay, which may run behind but leaves nothing out).
    """

    fps: float
    is_every_frame: bool = False
    monotonic_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        if not 0 < self.fps <= MAX_FPS:
            raise ConfigurationError(f"--fps {self.fps:g} is out of range: more than 0 and at most {MAX_FPS:g}")

    async def slots(self, lanes: int = 1) -> AsyncGenerator[Slot, None]:
        """Yields slots without end, each when it is due."""
        period_s = 1.0 / self.fps
        start = self.monotonic_s()
        for index in itertools.count():
            due = start + index * period_s / lanes
            while (wait_s := due - self.monotonic_s()) > 0:
                await self.sleep(wait_s)
            is_missed = not self.is_every_frame and -wait_s >= period_s
            yield Slot(lane=index % lanes, step=index // lanes, is_missed=is_missed)


def parse_duration_s(text: str, option: str) -> float:
    """Returns the seconds of `text`: `500ms`, `60s`, `5m`, `1h` or bare seconds.

    Raises:
        ConfigurationError: another form, or not above zero; names `option`.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", text.strip(), re.ASCII)
    seconds = float(match.group(1)) * _UNITS_S[match.group(2)] if match else 0.0
    if seconds <= 0:
        raise ConfigurationError(f"{option} {text!r} is not a length of time; write it like 500ms, 60s, 5m or 1h")
    return seconds
