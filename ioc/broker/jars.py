"""The broker's jars: a locked list, fetched once by Maven coordinates, checked by sha256 at every start."""

import fcntl
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ioc.errors import ConfigurationError

__all__ = [
    "LOCK_FILE",
    "Fetch",
    "Jar",
    "JarLock",
    "cache_root",
    "exclusive",
    "fetch_with_jgo",
    "parse_lock",
    "provide_jars",
    "read_lock",
    "render_lock",
    "verify_jars",
]

logger = logging.getLogger(__name__)

LOCK_FILE = Path(__file__).with_name("jars.lock.toml")

# Measured on 46 jars: 8 s one by one, 3 s with four at a time; more gains nothing and is unkind to a mirror.
_PARALLEL_FETCHES = 4
# A copy of the jars and the class-data archive need about 120 MB.
_MIN_FREE_CACHE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One locked file: `group:artifact:version`, its length and its sha256 in hex."""

    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True, kw_only=True)
class JarLock:
    """The whole list, in class-path order. `kafka_version` names the cache folder."""

    kafka_version: str
    jars: tuple[Jar, ...]

    def classpath(self, folder: Path) -> str:
        return os.pathsep.join(str(folder / jar.filename) for jar in self.jars)


Progress = Callable[[int, int], None]
"""Called with (jars done, jars in all)."""

Fetch = Callable[[JarLock, Path, Progress | None], None]
"""Puts every jar of the lock into a folder; raises ConfigurationError with a sentence."""


def parse_lock(text: str) -> JarLock:
    """Returns the lock that `render_lock` wrote.

    Raises:
        ConfigurationError: not TOML, or an entry lacks a key.
    """
    try:
        document = tomllib.loads(text)
        return JarLock(
            kafka_version=str(document["kafka_version"]),
            jars=tuple(
                Jar(coordinate=entry["coordinate"], size_bytes=int(entry["size_bytes"]), sha256=entry["sha256"])
                for entry in document["jar"]
            ),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{LOCK_FILE.name}: the list of the broker's jars is damaged ({error!r}); reinstall ioc-streams"
        ) from None


def render_lock(lock: JarLock) -> str:
    """Returns the TOML text of a lock; it holds coordinates and checksums, never an address."""
    entries = [
        f'[[jar]]\ncoordinate = "{jar.coordinate}"\nsize_bytes = {jar.size_bytes}\nsha256 = "{jar.sha256}"\n'
        for jar in lock.jars
    ]
    head = "# Written by `python -m ioc.broker.relock`; don't edit by hand.\n"
    return head + f'kafka_version = "{lock.kafka_version}"\n\n' + "\n".join(entries)


def read_lock() -> JarLock:
    """Returns the lock that ships with the product."""
    return parse_lock(LOCK_FILE.read_text(encoding="utf-8"))


def verify_jars(lock: JarLock, folder: Path, *, remedy: str) -> None:
    """Returns when every locked jar lies in `folder` with the locked bytes (46 MB: about 0.1 s).

    Raises:
        ConfigurationError: names the first jar that is missing or differs, and says `remedy`.
    """
    for jar in lock.jars:
        path = folder / jar.filename
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ConfigurationError(
                f"{folder}: Kafka's jar {jar.filename} ({jar.coordinate}) is missing; {remedy}"
            ) from None
        if found != jar.sha256:
            raise ConfigurationError(
                f"{path}: is not the jar that was locked (sha256 {found[:12]}…, expected {jar.sha256[:12]}…) "
                f"and will not be run; {remedy}"
            )


def cache_root() -> Path:
    """Returns the user's cache folder for this product (it may not exist yet)."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ioc"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ioc"


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds an advisory lock on the file `path`: two first starts wait for each other instead of fetching twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def provide_jars(
    lock: JarLock,
    *,
    local: Path | None = None,
    cache: Path | None = None,
    fetch: Fetch | None = None,
    progress: Progress | None = None,
) -> Path:
    """Returns a folder that holds every locked jar, verified; fetches them once when the cache has none.

    `local` (setting `kafka_jars`) is used instead of the cache and never written to. The cache appears whole or not at
    all: jars are fetched and verified in a temporary folder beside it, which is then renamed.

    Raises:
        ConfigurationError: a jar is missing, differs or can't be fetched, or the cache can't be written.
    """
    if local is not None:
        if not local.is_dir():
            raise ConfigurationError(f"IOC_KAFKA_JARS={local}: no such folder; name a folder that holds Kafka's jars")
        remedy = f"IOC_KAFKA_JARS names this folder: put the jars there that {LOCK_FILE.name} lists, or unset it"
        verify_jars(lock, local, remedy=remedy)
        return local.resolve()
    root = cache or cache_root()
    folder = root / f"kafka-{lock.kafka_version}"
    if not folder.is_dir():
        try:
            with exclusive(root / f"kafka-{lock.kafka_version}.lock"):
                if not folder.is_dir():
                    _populate(lock, folder, fetch or fetch_with_jgo, progress)
        except OSError as error:
            raise ConfigurationError(
                f"{root}: Kafka's jars can't be stored there ({error.strerror or error}); "
                f"free some space or set XDG_CACHE_HOME to another folder, or IOC_KAFKA_JARS to a folder of jars"
            ) from error
    verify_jars(lock, folder, remedy=f"delete the folder {folder} to fetch the jars again")
    return folder


def _populate(lock: JarLock, folder: Path, fetch: Fetch, progress: Progress | None) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < _MIN_FREE_CACHE_BYTES:
        raise ConfigurationError(
            f"{folder.parent}: only {free // 1_000_000} MB free, and Kafka's jars need "
            f"{_MIN_FREE_CACHE_BYTES // 1_000_000} MB; free some space, or set XDG_CACHE_HOME to another folder"
        )
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        fetch(lock, staging, progress)
        verify_jars(lock, staging, remedy="what the repository serves has changed: don't use it, and ask for help")
        staging.chmod(0o755)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def fetch_with_jgo(lock: JarLock, folder: Path, progress: Progress | None = None) -> None:
    """Fetches each locked coordinate by jgo, from its default repository or those of the user's jgo settings.

    The lock already names every jar, so nothing is resolved: no POM is read, and jgo's environment builder (which
    wants a second JDK to look into jars) is not used.

    Raises:
        ConfigurationError: no network, or a repository lacks a jar.
    """
    import requests  # what jgo fetches with
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory(prefix="fetch.", dir=folder.parent) as scratch:
        # A repository folder of our own: jgo writes straight to the final name, so that one shared with another
        # process, or left by a broken download, could hold half a jar.
        context = MavenContext(
            repo_cache=Path(scratch),
            remote_repos={**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL},
        )

        def fetch_one(jar: Jar) -> None:
            group, artifact, version = jar.coordinate.split(":")
            try:
                path = context.project(group, artifact).at_version(version).artifact().resolve()
            except (requests.RequestException, RuntimeError) as error:
                logger.debug("could not fetch %s", jar.coordinate, exc_info=error)
                raise ConfigurationError(
                    f"Kafka's jars can't be fetched ({jar.coordinate}: {type(error).__name__}); they are needed once, "
                    f"then never again. Connect this machine and try again, or set IOC_KAFKA_JARS to a folder with "
                    f"the {len(lock.jars)} jars listed in {LOCK_FILE.name}"
                ) from error
            shutil.move(path, folder / jar.filename)

        with ThreadPoolExecutor(_PARALLEL_FETCHES) as pool:
            pending = [pool.submit(fetch_one, jar) for jar in lock.jars]
            try:
                for done, future in enumerate(as_completed(pending), start=1):
                    future.result()
                    if progress is not None:
                        progress(done, len(lock.jars))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
