"""When which row must be looked at again because the clock alone may change its figures. Pure."""

__all__ = ["Timers"]

_MINUTE_US = 60_000_000


class Timers:
    """Keys by the minute of their wake: 8 bytes each beside the key, where a heap of exact times takes a hundred.

    A key may be set again without taking the old time back: it is then only looked at once more than needed.
    """

    def __init__(self) -> None:
        self._by_minute: dict[int, list[str]] = {}

    def set(self, key: str, wake_us: int) -> None:
        self._by_minute.setdefault(wake_us // _MINUTE_US, []).append(key)

    def due(self, clock_us: int) -> list[str]:
        """Takes out the keys whose minute has begun. One whose moment is still to come must be set again."""
        running = clock_us // _MINUTE_US
        minutes = [minute for minute in self._by_minute if minute <= running]
        return list(dict.fromkeys(key for minute in sorted(minutes) for key in self._by_minute.pop(minute)))

    def __len__(self) -> int:
        return sum(map(len, self._by_minute.values()))
