"""A run over a stream: what was sent, what was named, and how far it came where it broke off."""

import asyncio

import pytest

from ioc.errors import PermanentError, TransientError
from ioc.events import MAX_EVENT_BYTES
from ioc.publishing import Publication, RejectedLine
from tests.unit.domain.making import NOW
from tests.unit.publishing.making import ListSink, dossier_line, joined, judge, pieces


def publication(told: list[RejectedLine] | None = None) -> Publication:
    return Publication(judge(), clock=lambda: NOW, on_rejected=(told if told is not None else []).append)


async def test_good_lines_go_in_their_order_and_bad_ones_are_named_by_number() -> None:
    told: list[RejectedLine] = []
    run, sink = publication(told), ListSink()
    stream = joined([dossier_line(1), b"{", b"", dossier_line(2), b"x" * (MAX_EVENT_BYTES + 1), dossier_line(3)])
    await run.run(pieces(b"\xef\xbb\xbf" + stream[:100], stream[100:]), sink=sink, stop=asyncio.Event())
    assert [outgoing.value for outgoing in sink.sent] == [dossier_line(number) for number in (1, 2, 3)]
    assert [(line.number, line.error.reason) for line in told] == [(2, "bad_json"), (5, "too_large")]
    assert (run.accepted, run.rejected, run.line_number) == (3, 2, 6)


async def test_without_a_sink_lines_are_only_judged() -> None:
    run = publication()
    await run.run(pieces(joined([dossier_line(1), b"{"])), sink=None, stop=asyncio.Event())
    assert (run.accepted, run.rejected) == (1, 1)


async def test_an_interrupted_stream_does_not_blame_the_line_it_was_cut_in() -> None:
    run, stop = publication(), asyncio.Event()
    stop.set()
    await run.run(pieces(dossier_line(1) + b"\n", dossier_line(2)[:50]), sink=None, stop=stop)
    assert (run.accepted, run.rejected) == (1, 0)


@pytest.mark.parametrize("kind", [PermanentError, TransientError])
async def test_when_kafka_does_not_take_an_event_the_sentence_says_how_far_it_came(kind: type[Exception]) -> None:
    run, sink = publication(), ListSink(kind("Kafka is away."), after=2)
    stream = joined(dossier_line(number) for number in range(5))
    with pytest.raises(kind, match=r"^Kafka is away\. Stopped at line 3; 2 events .* whole file again"):
        await run.run(pieces(stream), sink=sink, stop=asyncio.Event())
    assert run.accepted == 2
