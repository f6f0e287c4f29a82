"""How long the stills of an incident are kept: by what people found it to be. Pure.

Pictures of a true alarm are evidence in a case and are kept for years; those of a false one teach the detector and are
kept for months; a picture in which nothing was found shows people at their business and is let go soon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

__all__ = ["Retention", "Verdict"]

Verdict = Literal["true_positive", "false_positive", "other_smoke", "unsure", ""]

# Luật Xử lý vi phạm hành chính: one year to punish (two in construction and forestry), then the file's own term.
_USUAL_DAYS: Mapping[Verdict, int] = MappingProxyType(
    {"true_positive": 5 * 365, "other_smoke": 365, "unsure": 365, "false_positive": 180, "": 365}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days after the last thing that happened; `loose_days` for stills that belong to no incident any more,
    `passing_days` for frames that were only too large for their records and in which nothing was found."""

    days: Mapping[Verdict, int] = field(default_factory=lambda: _USUAL_DAYS)
    loose_days: int = 30
    passing_days: int = 2

    def keep_until(self, verdict: Verdict, last_at: datetime) -> datetime:
        """Returns until when the stills of an incident are kept whose last change was at `last_at`."""
        return last_at + timedelta(days=self.days[verdict])
