"""What was refused lately of each department, at this door and on Kafka, in bounded memory.

The gateway tells of its own refusals at once; the tail of `ioc.dead-letters` brings those of every door, and what this
gateway refused before it was started anew.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import orjson

from ioc.dead_letters import RetryMark, StoredLetter, letter_id
from ioc.errors import InvalidRecord
from ioc.gateway.intake import Head, head_of
from ioc.publishers import Publisher
from ioc.windows import LOCAL_ZONE

__all__ = ["KEPT_BYTES", "KEPT_DAYS", "RejectedEvent", "Rejects"]

KEPT_OF_SOURCE = 50
MAX_SOURCES = 40  # of one department; beyond it the one that was quiet longest is forgotten
KEPT_BYTES = 4 * 1024
KEPT_DAYS = 7
MAX_REASONS = 200  # counters of one department: reasons are few, days are seven
MAX_MARKS = 10_000
_GATEWAY_REF = "gateway/"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """An event that was refused. `original` is what was sent, cut to 4 KiB; `event_ref` names its dead letter, "" where
    none was written; `index` counts inside a batched record."""

    at: datetime
    source: str
    type: str
    id: str
    error: InvalidRecord
    event_ref: str
    original: bytes
    index: int = 0

    @property
    def is_cut(self) -> bool:
        return len(self.original) >= KEPT_BYTES

    @property
    def is_of_gateway(self) -> bool:
        return not self.event_ref or self.event_ref.startswith(_GATEWAY_REF)

    @property
    def letter(self) -> str:
        """The id of its dead letter."""
        return letter_id(self.event_ref, self.index) if self.event_ref else ""


@dataclass(slots=True)
class _Kept:
    """Of one source; `ids` of the events, to know at once which of those that come in were refused before."""

    events: deque[RejectedEvent] = field(default_factory=lambda: deque(maxlen=KEPT_OF_SOURCE))
    ids: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Shelf:
    """One department's."""

    of_source: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    counts: dict[tuple[date, str, str], int] = field(default_factory=dict)


class Rejects:
    """The newest 50 refused events of each source, and how many there were by day and reason."""

    def __init__(self, publishers: Mapping[str, Publisher] | None = None) -> None:
        self._publishers = publishers or {}
        self._shelves: dict[str, _Shelf] = {}
        self._marks: OrderedDict[str, RetryMark] = OrderedDict()
        self._accepted: OrderedDict[tuple[str, str, str], datetime] = OrderedDict()
        self.since: datetime | None = None
        """From when all doors are covered; None until the dead letters of old were read."""

    # ---- in ---------------------------------------------------------------------------------------------------------

    def add(self, publisher: str, event: RejectedEvent) -> None:
        """Takes note of what `publisher` sent. The same letter twice is one."""
        shelf = self._shelves.setdefault(publisher, _Shelf())
        source = self._own(publisher, event.source)
        kept = shelf.of_source.get(source)
        if kept is None:
            if len(shelf.of_source) >= MAX_SOURCES:
                shelf.of_source.popitem(last=False)
            kept = shelf.of_source[source] = _Kept()
        shelf.of_source.move_to_end(source)
        if event.letter and any(other.letter == event.letter for other in kept.events):
            return
        kept.events.append(event)
        kept.ids = frozenset(other.id for other in kept.events if other.id)
        self._count(shelf, event.at, source, event.error.reason)

    def take(self, letter: StoredLetter) -> None:
        """Takes note of a dead letter, for the departments whose source it names; the gateway's for who sent it."""
        event = _event_of(letter)
        if letter.event_ref.startswith(_GATEWAY_REF):
            sender = letter.event_ref.split("/")[1]
            if sender in self._publishers:
                self.add(sender, event)
            return
        for publisher in self._publishers.values():
            if publisher.owns(letter.source):
                self.add(publisher.name, event)

    def mark(self, mark: RetryMark) -> None:
        """Takes note that a letter was sent again."""
        self._marks[mark.letter] = mark
        if len(self._marks) > MAX_MARKS:
            self._marks.popitem(last=False)

    def accepted(self, publisher: str, source: str, event_id: str, at: datetime) -> None:
        """Takes note that an event came in after all; only of events that had been refused before."""
        kept = self._shelves.get(publisher, _NONE).of_source.get(source)
        if kept is not None and event_id in kept.ids:
            self._accepted[publisher, source, event_id] = at
            if len(self._accepted) > MAX_MARKS:
                self._accepted.popitem(last=False)

    # ---- out --------------------------------------------------------------------------------------------------------

    def newest(self, publisher: str, limit: int = KEPT_OF_SOURCE, source: str | None = None) -> Sequence[RejectedEvent]:
        """Newest first; of one source, or of all."""
        of_source = self._shelves.get(publisher, _NONE).of_source
        chosen = of_source.values() if source is None else [of_source.get(source, _Kept())]
        found = [event for kept in chosen for event in kept.events]
        return sorted(found, key=lambda event: event.at, reverse=True)[:limit]

    def sources(self, publisher: str) -> Sequence[str]:
        """The sources of which something was refused."""
        return sorted(self._shelves.get(publisher, _NONE).of_source)

    def reasons(self, publisher: str, source: str, *, since: date) -> Sequence[tuple[str, int]]:
        """(reason, how many) since the local day, most first."""
        counts: Counter[str] = Counter()
        for (day, of_source, reason), count in self._shelves.get(publisher, _NONE).counts.items():
            if of_source == source and day >= since:
                counts[reason] += count
        return counts.most_common()

    def sent_again_at(self, publisher: str, event: RejectedEvent) -> datetime | None:
        """When it was sent again by the centre, or came in mended; None where neither is known."""
        mark = self._marks.get(event.letter)
        came = self._accepted.get((publisher, event.source, event.id))
        times = [at for at in (mark.at if mark else None, came) if at is not None and at >= event.at]
        return max(times, default=None)

    def _own(self, publisher: str, source: str) -> str:
        """What claims to be somebody else is shown with the claimant's first source."""
        known = self._publishers.get(publisher)
        return source if known is None or known.owns(source) else known.sources[0]

    def _count(self, shelf: _Shelf, at: datetime, source: str, reason: str) -> None:
        day = at.astimezone(LOCAL_ZONE).date()
        place = (day, source, reason)
        if place not in shelf.counts:
            oldest = max((known for known, _, _ in shelf.counts), default=day) - timedelta(days=KEPT_DAYS)
            for old in [known for known in shelf.counts if known[0] < oldest]:
                del shelf.counts[old]
            if len(shelf.counts) >= MAX_REASONS * KEPT_DAYS:
                return
        shelf.counts[place] = shelf.counts.get(place, 0) + 1


_NONE = _Shelf()


def _event_of(letter: StoredLetter) -> RejectedEvent:
    original = letter.original or b""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in letter.headers}
    if "ce_type" in headers or "ce_source" in headers:
        head = Head(letter.source, headers.get("ce_id", ""), headers.get("ce_type", ""))
        original = _structured(headers, original)
    else:
        original = _part(original, letter.index)
        head = head_of(original)
    return RejectedEvent(
        at=letter.at,
        source=letter.source,
        type=head.type,
        id=head.id,
        error=InvalidRecord(letter.reason, field=letter.field, vi=letter.message_vi, en=letter.message_en),
        event_ref=letter.event_ref,
        original=original[:KEPT_BYTES],
        index=letter.index,
    )


def _structured(headers: Mapping[str, str], data: bytes) -> bytes:
    """A binary-mode event as one JSON text, which its department can mend and send through any door; the data alone
    where they are no JSON."""
    try:
        told = orjson.loads(data)
    except ValueError:
        return data
    names = ("specversion", "type", "source", "id", "time")
    attributes = {name: headers[f"ce_{name}"] for name in names if f"ce_{name}" in headers}
    return orjson.dumps(attributes | {"data": told})


def _part(original: bytes, index: int) -> bytes:
    """The refused event of a batched record."""
    if original[:64].lstrip()[:1] != b"[":
        return original
    try:
        return orjson.dumps(orjson.loads(original)[index])
    except (ValueError, IndexError, TypeError):
        return original
