"""A seeded province: the events that its departments publish, in a stream that the seed and the start decide.

`history` fills the running month and year, `live` goes on from the start at a rate. The same arguments give the same
events, ids and bytes; nothing here reads a clock.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from ioc.errors import ConfigurationError
from ioc.simulate.envelopes import EVENT_ROUTES, SimulatedEvent, encode_binary
from ioc.simulate.lives import LOCAL, Life, Step, plan_dossier, plan_report, rfc3339
from ioc.simulate.states import ProvinceStates

__all__ = ["INVALID_REASONS", "ProvinceSimulator"]

INVALID_REASONS = (
    "bad_json",
    "unknown_type",
    "missing_field",
    "wrong_type",
    "foreign_source",
    "time_1970",
    "time_2099",
)
"""The ways in which a simulated event is broken, each in its turn."""

_DOSSIER_SHARE = 0.72  # of new lives; the rest are citizen reports
_OPEN_ENOUGH = 300  # open dossiers and reports: below it most events begin a new one
_STATE_SHARE = 0.6  # of a slow stream's events that may go to states repeating themselves
_REPEATABLE = 400  # a duplicate repeats one of this many last events
_CALL_HISTORY_MIN = 12  # minutes of LGSP figures before the start


class ProvinceSimulator:
    """One province from `start` on.

    Args:
        seed: decides everything that chance decides.
        start: aware; history lies before it, live events after it.
        units: codes of the communes, the city's first.
        cameras: ids of the registered cameras.
        duplicate_share, invalid_share: shares (0–1) of the stream that repeat an event, or break the contract.

    Raises:
        ConfigurationError: a share out of range, no unit, or a start without offset.
    """

    def __init__(
        self,
        seed: int,
        *,
        start: datetime,
        units: Sequence[str],
        cameras: Sequence[str],
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
        self._province, self._start = province, start.astimezone(UTC)
        self._units = tuple(units)
        self._duplicate_share, self._invalid_share = duplicate_share, invalid_share
        # Another start is another run: its ids must not look like repetitions of yesterday's.
        self._run = f"{seed}-{int(self._start.timestamp()):x}"
        self._rng = Random(f"{seed}:{self._run}")  # noqa: S311  (a simulation, not a secret)
        self._states = ProvinceStates(self._rng, self._units, cameras)
        self._open: list[Life] = []
        self._recent: deque[SimulatedEvent] = deque(maxlen=_REPEATABLE)
        self._events = self._lives = self._broken = 0

    def history(self, *, days: int, count: int) -> Iterator[SimulatedEvent]:
        """Yields `count` events of the `days` before the start, in the order of their publication.

        The last of them tell every channel, system and camera; dossiers still open go on in `live`.
        """
        rng = self._rng
        noise = round(count * (self._duplicate_share + self._invalid_share))
        states = self._opening_states()[: count - noise]
        steps = sorted([*self._past_steps(days, count - noise - len(states)), *states], key=lambda step: step.at)
        noisy = set(rng.sample(range(1, count), noise)) if noise else set()
        rest, at = iter(steps), self._start
        for number in range(count):
            if number in noisy:
                yield self._disturbance(at)
            else:
                step = next(rest)
                at = step.at
                yield self._publish(step)

    def live(
        self, *, rate_per_s: float, count: int | None = None, duration: timedelta | None = None
    ) -> Iterator[SimulatedEvent]:
        """Yields events at `rate_per_s`, evenly spaced from the start; endless without `count` and `duration`.

        States repeat themselves on a timetable; the rest of the rate goes to dossiers and reports.

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
            at = self._start + timedelta(seconds=elapsed_s)
            number += 1
            if self._rng.random() < self._duplicate_share + self._invalid_share:
                yield self._disturbance(at)
                continue
            turn = min(timetable, key=lambda turn: turn.due_s)
            yield self._publish(turn.report(self._rng, at) if turn.due_s <= elapsed_s else self._advance(at))

    # ---- what happens ----------------------------------------------------------------------------------------------

    def _moment(self, begin: datetime) -> datetime:
        """When a citizen submits: mostly in office hours, sometimes in the evening, now and then at midnight sharp."""
        rng = self._rng
        day = (
            (begin + (self._start - begin) * rng.random())
            .astimezone(LOCAL)
            .replace(hour=0, minute=0, second=0, microsecond=0)
        )
        draw = rng.random()
        if draw < 0.005:
            seconds = 0.0
        elif draw < 0.01:
            seconds = 86_399.999
        else:
            seconds = rng.triangular(0, 86_399, 34_000) if draw < 0.2 else rng.uniform(27_000, 61_200)
        moment = (day + timedelta(seconds=seconds)).astimezone(UTC)
        return moment if begin <= moment <= self._start else begin + (self._start - begin) * rng.random()

    def _past_steps(self, days: int, count: int) -> list[Step]:
        """`count` steps of enough lives before the start; what lies after the start stays open."""
        steps: list[Step] = []
        begin = self._start - timedelta(days=max(days, 1))
        while len(steps) < count:
            life = self._new_life(self._moment(begin))
            past = [step for step in life.steps if step.at <= self._start][: count - len(steps)]
            life.steps = life.steps[len(past) :]
            steps += past
            if life.steps:
                self._open.append(life)
        return steps

    def _new_life(self, at: datetime) -> Life:
        self._lives += 1
        tail = f"{self._run}-{self._lives:06d}"
        if self._rng.random() < _DOSSIER_SHARE:
            return plan_dossier(self._rng, tail, at, self._units)
        return plan_report(self._rng, f"pa-{tail}", at, self._units)

    def _advance(self, at: datetime) -> Step:
        """Something new is submitted, or something open takes its next step (the day's pace is compressed)."""
        wanted = 0.6 if len(self._open) < _OPEN_ENOUGH else 0.15
        if not self._open or self._rng.random() < wanted:
            life = self._new_life(at)
        else:
            place = self._rng.randrange(len(self._open))
            self._open[place], self._open[-1] = self._open[-1], self._open[place]
            life = self._open.pop()
        step = life.steps.pop(0)
        if life.steps:
            self._open.append(life)
        return replace(step, at=at)

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

    def _timetable(self, rate_per_s: float) -> "list[_Turn]":
        """Who reports when. A slow stream stretches every period, so that dossiers still get their share."""
        states, start = self._states, self._start
        next_minute_s = 60.0 - start.second - start.microsecond / 1e6
        wanted = (
            (states.heartbeat, states.camera_count, 30.0, 0.0),
            (states.channel, states.channel_count, 60.0, 0.0),
            (states.call, states.call_count, 60.0, next_minute_s),  # each call tells a whole minute, once
            (states.connection, states.connection_count, 300.0, 0.0),
        )
        load_per_s = sum(reporters / period_s for _, reporters, period_s, _ in wanted)
        stretch = max(1.0, load_per_s / (_STATE_SHARE * rate_per_s))
        return [
            _Turn(make=make, reporters=reporters, step_s=period_s * stretch / reporters, due_s=first_s)
            for make, reporters, period_s, first_s in wanted
            if reporters
        ]

    # ---- envelopes -------------------------------------------------------------------------------------------------

    def _publish(self, step: Step) -> SimulatedEvent:
        route = EVENT_ROUTES[step.event]
        data = dict(step.data)
        if step.time_field:
            data[step.time_field] = rfc3339(step.at, self._rng)
        self._events += 1
        ce = {
            "specversion": "1.0",
            "id": f"{self._run}-{self._events:08d}",
            "source": f"/{self._province}/{route.family}/{route.system}",
            "type": route.ce_type,
            "time": step.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        event = SimulatedEvent(topic=route.topic, key=str(data[route.key_field]), ce=ce, data=data, at=step.at)
        self._recent.append(event)
        return event

    def _disturbance(self, at: datetime) -> SimulatedEvent:
        """A repeated event, or a broken one of a dossier that nobody else knows."""
        is_duplicate = self._rng.random() * (self._duplicate_share + self._invalid_share) < self._duplicate_share
        if is_duplicate and self._recent:
            return replace(self._rng.choice(self._recent), at=at, kind="duplicate")
        if is_duplicate:
            return self._publish(self._advance(at))  # nothing to repeat yet
        reason = INVALID_REASONS[self._broken % len(INVALID_REASONS)]
        self._broken += 1
        life = plan_dossier(self._rng, f"x{self._run}-{self._broken:06d}", at, self._units)
        event = self._publish(life.steps[0])
        self._recent.pop()
        return _broken(event, reason)


class _Turn:
    """One kind of state on the timetable: its reporters speak in turn, `step_s` apart."""

    def __init__(
        self, *, make: Callable[[Random, int, datetime], Step], reporters: int, step_s: float, due_s: float
    ) -> None:
        self._make, self._reporters, self._step_s = make, reporters, step_s
        self._number = 0
        self.due_s = due_s

    def report(self, rng: Random, at: datetime) -> Step:
        step = self._make(rng, self._number % self._reporters, at)
        self._number += 1
        self.due_s += self._step_s
        return step


def _broken(event: SimulatedEvent, reason: str) -> SimulatedEvent:
    ce, data, raw = dict(event.ce), dict(event.data), None
    match reason:
        case "bad_json":
            raw = encode_binary(event)[1][:-7]
        case "unknown_type":
            ce["type"] = "vn.ioc.dossier.imagined.v1"
        case "missing_field":
            del data["channel"]
        case "wrong_type":
            data["submitted_at"] = 20261122
        case "foreign_source":
            ce["source"] = ce["source"].replace("/onestop/", "/camera/")
        case "time_1970":
            ce["time"] = "1970-01-01T00:00:00Z"
        case "time_2099":
            ce["time"] = "2099-01-01T00:00:00Z"
    return replace(event, ce=ce, data=data, raw=raw, kind="invalid", reason=reason)
