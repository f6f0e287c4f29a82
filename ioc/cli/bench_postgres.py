"""A PostgreSQL of its own for benchmarks and tests: Debian's package, a cluster in a temporary folder, a free loopback
port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ioc.errors import ConfigurationError, PermanentError

__all__ = ["postgres_cluster"]

START_S = 30.0


@contextmanager
def postgres_cluster(*, is_durable: bool = False) -> Iterator[str]:
    """Yields `user@127.0.0.1:port`; the cluster trusts whoever comes over loopback, and is gone afterwards.

    It waits for the disk only if `is_durable`.

    Raises:
        ConfigurationError: PostgreSQL is not installed.
        PermanentError: it does not start.
    """
    binaries = _binaries()
    # Not below a folder of ours: that may be closed to the user postgres.
    folder = Path(tempfile.mkdtemp(prefix="ioc-postgres-"))
    run_as: list[str] = []
    if os.geteuid() == 0:  # the server refuses to be root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        run_as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    try:
        initdb = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "ioc", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*run_as, *initdb, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "on" if is_durable else "off",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*run_as, str(binaries / "postgres"), "-D", str(folder / "data"), *flags],
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        try:
            _wait(server, folder / "log")
            yield f"ioc@127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise ConfigurationError("PostgreSQL is not installed; deploy/ensure-tools says how")
    return Path(on_path).resolve().parent


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port


def _wait(server: "subprocess.Popen[bytes]", log: Path) -> None:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at:
        if server.poll() is not None:
            raise PermanentError(f"PostgreSQL ended: {log.read_text()[-800:]}")
        if "ready to accept connections" in log.read_text():
            return
        time.sleep(0.02)
    raise PermanentError(f"PostgreSQL was not ready in {START_S:.0f} s: {log.read_text()[-800:]}")
