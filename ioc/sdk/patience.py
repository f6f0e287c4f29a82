"""What to do after a try that failed: wait, send fewer, or set one event aside for a person. Pure."""

from dataclasses import dataclass
from typing import Literal

from ioc.sdk.results import Trouble, Verdict

__all__ = ["MAX_BATCH_EVENTS", "Patience", "Step", "not_taken"]

MAX_BATCH_EVENTS = 500
ALONE_TRIES = 5  # so often one event alone may end in a hang, a break or a 500 before the gateway is asked how it is

Step = Literal["wait", "at_once", "reject", "suspect"]
"""wait: pause, then the same again; at_once: the size has changed; reject: the one event sent is refused for good;
suspect: it is to blame if the gateway is well."""


@dataclass(slots=True)
class Patience:
    """How many events go in the next request, and how often in a row it failed.

    An event that breaks every request it is in must not hold up the others for ever; an outage must not be blamed on
    an event. So an unclear failure is narrowed down to one event, and that one is suspected after five tries alone.
    """

    size: int = MAX_BATCH_EVENTS
    failures: int = 0
    alone: int = 0

    def succeeded(self) -> None:
        self.failures = self.alone = 0
        self.size = min(MAX_BATCH_EVENTS, self.size * 4)

    def failed(self, trouble: Trouble, amount: int) -> Step:
        """Returns what to do after `amount` events in one request met `trouble`."""
        is_about_events = trouble.problem in ("too_large", "unclear")
        if is_about_events and trouble.refusal is not None:
            if amount == 1:
                return "reject"
            self.size = amount // 2 if trouble.problem == "too_large" else 1
            return "at_once"
        self.failures += 1
        if not is_about_events:
            return "wait"
        if amount > 1:
            self.size = 1
            return "wait"
        self.alone += 1
        return "suspect" if self.alone >= ALONE_TRIES else "wait"


def not_taken(trouble: Trouble) -> Verdict:
    """The verdict about an event that breaks every request, while the gateway is well."""
    return Verdict(
        outcome="rejected",
        reason="not_taken",
        vi=f"Gửi riêng sự kiện này {ALONE_TRIES} lần đều hỏng trong khi cổng nhận vẫn hoạt động. Lần cuối: "
        f"{trouble.vi}",
        en=f"sent alone {ALONE_TRIES} times it failed each time, while the gateway is well. The last time: "
        f"{trouble.en}",
    )
