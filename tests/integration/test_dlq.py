"""`ioc dlq` on a real broker: each letter once, the original byte for byte, and sent again exactly once."""

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from ioc.adapters.dead_letters import read_dead_letters, read_retry_marks
from ioc.adapters.retries import Retry, open_retrier
from ioc.adapters.topics import ensure_topics
from ioc.catalog import load_catalog
from ioc.catalog.topics import TopicSpec
from ioc.cli.dlq import Wanted, _newest, _of_ref
from ioc.dead_letters import (
    DEAD_LETTERS_TOPIC,
    MAX_ORIGINAL_BYTES,
    RETRIED_TOPIC,
    DeadLetter,
    StoredLetter,
    encode_dead_letter,
)
from ioc.errors import InvalidRecord, PermanentError
from ioc.resending import ResendJudge
from ioc.settings import load_settings
from tests.conftest import KafkaForTests
from tests.integration.running import committed, run_ioc
from tests.integration.topic_reading import records_of

HEADERS = [("ce_id", "số 1".encode()), ("binary", b"\x00\xff"), ("ce_id", b"twice")]
AT = datetime(2026, 11, 22, 5, tzinfo=UTC)
CHANNELS = "ioc.network.channels"
JUDGE = ResendJudge(load_catalog(load_settings().catalog))


class Mail:
    """A topic of its own, and dead letters about its records on the shared topic."""

    def __init__(self, address: str, topic: str) -> None:
        self.address, self.topic, self.judge = address, topic, JUDGE

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
        return (await _of_ref(self.address, (ref, None)))[0][0]

    async def retry(self, ref: str, **options: bool) -> list[Retry]:
        letters, _ = await _of_ref(self.address, (ref, None))
        async with open_retrier(self.address, self.judge) as retrier:
            return await retrier.retry(letters, AT, **options)


@pytest.fixture
async def mail(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> Mail:
    topic = fresh_name("refused")
    specs = [
        TopicSpec(name=DEAD_LETTERS_TOPIC, partitions=4),
        TopicSpec(name=RETRIED_TOPIC, partitions=1),
        TopicSpec(name=topic, partitions=1),
    ]
    await ensure_topics(kafka.address, specs)
    return Mail(kafka.address, topic)


@pytest.fixture
async def channels(kafka: KafkaForTests) -> str:
    await ensure_topics(kafka.address, [TopicSpec(name=CHANNELS, partitions=4)])
    return CHANNELS


def next_offset() -> int:
    """The topic is shared: a reference that no other test uses."""
    return uuid.uuid4().int % 10**15


async def test_a_letter_written_twice_is_read_once(mail: Mail) -> None:
    ref = await mail.refuse(7, times=2)
    assert len([letter async for letter in read_dead_letters(mail.address) if letter.event_ref == ref]) == 1


async def test_a_batched_record_has_a_letter_for_each_refused_event(mail: Mail) -> None:
    ref = await mail.refuse(7, index=4)
    await mail.refuse(7, index=1)
    letters, _ = await _of_ref(mail.address, (ref, None))
    assert [letter.index for letter in letters] == [1, 4]


async def test_the_newest_of_a_topic_and_reason_come_first(mail: Mail) -> None:
    for hour in (3, 1, 2):
        await mail.refuse(hour, at=datetime(2026, 11, 22, hour, tzinfo=UTC))
    await mail.refuse(9, error=InvalidRecord("bad_time", vi="v", en="e"))
    newest, _, total = await _newest(mail.address, Wanted(reason="missing_field", topic=mail.topic), limit=2)
    assert ([letter.offset for letter in newest], total) == ([3, 2], 3)


async def test_what_is_no_dead_letter_is_left_out(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    await mail.send((DEAD_LETTERS_TOPIC, {"key": b"k", "value": b"junk"}))
    ref = await mail.refuse(1)
    assert (await mail.letter(ref)).event_ref == ref
    assert "is no dead letter" in caplog.text


async def test_a_reference_that_nobody_speaks_of_is_a_sentence(mail: Mail) -> None:
    with pytest.raises(PermanentError, match="no dead letter speaks of"):
        await _of_ref(mail.address, (f"{mail.topic}/0/12345", None))


# ---- sent again ------------------------------------------------------------------------------------------------------


async def test_a_retry_sends_the_record_byte_for_byte(mail: Mail) -> None:
    record = {"key": b"\x00k", "value": b"{broken", "headers": [*HEADERS, ("long", b"h" * 5000)]}
    (sent,) = await mail.send((mail.topic, record))
    (retry,) = await mail.retry(await mail.refuse(sent.offset, headers=tuple(record["headers"]), key=b"\x00k"))
    first, second = await records_of(mail.address, mail.topic)
    assert (retry.outcome, retry.sent_to) == ("sent", f"{mail.topic}/{second.partition}/{second.offset}")
    assert (second.key, second.value, second.headers) == (first.key, first.value, first.headers)


async def test_a_record_that_its_topic_lost_is_sent_from_the_letters_copy(mail: Mail) -> None:
    await mail.retry(await mail.refuse(99))
    (record,) = await records_of(mail.address, mail.topic)
    assert (record.key, record.value, list(record.headers)) == (b"k", b"{broken", HEADERS)


async def test_another_record_at_the_same_offset_is_not_sent(mail: Mail) -> None:
    await mail.send((mail.topic, {"key": b"k", "value": b"of a topic made again"}))
    (retry,) = await mail.retry(await mail.refuse(0, headers=(("cut", b"h" * 1024),)))
    assert retry.outcome == "lost"
    assert len(await records_of(mail.address, mail.topic)) == 1


async def test_an_original_too_large_to_keep_is_sent_while_its_topic_has_it(mail: Mail) -> None:
    large = b"x" * (MAX_ORIGINAL_BYTES + 1)
    (sent,) = await mail.send((mail.topic, {"key": b"k", "value": large}))
    await mail.retry(await mail.refuse(sent.offset, original=large))
    assert [record.value for record in await records_of(mail.address, mail.topic)] == [large, large]


@pytest.mark.parametrize("changes", [{"original": b"x" * (MAX_ORIGINAL_BYTES + 1)}, {"headers": (("a", b"h" * 2000),)}])
async def test_what_is_gone_and_was_kept_in_part_is_a_sentence(mail: Mail, changes: dict[str, Any]) -> None:
    (retry,) = await mail.retry(await mail.refuse(99, **changes))
    assert retry.outcome == "lost"
    assert "ask the department to send it again" in retry.sentence


async def test_a_second_retry_sends_nothing_and_says_when_and_where_the_first_did(mail: Mail) -> None:
    ref = await mail.refuse(99)
    (first,) = await mail.retry(ref)
    (second,) = await mail.retry(ref)
    assert (second.outcome, second.at, second.sent_to) == ("already", AT, first.sent_to)
    (third,) = await mail.retry(ref, is_again=True)
    assert third.outcome == "sent"
    assert len(await records_of(mail.address, mail.topic)) == 2


async def test_what_was_sent_again_is_no_longer_pending(mail: Mail) -> None:
    sent, left = await mail.refuse(1), await mail.refuse(2)
    await mail.retry(sent)
    newest, marks, total = await _newest(mail.address, Wanted(topic=mail.topic), limit=9, is_pending=True)
    assert ([letter.event_ref for letter in newest], total) == ([left], 1)
    assert f"{sent}/0" in marks


async def test_of_two_operators_the_later_one_sends_and_the_earlier_one_nothing(mail: Mail) -> None:
    letters = [await mail.letter(await mail.refuse(offset)) for offset in range(3)]
    async with open_retrier(mail.address, mail.judge) as earlier, open_retrier(mail.address, mail.judge) as later:
        with pytest.raises(PermanentError, match="another `ioc dlq retry`"):
            await earlier.retry(letters, AT)
        assert {retry.outcome for retry in await later.retry(letters, AT)} == {"sent"}
    assert len(await committed(mail.address, mail.topic)) == 3


async def test_two_retries_at_once_send_each_event_once(mail: Mail) -> None:
    letters = [await mail.letter(await mail.refuse(offset)) for offset in range(20)]

    async def operator() -> list[Retry]:
        async with open_retrier(mail.address, mail.judge) as retrier:
            return [retry for letter in letters for retry in await retrier.retry([letter], AT)]

    await asyncio.gather(operator(), operator(), return_exceptions=True)  # one of them may be fenced
    await operator()
    assert len(await committed(mail.address, mail.topic)) == 20
    marks = await read_retry_marks(mail.address)
    assert all(letter.id in marks for letter in letters)


KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from aiokafka import AIOKafkaProducer
from ioc.adapters.retries import open_retrier
from ioc.catalog import load_catalog
from ioc.cli.dlq import _of_ref
from ioc.resending import ResendJudge
from ioc.settings import load_settings

broker, ref, sends = sys.argv[1], sys.argv[2], int(sys.argv[3])
send = AIOKafkaProducer.send
async def send_and_die(self, topic, *args, **kwargs):
    receipt = await send(self, topic, *args, **kwargs)
    send_and_die.left -= 1
    if not send_and_die.left:
        await receipt
        os.kill(os.getpid(), signal.SIGKILL)
    return receipt
send_and_die.left = sends
AIOKafkaProducer.send = send_and_die

async def main():
    letters, _ = await _of_ref(broker, (ref, None))
    async with open_retrier(broker, ResendJudge(load_catalog(load_settings().catalog))) as retrier:
        await retrier.retry(letters, datetime.now(UTC))
asyncio.run(main())
"""


@pytest.mark.parametrize("sends", [pytest.param(1, id="after the event"), pytest.param(2, id="after the mark")])
async def test_kill_9_before_the_commit_leaves_neither_event_nor_mark(mail: Mail, sends: int) -> None:
    ref = await mail.refuse(99)
    command = [sys.executable, "-c", KILLED, mail.address, ref, str(sends)]
    killed = await asyncio.to_thread(subprocess.run, command, timeout=60, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [retry.outcome for retry in await mail.retry(ref)] == ["sent"]
    assert len(await committed(mail.address, mail.topic)) == 1, "of the killed process's event nothing is ever seen"


# ---- judged first ----------------------------------------------------------------------------------------------------


def channel(event_id: str, **data: object) -> dict[str, object]:
    return {
        "specversion": "1.0", "id": event_id, "source": "/lam-dong/network", "time": "2026-11-22T00:00:00Z",
        "type": "vn.ioc.network.channel_state.v1",
        "data": {"channel_id": "k1", "up": True, "at": "2026-11-22T00:00:00Z", **data},
    }  # fmt: skip


async def test_what_would_be_refused_again_is_not_sent_unless_forced(mail: Mail, channels: str) -> None:
    body = json.dumps(channel("a", up=7)).encode()
    headers = (("content-type", b"application/cloudevents+json"),)
    ref = await mail.refuse(next_offset(), topic=channels, key=b"k1", headers=headers, original=body)
    before = len(await committed(mail.address, channels))
    (retry,) = await mail.retry(ref)
    assert retry.outcome == "refused"
    assert retry.error is not None
    assert (retry.error.reason, retry.error.field) == ("wrong_type", "up")
    assert len(await committed(mail.address, channels)) == before
    (forced,) = await mail.retry(ref, is_forced=True)
    assert forced.outcome == "sent"


async def test_of_a_batched_record_only_the_refused_event_is_sent(mail: Mail, channels: str) -> None:
    batch = json.dumps([channel("a"), channel("b", channel_id="k2"), channel("c")]).encode()
    headers = (("content-type", b"application/cloudevents-batch+json"),)
    ref = await mail.refuse(next_offset(), index=1, topic=channels, key=b"k1", headers=headers, original=batch)
    (retry,) = await mail.retry(ref)
    sent = {f"{r.topic}/{r.partition}/{r.offset}": r for r in await committed(mail.address, channels)}[retry.sent_to]
    assert (sent.key, json.loads(sent.value)["id"]) == (b"k2", "b")
    assert dict(sent.headers) == {"content-type": b"application/cloudevents+json"}


async def test_what_the_gateway_refused_goes_to_its_types_topic_once_it_passes(mail: Mail, channels: str) -> None:
    body = json.dumps(channel("g")).encode()
    ref = f"gateway/so-khcn/{uuid.uuid4().hex}"
    await mail.refuse(1, partition=-1, ref=ref, topic="gateway", key=None, headers=(), original=body)
    (retry,) = await mail.retry(ref)
    assert (retry.outcome, retry.sent_to.split("/")[0]) == ("sent", channels)


@pytest.mark.parametrize("publisher", ["so-y-te", "nobody"])
async def test_what_a_department_may_not_tell_stays_refused(mail: Mail, publisher: str) -> None:
    ref = f"gateway/{publisher}/{uuid.uuid4().hex}"
    body = json.dumps(channel("g")).encode()
    await mail.refuse(1, partition=-1, ref=ref, topic=CHANNELS, key=None, headers=(), original=body)
    (retry,) = await mail.retry(ref)
    assert retry.outcome == "refused"
    assert retry.error is not None
    assert retry.error.reason == "not_your_source"


async def test_the_command_sends_by_filter_and_says_how_many(mail: Mail, tmp_path: Path) -> None:
    for offset in range(3):
        await mail.refuse(offset, at=datetime(2026, 11, 22, offset, tzinfo=UTC))
    which = ("--topic", mail.topic, "--since", "2026-11-22T08:00:00+07:00")

    async def retry(*options: str) -> dict[str, Any]:
        arguments = ("dlq", "retry", *which, *options, "--json")
        run = partial(run_ioc, *arguments, broker=mail.address, state=tmp_path, timeout_s=60)
        done = await asyncio.to_thread(run)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    assert await retry("--dry-run") == {"would_send": 2, "already_sent": 0}
    answer = await retry("--yes")
    assert (answer["sent"], answer["refused"]) == (2, 0)
    assert (await retry("--yes"))["already"] == 2
