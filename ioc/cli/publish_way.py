"""The way that `ioc publish` sends: Kafka, the HTTP gateway, or nowhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ioc.publishing import EventSink

__all__ = ["Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where events go. A gateway wins over Kafka; nothing is sent where `is_dry`."""

    broker: str
    gateway: str = ""
    token_file: Path | None = None
    is_dry: bool = False

    @property
    def address(self) -> str:
        return self.gateway or self.broker

    @asynccontextmanager
    async def open(self) -> "AsyncIterator[EventSink | None]":
        """Yields what events are sent to, None for a dry run.

        Raises:
            ConfigurationError, TransientError: nobody answers there, or the token is not taken.
        """
        import logging

        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
        if self.is_dry:
            yield None
        elif self.gateway:
            from ioc.publishing.gateway_sink import open_gateway, token_of

            assert self.token_file is not None, "the command asks for both"
            async with open_gateway(self.gateway, token_of(self.token_file)) as sink:
                yield sink
        else:
            from ioc.publishing.batches import open_batches

            async with open_batches(self.broker) as batches:
                yield batches
