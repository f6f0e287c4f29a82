"""Which of several on-call services on one PostgreSQL delivers a channel: one at a time, or people get all twice.

A turn is an advisory lock of the session: it ends with the process's connection, so a service that dies is stood in for
at once, and a restart waits for nothing. SQLite has one service only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["Turn", "Turns", "always"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0
_SPACE = 7_120_212  # any number that is ours

Turn = Callable[[], Awaitable[bool]]
"""Whether it is this service's turn now."""


async def always() -> bool:
    return True


class Turns:
    """The turns of this process, on a connection of their own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_shared = engine.dialect.name == "postgresql"
        self._connection: AsyncConnection | None = None
        self._held: set[str] = set()
        self._looked_s = 0.0
        self._one = asyncio.Lock()

    def of(self, name: str) -> Turn:
        """The turn of a channel. It raises what the database raises."""

        async def mine() -> bool:
            return not self._is_shared or await self._mine(name)

        return mine

    async def close(self) -> None:
        """Gives every turn back."""
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                await connection.invalidate()  # not back into the pool: the locks are the session's
                await connection.close()

    async def _mine(self, name: str) -> bool:
        async with self._one:
            try:
                connection = await self._alive()
                if name not in self._held:
                    query = text("SELECT pg_try_advisory_lock(:space, hashtext(:name))")
                    if await connection.scalar(query, {"space": _SPACE, "name": name}):
                        self._held.add(name)
                        logger.info("this service delivers %s", name)
                return name in self._held
            except (SQLAlchemyError, OSError):
                await self.close()
                raise

    async def _alive(self) -> AsyncConnection:
        """The connection; a session that the server has ended holds no lock any more."""
        now_s = asyncio.get_running_loop().time()
        if self._connection is None:
            self._connection = await self._engine.connect()
            await self._connection.execution_options(isolation_level="AUTOCOMMIT")
        elif now_s - self._looked_s >= LOOK_EVERY_S:
            await self._connection.execute(text("SELECT 1"))
        self._looked_s = now_s
        return self._connection
