"""A shard of entity rows in memory: what one write holds, what a restart finds, and what a redelivery is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.canary import ANSWERS_TOPIC, BEATS_TOPIC, Answer, answer_of, beat_record
from ioc.dead_letters import DEAD_LETTERS_TOPIC
from ioc.kpis import Figures
from ioc.windows import moment_of
from streams.batch_topics import Batch
from streams.entity_shard import EntityShard, PreparedWrite
from streams.partials import Complete, Gone, decode_message
from streams.row_stores import MemoryRows
from streams.shard_log import Outgoing, Restored
from tests.unit.domain.making import (
    BATCHED,
    MINUTE_US,
    NOW_US,
    at,
    attributes,
    binary,
    catalog,
    decoder,
    engine,
    shown,
    us,
)

DOSSIERS = "ioc.onestop.dossiers"
CHANNELS = "ioc.network.channels"
STRUCTURED_BY_US = ("content-type", b"application/cloudevents+json")
Partitioner = Callable[[Sequence[bytes]], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def record(offset: int, type_name: str, data: dict[str, Any], *, event_id: str = "", time: str = "07:00") -> Record:
    headers = binary(**attributes(type_name, event_id=event_id or f"e{offset}", time=time))
    key = str(next(iter(data.values()))).encode()
    return Record(offset, key, orjson.dumps(data), headers)


def dossier(offset: int, dossier_id: str = "D1", *, event_id: str = "", time: str = "07:00", **changes: Any) -> Record:
    data = {"dossier_id": dossier_id, "service_level": "full", "channel": "online", "submitted_at": at("20T08:00")}
    return record(offset, "dossier.submitted", data | changes, event_id=event_id, time=time)


def channel(offset: int, channel_id: str = "C1", *, up: bool = True) -> Record:
    return record(offset, "network.channel_state", {"channel_id": channel_id, "up": up, "at": at("07:00")})


def heartbeat(offset: int, when: str) -> Record:
    data = {"camera_id": "cam-01", "online": True, "last_frame_age_s": 0, "at": at(when)}
    return record(offset, "camera.heartbeat", data, time=when)


def calls(offset: int, when: str) -> Record:
    data = {"service_id": "S1", "consumer": "c", "window_start": at(when), "calls": 10, "errors": 1}
    return record(offset, "lgsp.service_call", data, time=when)


def broken(offset: int) -> Record:
    return Record(offset, b"D9", b"{", binary(**attributes("dossier.submitted", event_id=f"e{offset}")))


def together(offset: int, *records: Record) -> Record:
    """One batched record of the same events."""
    events = [
        {name.removeprefix("ce_"): text.decode() for name, text in one.headers}
        | {"data": orjson.loads(one.value or b"")}
        for one in records
    ]
    return Record(offset, None, orjson.dumps(events), BATCHED)


def everything_here(keys: Sequence[bytes]) -> Sequence[int]:
    return [0] * len(keys)


def new_shard(partition: int = 0, partitions_of: Partitioner = everything_here) -> EntityShard:
    return EntityShard(partition, catalog=catalog(), engine=engine(), decoder=decoder(), partitions_of=partitions_of)


def take(shard: EntityShard, *records: Record, topic: str = DOSSIERS, now_us: int = NOW_US) -> None:
    shard.take(Batch(topic, shard.partition, records), now_us)


@dataclass
class Disk:
    """What Kafka holds of one partition: rows, the last marker, and the figures that the partials make."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    marker: bytes | None = None
    figures: Figures = field(default_factory=lambda: Figures(engine()))
    letters: list[Outgoing] = field(default_factory=list)

    def write(self, shard: EntityShard, now_us: int = NOW_US) -> PreparedWrite | None:
        """One transaction."""
        write = shard.prepare(now_us)
        if write is not None:
            self.rows.update({key: data for key, data in write.rows.items() if data is not None})
            self.marker = write.marker
            self.letters += [other for other in write.others if other.topic == DEAD_LETTERS_TOPIC]
            self.read(write.others)
            shard.committed(write)
        return write

    def read(self, others: Iterable[Outgoing]) -> None:
        for message in messages(others):
            match message:
                case Complete():
                    self.figures.complete(*message)
                case Gone():
                    self.figures.forget(*message)
                case _:
                    self.figures.merge(message)

    def reopened(self, now_us: int = NOW_US) -> EntityShard:
        shard = new_shard()
        shard.restore(
            Restored(rows=MemoryRows({key.decode(): data for key, data in self.rows.items()}), marker=self.marker),
            now_us,
        )
        return shard

    def figure(self, kpi: str, window: str, *, clock_us: int = NOW_US) -> tuple[float | None, float, float | None]:
        return shown(self.figures.figures(clock_us))[kpi, "*", "", window]


def entity_rows(write: PreparedWrite) -> list[bytes]:
    """Without the rows of the sources' own figures, which change with every verdict."""
    return [key for key in write.rows if not key.startswith((b"source_", b"layout"))]


def messages(others: Iterable[Outgoing]) -> list[Any]:
    return [decode_message(other.key, other.value) for other in others if other.topic == "ioc.kpi.partials"]


# ---- one write -----------------------------------------------------------------------------------------------------


def test_a_write_holds_rows_figures_dead_letters_counters_and_the_place_in_the_input() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(0), dossier(1, "D2", channel="counter"), broken(2), dossier(3, event_id="e0"))
    write = disk.write(shard)
    assert write is not None
    assert len(entity_rows(write)) == 2
    assert write.outcomes[DOSSIERS] == {"in": 4, "accepted": 2, "duplicate": 1, "rejected": 1, "rerouted": 0}
    assert write.next_offsets == {DOSSIERS: 4}
    assert len(disk.letters) == 1
    assert disk.figure("dossiers_online", "mtd") == (0.5, 1.0, 2.0)


def test_the_first_write_tells_that_the_shard_is_complete_and_then_nothing_without_news() -> None:
    shard = new_shard()
    first = shard.prepare(NOW_US)
    assert first is not None
    assert messages(first.others) == [Complete(0, 1, {})]
    assert shard.prepare(NOW_US) is None


def test_a_write_holds_only_what_changed() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(0), dossier(1, "D2"))
    disk.write(shard)
    take(shard, dossier(2, "D2", channel="counter", time="07:30"))
    write = disk.write(shard)
    assert write is not None
    assert [key for key in entity_rows(write) if b"D2" in key] == entity_rows(write)
    assert disk.figure("dossiers_online", "mtd") == (0.5, 1.0, 2.0)


def test_a_duplicate_changes_no_row_and_no_figure_and_is_counted() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(0))
    disk.write(shard)
    take(shard, dossier(1, event_id="e0", channel="counter"))
    write = disk.write(shard)
    assert write is not None
    assert (entity_rows(write), write.outcomes[DOSSIERS]["duplicate"]) == ([], 1)
    assert disk.figure("dossiers_online", "mtd") == (1.0, 1.0, 1.0)


def test_counts_are_durable_only_when_the_write_is() -> None:
    shard = new_shard()
    take(shard, dossier(0))
    write = shard.prepare(NOW_US)
    assert write is not None
    assert shard.committed_outcomes == {}
    take(shard, dossier(1, "D2"))
    shard.committed(write)
    assert shard.committed_outcomes[DOSSIERS]["accepted"] == 1


def test_a_batch_without_records_is_nothing() -> None:
    shard = new_shard()
    take(shard)
    assert shard.next_offset(DOSSIERS) == 0


# ---- dead letters --------------------------------------------------------------------------------------------------


def test_a_dead_letter_names_the_record_and_keeps_it() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(6), broken(7))
    disk.write(shard)
    (letter,) = disk.letters
    body = orjson.loads(letter.value or b"")
    expected = {
        "topic": DOSSIERS,
        "partition": 0,
        "offset": 7,
        "index": 0,
        "reason": "bad_json",
        "event_ref": f"{DOSSIERS}/0/7",
        "source": "/lam-dong/onestop",
        "original": "ew==",
    }
    assert expected.items() <= body.items()
    assert letter.key == b"/lam-dong/onestop"
    assert body["at"] == at("08:00").replace(".000000", "")


def test_in_a_batched_record_each_event_has_its_own_outcome() -> None:
    disk, shard = Disk(), new_shard()
    bad = record(0, "dossier.submitted", {"dossier_id": "D3"}, event_id="bad")
    take(shard, together(5, dossier(0), bad, dossier(0), dossier(2, "D2")))
    write = disk.write(shard)
    assert write is not None
    assert write.outcomes[DOSSIERS] == {"in": 4, "accepted": 2, "duplicate": 1, "rejected": 1, "rerouted": 0}
    (letter,) = disk.letters
    assert orjson.loads(letter.value or b"")["index"] == 1


def test_an_entity_that_is_full_is_a_dead_letter_and_the_next_event_goes_on() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, *[dossier(offset) for offset in range(1_001)], dossier(1_001, "D2"))
    write = disk.write(shard)
    assert write is not None
    assert write.outcomes[DOSSIERS] == {"in": 1_002, "accepted": 1_001, "duplicate": 0, "rejected": 1, "rerouted": 0}
    assert orjson.loads(disk.letters[0].value or b"")["reason"] == "entity_full"


def test_what_is_older_than_its_entity_is_kept_is_refused_with_the_field_that_says_so() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, calls(0, "2025-01-02T06:30"), topic="ioc.lgsp.calls")
    disk.write(shard)
    letter = orjson.loads(disk.letters[0].value or b"")
    assert (letter["reason"], letter["field"]) == ("too_late", "window_start")
    assert "window_start=2025-01-02T06:30:00+07:00" in str(letter)


# ---- keys that landed elsewhere ------------------------------------------------------------------------------------


def by_last_digit(keys: Sequence[bytes]) -> Sequence[int]:
    return [key[-1] % 2 for key in keys]


def test_an_event_on_the_wrong_partition_is_sent_on_byte_for_byte_and_not_counted_here() -> None:
    shard = new_shard(partition=0, partitions_of=by_last_digit)
    here, elsewhere = dossier(0, "D2"), dossier(1, "D3")
    take(shard, here, elsewhere)
    write = shard.prepare(NOW_US)
    assert write is not None
    assert write.outcomes[DOSSIERS] == {"in": 1, "accepted": 1, "duplicate": 0, "rejected": 0, "rerouted": 1}
    assert write.others[0] == Outgoing(
        topic=DOSSIERS, key=b"D3", value=elsewhere.value, headers=elsewhere.headers, partition=1
    )
    assert [key for key in write.rows if b"D3" in key] == []


def test_a_batched_record_is_split_by_key() -> None:
    shard = new_shard(partition=0, partitions_of=by_last_digit)
    take(shard, together(0, dossier(0, "D2"), dossier(1, "D3"), dossier(2, "D4")))
    write = shard.prepare(NOW_US)
    assert write is not None
    assert write.outcomes[DOSSIERS]["accepted"] == 2
    (sent_on,) = (other for other in write.others if other.topic == DOSSIERS)
    assert (sent_on.key, sent_on.partition, sent_on.headers) == (b"D3", 1, (STRUCTURED_BY_US,))
    other = new_shard(partition=1, partitions_of=by_last_digit)
    take(other, Record(9, sent_on.key, sent_on.value, sent_on.headers))
    arrived = other.prepare(NOW_US)
    assert arrived is not None
    assert arrived.outcomes[DOSSIERS] == {"in": 1, "accepted": 1, "duplicate": 0, "rejected": 0, "rerouted": 0}


def test_an_invalid_event_is_rejected_wherever_it_lands() -> None:
    shard = new_shard(partition=0, partitions_of=by_last_digit)
    take(shard, broken(0))
    write = shard.prepare(NOW_US)
    assert write is not None
    assert write.outcomes[DOSSIERS]["rejected"] == 1


# ---- redelivery and restart ----------------------------------------------------------------------------------------


def test_a_redelivered_offset_is_nothing() -> None:
    disk, shard = Disk(), new_shard()
    records = [dossier(0), broken(1), dossier(2, event_id="e0")]
    take(shard, *records)
    disk.write(shard)
    before = disk.figure("dossiers_online", "mtd")
    take(shard, *records)
    assert disk.write(shard) is None
    take(shard, *records, dossier(3, "D2"))
    write = disk.write(shard)
    assert write is not None
    assert write.outcomes[DOSSIERS] == {"in": 4, "accepted": 2, "duplicate": 1, "rejected": 1, "rerouted": 0}
    assert len(disk.letters) == 1
    assert before == (1.0, 1.0, 1.0)


def test_each_topic_has_its_own_place() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(7))
    take(shard, channel(3), topic=CHANNELS)
    disk.write(shard)
    again = disk.reopened()
    assert (again.next_offset(DOSSIERS), again.next_offset(CHANNELS), again.next_offset("ioc.lgsp.calls")) == (8, 4, 0)


def test_a_restart_finds_rows_counters_and_figures_and_begins_a_new_epoch() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, dossier(0), dossier(1, "D2", channel="counter"), broken(2))
    disk.write(shard)
    again = disk.reopened()
    assert again.rows == 2
    assert again.committed_outcomes == shard.committed_outcomes
    write = disk.write(again)
    assert write is not None
    (complete,) = (message for message in messages(write.others) if isinstance(message, Complete))
    assert (complete.epoch, complete.newest) == (2, {"dossier.submitted": us("07:00")})
    assert disk.figure("dossiers_online", "mtd") == (0.5, 1.0, 2.0)
    take(again, dossier(3, "D2", event_id="e1"), dossier(4, "D2", time="07:30"))
    disk.write(again)
    assert again.committed_outcomes[DOSSIERS] == {"in": 5, "accepted": 3, "duplicate": 1, "rejected": 1, "rerouted": 0}
    assert disk.figure("dossiers_online", "mtd") == (1.0, 2.0, 2.0)


def test_figures_that_a_dead_owner_told_after_its_last_durable_row_are_void() -> None:
    """A transaction can't do this; a figures role that saw it all the same must come right."""
    disk, shard = Disk(), new_shard()
    take(shard, dossier(0))
    disk.write(shard)
    take(shard, dossier(1, "D2", agency_code="H14.09"))
    torn = shard.prepare(NOW_US)
    assert torn is not None
    disk.read(torn.others)
    again = disk.reopened()
    disk.write(again)
    assert disk.figure("dossiers_online", "mtd") == (1.0, 1.0, 1.0)
    left = shown(disk.figures.figures(NOW_US)).get(("dossiers_online", "*", "H14.09", "mtd"))
    assert left in (None, (None, 0.0, 0.0))


def resolved(offset: int, dossier_id: str) -> Record:
    return record(
        offset, "dossier.status_changed", {"dossier_id": dossier_id, "status": "resolved", "at": at("21T08:00")}
    )


POOL = [
    *[dossier(n, f"D{n % 3}", event_id=f"e{n % 7}", channel=("online", "counter")[n % 2]) for n in range(12)],
    broken(12),
    *[resolved(13 + n, f"D{n}") for n in range(3)],
    together(16, dossier(50), record(51, "dossier.submitted", {"dossier_id": "D2"}), dossier(52, "D5")),
]
THEN = st.sampled_from(["write", "die", "die before the commit", "again"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), THEN), max_size=12))
def test_wherever_it_dies_figures_and_counts_are_those_of_an_undisturbed_run(steps: list[tuple[int, str]]) -> None:
    undisturbed, calm = Disk(), new_shard()
    take(calm, *POOL)
    undisturbed.write(calm)

    disk, shard, place = Disk(), new_shard(), 0
    for count, then in [*steps, (len(POOL), "write")]:
        take(shard, *POOL[place : place + count])
        place = min(place + count, len(POOL))
        if then == "again":
            take(shard, *POOL[max(0, place - 3) : place])
        elif then == "write":
            disk.write(shard)
        else:
            if then == "die before the commit":
                shard.prepare(NOW_US)
            shard = disk.reopened()
            place = max(0, shard.next_offset(DOSSIERS) - 2)  # Faust's own commit may lie behind the marker
    while place < len(POOL):
        take(shard, *POOL[place : place + 5])
        place += 5
        disk.write(shard)

    assert shard.committed_outcomes == calm.committed_outcomes
    assert shown(disk.figures.figures(NOW_US)) == shown(undisturbed.figures.figures(NOW_US))
    assert len(disk.letters) == len(undisturbed.letters)
    assert {key: msgspec.msgpack.decode(data) for key, data in disk.rows.items()} == {
        key: msgspec.msgpack.decode(data) for key, data in undisturbed.rows.items()
    }


# ---- the clock -----------------------------------------------------------------------------------------------------


def test_a_camera_that_falls_silent_goes_offline_without_any_event() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, heartbeat(0, "08:00"), topic="ioc.camera.health")
    disk.write(shard)
    assert disk.figure("camera_online", "now")[1] == 1.0
    assert disk.write(shard, us("08:02")) is None, "120 s old is still online"
    assert disk.write(shard, us("08:02:00.000001")) is not None
    assert disk.figure("camera_online", "now", clock_us=us("08:03"))[1] == 0.0
    take(shard, heartbeat(1, "08:03"), topic="ioc.camera.health", now_us=us("08:03"))
    disk.write(shard, us("08:03"))
    assert disk.figure("camera_online", "now", clock_us=us("08:03"))[1] == 1.0


def test_a_camera_that_fell_silent_while_nobody_was_there_is_offline_after_the_restart() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, heartbeat(0, "08:00"), topic="ioc.camera.health")
    disk.write(shard)
    again = disk.reopened(us("09:00"))
    disk.write(again, us("09:00"))
    assert disk.figure("camera_online", "now", clock_us=us("09:00"))[1] == 0.0
    take(again, heartbeat(1, "09:00"), topic="ioc.camera.health", now_us=us("09:00"))
    disk.write(again, us("09:00"))
    assert disk.figure("camera_online", "now", clock_us=us("09:00"))[1] == 1.0


def test_minutes_that_no_window_reaches_are_dropped_and_the_day_keeps_them() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, calls(0, "08:00"), topic="ioc.lgsp.calls")
    disk.write(shard)
    assert disk.figure("lgsp_success", "1h") == (0.9, 9.0, 10.0)
    later = us("11:00")
    write = disk.write(shard, later)
    assert write is not None
    (gone,) = (m for m in messages(write.others) if isinstance(m, Gone) and m.key.kpi == "lgsp_success")
    assert (gone.key.grain, gone.key.bucket) == ("minute", us("08:00") // MINUTE_US)
    assert disk.figure("lgsp_success", "1h", clock_us=later) == (None, 0.0, 0.0)
    assert disk.figure("lgsp_success", "day", clock_us=later) == (0.9, 9.0, 10.0)


def test_after_a_restart_an_old_minute_is_not_told_again() -> None:
    disk, shard = Disk(), new_shard()
    take(shard, calls(0, "08:00"), topic="ioc.lgsp.calls")
    disk.write(shard)
    again = disk.reopened(us("11:00"))
    write = disk.write(again, us("11:00"))
    assert write is not None
    told = [message.key for message in messages(write.others) if not isinstance(message, Complete)]
    assert {key.grain for key in told if key.kpi == "lgsp_success"} == {"day"}
    assert disk.figure("lgsp_success", "day", clock_us=us("11:00")) == (0.9, 9.0, 10.0)


@pytest.mark.parametrize("partitions", [1, 2])
def test_figures_are_the_same_over_however_many_partitions(partitions: int) -> None:
    def partitions_of(keys: Sequence[bytes]) -> Sequence[int]:
        return [key[-1] % partitions for key in keys]

    disk = Disk()
    for partition in range(partitions):
        shard = new_shard(partition, partitions_of)
        own = [
            one
            for one in (dossier(index, f"D{index}") for index in range(6))
            if partitions_of([one.key or b""])[0] == partition
        ]
        take(shard, *own)
        write = shard.prepare(NOW_US)
        assert write is not None
        disk.read(write.others)
    assert disk.figure("dossiers_online", "mtd") == (1.0, 6.0, 6.0)


# ---- canaries ------------------------------------------------------------------------------------------------------


def test_a_canary_is_answered_in_the_next_write_and_counts_nowhere() -> None:
    shard, now = new_shard(), moment_of(NOW_US)
    value, headers = beat_record(7, "0", province="lam-dong", at=now)
    batch = Batch(BEATS_TOPIC, 0, [Record(4, None, value, headers), Record(5, None, b"{", headers)])
    shard.take(batch, NOW_US)
    write = shard.prepare(NOW_US)
    assert write is not None
    (answer,) = [other for other in write.others if other.topic == ANSWERS_TOPIC]
    assert answer_of(answer.value, answer.headers) == Answer(half="events", part="0", mark=7)
    assert (write.outcomes, shard.rows, write.next_offsets[BEATS_TOPIC]) == ({}, 0, 6)
    shard.take(batch, NOW_US)  # delivered again
    again = shard.prepare(NOW_US)
    assert again is None or not [other for other in again.others if other.topic == ANSWERS_TOPIC]
