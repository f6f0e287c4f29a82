"""How good each source is: what became of its events, and how new its newest is."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.recount.accepting import Entity, Fact
from tests.recount.event_types import EVENT_TYPES
from tests.recount.lifetimes import Province, Share

__all__ = ["Sources"]

A_DAY = timedelta(days=1)
SUMMARY_WITHIN = timedelta(minutes=10)


@dataclass(slots=True)
class Sources:
    """Counts verdicts by source; "" stands for a source that can't be read, or is none of the catalogue's."""

    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    newest: dict[str, datetime] = field(default_factory=dict)
    newest_summary: dict[str, datetime] = field(default_factory=dict)
    _tellings: dict[object, list[frozenset[tuple[str, object]]]] = field(default_factory=lambda: defaultdict(list))

    def passed(self, source: str, outcome: str) -> None:
        self.verdicts[source][outcome] += 1

    def told(self, entity: Entity, fact: Fact) -> None:
        """Takes an accepted fact. A tombstone says that its source is alive, and of its entity only that it is gone.

        n different tellings of one moment are n - 1 contradictions. Of a state nobody knows what it was before.
        """
        self.newest[fact.source] = max(fact.time, self.newest.get(fact.source, fact.time))
        if fact.type == "indicator.reported":
            self.newest_summary[fact.source] = max(fact.time, self.newest_summary.get(fact.source, fact.time))
        if EVENT_TYPES[f"vn.ioc.{fact.type}.v1"].is_state:
            return
        body: frozenset[tuple[str, object]] = frozenset({("deleted", True)}) if fact.is_tombstone else fact.told
        earlier = self._tellings[fact.source, fact.type, entity, fact.time]
        if earlier and body not in earlier:
            self.verdicts[fact.source]["contradiction"] += 1
        earlier.append(body)

    def shares(self, province: Province, *, passed_at: datetime) -> Iterator[Share]:
        """`passed_at`: when the verdicts were passed (the clock that events were accepted by)."""
        for source, counts in self.verdicts.items():
            accepted, rejected, duplicate = counts["accepted"], counts["rejected"], counts["duplicate"]
            yield Share(
                kpi="source_valid", at=passed_at, dim=source, numerator=accepted, denominator=accepted + rejected
            )
            clean = accepted - counts["contradiction"]
            yield Share(kpi="source_clean", at=passed_at, dim=source, numerator=clean, denominator=accepted + duplicate)
        for source in self.newest.keys() | set(province.registered):
            is_alive = source in self.newest and province.clock - self.newest[source] <= _promise(source, province)
            yield Share(kpi="source_alive", numerator=int(is_alive), denominator=1)
        recent = [at for at in self.newest_summary.values() if province.clock - at <= SUMMARY_WITHIN]
        yield Share(kpi="ioc_centres", numerator=len(recent))


def _promise(source: str, province: Province) -> timedelta:
    """Returns what is promised for the source itself, else for its family, else a day."""
    family = "/".join(source.split("/")[:3])
    return province.promises.get(source, province.promises.get(family, A_DAY))
