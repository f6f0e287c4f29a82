"""A stream of bytes becomes numbered lines, wherever the pieces were cut, and however long a line is."""

import asyncio
import os
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.publishing import Line, LineSplitter
from ioc.publishing.reading import read_chunks


def split(*chunks: bytes, limit_bytes: int = 64) -> list[Line]:
    splitter = LineSplitter(limit_bytes)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\nb\n", [(1, b"a"), (2, b"b")], id="two lines"),
        pytest.param(b"a\nb", [(1, b"a"), (2, b"b")], id="no line feed at the end"),
        pytest.param(b"a\r\n\r\nb\r\n", [(1, b"a"), (3, b"b")], id="carriage returns, and a blank line that counts"),
        pytest.param(b"\xef\xbb\xbfa\n", [(1, b"a")], id="byte order mark"),
        pytest.param(b"a\n\xef\xbb\xbfb\n", [(1, b"a"), (2, b"b")], id="two files with marks joined"),
        pytest.param(b"\xef\xbb\xbf", [], id="nothing but a mark"),
        pytest.param(b" \t\n  a \n", [(2, b"a")], id="blanks"),
        pytest.param("một\u2028dòng\n".encode(), [(1, "một\u2028dòng".encode())], id="other separators end no line"),
        pytest.param(b"x" * 64 + b"\r\n", [(1, b"x" * 64)], id="just short enough"),
        pytest.param(b"x" * 65 + b"\ny\n", [(1, None), (2, b"y")], id="a byte too long"),
        pytest.param(b"x" * 500 + b"\ny\n", [(1, None), (2, b"y")], id="far too long"),
        pytest.param(b"y\n" + b"x" * 500, [(1, b"y"), (2, None)], id="too long and without an end"),
    ],
)
def test_lines_are_numbered_and_bare(stream: bytes, found: list[tuple[int, bytes | None]]) -> None:
    assert [(line.number, line.body) for line in split(stream)] == found


@given(st.lists(st.binary(max_size=90)), st.randoms(use_true_random=False))
def test_where_the_pieces_are_cut_makes_no_difference(lines: list[bytes], chance: random.Random) -> None:
    stream = b"\n".join(lines)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(5))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert split(*pieces) == split(stream)


def test_a_line_without_end_is_counted_and_not_kept() -> None:
    splitter, piece = LineSplitter(1 << 18), b"a" * (1 << 16)
    tracemalloc.start()
    for _ in range(640):
        assert splitter.feed(piece) == []
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert splitter.finish() == [Line(1, None, 40 << 20)]
    assert peak_bytes < 1 << 20


async def test_a_silent_pipe_is_given_up_when_asked_to_stop() -> None:
    reading, writing = os.pipe()
    try:
        stop = asyncio.Event()
        chunks = read_chunks(reading, stop)
        os.write(writing, b"first\n")
        assert await anext(chunks) == b"first\n"
        waiting = asyncio.ensure_future(anext(chunks, b"none"))
        await asyncio.sleep(0)
        stop.set()
        assert await asyncio.wait_for(waiting, 5) == b"none"
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"a\nb")
        os.close(writing)
        assert b"".join([chunk async for chunk in read_chunks(reading, asyncio.Event())]) == b"a\nb"
    finally:
        os.close(reading)


@pytest.mark.parametrize("name", ["/dev/null", "file"])
async def test_what_is_always_readable_is_read_to_its_end(name: str, tmp_path: Path) -> None:
    path = Path(name) if name.startswith("/") else tmp_path / name
    content = b"" if name.startswith("/") else b"x" * 200_000
    if content:
        path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert b"".join([chunk async for chunk in read_chunks(descriptor, asyncio.Event())]) == content
    finally:
        os.close(descriptor)
