"""The locked jars: what is accepted, what is refused, and that a cache is whole or not there."""

import hashlib
import shutil
import threading
from pathlib import Path

import pytest

from ioc.broker.jars import Jar, JarLock, Progress, parse_lock, provide_jars, read_lock, render_lock, verify_jars
from ioc.errors import ConfigurationError

_CONTENT = {"alpha": b"first jar", "beta": b"second jar"}


def _lock() -> JarLock:
    return JarLock(
        kafka_version="9.9.9",
        jars=tuple(
            Jar(coordinate=f"org.example:{name}:1.0", size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in _CONTENT.items()
        ),
    )


def _fill(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
    for jar in lock.jars:
        (folder / jar.filename).write_bytes(_CONTENT[jar.coordinate.split(":")[1]])


def test_a_lock_survives_being_written_and_read() -> None:
    assert parse_lock(render_lock(_lock())) == _lock()


@pytest.mark.parametrize(
    "text",
    ["kafka_version = ", 'kafka_version = "1"', 'kafka_version = "1"\n[[jar]]\ncoordinate = "a:b:c"'],
    ids=["not TOML", "no jars", "no checksum"],
)
def test_a_damaged_lock_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigurationError, match="reinstall"):
        parse_lock(text)


def test_the_shipped_lock_names_kafka_and_no_address() -> None:
    lock = read_lock()
    assert any(jar.coordinate == f"org.apache.kafka:kafka_2.13:{lock.kafka_version}" for jar in lock.jars)
    assert len({jar.filename for jar in lock.jars}) == len(lock.jars)
    assert "//" not in render_lock(lock)


def test_a_first_start_fills_the_cache_and_a_second_fetches_nothing(tmp_path: Path) -> None:
    folder = provide_jars(_lock(), cache=tmp_path, fetch=_fill)
    assert provide_jars(_lock(), cache=tmp_path, fetch=_must_not_fetch) == folder


def _must_not_fetch(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
    raise AssertionError("fetched again")


def test_a_broken_fetch_leaves_no_cache_behind(tmp_path: Path) -> None:
    def break_half_way(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
        (folder / lock.jars[0].filename).write_bytes(b"first j")
        raise ConfigurationError("no network")

    with pytest.raises(ConfigurationError, match="no network"):
        provide_jars(_lock(), cache=tmp_path, fetch=break_half_way)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_fetched_jar_that_differs_from_the_lock_is_refused_by_name(tmp_path: Path) -> None:
    def tampered(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
        _fill(lock, folder)
        (folder / "beta-1.0.jar").write_bytes(b"other bytes")

    with pytest.raises(ConfigurationError, match=r"beta-1\.0\.jar.*not the jar that was locked"):
        provide_jars(_lock(), cache=tmp_path, fetch=tampered)
    assert not (tmp_path / "kafka-9.9.9").exists()


def test_a_cached_jar_that_was_tampered_with_is_refused_by_name(tmp_path: Path) -> None:
    folder = provide_jars(_lock(), cache=tmp_path, fetch=_fill)
    (folder / "alpha-1.0.jar").write_bytes(b"first jaR")
    with pytest.raises(ConfigurationError, match=r"alpha-1\.0\.jar.*delete the folder"):
        provide_jars(_lock(), cache=tmp_path, fetch=_must_not_fetch)


def test_a_local_folder_is_used_and_never_written_to(tmp_path: Path) -> None:
    _fill(_lock(), tmp_path)
    before = sorted(tmp_path.iterdir())
    assert provide_jars(_lock(), local=tmp_path, fetch=_must_not_fetch) == tmp_path.resolve()
    assert sorted(tmp_path.iterdir()) == before


def test_a_local_folder_that_lacks_a_jar_is_a_sentence_that_names_it(tmp_path: Path) -> None:
    _fill(_lock(), tmp_path)
    (tmp_path / "alpha-1.0.jar").unlink()
    with pytest.raises(ConfigurationError, match=r"alpha-1\.0\.jar.*IOC_KAFKA_JARS"):
        provide_jars(_lock(), local=tmp_path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        provide_jars(_lock(), local=tmp_path / "nowhere")


def test_two_first_starts_at_once_fetch_once(tmp_path: Path) -> None:
    fetches: list[Path] = []
    both_running = threading.Barrier(2, timeout=10)

    def fetch(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
        fetches.append(folder)
        _fill(lock, folder)

    def start() -> None:
        both_running.wait()
        verify_jars(_lock(), provide_jars(_lock(), cache=tmp_path, fetch=fetch), remedy="")

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(fetches) == 1


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("ioc.broker.jars.shutil.disk_usage", lambda _: usage._replace(free=5_000_000))
    with pytest.raises(ConfigurationError, match="only 5 MB free"):
        provide_jars(_lock(), cache=tmp_path, fetch=_must_not_fetch)


def test_a_cache_folder_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="IOC_KAFKA_JARS"):
        provide_jars(_lock(), cache=tmp_path / "file" / "cache", fetch=_fill)
