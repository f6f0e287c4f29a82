"""What the roles with shards have in common: an app and a keeper of shards that live and end together."""

import asyncio
from typing import Any

from faust.exceptions import ConsumerNotStarted

from streams.batches import ShardApp
from streams.shard_keeper import ShardKeeper

__all__ = ["BatchRole", "app_ended", "assigned"]


class BatchRole:
    """A Faust app and its shards, as a worker's role."""

    def __init__(self, app: ShardApp, keeper: ShardKeeper[Any]) -> None:
        self.app = app
        self.keeper = keeper
        self._is_started = False

    @property
    def is_ready(self) -> bool:
        return self.keeper.is_ready

    def lag(self) -> dict[str, int]:
        # Scrapes come from the HTTP thread, and Faust makes a consumer for whoever asks first: never before the start.
        return self.keeper.lag() if self._is_started and assigned(self.app) else {}

    async def start(self) -> None:
        self.app.finalize()
        await self.app.start()
        self._is_started = True

    async def stop(self) -> None:
        """Faust first: it waits until the batches in work are written and commits them."""
        await self.app.stop()
        await self.keeper.stop()

    async def failed(self) -> None:
        await app_ended(self.app)


def assigned(app: Any) -> set[Any]:
    """The partitions of an app's consumer; none before it has started."""
    try:
        return set(app.consumer.assignment())
    except ConsumerNotStarted:
        return set()


async def app_ended(app: Any) -> None:
    """Returns when the app stops or crashes; raises the reason of a crash."""
    waits = [asyncio.ensure_future(app._crashed.wait()), asyncio.ensure_future(app._stopped.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if app.crash_reason is not None:
        raise app.crash_reason
