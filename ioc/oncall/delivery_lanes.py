"""What may be tried now. Pure: waiting entries in, tries out; time is an argument.

A lane is one recipient at one address of a channel. Entries of a lane are tried in their order: while the oldest fails,
those behind it wait, so that after an outage all come in order. Two things soften that: whoever waits too long is told
at the person's next address, and an entry that alone fails, while the one behind it passes, is left behind.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.oncall.outcomes import OutboxRow

__all__ = [
    "ACTIONS",
    "MACHINES",
    "PEOPLE",
    "Bucket",
    "Lane",
    "LaneRules",
    "Plan",
    "Start",
    "lane_of",
    "overdue",
    "plan",
]

Lane = tuple[str, str]
"""(recipient, address)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRules:
    """`parallel`: tries of a healthy lane at one time. More than `digest_over` waiting notices go as one message, at
    most `most`; None: never. `burst` messages to one recipient at once, then one each `every`; None: no limit.

    `is_one_lane`: all recipients are the same receiver.
    """

    parallel: int
    most: int
    digest_over: int | None = None
    burst: int | None = None
    every: timedelta = timedelta(seconds=5)
    is_one_lane: bool = False


PEOPLE = LaneRules(parallel=1, most=200, digest_over=5, burst=10)
"""Somebody reads it: ten messages in a row, then one each five seconds; a crowd of notices comes as one."""
MACHINES = LaneRules(parallel=8, most=200)
ACTIONS = LaneRules(parallel=32, most=200, is_one_lane=True)
STUCK_AFTER = 6  # failed tries (half a minute): by then an outage and one bad entry must be told apart


class Bucket:
    """A token bucket: `size` at once, then one each `every`. A clock that jumps back adds nothing and takes nothing."""

    __slots__ = ("_at", "_every", "_size", "_tokens")

    def __init__(self, size: int, every: timedelta, now: datetime) -> None:
        self._size, self._every, self._at = size, every, now
        self._tokens = float(size)

    def ready_at(self, now: datetime) -> datetime:
        """When a token is there: `now`, or later."""
        self._fill(now)
        return now if self._tokens >= 1 else now + (1 - self._tokens) * self._every

    def take(self, now: datetime) -> None:
        self._fill(now)
        self._tokens -= 1

    def _fill(self, now: datetime) -> None:
        passed = max(timedelta(), now - self._at)
        self._at = now
        self._tokens = min(float(self._size), self._tokens + passed / self._every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One try: of one entry, or of several in one message. `behind`: a probe past this entry, which keeps failing."""

    lane: Lane
    rows: tuple[OutboxRow, ...]
    behind: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start now, and when to look again; None: something new or something ended says when."""

    starts: tuple[Start, ...]
    next_at: datetime | None


def lane_of(row: OutboxRow, rules: LaneRules) -> Lane:
    return ("", "") if rules.is_one_lane else (row.recipient, row.address)


def overdue(rows: Iterable[OutboxRow], created_before: datetime) -> list[OutboxRow]:
    """Entries that wait since before `created_before` and have another address of the person to spare."""
    return [row for row in rows if row.spare and row.created_at <= created_before]


def plan(
    rows: Sequence[OutboxRow],
    rules: LaneRules,
    now: datetime,
    *,
    in_flight: Mapping[Lane, Collection[int]],
    stuck: Collection[int],
    probes: Collection[Lane],
    draining: Mapping[Lane, int],
    buckets: Mapping[Lane, Bucket],
) -> Plan:
    """Returns the tries to start. `rows` are pending entries in their order, those in flight among them.

    `stuck`: entries that are left behind, tried by themselves when due. `probes`: lanes whose oldest entry has just
    failed once more, and where the next one may be tried past it. `draining`: up to which entry a lane goes one by one,
    because it was down.
    """
    lanes: dict[Lane, list[OutboxRow]] = {}
    for row in rows:
        lanes.setdefault(lane_of(row, rules), []).append(row)
    starts: list[Start] = []
    times: list[datetime] = []
    for lane, waiting in lanes.items():
        flying = in_flight.get(lane, ())
        for row in waiting:
            if row.entry_id in stuck and row.entry_id not in flying:
                if _due_at(row) <= now:
                    starts.append(Start(lane=lane, rows=(row,)))
                else:
                    times.append(_due_at(row))
        orderly = [row for row in waiting if row.entry_id not in stuck]
        if not orderly:
            continue
        found = _orderly(lane, orderly, rules, now, flying, lane in probes, draining.get(lane, -1))
        ready_at = buckets[lane].ready_at(now) if lane in buckets and found.starts else now
        if ready_at > now:
            times.append(ready_at)
        else:
            starts += found.starts
            times += [found.next_at] if found.next_at else []
    return Plan(starts=tuple(starts), next_at=min(times, default=None))


def _orderly(
    lane: Lane,
    rows: Sequence[OutboxRow],
    rules: LaneRules,
    now: datetime,
    flying: Collection[int],
    is_probe: bool,
    drain_to: int,
) -> Plan:
    head = rows[0]
    free = [row for row in rows if row.entry_id not in flying]
    is_single = rules.parallel == 1 or head.attempts > 0 or head.entry_id <= drain_to
    if not free or (flying and is_single) or len(flying) >= rules.parallel:
        return Plan(starts=(), next_at=None)
    if head.attempts > 0 and _due_at(head) > now:
        if is_probe and len(free) > 1:
            return Plan(starts=(Start(lane=lane, rows=(free[1],), behind=head.entry_id),), next_at=_due_at(head))
        return Plan(starts=(), next_at=_due_at(head))
    if is_single:
        return Plan(starts=(Start(lane=lane, rows=_together(free, rules)),), next_at=None)
    due = [row for row in free if _due_at(row) <= now]
    room = rules.parallel - len(flying)
    return Plan(starts=tuple(Start(lane=lane, rows=(row,)) for row in due[:room]), next_at=None)


def _together(free: Sequence[OutboxRow], rules: LaneRules) -> tuple[OutboxRow, ...]:
    """The head alone, or the digest that it leads. A digest that failed is tried again as it was: same words, same
    key."""
    head = free[0]
    if rules.digest_over is None:
        return (head,)
    if head.attempts > 0:
        same = [row for row in free if row.attempts > 0 and row.next_attempt_at == head.next_attempt_at]
        if len(same) > 1:
            return tuple(same)
    return tuple(free) if len(free) > rules.digest_over else (head,)


def _due_at(row: OutboxRow) -> datetime:
    return row.next_attempt_at or row.created_at
