"""Which events are known to be in Kafka: a fixed 16 MiB, whatever comes."""

import hashlib
import os

__all__ = ["AcknowledgedIds"]

SLOTS = 1 << 20  # 1 M events: a quarter of an hour at 1,000/s, longer than any client's retry
DIGEST_BYTES = 16


class AcknowledgedIds:
    """Remembers the newest acknowledged events by a keyed digest. Each digest has one place: a newer event that falls
    on it takes it, and a repeat of the older one is then published again, which the figures count once all the same.

    128 bits, keyed by a secret of this process: nobody can make an event look like another's repeat.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        self._slots = slots
        self._table = bytearray(slots * DIGEST_BYTES)
        self._key = os.urandom(16)

    def digest(self, source: str, event_id: str, entity: str, entity_id: str) -> bytes:
        text = "\x00".join((source, event_id, entity, entity_id))  # none of them may hold a control character
        return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES, key=self._key).digest()

    def add(self, digest: bytes) -> None:
        place = self._place(digest)
        self._table[place : place + DIGEST_BYTES] = digest

    def __contains__(self, digest: bytes) -> bool:
        place = self._place(digest)
        return self._table[place : place + DIGEST_BYTES] == digest

    def _place(self, digest: bytes) -> int:
        return int.from_bytes(digest[:4], "little") % self._slots * DIGEST_BYTES
