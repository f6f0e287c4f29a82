"""How the facts in state rows are laid out: by the numbers of their types and the order of the types' fields.

Both come from the catalogue's file, and people edit it: they add a type or a field, or move one. So the layout lies in
the state beside the rows; where it is another than the catalogue's, the rows are rewritten once, at the start.
"""

import logging
from collections.abc import Iterable, Mapping

import msgspec

from ioc.entities import Fact, Row, decode_row, encode_row
from ioc.event_types import EventType
from ioc.events import KEY_SEPARATOR
from ioc.kpis import BUILT_IN
from streams.row_stores import RowStore

__all__ = ["LAYOUT_KEY", "Translation", "layout_changes", "layout_of"]

logger = logging.getLogger(__name__)

LAYOUT_KEY = "layout\x1fevent types"
_Layout = list[tuple[str, tuple[str, ...]]]


def layout_of(event_types: Iterable[EventType]) -> bytes:
    """Returns the layout: name and stored fields of each type, in the order of the types' numbers."""
    types = sorted(event_types, key=lambda event_type: event_type.number)
    return msgspec.msgpack.encode([(event_type.name, event_type.stored) for event_type in types])


def layout_changes(rows: RowStore, event_types: Mapping[str, EventType]) -> dict[str, bytes | None]:
    """Returns the rows that must be written anew (None: dropped) because they lie in another layout than today's; the
    row that says how they lie is one of them."""
    written, today = rows.get(LAYOUT_KEY), layout_of(event_types.values())
    if written == today:
        return {}
    changes: dict[str, bytes | None] = {}
    if written is not None:
        logger.info("event_types.yaml has changed: rewriting the rows of this shard")
        translation = Translation(written, event_types)
        for key, data in rows.items():
            if key != LAYOUT_KEY and key.split(KEY_SEPARATOR, 1)[0] not in BUILT_IN:
                row = translation.row(decode_row(data))
                changes[key] = None if row is None else encode_row(row)
    return changes | {LAYOUT_KEY: today}


class Translation:
    """From the layout that rows were written in to today's."""

    def __init__(self, written: bytes, event_types: Mapping[str, EventType]) -> None:
        self._plans: list[tuple[int, tuple[int, ...]] | None] = []
        lost = []
        for name, fields in msgspec.msgpack.decode(written, type=_Layout):
            event_type = event_types.get(name)
            if event_type is None:
                lost.append(name)
                self._plans.append(None)
                continue
            places = tuple(fields.index(field) if field in fields else len(fields) for field in event_type.stored)
            self._plans.append((event_type.number, places))
        if lost:
            logger.warning("event types %s are in event_types.yaml no more: what they told is left out", lost)

    def row(self, row: Row) -> Row | None:
        """Returns the row in today's layout; None where nothing of it is left."""
        facts = [fact for fact in map(self._fact, row.facts) if fact is not None]
        return Row(facts, row.seen, row.size_bytes) if facts else None

    def _fact(self, fact: Fact) -> Fact | None:
        plan = self._plans[fact[3]]
        if plan is None:
            return None
        number, places = plan
        values = (*fact[5], None)  # a field that was not there: not known
        return (fact[0], fact[1], fact[2], number, fact[4], tuple(values[place] for place in places))
