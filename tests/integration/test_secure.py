"""The product on a broker that asks everybody who they are: each service and publisher with its own user and rights."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from typer.testing import CliRunner, Result

from ioc.adapters.acls import DOCTOR_TOPIC, ROLES, Acl, Operation, Resource, apply_acls, catalog_acls, publisher_topics
from ioc.adapters.kafka_access import KafkaAddress, kafka_arguments
from ioc.adapters.topics import find_cluster
from ioc.broker import EmbeddedKafka
from ioc.cli import topics as topics_command
from ioc.errors import ConfigurationError, PermanentError
from ioc.frames import FRAMES_TOPIC
from ioc.incidents import INCIDENTS_TOPIC
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.signatures import SigningKey
from ioc.settings import load_settings
from tests.integration.dossiers import DOSSIERS, NOW, dossier
from tests.integration.running import Figure, eventually, run_ioc, start_ioc, start_worker
from tests.integration.secure_site import SecureKafka, secure_kafka
from tests.unit.capture.pictures import jpeg
from tests.unit.oncall.making import SECRET, incident, record

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

OFFICE, HEALTH = "van-phong-ubnd", "so-y-te"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


def apply(secure: SecureKafka, *words: str, user: str = "admin") -> Result:
    app = typer.Typer()
    topics_command.register(app)
    return CliRunner().invoke(app, ["topics", "apply", "--json", *words], env=secure.settings(user))


# ---- the whole product -----------------------------------------------------------------------------------------------


async def test_worker_publish_capture_and_oncall_do_their_work_each_as_its_own_user(
    secure: SecureKafka, tmp_path: Path
) -> None:
    events, stills = tmp_path / "events.jsonl", tmp_path / "stills" / "cam"
    events.write_text("\n".join(json.dumps(dossier(f"secure-{n}")) for n in range(5)) + "\n", encoding="utf-8")
    stills.mkdir(parents=True)
    (stills / "1.jpg").write_bytes(jpeg())
    receiver = WebhookReceiver(key=SigningKey.from_text(SECRET, where="test"))
    await receiver.start()
    hook = {"IOC_ONCALL_WEBHOOK_URL": receiver.url, "IOC_ONCALL_WEBHOOK_SECRET": SECRET}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(receiver.stop)
        worker = stack.enter_context(
            start_worker(
                "events,incidents,frames,figures",
                broker="",
                folder=tmp_path,
                **{"IOC_NOW": NOW, **secure.settings("worker")},
            )
        )
        oncall = stack.enter_context(
            start_ioc("oncall", name="oncall", broker="", folder=tmp_path, **(secure.settings("oncall") | hook))
        )
        gateway = stack.enter_context(
            start_ioc("gateway", name="gateway", broker="", folder=tmp_path, **secure.settings("gateway"))
        )
        for service in (worker, oncall, gateway):
            service.await_ready()
        done = run_ioc(
            "publish",
            str(events),
            broker="",
            state=tmp_path,
            timeout_s=30,
            **{**secure.settings(OFFICE), "IOC_NOW": NOW},
        )
        assert done.returncode == 0, done.stderr
        done = run_ioc(
            *("capture", "folder", str(stills.parent), "--fps", "20", "--json"),
            broker="", state=tmp_path, timeout_s=30, **secure.settings("capture"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        of = incident(incident_id="secure-smoke")
        value, headers = record(of)
        async with AIOKafkaProducer(**kafka_arguments(secure.as_user("worker"))) as producer:
            await producer.send_and_wait(INCIDENTS_TOPIC, value, key=b"secure-smoke", headers=headers)
        await receiver.wait_for(unique=1)

        def counted() -> None:
            metrics = worker.metrics()
            assert metrics.outcomes(DOSSIERS)["accepted"] == 5
            assert metrics.figure("dossiers_online", "mtd") == Figure(numerator=5, denominator=5)
            assert metrics.total("ioc_frames_total") > 0
            assert metrics.outcomes("ioc.incident.actions")["in"] >= 1  # its clock is not the fixed one

        eventually(counted, within_s=30, alive=[worker, oncall])
        assert (worker.end(), oncall.end()) == (0, 0)
    said = worker.log() + oncall.log() + worker.output()
    assert "Authorization" not in said + gateway.log()
    assert secure.site.password("worker") not in said
    assert secure.site.password("oncall") not in said


# ---- rights ----------------------------------------------------------------------------------------------------------


async def _write(kafka: KafkaAddress, topic: str) -> None:
    async with AIOKafkaProducer(**kafka_arguments(kafka), enable_idempotence=True, acks="all") as producer:
        await producer.send_and_wait(topic, b"{}", key=b"k")


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        (HEALTH, DOSSIERS),
        (HEALTH, "ioc.kpi.partials"),
        (HEALTH, "ioc.dead-letters"),
        ("capture", DOSSIERS),
        ("oncall", DOSSIERS),
        ("gateway", "ioc.state.entities"),
        ("worker", FRAMES_TOPIC),
    ],
)
async def test_nobody_writes_what_is_not_theirs(secure: SecureKafka, user: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await _write(secure.as_user(user), topic)


async def test_a_publisher_writes_each_of_its_topics_and_reads_none(secure: SecureKafka) -> None:
    own = publisher_topics(secure.catalog, secure.catalog.publishers[HEALTH])
    assert own
    for topic in own:
        await _write(secure.as_user(HEALTH), topic)
    consumer = AIOKafkaConsumer(own[0], **kafka_arguments(secure.as_user(HEALTH)), group_id="ioc-events")
    with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        await consumer.start()
    await consumer.stop()


def test_a_second_application_changes_nothing_and_a_foreign_right_is_taken_away(secure: SecureKafka) -> None:
    wanted = catalog_acls(secure.catalog)
    assert (set(secure.first.added), secure.first.removed) == (wanted, ())
    answer = json.loads(apply(secure).stdout)["acls"]
    assert answer == {"authorizer": True, "added": [], "removed": [], "kept": len(wanted), "strangers": []}
    catalog = secure.catalog
    less = replace(catalog, publishers={HEALTH: replace(catalog.publishers[HEALTH], types=("health.coverage",))})
    report = asyncio.run(apply_acls(secure.broker.address, less, is_dry=True))
    assert (
        Acl(principal=f"User:{HEALTH}", operation=Operation.WRITE, resource=Resource.TOPIC, name="ioc.health.visits")
        in report.removed
    )
    assert any(acl.principal == f"User:{OFFICE}" for acl in report.strangers)
    assert json.loads(apply(secure, "--dry-run").stdout)["acls"]["kept"] == len(wanted)


def test_who_is_no_administrator_is_told_so(secure: SecureKafka) -> None:
    done = apply(secure, user="worker")
    assert isinstance(done.exception, PermanentError)
    assert "administrator" in str(done.exception)


async def test_a_wrong_password_is_a_sentence_that_names_doctor(secure: SecureKafka) -> None:
    security = replace(secure.site.security("worker"), password="wrong")
    with pytest.raises(PermanentError, match="ioc doctor"):
        await find_cluster(KafkaAddress(secure.servers, security))


def test_each_role_and_publisher_may_show_its_clock(secure: SecureKafka) -> None:
    users = {acl.principal for acl in catalog_acls(secure.catalog) if acl.name == DOCTOR_TOPIC.name}
    assert users == {f"User:{name}" for name in (*ROLES, *secure.catalog.publishers)}


# ---- what lies on the disk and in the process list -------------------------------------------------------------------


def test_secrets_are_the_owners_alone_and_on_no_command_line(secure: SecureKafka) -> None:
    secure.site.write_environments(secure.servers)
    folder = secure.site.folder
    open_files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert open_files == [secure.site.certificates.ca]
    kept = [folder, folder / "users", secure.broker.directory]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o700}
    assert stat.S_IMODE((secure.broker.directory / "server.properties").stat().st_mode) == 0o600
    passwords = [secure.site.password(user) for user in (*secure.site.users, "broker")]
    told = " ".join(psutil.Process(secure.broker.pid).cmdline()) + secure.broker.log_file.read_text(encoding="utf-8")
    assert not [one for one in passwords if one in told]
    assert not (secure.broker.directory / "format.arguments").exists()


def test_a_secure_folder_is_not_opened_in_clear_text(secure: SecureKafka) -> None:
    copy = EmbeddedKafka(secure.broker.directory.parent / "other", jars=load_settings().kafka_jars)
    (copy.directory / "data").mkdir(parents=True)
    (copy.directory / "data" / "meta.properties").touch()
    (copy.directory / "is-secure").touch()
    with pytest.raises(ConfigurationError, match="was made with --secure"):
        copy.start()


def test_the_command_says_ready_first_and_its_files_let_in_after_a_restart(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ioc", "broker", "--secure", "--dir", str(tmp_path), "--port", "0"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("IOC_KAFKA_P")}
    for nodes in ("1", "1"):
        with subprocess.Popen(
            [*command, "--nodes", nodes], env=environment, stdout=subprocess.PIPE, text=True
        ) as shell:
            assert shell.stdout is not None
            word, address = shell.stdout.readline().split()
            lines = (tmp_path / "secure" / "users" / "worker.env").read_text(encoding="utf-8").splitlines()
            shown = run_ioc(
                "topics",
                "list",
                "--json",
                broker="",
                state=tmp_path,
                timeout_s=20,
                **dict(x.split("=", 1) for x in lines),
            )
            shell.terminate()
            assert shell.wait(15) == 0
        assert (word, shown.returncode, shown.stdout) == ("ready", 0, "[]\n"), shown.stderr
        assert f"IOC_BROKER={address}" in lines
