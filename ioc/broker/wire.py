"""Kafka's wire protocol without a client library: a connection that asks one question after the other.

A port that is open proves nothing: a broker answers Metadata only when it takes part in the cluster. And client
libraries say "unable to bootstrap" to a bad password, an unknown user, a missing login and a wrong certificate alike.
Layouts from Kafka's protocol guide, in the oldest versions that Kafka 4 still speaks.
"""

import contextlib
import secrets
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from ioc.adapters.kafka_access import Security, trusting
from ioc.broker.scram import HASHES, ScramClient, ScramRefused

__all__ = [
    "ClusterView",
    "Connection",
    "LoginRefused",
    "Node",
    "NotKafka",
    "Reader",
    "fetch_cluster",
    "metadata_request",
    "open_connection",
    "parse_metadata",
    "text",
]

_METADATA_KEY, _METADATA_VERSION, _CORRELATION_ID = 3, 4, 1
_SASL_HANDSHAKE_KEY, _SASL_AUTHENTICATE_KEY = 17, 36
_CLIENT_ID = b"ioc-probe"
# Far above any cluster's metadata, far below what would hurt when something else than Kafka answers.
_MAX_ANSWER_BYTES = 16_000_000
_NO_SASL_HERE, _MECHANISM_UNKNOWN = 34, 33  # ILLEGAL_SASL_STATE, UNSUPPORTED_SASL_MECHANISM


class NotKafka(ValueError):
    """What answered doesn't speak Kafka's protocol in this way. `answer`: its first bytes."""

    def __init__(self, what: str, answer: bytes = b"") -> None:
        super().__init__(what)
        self.answer = answer


class LoginRefused(Exception):
    """Kafka did not let us in. `at`: no login is asked for here, the mechanism is not offered, the user is not known
    (or, with PLAIN, user or password), the password is wrong, or the server itself could not prove to know it."""

    def __init__(
        self, at: Literal["not_asked", "mechanism", "user", "password", "server"], said: str, offered: tuple[str, ...]
    ) -> None:
        super().__init__(said)
        self.at = at
        self.offered = offered


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


class Reader:
    """Takes an answer's fields one after the other.

    Raises:
        NotKafka: the answer ends before a field does.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def number(self, layout: str) -> int:
        try:
            (value,) = struct.unpack_from(f">{layout}", self._payload, self._at)
        except struct.error as error:
            raise NotKafka(str(error), self._payload[:64]) from None
        self._at += struct.calcsize(f">{layout}")
        return int(value)

    def text(self) -> str | None:
        return self._decoded(self.number("h"))

    def data(self) -> bytes:
        return self._take(self.number("i"))

    def numbers(self) -> tuple[int, ...]:
        return tuple(self.number("i") for _ in range(self.number("i")))

    # The compact fields of later versions

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            octet = self.number("B")
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7

    def compact_text(self) -> str | None:
        return self._decoded(self.varint() - 1)

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self._take(self.varint())

    def _decoded(self, length: int) -> str | None:
        if length < 0:
            return None
        try:
            return self._take(length).decode()
        except UnicodeDecodeError as error:
            raise NotKafka(str(error), self._payload[:64]) from None

    def _take(self, length: int) -> bytes:
        end = self._at + max(0, length)
        if end > len(self._payload):
            raise NotKafka("a text runs past the answer's end", self._payload[:64])
        value, self._at = self._payload[self._at : end], end
        return value


def text(value: str) -> bytes:
    """Returns a string field."""
    return struct.pack(">h", len(value.encode())) + value.encode()


def _framed(key: int, version: int, body: bytes, *, is_compact: bool = False) -> bytes:
    header = struct.pack(">hhih", key, version, _CORRELATION_ID, len(_CLIENT_ID)) + _CLIENT_ID
    header += b"\0" if is_compact else b""
    return struct.pack(">i", len(header) + len(body)) + header + body


def metadata_request() -> bytes:
    """Returns a framed request for the brokers and no topic."""
    return _framed(_METADATA_KEY, _METADATA_VERSION, _NO_TOPICS)


_NO_TOPICS = struct.pack(">i?", 0, False)  # no topics; create none


def parse_metadata(payload: bytes) -> ClusterView:
    """Returns the view in an answer without its length prefix.

    Raises:
        NotKafka: the bytes are no such answer.
    """
    reader = Reader(payload)
    if reader.number("i") != _CORRELATION_ID:
        raise NotKafka("the answer belongs to another question", payload[:64])
    return _view(reader)


def _view(reader: Reader) -> ClusterView:
    reader.number("i")  # throttle time
    brokers = []
    for _ in range(reader.number("i")):
        node_id, host, port = reader.number("i"), reader.text(), reader.number("i")
        reader.text()  # rack
        brokers.append(Node(node_id=node_id, host=host or "", port=port))
    return ClusterView(cluster_id=reader.text(), controller_id=reader.number("i"), brokers=tuple(brokers))


class Connection:
    """An open line to one broker. Every step may raise OSError (nothing there, silence, an end) or NotKafka."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def ask(self, key: int, version: int, body: bytes, *, is_compact: bool = False) -> Reader:
        """Returns the answer's fields after its header."""
        self._line.sendall(_framed(key, version, body, is_compact=is_compact))
        head = self._read(4)
        (length,) = struct.unpack(">i", head)
        if not 4 <= length <= _MAX_ANSWER_BYTES:
            raise NotKafka(f"an answer of {length} bytes", head)
        payload = self._read(length)
        reader = Reader(payload)
        if reader.number("i") != _CORRELATION_ID:
            raise NotKafka("the answer belongs to another question", head + payload[:64])
        if is_compact:
            reader.skip_tags()
        return reader

    def cluster(self) -> ClusterView:
        return _view(self.ask(_METADATA_KEY, _METADATA_VERSION, _NO_TOPICS))

    def log_in(self, security: Security) -> None:
        """Raises:
        LoginRefused: Kafka says no; `at` says to what.
        """
        answer = self.ask(_SASL_HANDSHAKE_KEY, 1, text(security.mechanism))
        code = answer.number("h")
        offered = tuple(answer.text() or "" for _ in range(answer.number("i")))
        if code == _NO_SASL_HERE:
            raise LoginRefused("not_asked", "this listener asks for no login", offered)
        if code:
            raise LoginRefused("mechanism", f"{security.mechanism} is not offered", offered)
        if security.mechanism not in HASHES:
            self._say(f"\0{security.user}\0{security.password}".encode(), "user")
            return
        scram = ScramClient(security.mechanism, security.user, security.password, nonce=secrets.token_urlsafe(24))
        try:
            # Kafka says no to a user that it doesn't know before it asks for the proof.
            proof = scram.final(self._say(scram.first(), "user"))
            scram.check(self._say(proof, "password"))
        except ScramRefused as error:
            raise LoginRefused("server", str(error), offered) from None

    def _say(self, word: bytes, at: Literal["user", "password"]) -> bytes:
        answer = self.ask(_SASL_AUTHENTICATE_KEY, 1, struct.pack(">i", len(word)) + word)
        code, said, data = answer.number("h"), answer.text(), answer.data()
        if code:
            raise LoginRefused(at, said or f"error {code}", ())
        return data

    def _read(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            chunk = self._line.recv(count - len(received))
            if not chunk:
                raise ConnectionResetError("the other side closed the connection")
            received += chunk
        return received

    def close(self) -> None:
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def open_connection(
    host: str, port: int, *, timeout_s: float, security: Security | None = None
) -> Iterator[Connection]:
    """Yields a connection that is let in as `security` says.

    Raises:
        OSError: nothing there, no answer within `timeout_s` seconds for each step, or no trust (ssl.SSLError).
        NotKafka: something else answered.
        LoginRefused: Kafka says no.
    """
    security = security or Security()
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(socket.create_connection((host, port), timeout=timeout_s))
        if security.has_tls:
            line = stack.enter_context(trusting(security.ca).wrap_socket(line, server_hostname=host))
        connection = Connection(line)
        if security.has_sasl:
            connection.log_in(security)
        yield connection


def fetch_cluster(host: str, port: int, *, timeout_s: float, security: Security | None = None) -> ClusterView:
    """Returns the cluster as the broker at `host:port` sees it. Raises as `open_connection` does."""
    with open_connection(host, port, timeout_s=timeout_s, security=security) as connection:
        return connection.cluster()
