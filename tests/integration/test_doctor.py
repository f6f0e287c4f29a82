"""`ioc doctor` against real brokers, a secure one and one in clear text: every fault has a code of its own."""

import asyncio
import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from ioc.adapters.doctor_kafka import look_at_advertised
from ioc.adapters.kafka_access import kafka_arguments
from ioc.broker.certificates import Certificates, provide_certificates
from ioc.broker.wire import Node
from ioc.cli import doctor as doctor_command
from ioc.gateway.problems import Problem
from tests.conftest import KafkaForTests
from tests.integration.dossiers import DOSSIERS, NOW, binary, dossier
from tests.integration.running import Figure, eventually, start_worker
from tests.integration.secure_site import SecureKafka, secure_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

OFFICE, HEALTH = "van-phong-ubnd", "so-y-te"
Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What one run printed, and its exit code."""

    code: int
    findings: list[dict[str, str]]

    def troubles(self) -> list[str]:
        return [found["code"] for found in self.findings if found["status"] in ("warning", "fault")]

    def codes(self) -> list[str]:
        return [found["code"] for found in self.findings]

    def __getitem__(self, code: str) -> dict[str, str]:
        (found,) = (found for found in self.findings if found["code"] == code)
        return found


def doctor(environment: Environment, *words: str) -> Told:
    app = typer.Typer()
    doctor_command.register(app)
    began = time.monotonic()
    blank = {"IOC_KAFKA_USER": "", "IOC_KAFKA_CA": "", "IOC_KAFKA_PASSWORD_FILE": "", "IOC_KAFKA_PASSWORD": ""}
    done = CliRunner().invoke(app, ["--json", *words], env={**blank, **environment})
    assert time.monotonic() - began < 15
    assert done.exit_code in (0, 1), (done.output, done.exception)
    answer = json.loads(done.stdout)
    assert answer["well"] is (done.exit_code == 0)
    assert all(found["message_vi"] and found["message_en"] for found in answer["findings"])
    assert all(found["fix_vi"] and found["fix_en"] for found in answer["findings"] if found["status"] == "fault")
    return Told(done.exit_code, answer["findings"])


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


# ---- the way in ------------------------------------------------------------------------------------------------------


def test_all_is_well_for_a_publisher_with_its_rights(secure: SecureKafka) -> None:
    told = doctor(secure.settings(HEALTH))
    assert (told.code, told.troubles()) == (0, [])
    assert told.codes()[:6] == ["reached", "trusted", "entered", "topics", "rights", "clock"]


def _wrong(secure: SecureKafka, plain: str, tmp_path: Path) -> dict[str, Environment]:
    good = secure.settings(HEALTH)
    (tmp_path / "wrong.password").write_text("wrong", encoding="utf-8")
    other_ca = provide_certificates(tmp_path / "other", ["127.0.0.1"], datetime.now(UTC)).ca
    no_user = {name: text for name, text in good.items() if "USER" not in name and "PASSWORD" not in name}
    return {
        "dns_unknown": good | {"IOC_BROKER": "kafka.invalid:9092"},
        "needs_tls": {"IOC_BROKER": secure.servers},
        "needs_login": no_user,
        "no_tls_here": good | {"IOC_BROKER": plain},
        "no_login_here": good | {"IOC_BROKER": plain, "IOC_KAFKA_SECURITY": "SASL_PLAINTEXT", "IOC_KAFKA_CA": ""},
        "unknown_ca": good | {"IOC_KAFKA_CA": str(other_ca)},
        "wrong_password": good | {"IOC_KAFKA_PASSWORD_FILE": str(tmp_path / "wrong.password")},
        "unknown_user": good | {"IOC_KAFKA_USER": "so-y-t"},
        "wrong_mechanism": good | {"IOC_KAFKA_MECHANISM": "PLAIN"},
    }


@pytest.mark.parametrize(
    "code",
    [
        "dns_unknown",
        "needs_tls",
        "needs_login",
        "no_tls_here",
        "no_login_here",
        "unknown_ca",
        "wrong_password",
        "unknown_user",
        "wrong_mechanism",
    ],
)
def test_each_fault_of_the_settings_has_its_own_name(
    secure: SecureKafka, kafka: KafkaForTests, tmp_path: Path, code: str
) -> None:
    told = doctor(_wrong(secure, kafka.address, tmp_path)[code])
    assert (told.code, told.codes()) == (1, [code])


def test_a_closed_port_and_a_full_one_are_told_apart() -> None:
    with socket.socket() as closed, socket.socket() as full, contextlib.ExitStack() as stack:
        closed.bind(("127.0.0.1", 0))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # what no queue takes any more gets no answer, as behind a firewall
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        ports = [closed.getsockname()[1], full.getsockname()[1]]
        told = doctor({"IOC_BROKER": ",".join(f"127.0.0.1:{port}" for port in ports)})
    assert told.codes() == ["refused", "no_answer"]


@contextlib.contextmanager
def listening(meet: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does `meet` with whoever comes, and hangs up."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = server.accept()
                with contextlib.suppress(OSError), line:
                    meet(line)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answering(answer: bytes) -> AbstractContextManager[str]:
    def meet(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(answer)

    return listening(meet)


@pytest.mark.parametrize(
    ("answer", "seen"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"), (b"SSH-2.0-x\r\n", "SSH"), (b"", "hung up")]
)
def test_what_is_not_kafka_is_named(answer: bytes, seen: str) -> None:
    with answering(answer) as place:
        told = doctor({"IOC_BROKER": place})
    assert told.codes() == ["not_kafka"]
    assert seen in told["not_kafka"]["message_en"]


def tls_server(certificates: Certificates) -> AbstractContextManager[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.node)
    return listening(lambda line: context.wrap_socket(line, server_side=True).close())


@pytest.mark.parametrize(
    ("host", "age_days", "code"), [("kafka.example", 0, "wrong_host_name"), ("127.0.0.1", 400, "expired_certificate")]
)
def test_a_certificate_of_another_name_or_another_year_is_named(
    tmp_path: Path, host: str, age_days: int, code: str
) -> None:
    certificates = provide_certificates(tmp_path, [host], datetime.now(UTC) - timedelta(days=age_days))
    with tls_server(certificates) as place:
        assert doctor({"IOC_BROKER": place, "IOC_KAFKA_CA": str(certificates.ca)}).codes() == [code]


async def test_an_advertised_address_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        (found,) = await look_at_advertised([Node(node_id=1, host="127.0.0.1", port=closed.getsockname()[1])])
    assert found.code == "advertised_unreachable"


# ---- rights and topics -----------------------------------------------------------------------------------------------


def test_a_missing_right_names_principal_topic_and_command(secure: SecureKafka) -> None:
    told = doctor(secure.settings(HEALTH), "--publisher", OFFICE, "--topic", DOSSIERS)
    assert told.troubles() == ["missing_right"]
    for words in (f"User:{HEALTH}", f"--topic {DOSSIERS}", "--operation Write"):
        assert words in told["missing_right"]["message_en"] + told["missing_right"]["fix_en"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--topic", "ioc.onestop.dosiers"), "unknown_topic", f"Did you mean {DOSSIERS}?"),
        (("--type", "dossier.submitted"), "not_your_topic", "ioc.health.visits"),
    ],
)
def test_a_wrong_topic_is_told_with_the_right_one(
    secure: SecureKafka, words: tuple[str, ...], code: str, said: str
) -> None:
    told = doctor(secure.settings(HEALTH), *words)
    assert told.troubles() == [code]
    assert said in told[code]["message_en"] + told[code]["fix_en"]


# ---- clock, partitioner, event ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "status", "side"), [(-7, "warning", "behind"), (7, "warning", "ahead"), (40, "fault", "ahead")]
)
def test_a_clock_that_is_off_is_told_by_how_much(secure: SecureKafka, minutes: int, status: str, side: str) -> None:
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    told = doctor(secure.settings(HEALTH) | {"IOC_NOW": now.isoformat()})
    assert told.troubles() == ["clock_skew"]
    assert told["clock_skew"]["status"] == status
    assert f"{abs(minutes)} minutes {side}" in told["clock_skew"]["message_en"]


def _fnv(key: bytes) -> int:
    value = 0x811C9DC5
    for octet in key:
        value = (value ^ octet) * 16777619 % 2**32
    return abs(value - 2**32 if value >= 2**31 else value)


@pytest.mark.parametrize(
    ("hashed", "publisher", "topic", "source", "blamed", "fix"),
    [
        (zlib.crc32, OFFICE, DOSSIERS, "/lam-dong/onestop/x", "librdkafka", "partitioner=murmur2_random"),
        (_fnv, HEALTH, "ioc.health.visits", "/lam-dong/health", "sarama", "Murmur2Balancer"),
    ],
    ids=["librdkafka", "sarama"],
)
def test_a_wrong_partitioner_is_recognised_with_the_property_to_set(
    secure: SecureKafka, hashed: Callable[[bytes], int], publisher: str, topic: str, source: str, blamed: str, fix: str
) -> None:
    """That the figures stay exact: test_worker_events, reroutes; and the flow below."""
    assert doctor(secure.settings("worker"), "--publisher", publisher).codes()[-1] == "partitioner_unknown"

    async def send() -> None:
        headers = [("ce_source", source.encode())]
        async with AIOKafkaProducer(**kafka_arguments(secure.as_user(publisher))) as producer:
            for number in range(60):
                key = f"key-{number}".encode()
                await producer.send(topic, b"{}", key=key, headers=headers, partition=hashed(key) % 4)
            await producer.send(topic, b"{}", key=b"another's", headers=[("ce_source", b"/lam-dong/lgsp")])

    asyncio.run(send())
    told = doctor(secure.settings("worker"), "--publisher", publisher)
    assert told.troubles() == ["wrong_partitioner"]
    assert "of the newest 60 records" in told["wrong_partitioner"]["message_en"]
    assert blamed in told["wrong_partitioner"]["message_en"]
    assert fix in told["wrong_partitioner"]["fix_en"]


def test_events_put_by_crc32_give_exact_figures_and_doctor_says_so(secure: SecureKafka, tmp_path: Path) -> None:
    count = 40

    async def send() -> None:
        async with AIOKafkaProducer(**kafka_arguments(secure.as_user(OFFICE))) as producer:
            for number in range(count):
                record = binary(dossier(f"crc-{number}"))
                partition = zlib.crc32(record.key or b"") % 4
                await producer.send(
                    DOSSIERS, record.value, key=record.key, headers=list(record.headers), partition=partition
                )

    asyncio.run(send())
    environment = secure.settings("worker") | {"IOC_NOW": NOW}
    with start_worker("events,figures", broker="", folder=tmp_path, **environment) as worker:

        def exact() -> None:
            shown = worker.await_ready().metrics().figure("dossiers_online", "mtd")
            assert shown == Figure(numerator=count, denominator=count)

        eventually(exact, within_s=30, alive=[worker])
    told = doctor(secure.settings("worker"), "--publisher", OFFICE, "--type", "dossier.submitted")
    assert "librdkafka" in told["wrong_partitioner"]["message_en"]


def test_an_event_is_judged_as_the_worker_would(secure: SecureKafka, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    environment = secure.settings(OFFICE) | {"IOC_NOW": NOW}
    told = {}
    for name, event in {
        "good": dossier("a"),
        "bad": dossier("a", data={"channel": "fax"}),
        "foreign": dossier("a", source="/lam-dong/lgsp"),
    }.items():
        file.write_text(json.dumps(event), encoding="utf-8")
        told[name] = doctor(environment, "--event", str(file)).findings[-1]
    assert told["good"]["code"] == "event"
    assert "not_allowed" in told["bad"]["message_en"]
    assert told["bad"]["message_vi"] != told["bad"]["message_en"]
    assert "foreign_source" in told["foreign"]["message_en"]


# ---- the gateway -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def http_door(status: int, *, ready: int = 200) -> Iterator[str]:
    """A gateway as seen from outside: /readyz answers `ready`, everything else `status` with a problem."""
    problem = Problem(status, "told", vi="Vì sao.", en="why", headers={"Retry-After": "7"})

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(ready if self.path == "/readyz" else status)
            self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(problem.body("en"))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "ready", "codes"),
    [
        (200, 200, ["gateway_ready", "clock", "gateway"]),
        (401, 200, ["gateway_ready", "clock", "gateway_token_unknown"]),
        (403, 200, ["gateway_ready", "clock", "gateway_forbidden"]),
        (429, 200, ["gateway_ready", "clock", "gateway_busy"]),
        (503, 503, ["gateway_unavailable", "clock", "gateway_unavailable"]),
        (404, 404, ["gateway_other"]),
    ],
)
def test_each_answer_of_the_gateway_has_its_own_name(tmp_path: Path, status: int, ready: int, codes: list[str]) -> None:
    (tmp_path / "token").write_text("ioc_secret\n", encoding="ascii")
    with http_door(status, ready=ready) as url:
        told = doctor({}, "--gateway", url, "--token-file", str(tmp_path / "token"))
    assert told.codes() == codes
    assert "ioc_secret" not in json.dumps(told.findings)


def test_no_gateway_and_a_clock_behind_it_are_told(tmp_path: Path) -> None:
    with http_door(200) as url:
        now = datetime.now(UTC) - timedelta(minutes=6)
        assert doctor({"IOC_NOW": now.isoformat()}, "--gateway", url).troubles() == ["clock_skew"]
    assert doctor({}, "--gateway", url).codes() == ["gateway_unreachable"]
