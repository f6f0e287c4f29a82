"""A child process that can't outlive its parent, not even when the parent is killed with -9."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ChildProcess"]

# Why a launcher: the kernel kills a child at its parent's death (PR_SET_PDEATHSIG, option 1) only if the child itself
# asked for it. A `preexec_fn` would ask too, but runs Python between fork and exec, which may deadlock in a process
# with threads. So a bare interpreter asks, looks whether the parent died meanwhile, and becomes the program (exec keeps
# the wish). Elsewhere than Linux there is no such wish: there, a hard-killed parent leaves its child.
_LAUNCHER = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """Runs `argv`, with both outputs appended to the file `output`, in a process group of its own.

    Ctrl-C in a terminal reaches only our own handler, which then ends the child in good order. `keep_fds` are file
    descriptors that the child holds too (a lock that lasts as long as the child). `environment`, where given, takes the
    place of ours.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        output: Path,
        keep_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._exited = threading.Event()
        self._started = threading.Event()
        self._start_error: OSError | None = None
        self.returncode: int | None = None
        # The kernel's "parent" is the *thread* that forked. A short-lived one (asyncio.to_thread, a test's) would take
        # the child with it, so a thread of our own forks, and stays until the child has ended.
        self._thread = threading.Thread(
            target=self._run,
            args=(list(argv), output, tuple(keep_fds), environment),
            name=f"child-{Path(argv[0]).name}",
            daemon=True,
        )
        self._thread.start()
        self._started.wait()
        if self._start_error is not None:
            raise self._start_error

    def _run(
        self, argv: list[str], output: Path, keep_fds: tuple[int, ...], environment: Mapping[str, str] | None
    ) -> None:
        try:
            with output.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=keep_fds,
                    start_new_session=True,
                    env=environment,
                )
        except OSError as error:
            self._start_error = error
            return
        finally:
            self._started.set()
        self.returncode = self._process.wait()
        self._exited.set()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return not self._exited.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Returns whether the child has ended, waiting at most `timeout_s` seconds for it."""
        return self._exited.wait(timeout_s)

    def ask_to_end(self) -> None:
        """Sends SIGTERM, once or again, and returns at once."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def terminate(self, grace_s: float) -> None:
        """Ends the child: SIGTERM, then SIGKILL when it is still there after `grace_s` seconds."""
        self.ask_to_end()
        if not self.wait(grace_s):
            self.kill()

    def kill(self) -> None:
        """Ends the child hard and returns when it is gone."""
        if self.is_running:
            self._process.kill()
        self.wait()
