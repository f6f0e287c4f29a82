"""One question in Kafka's wire protocol, "who is in the cluster?", without a client library.

A port that is open proves nothing: a broker answers this one only when it takes part in the cluster. Layouts from
Kafka's protocol guide: request header version 1, Metadata (key 3) version 4, the oldest that Kafka 4 still speaks.
"""

import socket
import struct
from dataclasses import dataclass

__all__ = ["ClusterView", "Node", "NotKafka", "fetch_cluster", "metadata_request", "parse_metadata"]

_METADATA_KEY, _METADATA_VERSION, _CORRELATION_ID = 3, 4, 1
_CLIENT_ID = b"ioc-probe"
# Far above any cluster's list of brokers, far below what would hurt when something else than Kafka answers.
_MAX_ANSWER_BYTES = 1_000_000


class NotKafka(ValueError):
    """What answered doesn't speak Kafka's protocol in clear text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A live broker and the address it tells clients to use."""

    node_id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The cluster as one broker sees it; `controller_id` is -1 when it knows none."""

    cluster_id: str | None
    controller_id: int
    brokers: tuple[Node, ...]


def metadata_request() -> bytes:
    """Returns a framed request for the brokers and no topic."""
    header = struct.pack(">hhih", _METADATA_KEY, _METADATA_VERSION, _CORRELATION_ID, len(_CLIENT_ID)) + _CLIENT_ID
    body = struct.pack(">i?", 0, False)  # no topics; create none
    return struct.pack(">i", len(header) + len(body)) + header + body


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(f">{layout}", self._payload, self._at)
        self._at += struct.calcsize(f">{layout}")
        return int(value)

    def text(self) -> str | None:
        length = self.number("h")
        if length < 0:
            return None
        end = self._at + length
        if end > len(self._payload):
            raise NotKafka("a text runs past the answer's end")
        value, self._at = self._payload[self._at : end].decode(), end
        return value


def parse_metadata(payload: bytes) -> ClusterView:
    """Returns the view in an answer without its length prefix.

    Raises:
        NotKafka: the bytes are no such answer.
    """
    reader = _Reader(payload)
    try:
        if reader.number("i") != _CORRELATION_ID:
            raise NotKafka("the answer belongs to another question")
        reader.number("i")  # throttle time
        brokers = []
        for _ in range(reader.number("i")):
            node_id, host, port = reader.number("i"), reader.text(), reader.number("i")
            reader.text()  # rack
            brokers.append(Node(node_id=node_id, host=host or "", port=port))
        return ClusterView(cluster_id=reader.text(), controller_id=reader.number("i"), brokers=tuple(brokers))
    except (struct.error, UnicodeDecodeError) as error:
        raise NotKafka(str(error)) from None


def _read_exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ConnectionResetError("the other side closed the connection")
        received += chunk
    return received


def fetch_cluster(host: str, port: int, *, timeout_s: float) -> ClusterView:
    """Returns the cluster as the broker at `host:port` sees it.

    Raises:
        OSError: nothing there, or no answer within `timeout_s` seconds for each step.
        NotKafka: something else answered.
    """
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(metadata_request())
        (length,) = struct.unpack(">i", _read_exactly(connection, 4))
        if not 0 < length <= _MAX_ANSWER_BYTES:
            raise NotKafka(f"an answer of {length} bytes")
        return parse_metadata(_read_exactly(connection, length))
