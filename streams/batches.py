"""What an agent's app and its shards share, whichever of the two agents is set. Nothing of Faust is imported here."""

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Batch", "ShardApp"]


class Batch:
    """Raw records of ONE partition in offset order: each has `.offset .timestamp .key .value .headers`."""

    __slots__ = ("partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Any]) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records

    def __len__(self) -> int:
        return len(self.records)


class ShardApp(Protocol):
    """What a keeper of shards needs of the Faust app that feeds it."""

    @property
    def on_partitions_assigned(self) -> Any: ...
    @property
    def conf(self) -> Any: ...
    @property
    def consumer(self) -> Any: ...
    async def crash(self, reason: BaseException) -> None: ...

    def fetched_up_to(self, tp: Any) -> int:
        """The offset before which everything of a partition was given to the agent, as far as is known."""

    def committed_up_to(self, tp: Any) -> int:
        """The committed offset of a partition, 0 where none is known."""
