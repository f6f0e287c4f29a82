"""Apache Kafka as a child process: for the demo, the tests and a small site, from pip alone."""

import errno
import fcntl
import ipaddress
import logging
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ioc.broker.certificates import write_private
from ioc.broker.jars import JarLock, Progress, provide_jars, read_lock
from ioc.broker.java import argument_file, java_command, provide_archive, recording_flags
from ioc.broker.process import ChildProcess
from ioc.broker.properties import CONTROLLER, NodePlan, new_cluster_id, render_properties
from ioc.broker.secure import ADMIN, SecureSite, broker_properties, ensure_users
from ioc.broker.wire import LoginRefused, NotKafka, fetch_cluster
from ioc.errors import ConfigurationError, PermanentError, TransientError

__all__ = ["MIN_FREE_BYTES", "EmbeddedKafka", "free_port"]

logger = logging.getLogger(__name__)

# Kafka halts at the first failed write; better to refuse a start than to die an hour into the demo.
MIN_FREE_BYTES = 200_000_000
_STOP_GRACE_S = 20.0
# Java writes the class archive at its end, which takes about 5 s on two cores.
_RECORDING_GRACE_S = 90.0
# A hard-killed owner takes its JVM along, but the kernel may need a moment to close its files.
_LOCK_WAIT_S = 5.0
_FORMAT_TIMEOUT_S = 60.0
_PROBE_EVERY_S = 0.05
_LOG_KEEP_BYTES = 5_000_000
_TAIL_LINES = 6
_TAIL_READ_BYTES = 20_000


def free_port(host: str) -> int:
    """Returns a TCP port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class EmbeddedKafka:
    """One Kafka node (broker and controller in one process) that keeps its data in `directory`.

    `port` 0 picks a free one, which later starts of the same object keep. `jars` is a folder of Kafka's jars used
    instead of fetching them. Clear text without passwords unless `secure`; on loopback addresses only. A node of a
    cluster gets its `node_id`, the controller ports of all nodes as `voters`, and their common `cluster_id`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        jars: Path | None = None,
        heap: str = "256m",
        node_id: int = 1,
        voters: Mapping[int, int] | None = None,
        cluster_id: str | None = None,
        class_data: tuple[str, ...] | None = None,
        secure: SecureSite | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self._secure = secure
        self.host = host
        self.port = port
        self._jars = jars
        self._heap = heap
        self._node_id = node_id
        self._voters = voters
        self._cluster_id = cluster_id
        self._class_data = class_data
        self._progress = progress
        self._child: ChildProcess | None = None
        self._lock_fd: int | None = None
        self._log_starts_at = 0

    # What callers ask

    @property
    def address(self) -> str:
        """`host:port` for clients; where the broker is secure, it gets in as the administrator."""
        servers = f"{self.host}:{self.port}"
        return servers if self._secure is None else self._secure.address(servers)

    @property
    def pid(self) -> int | None:
        """The JVM's process id while it runs."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def log_file(self) -> Path:
        return self.directory / "logs" / "broker.log"

    # Life cycle

    def start(self, timeout_s: float = 60.0) -> str:
        """Returns `host:port` once the broker answers as a member of its cluster; at once when it already runs.

        Raises:
            ConfigurationError: port taken, directory unusable, full or in use, jars wrong or not to be had.
            PermanentError: the broker ended early; quotes its log.
            TransientError: it did not answer within `timeout_s` seconds (fetching the jars is not counted).
        """
        if not self.is_running:
            self.launch()
            self.await_ready(timeout_s)
        return self.address

    def launch(self) -> None:
        """Starts the process without waiting for its answer (see `await_ready`)."""
        self._check_host()
        if not re.fullmatch(r"[1-9]\d*[mMgG]", self._heap):
            raise ConfigurationError(f"heap {self._heap!r}: write it as Java does, like 256m or 1g")
        self._prepare_directory()
        lock = read_lock()
        jars = provide_jars(lock, local=self._jars, progress=self._progress)
        class_data = self._class_data
        if class_data is None:
            class_data = provide_archive(lock, jars, lambda archive: self._record_archive(jars, archive))
        self._take_directory()
        try:
            self._launch_locked(lock, jars, class_data)
        except BaseException:
            self._release_directory()
            raise

    def await_ready(self, timeout_s: float) -> None:
        """Returns once the launched broker answers; on failure it is gone when this raises, as `start` does."""
        assert self._child is not None, "launch() comes first"
        deadline = time.monotonic() + timeout_s
        try:
            while not self._answers():
                if self._child.wait(_PROBE_EVERY_S):
                    raise self.failure()
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"Kafka did not answer at {self.address} within {timeout_s:.0f} s; "
                        f"the machine may be too busy. Its log, {self.log_file}, ends:\n{self._log_tail()}"
                    )
            if self._secure is not None:
                ensure_users(self.host, self.port, self._secure)
        except BaseException:
            self.kill()
            raise

    def begin_stop(self) -> None:
        """Asks the broker to end, without waiting for it (see `stop`)."""
        if self._child is not None:
            self._child.ask_to_end()

    def stop(self, grace_s: float | None = None) -> None:
        """Ends the broker in good order (SIGTERM; SIGKILL after 20 s). Does nothing when it doesn't run."""
        if self._child is not None:
            usual_s = _STOP_GRACE_S if self._class_data is None else _RECORDING_GRACE_S
            self._child.terminate(usual_s if grace_s is None else grace_s)
        self._release_directory()

    def kill(self) -> None:
        """Ends the broker as a power cut would (SIGKILL), and returns when it is gone."""
        if self._child is not None:
            self._child.kill()
        self._release_directory()

    def restart(self, timeout_s: float = 60.0) -> str:
        """Stops, and starts again with the same data and port."""
        self.stop()
        return self.start(timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Returns whether the broker has ended, waiting at most `timeout_s` seconds (None: as long as it takes)."""
        return self._child is None or self._child.wait(timeout_s)

    def failure(self) -> ConfigurationError | PermanentError:
        """Returns the error that says why the broker ended by itself."""
        code = self._child.returncode if self._child is not None else None
        tail = self._log_tail()
        if "No space left on device" in tail:
            return ConfigurationError(
                f"{self.directory}: the disk is full, so Kafka stopped; free some space and start it again"
            )
        if "Address already in use" in tail:
            return ConfigurationError(
                f"port {self.port} of {self.host} was taken while Kafka started; choose another with --port"
            )
        return PermanentError(f"Kafka ended by itself (exit code {code}). Its log, {self.log_file}, ends:\n{tail}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Steps of a start

    def _check_host(self) -> None:
        try:
            is_loopback = self.host == "localhost" or ipaddress.IPv4Address(self.host).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ConfigurationError(
                f"host {self.host!r}: the embedded broker listens on 127.0.0.1 only; "
                f"for other machines run your own Kafka and set IOC_BROKER"
            )

    def _prepare_directory(self) -> None:
        try:
            (self.directory / "logs").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory):
                free = shutil.disk_usage(self.directory).free
        except OSError as error:
            raise ConfigurationError(
                f"{self.directory}: Kafka can't keep its data there ({error.strerror or error}); "
                f"choose a folder that this user may write to, with --dir"
            ) from None
        if free < MIN_FREE_BYTES:
            raise ConfigurationError(
                f"{self.directory}: only {free // 1_000_000} MB free, and Kafka needs at least "
                f"{MIN_FREE_BYTES // 1_000_000} MB; free some space, or choose another folder with --dir"
            )

    def _take_directory(self) -> None:
        """Takes the directory's lock; the JVM inherits it, so that it lasts as long as either process."""
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    owner = os.pread(descriptor, 20, 0).decode().strip()
                    os.close(descriptor)
                    raise ConfigurationError(
                        f"{self.directory}: another broker is running on this folder (started by process {owner}); "
                        f"stop it, or choose another folder with --dir"
                    ) from None
                time.sleep(_PROBE_EVERY_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock_fd = descriptor

    def _release_directory(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _launch_locked(self, lock: JarLock, jars: Path, class_data: tuple[str, ...]) -> None:
        self._take_port()
        voters = self._voters or {self._node_id: free_port(self.host)}
        data = self.directory / "data"
        plan = NodePlan(node_id=self._node_id, host=self.host, port=self.port, voters=voters, data=data)
        config = self.directory / "server.properties"
        secure = broker_properties(self._secure, controller_listener=CONTROLLER) if self._secure is not None else None
        write_private(config, render_properties(plan, secure))
        self._rotate_log()

        def command(class_data: tuple[str, ...], main: str, *arguments: str) -> list[str]:
            logs = self.log_file.parent
            return java_command(lock, jars, main, *arguments, heap=self._heap, class_data=class_data, logs=logs)

        is_new = not (data / "meta.properties").exists()
        self._check_kind(is_new=is_new)
        if is_new:
            # A recording is of the broker, not of this small tool.
            tool_flags = class_data if self._class_data is None else ()
            cluster = f"--cluster-id={self._cluster_id or new_cluster_id()}"
            users = self._secure.format_arguments() if self._secure is not None else ()
            self._format(command(tool_flags, "kafka.tools.StorageTool", "format", cluster, "-c", str(config), *users))
        keep = (self._lock_fd,) if self._lock_fd is not None else ()
        self._child = ChildProcess(command(class_data, "kafka.Kafka", str(config)), output=self.log_file, keep_fds=keep)

    def _check_kind(self, *, is_new: bool) -> None:
        """A folder stays secure or in clear text: its data would lie open, or nobody could get in."""
        mark = self.directory / "is-secure"
        if is_new and self._secure is not None:
            self.directory.chmod(0o700)  # Java writes its files for everybody to read
            mark.touch()
        elif is_new:
            mark.unlink(missing_ok=True)
        elif mark.exists() and self._secure is None:
            raise ConfigurationError(
                f"{self.directory}: was made with --secure; start it with --secure, or choose another folder with --dir"
            )
        elif not mark.exists() and self._secure is not None:
            raise ConfigurationError(
                f"{self.directory}: was made without --secure, so nobody has a password there; "
                f"choose another folder with --dir"
            )

    def _take_port(self) -> None:
        if self.port == 0:
            self.port = free_port(self.host)
            return
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: lingering connections are fine
            try:
                probe.bind((self.host, self.port))
                return
            except OSError as error:
                reason = error
        if reason.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {self.port} of {self.host} is taken by another program; stop that program, "
                f"or choose another port with --port (0 picks a free one)"
            )
        raise ConfigurationError(
            f"Kafka can't listen on {self.host}:{self.port} ({reason.strerror or reason}); "
            f"choose another port with --port"
        )

    def _format(self, command: list[str]) -> None:
        arguments = self.directory / "format.arguments"
        write_private(arguments, argument_file(command[1:]))  # on a command line every process could read them
        try:
            done = subprocess.run(
                [command[0], f"@{arguments}"], capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise TransientError(
                f"{self.directory}: preparing the folder took over {_FORMAT_TIMEOUT_S:.0f} s"
            ) from None
        finally:
            arguments.unlink()
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-800:]
            raise PermanentError(f"{self.directory}: Kafka could not prepare this folder for its data: {said}")

    def _rotate_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_KEEP_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self._log_starts_at = self.log_file.stat().st_size if self.log_file.exists() else 0

    def _record_archive(self, jars: Path, archive: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="ioc-kafka-") as scratch:
            trial = EmbeddedKafka(Path(scratch), jars=jars, class_data=recording_flags(archive))
            try:
                trial.start()
                trial.stop()
            finally:
                trial.kill()  # nothing left to do, unless Ctrl-C came

    # What it says

    def _answers(self) -> bool:
        try:
            security = self._secure.security(ADMIN) if self._secure is not None else None
            view = fetch_cluster(self.host, self.port, timeout_s=2.0, security=security)
        except (OSError, NotKafka, LoginRefused):
            return False
        return any(node.node_id == self._node_id for node in view.brokers)

    def _log_tail(self) -> str:
        try:
            with self.log_file.open("rb") as file:
                # Only this run's lines: an earlier run's "disk is full" would mislead.
                file.seek(max(self._log_starts_at, self.log_file.stat().st_size - _TAIL_READ_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        telling = [line for line in lines if line.strip() and not line.startswith(("\tat ", "WARNING:"))]
        return "\n".join(telling[-_TAIL_LINES:])
