"""The archive of ready-loaded classes: made once, and never a reason not to start."""

from pathlib import Path

import pytest

from ioc.broker.jars import Jar, JarLock
from ioc.broker.java import archive_path, java_command, provide_archive, using_flags

_LOCK = JarLock(kafka_version="9.9.9", jars=(Jar(coordinate="org.example:alpha:1.0", size_bytes=1, sha256="0"),))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_archive_is_recorded_once_and_used_from_then_on(tmp_path: Path) -> None:
    recorded: list[Path] = []

    def record(archive: Path) -> None:
        recorded.append(archive)
        archive.write_bytes(b"classes")

    flags = [provide_archive(_LOCK, tmp_path, record) for _ in range(2)]
    assert flags == [using_flags(archive_path(_LOCK, tmp_path))] * 2
    assert len(recorded) == 1


def test_a_failed_recording_starts_without_and_is_not_tried_again(tmp_path: Path) -> None:
    tries: list[Path] = []

    def fail(archive: Path) -> None:
        tries.append(archive)
        raise RuntimeError("no java")

    assert [provide_archive(_LOCK, tmp_path, fail) for _ in range(2)] == [(), ()]
    assert len(tries) == 1


def test_a_cache_that_can_not_be_written_starts_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert provide_archive(_LOCK, tmp_path, Path.touch) == ()


def test_another_folder_of_jars_has_another_archive(tmp_path: Path) -> None:
    assert archive_path(_LOCK, tmp_path / "a") != archive_path(_LOCK, tmp_path / "b")


def test_the_command_runs_the_class_with_the_heap_and_the_locked_jars_only(tmp_path: Path) -> None:
    command = java_command(
        _LOCK, tmp_path, "kafka.Kafka", "file", heap="300m", class_data=("-XX:AOTCache=x",), logs=tmp_path
    )
    assert command[1] == "-Xmx300m"
    assert command[-4:] == ["-cp", str(tmp_path / "alpha-1.0.jar"), "kafka.Kafka", "file"]
    assert "-XX:AOTCache=x" in command
