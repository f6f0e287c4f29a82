"""A run over pieces of a file: what was sent, what was named, and how far it came where it broke off."""

import asyncio

import pytest

from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.events import MAX_EVENT_BYTES
from ioc.publishing import Piece, Publication, RejectedRow
from ioc.publishing.publication import OnSafe
from tests.unit.publishing.making import ListSink, dossier_line, joined, line_pieces


async def test_good_lines_go_in_their_order_and_bad_ones_are_named_by_number() -> None:
    told: list[RejectedRow] = []
    run, sink = Publication(on_rejected=told.append), ListSink()
    stream = joined([dossier_line(1), b"{", b"", dossier_line(2), b"x" * (MAX_EVENT_BYTES + 1), dossier_line(3)])
    await run.run(line_pieces(b"\xef\xbb\xbf" + stream[:100], stream[100:]), sink=sink, stop=asyncio.Event())
    assert [outgoing.value for outgoing in sink.sent] == [dossier_line(number) for number in (1, 2, 3)]
    assert [(line.number, line.error.reason) for line in told] == [(2, "bad_json"), (5, "too_large")]
    assert (run.accepted, run.rejected, run.line_number) == (3, 2, 6)


async def test_without_a_sink_lines_are_only_judged() -> None:
    run = Publication()
    await run.run(line_pieces(joined([dossier_line(1), b"{"])), sink=None, stop=asyncio.Event())
    assert (run.accepted, run.rejected) == (1, 1)


async def test_an_interrupted_stream_does_not_blame_the_line_it_was_cut_in() -> None:
    run, stop = Publication(), asyncio.Event()
    stop.set()
    await run.run(line_pieces(dossier_line(1) + b"\n", dossier_line(2)[:50]), sink=None, stop=stop)
    assert (run.accepted, run.rejected) == (1, 0)


@pytest.mark.parametrize("kind", [PermanentError, TransientError])
async def test_when_kafka_does_not_take_an_event_the_sentence_says_how_far_it_came(kind: type[Exception]) -> None:
    run, sink = Publication(), ListSink(kind("Kafka is away."), after=2)
    chunks = [joined([dossier_line(1), dossier_line(2)]), joined([dossier_line(3)])]
    with pytest.raises(kind, match=r"^Kafka is away\. Stopped after line 2; 2 events .* same command again"):
        await run.run(line_pieces(*chunks), sink=sink, stop=asyncio.Event())
    assert run.accepted == 2


async def test_what_the_other_side_refuses_is_told_in_the_order_of_the_rows_and_not_counted() -> None:
    class Choosy(ListSink):
        async def send(self, piece: Piece, on_safe: OnSafe) -> None:
            refusal = InvalidRecord("not_your_source", vi="", en="")
            on_safe(piece, [RejectedRow(number, refusal) for number in piece.numbers[:1]])

    told: list[RejectedRow] = []
    safe: list[Piece] = []
    run = Publication(on_rejected=told.append, on_safe=safe.append)
    stream = joined([dossier_line(1), b"{", dossier_line(2)])
    await run.run(line_pieces(stream), sink=Choosy(), stop=asyncio.Event())
    assert [(row.number, row.error.reason) for row in told] == [(1, "not_your_source"), (2, "bad_json")]
    assert (run.accepted, run.rejected) == (1, 2)
    assert [piece.last for piece in safe if piece.events] == [3]
