"""A refused event sent again: what exactly goes out, and whether it would be refused once more. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from ioc.catalog import Catalog
from ioc.dead_letters import Record, StoredLetter
from ioc.errors import InvalidRecord, PermanentError
from ioc.events import Rejected
from ioc.publishing.judge import CONTENT_TYPE, EventJudge, Outgoing

__all__ = ["GATEWAY_REF", "Resend", "ResendJudge"]

GATEWAY_REF = "gateway/"
_STRUCTURED: Sequence[tuple[str, bytes | None]] = (("content-type", CONTENT_TYPE.encode()),)


class Resend(NamedTuple):
    """The record to send; `error` says why it would be refused again, None where it would not."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    error: InvalidRecord | None = None


class ResendJudge:
    """Judges letters by the catalogue of today. What the product itself wrote (frames, detections) is not judged."""

    def __init__(self, catalog: Catalog) -> None:
        self._publishers = catalog.publishers
        self._decoder = catalog.decoder()
        self._judged = frozenset(catalog.entity_topics())
        self._door = EventJudge(catalog)

    def judge(self, letter: StoredLetter, record: Record, now_us: int) -> Resend:
        """Returns what is to be sent for `letter`, whose record is `record`: that record as it was; of a batched one
        only the refused event, since its neighbours were accepted; and what never reached Kafka to its type's topic.

        Raises:
            PermanentError: nobody knows where it belongs.
        """
        if letter.is_of_gateway:
            return self._of_gateway(letter, record, now_us)
        key, value = record[:2]
        headers: Sequence[tuple[str, bytes | None]] = record[2]
        if letter.topic not in self._judged:
            return Resend(letter.topic, key, value, headers)
        known = [(name, text or b"") for name, text in headers]
        found = self._decoder.decode(letter.topic, known, value, now_us)
        item = found[letter.index] if letter.index < len(found) else found[0]
        error = item.error if isinstance(item, Rejected) else None
        if len(found) > 1:
            value, headers = self._decoder.part_of_batch(value, letter.index), _STRUCTURED
            key = key if isinstance(item, Rejected) else item.partition_key.encode()
        return Resend(letter.topic, key, value, headers, error)

    def _of_gateway(self, letter: StoredLetter, record: Record, now_us: int) -> Resend:
        key, value, headers = record
        try:
            outgoing = self._door.judge(value or b"", now_us)
        except InvalidRecord as error:
            if letter.topic not in self._judged:
                raise PermanentError(f"{letter.place}: its type has no topic ({error})") from None
            return Resend(letter.topic, key, value, headers or _STRUCTURED, error)
        refusal = self._refusal(letter, outgoing)
        return Resend(outgoing.topic, outgoing.key, outgoing.value, outgoing.headers, refusal)

    def _refusal(self, letter: StoredLetter, outgoing: Outgoing) -> InvalidRecord | None:
        """Who sent it is known by the letter alone: `gateway/PUBLISHER/…`."""
        name = letter.event_ref.removeprefix(GATEWAY_REF).split("/")[0]
        publisher = self._publishers.get(name)
        if publisher is None:
            return InvalidRecord(
                "not_your_source",
                field="source",
                vi=f"Đơn vị gửi {name[:60]!r} không còn trong publishers.yaml.",
                en=f"publisher {name[:60]!r} is no longer in publishers.yaml",
            )
        return publisher.refusal(outgoing.source, outgoing.type)
