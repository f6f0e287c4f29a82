"""When to try again. Pure; chance comes in as an argument."""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from ioc.sdk.results import Trouble

__all__ = ["CAP_S", "pause_s", "retry_after_s"]

FIRST_S = 0.25
CAP_S = 30.0  # after a long outage everything flows again within half a minute
LONGEST_ASKED_S = 300.0  # a Retry-After of a year is a mistake of the far end


def pause_s(trouble: Trouble, attempts: int, chance: Callable[[], float]) -> float:
    """The pause in seconds after the n-th failed try: full jitter, uniform in 0 … min(30 s, 0.25 s · 2^(n − 1)).

    Full jitter (AWS Builders Library, "Timeouts, retries, and backoff with jitter") keeps departments that failed
    together from coming back together. Never shorter than the far end asked for.
    """
    ceiling_s = min(CAP_S, FIRST_S * 2.0 ** min(max(attempts, 1) - 1, 16))
    jitter_s = chance() * ceiling_s
    if trouble.retry_after_s is not None:
        return min(trouble.retry_after_s, LONGEST_ASKED_S) + min(jitter_s, trouble.retry_after_s / 2)
    return jitter_s


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Returns the pause that a Retry-After header asks for (seconds, or an HTTP date); None where it asks nothing."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (until - now).total_seconds()) if until.tzinfo is not None else None
