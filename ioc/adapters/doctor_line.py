"""The way to one broker, step by step: name, port, TLS, login. Client libraries call all of its faults by one name."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from ioc.adapters.kafka_access import Security, trusting
from ioc.broker.wire import Connection, LoginRefused, NotKafka
from ioc.doctor import Finding, finding

__all__ = ["STEP_TIMEOUT_S", "aside", "probe_line"]

_T = TypeVar("_T")

STEP_TIMEOUT_S = 2.0
_API_VERSIONS_KEY = 18  # the one question that Kafka answers before a login
_TLS_ALERT = b"\x15\x03"
# OpenSSL's reasons, X509_V_ERR_*: not yet valid, expired; another host's name, another address.
_NOT_VALID_NOW = {9, 10}
_ANOTHER_NAME = {62, 64}


async def aside(function: Callable[..., _T], *arguments: object) -> _T:
    """Runs what blocks in a thread that nobody waits for at the end: a resolver may be silent for half a minute."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, error: Exception | None) -> None:
        if not answer.done():
            answer.set_result(cast(_T, value)) if error is None else answer.set_exception(error)

    def run() -> None:
        value, trouble = None, None
        try:
            value = function(*arguments)
        except Exception as error:  # brought to whoever waits
            trouble = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value, trouble)

    threading.Thread(target=run, name="ioc-doctor", daemon=True).start()
    return await answer


class _Stopped(Exception):
    """The way ends here."""

    def __init__(self, told: Finding) -> None:
        super().__init__(told.code)
        self.told = told


def probe_line(host: str, port: int, security: Security, *, timeout_s: float = STEP_TIMEOUT_S) -> tuple[Finding, ...]:
    """Returns what was found on the way to `host:port`, the fault that ends it last; blocks for some steps' time."""
    found: list[Finding] = []
    try:
        with contextlib.ExitStack() as stack:
            line = stack.enter_context(_connected(host, port, timeout_s))
            if security.has_tls:
                line = stack.enter_context(_wrapped(line, host, port, security, timeout_s))
            _enter(Connection(line), host, port, security, timeout_s)
            found.append(finding("reached", place=f"{host}:{port}"))
            if security.has_tls:
                found.append(finding("trusted", place=f"{host}:{port}"))
            if security.has_sasl:
                found.append(finding("entered", user=security.user))
    except _Stopped as stopped:
        found.append(stopped.told)
    return tuple(found)


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    place = f"{host}:{port}"
    try:
        return socket.create_connection((host, port), timeout=timeout_s)
    except socket.gaierror:
        raise _Stopped(finding("dns_unknown", host=host)) from None
    except UnicodeError:  # a label of the name is empty or over 63 characters
        raise _Stopped(finding("dns_unknown", host=host)) from None
    except ConnectionRefusedError:
        raise _Stopped(finding("refused", host=host, port=port)) from None
    except TimeoutError:
        raise _Stopped(finding("no_answer", place=place, seconds=timeout_s)) from None
    except OSError as error:
        raise _Stopped(finding("unreachable", place=place, said=error.strerror or error)) from None


def _wrapped(line: socket.socket, host: str, port: int, security: Security, timeout_s: float) -> ssl.SSLSocket:
    place = f"{host}:{port}"
    try:
        return trusting(security.ca).wrap_socket(line, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise _Stopped(_distrust(error, host, place, security)) from None
    except OSError as error:  # ssl.SSLError, an end, or silence
        if _answers_in_clear(host, port, timeout_s):
            raise _Stopped(finding("no_tls_here", place=place)) from None
        said = getattr(error, "reason", None) or error.strerror or str(error)
        raise _Stopped(finding("tls_failed", place=place, said=said)) from None


def _distrust(error: ssl.SSLCertVerificationError, host: str, place: str, security: Security) -> Finding:
    said = error.verify_message.rstrip(".")
    if error.verify_code in _NOT_VALID_NOW:
        return finding("expired_certificate", place=place, said=said)
    if error.verify_code in _ANOTHER_NAME:
        return finding("wrong_host_name", place=place, host=host, said=said)
    return finding("unknown_ca", place=place, trust=security.ca or "the system / hệ thống")


def _enter(connection: Connection, host: str, port: int, security: Security, timeout_s: float) -> None:
    """Ends when Kafka answers as to one of its own."""
    place = f"{host}:{port}"
    try:
        if security.has_sasl:
            connection.log_in(security)
        connection.cluster()
    except LoginRefused as refused:
        raise _Stopped(_refusal(refused, place, security)) from None
    except NotKafka as error:
        if not security.has_tls and (error.answer.startswith(_TLS_ALERT) or _speaks_tls(host, port, timeout_s)):
            raise _Stopped(finding("needs_tls", place=place)) from None
        raise _Stopped(finding("not_kafka", place=place, said=_seen(error))) from None
    except OSError as error:
        raise _Stopped(_silence(error, host, port, security, timeout_s)) from None


def _refusal(refused: LoginRefused, place: str, security: Security) -> Finding:
    user, mechanism = security.user, security.mechanism
    if refused.at == "not_asked":
        return finding("no_login_here", place=place, user=user)
    if refused.at == "mechanism":
        return finding("wrong_mechanism", mechanism=mechanism, offered=", ".join(refused.offered))
    if refused.at == "server":
        return finding("impostor", place=place)
    if mechanism == "PLAIN":
        return finding("wrong_user_or_password", user=user)
    return finding("unknown_user" if refused.at == "user" else "wrong_password", user=user, mechanism=mechanism)


def _silence(error: OSError, host: str, port: int, security: Security, timeout_s: float) -> Finding:
    """Who hangs up or keeps silent may be waiting for TLS or for a login."""
    place = f"{host}:{port}"
    if not security.has_sasl and _answers(host, port, security, timeout_s):
        return finding("needs_login", place=place)
    if not security.has_tls and _speaks_tls(host, port, timeout_s):
        return finding("needs_tls", place=place)
    if isinstance(error, ssl.SSLError):
        return finding("tls_failed", place=place, said=error.reason)
    said = "silence / im lặng" if isinstance(error, TimeoutError) else "it hung up / ngắt kết nối"
    return finding("not_kafka", place=place, said=said)


def _answers(host: str, port: int, security: Security, timeout_s: float) -> bool:
    """Whether Kafka answers there before any login."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as plain, contextlib.ExitStack() as stack:
            line: socket.socket = plain
            if security.has_tls:
                line = stack.enter_context(trusting(security.ca).wrap_socket(plain, server_hostname=host))
            return Connection(line).ask(_API_VERSIONS_KEY, 0, b"").number("h") == 0
    except (OSError, NotKafka, struct.error):
        return False


def _answers_in_clear(host: str, port: int, timeout_s: float) -> bool:
    return _answers(host, port, Security(), timeout_s)


def _speaks_tls(host: str, port: int, timeout_s: float) -> bool:
    """Whether TLS is spoken there, trusted or not; nothing is sent over it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as line:
            context.wrap_socket(line, server_hostname=host).close()
    except OSError:
        return False
    return True


def _seen(error: NotKafka) -> str:
    start = error.answer[:4]
    if start == b"HTTP":
        return "HTTP"
    if start.startswith(b"SSH"):
        return "SSH"
    return repr(error.answer[:16])[1:] if error.answer else str(error)
