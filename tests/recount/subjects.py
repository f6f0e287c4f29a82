"""One entity told of one or several times: later, earlier, at the same time, in part, deleted, told again."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tests.recount.accepting import HANOI
from tests.recount.event_types import EVENT_TYPES
from tests.recount.scribe import Scribe, near
from tests.recount.wire import Entity

__all__ = ["A_DAY", "day_text", "instants", "tell"]

A_DAY = timedelta(days=1)

Body = Callable[[datetime], dict[str, object]]
"""The fields of one telling that happened then, without the key and without the time that orders the facts."""


def day_text(moment: datetime) -> str:
    """Returns the local day."""
    return moment.astimezone(HANOI).date().isoformat()


def instants(scribe: Scribe, count: int, days: float) -> list[datetime]:
    """Returns times of one subject, some of them equal."""
    times: list[datetime] = []
    for _ in range(count):
        times.append(scribe.rng.choice(times) if times and scribe.chance(0.15) else scribe.moment(days))
    return times


def _key_value(scribe: Scribe, kind: str, value: object) -> object:
    """Writes a value of the key; an instant in any offset, a local midnight now and then as its day."""
    if not isinstance(value, datetime):
        return value
    is_midnight = value.astimezone(HANOI).strftime("%H%M%S%f") == "000000000000"
    if kind == "day" or (kind == "moment" and is_midnight and scribe.chance(0.5)):
        return day_text(value)
    return scribe.stamp(value)


def tell(
    scribe: Scribe,
    type_: str,
    identity: Mapping[str, object],
    body: Body,
    *,
    days: float = 60,
    most: int = 3,
    partition_key: str = "",
) -> None:
    """Tells of one entity at most `most` times. `identity`: its key, with times as instants."""
    rng, event_type = scribe.rng, EVENT_TYPES[f"vn.ioc.{type_}.v1"]
    time_field, fixed = event_type.time_field, identity.get(event_type.time_field)
    names = [
        value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value) for value in identity.values()
    ]
    entity: Entity = (event_type.entity, *names)
    for at in instants(scribe, rng.randrange(1, most + 1), days):
        moment = fixed if isinstance(fixed, datetime) else at
        kinds = event_type.fields
        key = {name: _key_value(scribe, kinds[name].kind, value) for name, value in identity.items()}
        data = {**key, **body(moment)}
        must_have = time_field != "ce_time" and time_field not in data
        if must_have and (kinds[time_field].is_required or not scribe.chance(0.06)):
            data[time_field] = _own_time(scribe, kinds[time_field].kind, moment)
        if scribe.chance(0.05):  # a tombstone needs the key and a time, and what else it says tells nothing
            times = {name: value for name, value in data.items() if name == time_field}
            data = {**(data if scribe.chance(0.5) else {**key, **times}), "deleted": True}
        has_time = data.get(time_field) is not None
        scribe.write(
            entity,
            partition_key or str(next(iter(identity.values()))),
            f"vn.ioc.{type_}.v1",
            event_type.topic,
            data,
            near(scribe, moment) if has_time else moment,
            without_time=has_time and scribe.chance(0.03),
        )


def _own_time(scribe: Scribe, kind: str, moment: datetime) -> str:
    if kind == "moment" and scribe.chance(0.3):
        return day_text(moment if moment <= scribe.clock else scribe.clock)
    return scribe.stamp(moment)
