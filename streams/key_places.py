"""Whether an event's key belongs to the partition that it came from."""

from collections.abc import Callable, Sequence

__all__ = ["KeyPlaces"]


class KeyPlaces:
    """Args:
    partition: the one that asks.
    partitions_of: from partition keys to the partitions where they belong (murmur2).
    """

    def __init__(self, partition: int, partitions_of: Callable[[Sequence[bytes]], Sequence[int]]) -> None:
        self._partition, self._partitions_of = partition, partitions_of
        self._here: frozenset[bytes] = frozenset()
        self._places: dict[bytes, int] = {}

    def look_up(self, keys: Sequence[bytes]) -> None:
        """Learns the record keys of the batch in hand, all at once."""
        partitions = self._partitions_of(keys)
        # Nearly always every key belongs here; then a set of them is all that must be known.
        if all(partition == self._partition for partition in set(partitions)):
            self._here, self._places = frozenset(keys), {}
        else:
            self._here, self._places = frozenset(), dict(zip(keys, partitions, strict=True))

    def is_here(self, partition_key: str) -> bool:
        if not partition_key:
            return True  # only its publisher knows where it belongs
        return partition_key.encode() in self._here or self.of(partition_key) == self._partition

    def of(self, partition_key: str) -> int:
        key = partition_key.encode()
        known = self._places.get(key)
        return self._partitions_of([key])[0] if known is None else known
