"""How much the gateway takes: events a second of a department, and bytes and requests at one time. Pure: time is an
argument."""

from collections.abc import Iterator
from contextlib import contextmanager

from ioc.gateway.problems import Problem

__all__ = ["Budget", "Hold", "RateLimit", "busy", "too_many"]

BURST_S = 10.0
"""A department may send so many seconds of its rate at once: nightly jobs come in lumps."""


class RateLimit:
    """A token bucket for each key: `rate` a second, ten seconds' worth at once."""

    def __init__(self, rate: float, *, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = burst if burst is not None else rate * BURST_S
        self._full: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str, count: int, now_s: float) -> float:
        """Takes `count` and returns 0, or takes nothing and returns the seconds until there would be enough.

        More than the burst at once is let through when the bucket is full: it then owes the rest.
        """
        left, at_s = self._full.get(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at_s) * self._rate)
        if left >= min(count, self._burst):
            self._full[key] = (left - count, now_s)
            return 0.0
        self._full[key] = (left, now_s)
        return (min(count, self._burst) - left) / self._rate


class Budget:
    """Requests and bytes that are in the gateway at one time, over all departments."""

    def __init__(self, *, requests: int, size_bytes: int) -> None:
        self._requests, self._bytes = requests, size_bytes
        self.requests = 0
        self.held_bytes = 0

    @contextmanager
    def request(self) -> Iterator["Hold"]:
        """Yields what holds the bytes of one request, and gives all of it back at the end.

        Raises:
            Problem: 503, too many requests are being worked on.
        """
        if self.requests >= self._requests:
            raise busy()
        self.requests += 1
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.requests -= 1
            self.held_bytes -= hold.size_bytes

    def take(self, size_bytes: int) -> None:
        if self.held_bytes + size_bytes > self._bytes:
            raise busy()
        self.held_bytes += size_bytes


class Hold:
    """The bytes of one request."""

    __slots__ = ("_budget", "size_bytes")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Raises:
        Problem: 503, the gateway holds as many bytes as it may.
        """
        self._budget.take(size_bytes)
        self.size_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        self._budget.held_bytes -= size_bytes
        self.size_bytes -= size_bytes


def busy() -> Problem:
    return Problem(
        503,
        "overloaded",
        vi="Cổng đang xử lý quá nhiều yêu cầu cùng lúc; hãy gửi lại sau một giây.",
        en="the gateway works on too many requests at once; send it again in a second",
        headers={"Retry-After": "1"},
    )


def too_many(wait_s: float) -> Problem:
    seconds = max(1, int(wait_s + 0.999))
    return Problem(
        429,
        "too_many_events",
        vi=f"Đơn vị gửi quá nhanh so với hạn mức; hãy gửi lại sau {seconds} giây.",
        en=f"the department sends more events a second than it may; send it again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )
