"""Which canaries came back, and what is silent. Pure: the time is an argument.

A round goes out to every part of both halves: to each partition of the frames, and to each of the events. A round is
missed when it is not back within the patience; two missed in a row make a part silent. Rounds that were due and could
not even be sent are missed too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ioc.canary import Half

__all__ = ["MISSED_ROUNDS", "Rounds", "Silent", "silence_of"]

MISSED_ROUNDS = 2
_HALVES: tuple[Half, ...] = ("frames", "events")
_KEPT = 10  # rounds a part: what comes back later than that is a worker catching up


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A half of which `parts` of `of_parts` have been silent; `since` the first round that did not come back."""

    half: Half
    since: datetime
    parts: tuple[str, ...]
    of_parts: int


@dataclass(slots=True)
class Rounds:
    """`patience`: how long a canary may be on its way."""

    patience: timedelta
    _out: dict[tuple[Half, str], dict[int, datetime]] = field(default_factory=dict)
    _heard: set[tuple[Half, str]] = field(default_factory=set)

    @property
    def is_heard(self) -> bool:
        """Whether every part has come back once: before that nobody knows whether it is well."""
        return bool(self._out) and self._heard >= self._out.keys()

    def sent(self, half: Half, parts: Iterable[str], mark: int, at: datetime) -> None:
        """A round went out at `at`, or should have."""
        for part in parts:
            out = self._out.setdefault((half, part), {})
            out[mark] = at
            while len(out) > _KEPT:
                del out[next(iter(out))]

    def answered(self, half: Half, part: str, mark: int, at: datetime) -> timedelta | None:
        """Returns how long the canary was on its way; None for one that is not ours, or was back already.

        Older rounds of the part are settled with it, the newest and every one after it are not.
        """
        out = self._out.get((half, part), {})
        sent_at = out.get(mark)
        if sent_at is None:
            return None
        self._heard.add((half, part))
        for other in [other for other, moment in out.items() if moment <= sent_at]:
            del out[other]
        return at - sent_at

    def silent(self, now: datetime) -> tuple[Silent, ...]:
        """The silent halves at `now`, frames first."""
        return tuple(found for half in _HALVES if (found := self._silent(half, now)) is not None)

    def _silent(self, half: Half, now: datetime) -> Silent | None:
        parts = {part: out for (of_half, part), out in self._out.items() if of_half == half}
        missed = {
            part: due
            for part, out in parts.items()
            if len(due := [at for at in out.values() if now - at > self.patience]) >= MISSED_ROUNDS
        }
        if not missed:
            return None
        since = min(min(due) for due in missed.values())
        return Silent(half=half, since=since, parts=tuple(sorted(missed)), of_parts=len(parts))


def silence_of(interval: timedelta, patience: timedelta) -> timedelta:
    """How long after a death `Rounds.silent` says so at the latest."""
    return interval * MISSED_ROUNDS + patience
