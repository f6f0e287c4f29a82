"""When to try again. Pure; chance comes in as an argument."""

from collections.abc import Callable
from datetime import datetime, timedelta

__all__ = ["CAP_S", "GIVE_UP_AFTER", "is_given_up", "retry_delay"]

FIRST_S = 0.5  # a receiver that restarts is back within a second or two
CAP_S = 60.0  # after a long outage everybody is told within a minute
GIVE_UP_AFTER = timedelta(hours=24)  # an alert of yesterday calls nobody; before that we never stop trying


def retry_delay(attempts: int, chance: Callable[[], float]) -> timedelta:
    """The pause after the `attempts`-th failed try: full jitter, uniform in 0 … min(60 s, 0.5 s · 2^(attempts − 1)).

    Full jitter (AWS Builders Library, "Timeouts, retries, and backoff with jitter") keeps a crowd that
    failed together from coming back together. `chance` returns a number in 0–1.
    """
    ceiling_s = min(CAP_S, FIRST_S * 2.0 ** min(max(attempts, 1) - 1, 16))
    return timedelta(seconds=chance() * ceiling_s)


def is_given_up(created_at: datetime, now: datetime) -> bool:
    return now - created_at > GIVE_UP_AFTER
