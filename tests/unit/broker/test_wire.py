"""The one question in Kafka's protocol, byte for byte."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.broker.wire import ClusterView, Node, NotKafka, metadata_request, parse_metadata


def _text(value: str | None) -> bytes:
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def _answer(*nodes: Node, correlation_id: int = 1) -> bytes:
    listed = b"".join(
        struct.pack(">i", node.node_id) + _text(node.host) + struct.pack(">i", node.port) + _text(None)
        for node in nodes
    )
    head = struct.pack(">iii", correlation_id, 0, len(nodes))
    return head + listed + _text("a-cluster") + struct.pack(">ii", 7, 0)


def test_the_request_states_its_own_length_and_asks_for_no_topic() -> None:
    request = metadata_request()
    assert struct.unpack(">i", request[:4]) == (len(request) - 4,)
    assert struct.unpack(">hh", request[4:8]) == (3, 4)
    assert request.endswith(b"\x00\x00\x00\x00\x00")


def test_an_answer_lists_the_live_brokers() -> None:
    nodes = (Node(node_id=1, host="127.0.0.1", port=9092), Node(node_id=2, host="127.0.0.2", port=9093))
    assert parse_metadata(_answer(*nodes)) == ClusterView(cluster_id="a-cluster", controller_id=7, brokers=nodes)


@pytest.mark.parametrize(
    "payload",
    [b"", b"HTTP/1.1 400 Bad Request", _answer(correlation_id=2), _answer(Node(node_id=1, host="h", port=1))[:17]],
    ids=["empty", "a web server", "another question's", "cut short"],
)
def test_what_is_no_such_answer_is_refused(payload: bytes) -> None:
    with pytest.raises(NotKafka):
        parse_metadata(payload)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_but_never_crash(payload: bytes) -> None:
    with contextlib.suppress(NotKafka):
        parse_metadata(payload)
