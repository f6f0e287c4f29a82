"""What an agent's app and its shards share, whichever of the two agents is set. Nothing of Faust is imported here."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

__all__ = ["AgentName", "Batch", "ShardApp", "Shards"]

AgentName = Literal["batch", "stock"]


class Batch:
    """Raw records of ONE partition in offset order: each has `.offset .timestamp .key .value .headers`."""

    __slots__ = ("partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Any]) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records

    def __len__(self) -> int:
        return len(self.records)


class Shards(Protocol):
    """Where the batches go."""

    async def take(self, event: Any) -> None:
        """Takes `event.value`, a batch, and calls `event.ack()` once its effects are durable."""

    async def next_offset(self, topic: str, partition: int) -> int | None:
        """Where a shard stands in a topic, once it is restored; None where it is not ours."""


class ShardApp(Protocol):
    """What shards and their keeper need of the Faust app that feeds them."""

    @property
    def on_partitions_assigned(self) -> Any: ...
    @property
    def conf(self) -> Any: ...
    @property
    def consumer(self) -> Any: ...
    @property
    def crash_reason(self) -> BaseException | None: ...

    def finalize(self) -> None: ...
    async def start(self) -> Any: ...
    async def stop(self) -> None: ...
    async def crash(self, reason: BaseException) -> None: ...

    def feed(self, topics: Sequence[str], shards: Shards) -> None:
        """Declares the agent that gives every record of `topics` to `shards`. Once, before the start."""

    def fetched_up_to(self, tp: Any) -> int:
        """The offset before which everything of a partition was given to the shards, as far as is known."""

    def committed_up_to(self, tp: Any) -> int:
        """The committed offset of a partition, 0 where none is known."""
