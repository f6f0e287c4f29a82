"""A child process: its output, its end, and that it goes with its parent."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from ioc.broker.process import ChildProcess

_FOREVER = [sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_a_child_writes_to_its_file_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    child = ChildProcess([sys.executable, "-c", "print('said'); raise SystemExit(3)"], output=tmp_path / "log")
    assert child.wait(10)
    assert child.returncode == 3
    assert (tmp_path / "log").read_text() == "said\n"


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[ChildProcess] = []
    thread = threading.Thread(target=lambda: started.append(ChildProcess(_FOREVER, output=tmp_path / "log")))
    thread.start()
    thread.join()
    try:
        assert not started[0].wait(0.3)
    finally:
        started[0].terminate(10)
    assert started[0].returncode == -15


def test_a_child_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    child = ChildProcess(_FOREVER, output=tmp_path / "log")
    try:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    finally:
        child.kill()
    assert not child.is_running


def test_a_program_that_is_not_there_ends_at_once_and_says_so(tmp_path: Path) -> None:
    child = ChildProcess([str(tmp_path / "missing")], output=tmp_path / "log")
    assert child.wait(10)
    assert "No such file" in (tmp_path / "log").read_text()


def test_an_output_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        ChildProcess(_FOREVER, output=tmp_path / "missing" / "log")


def test_a_child_dies_with_a_parent_that_is_killed_hard(tmp_path: Path) -> None:
    parent_code = (
        "import sys, pathlib, time\n"
        "from ioc.broker.process import ChildProcess\n"
        f"child = ChildProcess({_FOREVER!r}, output=pathlib.Path(sys.argv[1]))\n"
        "print(child.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent_code, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert psutil.wait_procs([child], timeout=10)[1] == []
