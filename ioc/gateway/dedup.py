"""Which events are known to be in Kafka: a fixed 16 MiB, whatever comes."""

import hashlib
import os

__all__ = ["AcknowledgedIds"]

SLOTS = 1 << 20  # 1 M events: a quarter of an hour at 1,000/s, longer than any client's retry
DIGEST_BYTES = 16
SHELF = 8  # slots
SHELF_BYTES = SHELF * DIGEST_BYTES


class AcknowledgedIds:
    """Remembers the newest acknowledged events by a keyed digest. A digest belongs to one shelf of eight: the ninth
    that falls on it pushes the oldest off, and a repeat of that one is then published again, which the figures count
    once all the same. (With shelves of one, two of the first 1,200 events would share theirs every other time.)

    128 bits, keyed by a secret of this process: nobody can make an event look like another's repeat.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        self._shelves = slots // SHELF
        self._table = bytearray(self._shelves * SHELF_BYTES)
        self._key = os.urandom(16)

    def digest(self, source: str, event_id: str, entity: str, entity_id: str) -> bytes:
        text = "\x00".join((source, event_id, entity, entity_id))  # none of them may hold a control character
        return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES, key=self._key).digest()

    def add(self, digest: bytes) -> None:
        begin, end = self._shelf(digest)
        self._table[begin:end] = digest + self._table[begin : end - DIGEST_BYTES]

    def __contains__(self, digest: bytes) -> bool:
        begin, end = self._shelf(digest)
        return self._table.find(digest, begin, end) >= 0

    def _shelf(self, digest: bytes) -> tuple[int, int]:
        begin = int.from_bytes(digest[:4], "little") % self._shelves * SHELF_BYTES
        return begin, begin + SHELF_BYTES
