"""A seeded province: the events that its departments publish, in a stream that the seed and the start decide.

`stock` tells what stands and what went before in every department, `history` fills the running month with dossiers and
citizens' reports, `live` goes on from the start at a rate. The same arguments and calls give the same events, ids and
bytes; nothing here reads a clock.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.simulate import economy, offices, society, telecoms
from ioc.simulate.disturbances import INVALID_REASONS, broken, contradiction
from ioc.simulate.envelopes import SimulatedEvent
from ioc.simulate.inflow import Inflow
from ioc.simulate.lives import Step, plan_dossier, rfc3339
from ioc.simulate.past_incidents import past_incidents
from ioc.simulate.publishers import Publisher, World, beginning, tell
from ioc.simulate.states import ProvinceStates
from ioc.simulate.timetable import Turn, night_factor, stretch_of

__all__ = ["PUBLISHERS", "ProvinceSimulator"]

PUBLISHERS: tuple[Publisher, ...] = (
    *offices.PUBLISHERS,
    *telecoms.PUBLISHERS,
    *economy.PUBLISHERS,
    *society.PUBLISHERS,
)
_LIVES = (
    "dossier.submitted",
    "dossier.status_changed",
    "dossier.digitised",
    "dossier.paid",
    "dossier.rated",
    "report.submitted",
    "report.status_changed",
    "report.rated",
    "network.channel_state",
    "lgsp.service_call",
    "lgsp.connection",
    "camera.heartbeat",
)
_INCIDENTS = ("incident.changed", "incident.action")
_STATE_SHARE = 0.6  # of a slow stream's events that may go to the timetable
_REPEATABLE = 400  # a duplicate repeats one of this many last events
_CALL_HISTORY_MIN = 12  # minutes of LGSP figures before the start
_FIRST_S = 0.01  # the past ends with every state at the very start: the same instant would be a contradiction
_LATE_SHARE = 0.02  # of the timetable's events that arrive after later ones
_TOLD_TWICE = 4  # every fourth fact of the past was also told when it was new
_LATER_AT_MOST = 5000  # facts that wait to be told again; a stream that runs for months forgets some
_CONTRADICTION_EVERY = 6  # of the repeated events


class ProvinceSimulator:
    """One province from `start` on. Types that the catalogue does not have are left out, but for dossiers, reports,
    channels, the integration platform and cameras.

    Args:
        seed: decides everything that chance decides.
        start: aware; the past lies before it, live events after it.
        units: codes of the communes, the city's first.
        cameras: ids of the registered cameras, and the commune of each.
        event_types: the catalogue's.
        duplicate_share, invalid_share: shares (0–1) of the stream that repeat an event, or break the contract.

    Raises:
        ConfigurationError: a share out of range, no unit, a start without offset, or a type that the catalogue lacks.
    """

    def __init__(
        self,
        seed: int,
        *,
        start: datetime,
        units: Sequence[str],
        cameras: Mapping[str, str],
        event_types: Mapping[str, EventType],
        province: str = "lam-dong",
        duplicate_share: float = 0.0,
        invalid_share: float = 0.0,
    ) -> None:
        if not units:
            raise ConfigurationError("the simulated province has no commune; give at least one unit code")
        if start.tzinfo is None:
            raise ConfigurationError(f"the start {start} has no offset; write it like 2026-11-22T08:00:00+07:00")
        if not (0 <= duplicate_share <= 1 and 0 <= invalid_share <= 1 and duplicate_share + invalid_share < 1):
            raise ConfigurationError("the shares of duplicate and invalid events must lie in 0–1, together below 1")
        for name in _LIVES:
            if name not in event_types:
                raise ConfigurationError(f"event_types.yaml has no {name}, which the simulated province publishes")
        self._province, self._start = province, start.astimezone(UTC)
        self._units, self._cameras, self._types = tuple(units), dict(cameras), event_types
        self._duplicate_share, self._invalid_share = duplicate_share, invalid_share
        # Another start is another run: its ids must not look like repetitions of yesterday's.
        self._run = f"{seed}-{int(self._start.timestamp()):x}"
        self._rng = Random(f"{seed}:{self._run}")  # noqa: S311  (a simulation, not a secret)
        self._world = World(seed=seed, run=self._run, start=self._start, units=self._units)
        self._publishers = [publisher for publisher in PUBLISHERS if publisher.event in event_types]
        self._states = ProvinceStates(self._rng, self._units, tuple(cameras))
        self._inflow = Inflow(self._rng, run=self._run, start=self._start, units=self._units)
        self._later: list[tuple[datetime, int, Callable[[datetime], SimulatedEvent]]] = []
        self._recent: deque[SimulatedEvent] = deque(maxlen=_REPEATABLE)
        self._counts: Counter[str] = Counter()

    @property
    def topics(self) -> tuple[str, ...]:
        """Where events may go."""
        names = (*_LIVES, *_INCIDENTS, *(publisher.event for publisher in self._publishers))
        return tuple(sorted({self._types[name].topic for name in names if name in self._types}))

    def stock(self) -> Iterator[SimulatedEvent]:
        """Yields some 4,000 events by which every department tells how it stands and what happened in the last weeks,
        in the order of their publication. Facts of every fourth story are told twice; some arrive late."""
        rng, start = self._rng, self._start
        steps: list[tuple[datetime, Step]] = []
        for publisher in self._publishers:
            for step in self._stock_of(publisher):
                is_late = rng.random() < _LATE_SHARE
                steps.append((min(start, step.at + timedelta(hours=rng.uniform(2, 48) if is_late else 0)), step))
        steps.sort(key=lambda pair: pair[0])
        noise_share = self._duplicate_share + self._invalid_share
        yield from self._told(steps, round(len(steps) * noise_share / (1 - noise_share)))

    def past_incidents(self) -> Iterator[SimulatedEvent]:
        """Yields incidents that are over, with what was done about them. On-call keeps them and calls nobody."""
        if all(name in self._types for name in _INCIDENTS):
            for step in past_incidents(self._rng, self._run, self._start, self._cameras):
                yield self._publish(step, step.at, is_repeatable=False)

    def history(self, *, days: int, count: int) -> Iterator[SimulatedEvent]:
        """Yields `count` events of the `days` before the start, in the order of their publication.

        The last of them tell every channel, system and camera; dossiers still open go on in `live`.
        """
        noise = round(count * (self._duplicate_share + self._invalid_share))
        states = self._opening_states()[: count - noise]
        steps = sorted([*self._inflow.past_steps(days, count - noise - len(states)), *states], key=lambda step: step.at)
        yield from self._told([(step.at, step) for step in steps], noise)

    def live(
        self, *, rate_per_s: float, count: int | None = None, duration: timedelta | None = None
    ) -> Iterator[SimulatedEvent]:
        """Yields events at `rate_per_s`, evenly spaced from the start; endless without `count` and `duration`.

        Departments report on a timetable, and again when a fact has more to tell; the rest of the rate goes to
        dossiers and citizens' reports.

        Raises:
            ConfigurationError: the rate is not positive.
        """
        if rate_per_s <= 0:
            raise ConfigurationError(f"a rate of {rate_per_s} events a second is not possible; give one above 0")
        timetable = self._timetable(rate_per_s)
        number = 0
        while count is None or number < count:
            elapsed_s = number / rate_per_s
            if duration is not None and elapsed_s >= duration.total_seconds():
                return
            number += 1
            yield self._next(self._start + timedelta(seconds=elapsed_s), elapsed_s, timetable)

    # ---- what happens ----------------------------------------------------------------------------------------------

    def _told(self, steps: Sequence[tuple[datetime, Step]], noise: int) -> Iterator[SimulatedEvent]:
        """Publishes `steps`, each at its time, and among them as many disturbances as `noise` says."""
        count = len(steps) + noise
        noisy = set(self._rng.sample(range(1, count), noise)) if noise else set()
        rest, at = iter(steps), self._start
        self._recent.clear()  # nothing is repeated before it was told
        for number in range(count):
            if number in noisy:
                yield self._disturbance(at)
            else:
                at, step = next(rest)
                yield self._publish(step, at)

    def _next(self, at: datetime, elapsed_s: float, timetable: Sequence[Turn]) -> SimulatedEvent:
        rng = self._rng
        if rng.random() < self._duplicate_share + self._invalid_share:
            return self._disturbance(at)
        if self._later and self._later[0][0] <= at:
            return heapq.heappop(self._later)[2](at)
        turn = min(timetable, key=lambda turn: turn.due_s)
        if turn.due_s > elapsed_s:
            return self._publish(self._inflow.advance(at), at)
        event = turn.report(at)
        if not turn.may_be_late or rng.random() >= _LATE_SHARE:
            return event
        self._tell_later(
            at + timedelta(seconds=rng.uniform(5, 600)), lambda then: replace(event, at=then, reason="late")
        )
        return self._publish(self._inflow.advance(at), at)

    def _stock_of(self, publisher: Publisher) -> Iterator[Step]:
        for number in range(publisher.stock):
            began = publisher.stock_began(number, self._world)
            step, ahead = tell(publisher, self._world, number, began, began if publisher.is_state else self._start)
            if number % _TOLD_TWICE == 0 and step.at > began:
                first, had_more = tell(publisher, self._world, number, began, began)
                yield from (first,) if had_more else ()
            yield step
            self._await(publisher, number, began, ahead)

    def _report(self, publisher: Publisher, number: int, at: datetime) -> SimulatedEvent:
        """The next live report of a department: a state again, or a fact to which something happens now."""
        if publisher.is_state:
            step, _ = tell(publisher, self._world, number % publisher.stock, at, at)
        else:
            number += publisher.stock
            began = beginning(publisher, self._world, number, at, self._rng)
            step, ahead = tell(publisher, self._world, number, began, at)
            self._await(publisher, number, began, ahead)
        return self._publish(step, at)

    def _await(self, publisher: Publisher, number: int, began: datetime, ahead: Sequence[datetime]) -> None:
        """Tells the fact again once more of it is known."""
        if ahead:
            self._tell_later(min(ahead), partial(self._retell, publisher, number, began))

    def _retell(self, publisher: Publisher, number: int, began: datetime, at: datetime) -> SimulatedEvent:
        step, ahead = tell(publisher, self._world, number, began, at)
        self._await(publisher, number, began, ahead)
        return self._publish(step, at)

    def _tell_later(self, due_at: datetime, make: Callable[[datetime], SimulatedEvent]) -> None:
        if len(self._later) < _LATER_AT_MOST:
            self._counts["later"] += 1
            heapq.heappush(self._later, (due_at, self._counts["later"], make))

    def _opening_states(self) -> list[Step]:
        rng, states, at = self._rng, self._states, self._start
        calls = [
            states.call(rng, n, at - timedelta(minutes=back))
            for back in range(_CALL_HISTORY_MIN, -1, -1)
            for n in range(states.call_count)
        ]
        return [
            *(states.channel(rng, n, at) for n in range(states.channel_count)),
            *(states.connection(rng, n, at) for n in range(states.connection_count)),
            *(states.heartbeat(rng, n, at) for n in range(states.camera_count)),
            *calls,
        ]

    def _timetable(self, rate_per_s: float) -> list[Turn]:
        """Who reports when. A slow stream stretches every period, so that dossiers still get their share."""
        states, rng, start = self._states, self._rng, self._start
        next_minute_s = 60.0 - start.second - start.microsecond / 1e6
        wanted = (
            (states.heartbeat, states.camera_count, 30.0, _FIRST_S),
            (states.channel, states.channel_count, 60.0, _FIRST_S),
            (states.call, states.call_count, 60.0, next_minute_s),  # each call tells a whole minute, once
            (states.connection, states.connection_count, 300.0, _FIRST_S),
        )
        turns = [
            Turn(make=partial(self._state, make, count), step_s=period_s / count, due_s=first_s)
            for make, count, period_s, first_s in wanted
            if count
        ]
        turns += [
            Turn(
                make=partial(self._report, publisher),
                step_s=publisher.every_s,
                due_s=rng.uniform(0, publisher.every_s),
                slowness=night_factor if publisher.in_office_hours else None,
                may_be_late=True,
            )
            for publisher in self._publishers
        ]
        stretch = stretch_of(turns, _STATE_SHARE * rate_per_s)
        for turn in turns:
            turn.step_s *= stretch
        return turns

    def _state(
        self, make: Callable[[Random, int, datetime], Step], reporters: int, number: int, at: datetime
    ) -> SimulatedEvent:
        return self._publish(make(self._rng, number % reporters, at), at)

    # ---- envelopes -------------------------------------------------------------------------------------------------

    def _publish(self, step: Step, at: datetime, *, is_repeatable: bool = True) -> SimulatedEvent:
        """The event that says what `step` tells, published at `at`: later than it happened where it is late."""
        event_type = self._types[step.event]
        data = {
            name: rfc3339(value, self._rng) if isinstance(value, datetime) else value
            for name, value in step.data.items()
        }
        if step.time_field:
            data[step.time_field] = rfc3339(step.at, self._rng)
        ce = {
            "specversion": "1.0",
            "id": self._new_id(),
            "source": f"/{self._province}/{event_type.family}" + (f"/{step.system}" if step.system else ""),
            "type": event_type.ce_type,
            "time": step.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        event = SimulatedEvent(
            topic=event_type.topic,
            key=str(data[event_type.partition_key]),
            ce=ce,
            data=data,
            at=at,
            reason="late" if at - step.at > timedelta(hours=1) else "",
        )
        if is_repeatable:
            self._recent.append(event)
        return event

    def _new_id(self) -> str:
        self._counts["events"] += 1
        return f"{self._run}-{self._counts['events']:08d}"

    def _disturbance(self, at: datetime) -> SimulatedEvent:
        """A repeated event, one that contradicts another, or a broken one."""
        is_duplicate = self._rng.random() * (self._duplicate_share + self._invalid_share) < self._duplicate_share
        if not is_duplicate:
            return self._broken(at)
        if not self._recent:
            return self._publish(self._inflow.advance(at), at)  # nothing to repeat yet
        repeated = self._rng.choice(self._recent)
        self._counts["repeated"] += 1
        if self._counts["repeated"] % _CONTRADICTION_EVERY == 0:
            event_type = next(found for found in self._types.values() if found.ce_type == repeated.ce["type"])
            other = contradiction(repeated, event_type, self._new_id())
            if other is not None:
                return replace(other, at=at)
        return replace(repeated, at=at, kind="duplicate", reason="")

    def _broken(self, at: datetime) -> SimulatedEvent:
        """A broken event, every other one of a dossier that nobody else knows."""
        number = self._counts["broken"]
        self._counts["broken"] += 1
        if number % 2 == 0 or not self._publishers:
            step = plan_dossier(self._rng, f"x{self._run}-{number:06d}", at, self._units).steps[0]
        else:
            publisher = self._rng.choice(self._publishers)
            step, _ = tell(publisher, self._world, self._rng.randrange(publisher.stock), at, at)
        event = self._publish(step, at, is_repeatable=False)
        reasons = tuple(INVALID_REASONS)
        return broken(event, self._types[step.event], reasons[number % len(reasons)])
