"""Says events to a recount one after the other, for cases that are worked out by hand."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from tests.recount.accepting import HANOI
from tests.recount.event_types import EVENT_TYPES
from tests.recount.recount import Figure, Recount
from tests.recount.wire import Event, encode

__all__ = ["CAMERAS", "CLOCK", "UNITS", "Teller", "a_teller", "march"]

CLOCK = datetime(2026, 3, 5, 9, 37, 21, tzinfo=HANOI)
CAMERAS = {"cam-01": "24846", "cam-02": "24778", "cam-03": "24778"}
UNITS = ("24778", "24781", "24787", "24846")


def march(day: int, time: str = "08:00") -> str:
    """Returns a time of March 2026, in Vietnam."""
    return f"2026-03-{day:02d}T{time}:00+07:00"


@dataclass
class Teller:
    """Says events to a recount, one after the other; ids are 01, 02, … unless given."""

    recount: Recount
    number: int = 0

    def say(
        self,
        kind: str,
        data: dict[str, object],
        *,
        time: str = "2026-03-05T08:00:00+07:00",
        event_id: str = "",
        system: str = "",
    ) -> str:
        """Returns what became of the event: accepted, duplicate or rejected. `system` ends the source."""
        self.number += 1
        type_ = f"vn.ioc.{kind}.v1"
        topic = EVENT_TYPES[type_].topic
        event = Event(
            topic=topic,
            key="k",
            entity=(kind,),
            type=type_,
            source=f"/lam-dong/{topic.split('.')[1]}{system}",
            id=event_id or f"{self.number:02d}",
            time=time,
            data=data,
        )
        before = Counter(self.recount.outcomes[topic])
        self.recount.read([encode([event], b"k", "structured")])
        (outcome,) = (self.recount.outcomes[topic] - before).keys() - {"in"}
        return outcome

    def submitted(self, *, time: str = "2026-03-01T08:00:00+07:00", **fields: object) -> str:
        data = {"dossier_id": "D", "channel": "online", "service_level": "full", "submitted_at": time, **fields}
        return self.say("dossier.submitted", data, time=time)

    def status(self, status: str, at: str, **fields: object) -> str:
        return self.say("dossier.status_changed", {"dossier_id": "D", "status": status, "at": at, **fields})

    def figure(self, kpi: str, window: str = "now", *, unit: str = "*", agency: str = "", dim: str = "") -> Figure:
        return self.recount.figures()[kpi, unit, agency, window, dim]

    def total(
        self, kpi: str, window: str = "now", *, unit: str = "*", agency: str = "", dim: str = ""
    ) -> tuple[float | None, float | None]:
        """Returns numerator and denominator."""
        return self.figure(kpi, window, unit=unit, agency=agency, dim=dim)[1:]

    def groups(self, kpi: str) -> set[tuple[str, str, str]]:
        """Returns (admin_unit, agency, dim) of the series beside the totals."""
        found = {(unit, agency, dim) for name, unit, agency, _, dim in self.recount.figures() if name == kpi}
        return found - {("*", "", "")}


def a_teller() -> Teller:
    return Teller(Recount(clock=CLOCK, cameras=CAMERAS, units=UNITS))
