"""`ioc dlq` on a real broker: each letter once, and the original byte for byte."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from ioc.adapters.dead_letters import StoredLetter, read_dead_letters, republish
from ioc.adapters.topics import ensure_topics
from ioc.catalog.topics import TopicSpec
from ioc.cli.dlq import _newest, _of_ref
from ioc.dead_letters import DEAD_LETTERS_TOPIC, MAX_ORIGINAL_BYTES, DeadLetter, encode_dead_letter
from ioc.errors import InvalidRecord, PermanentError
from tests.conftest import KafkaForTests
from tests.integration.topic_reading import records_of

HEADERS = [("ce_id", "số 1".encode()), ("binary", b"\x00\xff"), ("ce_id", b"twice")]


class Mail:
    """A topic of its own, and dead letters about its records on the shared topic."""

    def __init__(self, address: str, topic: str) -> None:
        self.address, self.topic = address, topic

    async def send(self, *records: tuple[str, dict[str, Any]]) -> list[Any]:
        producer = AIOKafkaProducer(bootstrap_servers=self.address, max_request_size=8 << 20)
        await producer.start()
        try:
            return [await producer.send_and_wait(topic, **record) for topic, record in records]
        finally:
            await producer.stop()

    async def refuse(self, offset: int, partition: int = 0, *, times: int = 1, **changes: Any) -> str:
        values: dict[str, Any] = {
            "error": InvalidRecord("missing_field", field="x", vi="Thiếu x.", en="no x"),
            "source": "/lam-dong/test", "topic": self.topic, "partition": partition, "offset": offset, "index": 0,
            "at": datetime(2026, 11, 22, tzinfo=UTC), "key": b"k", "headers": tuple(HEADERS), "original": b"{broken",
        }  # fmt: skip
        letter = DeadLetter(**{**values, **changes})
        key, value, headers = encode_dead_letter(letter, province="lam-dong")
        record = {"key": key, "value": value, "headers": list(headers)}
        await self.send(*[(DEAD_LETTERS_TOPIC, record)] * times)
        return letter.event_ref

    async def letter(self, ref: str) -> StoredLetter:
        return (await _of_ref(self.address, ref))[0]


@pytest.fixture
async def mail(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> Mail:
    topic = fresh_name("refused")
    specs = [TopicSpec(name=DEAD_LETTERS_TOPIC, partitions=4), TopicSpec(name=topic, partitions=1)]
    await ensure_topics(kafka.address, specs)
    return Mail(kafka.address, topic)


async def test_a_letter_written_twice_is_read_once(mail: Mail) -> None:
    ref = await mail.refuse(7, times=2)
    assert len([letter async for letter in read_dead_letters(mail.address) if letter.event_ref == ref]) == 1


async def test_a_batched_record_has_a_letter_for_each_refused_event(mail: Mail) -> None:
    ref = await mail.refuse(7, index=4)
    await mail.refuse(7, index=1)
    assert [letter.index for letter in await _of_ref(mail.address, ref)] == [1, 4]


async def test_the_newest_of_a_topic_and_reason_come_first(mail: Mail) -> None:
    for hour in (3, 1, 2):
        await mail.refuse(hour, at=datetime(2026, 11, 22, hour, tzinfo=UTC))
    await mail.refuse(9, error=InvalidRecord("bad_time", vi="v", en="e"))
    newest, total = await _newest(mail.address, limit=2, reason="missing_field", topic=mail.topic)
    assert ([letter.offset for letter in newest], total) == ([3, 2], 3)


async def test_what_is_no_dead_letter_is_left_out(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    await mail.send((DEAD_LETTERS_TOPIC, {"key": b"k", "value": b"junk"}))
    ref = await mail.refuse(1)
    assert (await mail.letter(ref)).event_ref == ref
    assert "is no dead letter" in caplog.text


async def test_a_reference_that_nobody_speaks_of_is_a_sentence(mail: Mail) -> None:
    with pytest.raises(PermanentError, match="no dead letter speaks of"):
        await _of_ref(mail.address, f"{mail.topic}/0/12345")


async def test_a_retry_sends_the_record_byte_for_byte(mail: Mail) -> None:
    record = {"key": b"\x00k", "value": b"{broken", "headers": [*HEADERS, ("long", b"h" * 5000)]}
    (sent,) = await mail.send((mail.topic, record))
    ref = await mail.refuse(sent.offset, headers=tuple(record["headers"]), key=b"\x00k")
    partition, offset = await republish(mail.address, await mail.letter(ref))
    first, second = await records_of(mail.address, mail.topic)
    assert (second.partition, second.offset) == (partition, offset)
    assert (second.key, second.value, second.headers) == (first.key, first.value, first.headers)


async def test_a_record_that_its_topic_lost_is_sent_from_the_letters_copy(mail: Mail) -> None:
    ref = await mail.refuse(99)
    await republish(mail.address, await mail.letter(ref))
    (record,) = await records_of(mail.address, mail.topic)
    assert (record.key, record.value, list(record.headers)) == (b"k", b"{broken", HEADERS)


async def test_another_record_at_the_same_offset_is_not_sent(mail: Mail) -> None:
    await mail.send((mail.topic, {"key": b"k", "value": b"of a topic made again"}))
    await republish(mail.address, await mail.letter(await mail.refuse(0)))
    assert [record.value for record in await records_of(mail.address, mail.topic)][1] == b"{broken"


async def test_an_original_too_large_to_keep_is_sent_while_its_topic_has_it(mail: Mail) -> None:
    large = b"x" * (MAX_ORIGINAL_BYTES + 1)
    (sent,) = await mail.send((mail.topic, {"key": b"k", "value": large}))
    letter = await mail.letter(await mail.refuse(sent.offset, original=large))
    assert letter.original is None
    await republish(mail.address, letter)
    assert [record.value for record in await records_of(mail.address, mail.topic)] == [large, large]


@pytest.mark.parametrize("changes", [{"original": b"x" * (MAX_ORIGINAL_BYTES + 1)}, {"headers": (("a", b"h" * 2000),)}])
async def test_what_is_gone_and_was_kept_in_part_is_a_sentence(mail: Mail, changes: dict[str, Any]) -> None:
    letter = await mail.letter(await mail.refuse(99, **changes))
    with pytest.raises(PermanentError, match="ask the department to send it again"):
        await republish(mail.address, letter)
