"""What a shard of entities sends beside its rows, gathered until the write that carries it."""

from collections.abc import Iterable, Mapping
from typing import Any

from ioc.canary import ANSWERS_TOPIC, Answer, answer_record
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.events import Event, EventDecoder, Rejected
from ioc.kpis import Cell, CellKey
from ioc.windows import moment_of
from streams.partials import encode_complete, encode_gone, encode_partial
from streams.shard_log import Outgoing

__all__ = ["ShardOutbox"]

_STRUCTURED_HEADERS = (("content-type", b"application/cloudevents+json"),)


class ShardOutbox:
    """Dead letters, events for other partitions, answers to canaries, and the shard's part of the figures."""

    def __init__(self, partition: int, *, province: str, decoder: EventDecoder) -> None:
        self._partition, self._province, self._decoder = partition, province, decoder
        self._waiting: list[Outgoing] = []
        self._writes = 0  # of this owner

    def answer(self, answer: Answer, now_us: int) -> None:
        value, headers = answer_record(answer, province=self._province, at=moment_of(now_us))
        self._waiting.append(Outgoing(topic=ANSWERS_TOPIC, key=None, value=value, headers=headers, partition=0))

    def reroute(self, topic: str, record: Any, index: int, event: Event, *, to: int, is_alone: bool) -> None:
        """Sends an event to the partition where its key belongs; one of a batched record goes alone."""
        self._waiting.append(
            Outgoing(
                topic=topic,
                key=event.partition_key.encode(),
                value=record.value if is_alone else self._decoder.part_of_batch(record.value, index),
                headers=tuple(record.headers) if is_alone else _STRUCTURED_HEADERS,
                partition=to,
            )
        )

    def reject(self, topic: str, record: Any, index: int, item: Rejected, now_us: int) -> None:
        letter = DeadLetter(
            error=item.error,
            source=item.source,
            topic=topic,
            partition=self._partition,
            offset=record.offset,
            index=index,
            at=moment_of(now_us),
            key=record.key,
            headers=tuple(record.headers),
            original=record.value,
        )
        key, value, headers = encode_dead_letter(letter, province=self._province)
        self._waiting.append(Outgoing(topic=DEAD_LETTERS_TOPIC, key=key, value=value, headers=headers))

    def take(
        self, changed: Mapping[CellKey, Cell], gone: Iterable[CellKey], *, epoch: int, newest: dict[str, int]
    ) -> list[Outgoing]:
        """Returns what waited, and then the cells of figures that have changed or are gone."""
        self._writes += 1  # the clock may change a cell where no offset moved: the version counts both
        messages = [
            encode_partial(key, cell, partition=self._partition, epoch=epoch, version=self._writes)
            for key, cell in changed.items()
        ]
        messages += [encode_gone(key, partition=self._partition) for key in gone]
        messages.append(encode_complete(partition=self._partition, epoch=epoch, newest=newest))
        waiting, self._waiting = self._waiting, []
        return waiting + [Outgoing(topic=PARTIALS_TOPIC, partition=0, **message) for message in messages]
