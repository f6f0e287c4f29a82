"""What is refused before Java starts, and what is said when Kafka ends by itself."""

import shutil
from pathlib import Path

import pytest

from ioc.broker import EmbeddedKafka
from ioc.broker.cluster import KafkaCluster
from ioc.errors import ConfigurationError, PermanentError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "kafka.example", "::1"])
def test_only_loopback_addresses_are_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1 only.*IOC_BROKER"):
        EmbeddedKafka(tmp_path, host=host).start()


def test_a_nearly_full_disk_is_refused_with_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("ioc.broker.embedded.shutil.disk_usage", lambda _: usage._replace(free=42_000_000))
    with pytest.raises(ConfigurationError, match=r"only 42 MB free.*at least 200 MB.*--dir"):
        EmbeddedKafka(tmp_path).start()


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(ConfigurationError, match="can't keep its data there"):
        EmbeddedKafka(tmp_path / "taken").start()


@pytest.mark.parametrize("heap", ["", "256", "lots", "-1g", "256m -Dx=y"])
def test_a_heap_that_java_would_not_take_is_refused(tmp_path: Path, heap: str) -> None:
    with pytest.raises(ConfigurationError, match="256m or 1g"):
        EmbeddedKafka(tmp_path, heap=heap).start()


@pytest.mark.parametrize(
    ("log", "kind", "said"),
    [
        ("java.io.IOException: No space left on device\n", ConfigurationError, "disk is full"),
        ("java.net.BindException: Address already in use\n", ConfigurationError, "choose another with --port"),
        (
            "[main] ERROR kafka.Kafka$ - Exiting Kafka due to fatal exception\n\tat x.y.Z\n",
            PermanentError,
            "fatal exception",
        ),
    ],
    ids=["disk full", "port taken", "anything else"],
)
def test_the_reason_of_an_early_end_is_read_from_the_log(
    tmp_path: Path, log: str, kind: type[Exception], said: str
) -> None:
    broker = EmbeddedKafka(tmp_path)
    broker.log_file.parent.mkdir()
    broker.log_file.write_text(log, encoding="utf-8")
    error = broker.failure()
    assert isinstance(error, kind)
    assert said in str(error)
    assert "\tat " not in str(error)


def test_stopping_what_never_started_does_nothing(tmp_path: Path) -> None:
    broker = EmbeddedKafka(tmp_path)
    broker.stop()
    broker.kill()
    assert not broker.is_running
    assert broker.wait(0)


@pytest.mark.parametrize(("nodes", "port"), [(0, 0), (3, 65_534)])
def test_a_cluster_that_can_not_be_is_refused(tmp_path: Path, nodes: int, port: int) -> None:
    with pytest.raises(ConfigurationError, match=r"--(nodes|port)"):
        KafkaCluster(tmp_path, nodes=nodes, port=port)


def test_a_cluster_keeps_its_id_for_the_next_start(tmp_path: Path) -> None:
    KafkaCluster(tmp_path)
    first = (tmp_path / "cluster-id").read_text()
    KafkaCluster(tmp_path)
    assert (tmp_path / "cluster-id").read_text() == first
