"""The far end of a delivery, within the test: takes events, and fails as it was told to."""

import asyncio
import json
from collections.abc import Callable, Sequence

from ioc.sdk.results import LinkTrouble, Trouble, Verdict
from ioc.sdk.spool import Spooled

AWAY = Trouble(problem="away", vi="Đứt cáp.", en="the cable is cut")
UNCLEAR = Trouble(problem="unclear", vi="Đứt giữa chừng.", en="it broke off")
ACCEPTED = Verdict(outcome="accepted")


class Centre:
    """Takes what it is sent. `troubles`: for each of the next requests; `poison`: ids that break their request."""

    def __init__(self, *troubles: Trouble | None, poison: Sequence[str] = (), is_well: bool = True) -> None:
        self.troubles = list(troubles)
        self.poison, self.well = set(poison), is_well
        self.is_open = True
        self.taken: list[str] = []
        self.requests: list[int] = []
        self.refuse: Callable[[Spooled], Verdict | None] = lambda event: None
        self.clock_skew_s: float | None = None

    async def send(self, events: Sequence[Spooled]) -> list[Verdict]:
        self.requests.append(len(events))
        await asyncio.sleep(0)
        if not self.is_open:
            raise LinkTrouble(AWAY)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise LinkTrouble(trouble)
        if any(event.id in self.poison for event in events):
            raise LinkTrouble(UNCLEAR)
        return [self._take(event) for event in events]

    def _take(self, event: Spooled) -> Verdict:
        if (refusal := self.refuse(event)) is not None:
            return refusal
        assert json.loads(event.body)["id"] == event.id
        if event.id in self.taken:
            return Verdict(outcome="duplicate")
        self.taken.append(event.id)
        return ACCEPTED

    async def is_well(self) -> bool:
        return self.well

    async def close(self) -> None:
        return
