"""The ten-minute tutorial, followed word for word: its own blocks in its own order, in bash, on a real Kafka."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.running import READY_S, eventually
from tests.integration.tutorial_steps import Step, matches, steps_of

TUTORIAL = Path(__file__).parents[2] / "deploy" / "docs" / "tutorial-first-figure.md"
PROMISED_S = 600.0
STEP_S = 60.0
ANSWER_S = 30.0


@dataclass(slots=True)
class Terminal:
    """What the reader left running in a terminal of its own."""

    step: Step
    process: subprocess.Popen[bytes]
    printed: Path

    def output(self) -> str:
        return self.printed.read_text(encoding="utf-8", errors="replace")

    def interrupt(self) -> None:
        """Ctrl-C, which goes to all processes of a terminal."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(STEP_S)
        assert code == 0, f"line {self.step.line}: ended with {code} on Ctrl-C: {self.output()[-2000:]}"

    def end(self) -> None:
        """After a failure: no Ctrl-C came, and Kafka's own process should end with its parent."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STEP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Reader:
    """Follows the steps. The first terminal keeps its folder and variables from block to block; others begin fresh in
    the project's folder."""

    def __init__(self, project: Path, notes: Path) -> None:
        self._project, self._notes = project, notes
        self._terminals: list[Terminal] = []
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IOC_")}
        if "IOC_KAFKA_JARS" in os.environ:
            kept["IOC_KAFKA_JARS"] = os.environ["IOC_KAFKA_JARS"]
        self._environment = kept
        (notes / "place").write_text(f"cd {project}\n", encoding="utf-8")

    def follow(self, step: Step) -> None:
        if step.stops_others:
            for terminal in reversed(self._terminals):
                terminal.interrupt()
            self._terminals.clear()
        if step.terminal > 1:
            self._leave_running(step)
        elif step.is_repeated:
            eventually(lambda: self._run(step), within_s=ANSWER_S)
        else:
            self._run(step)

    def leave(self) -> None:
        for terminal in reversed(self._terminals):
            terminal.end()

    def _run(self, step: Step) -> None:
        place = self._notes / "place"
        script = (
            f'source "{place}"\n{step.commands}\n'
            f'code=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} > "{place}"; exit $code\n'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._project,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        if step.shown is None:
            assert done.returncode == 0, f"line {step.line}: exit code {done.returncode}: {done.stdout}"
        else:
            assert matches(done.stdout, step.shown), (
                f"line {step.line} shows\n{step.shown}\nand this came\n{done.stdout}"
            )

    def _leave_running(self, step: Step) -> None:
        printed = self._notes / f"terminal-{step.terminal}"
        with printed.open("wb") as file, (self._notes / f"terminal-{step.terminal}.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", step.commands],
                cwd=self._project,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=log,
                start_new_session=True,
            )
        terminal = Terminal(step=step, process=process, printed=printed)
        self._terminals.append(terminal)

        def answered() -> None:
            log = (self._notes / f"terminal-{step.terminal}.log").read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None, f"line {step.line}: it ended by itself: {log[-2000:]}"
            assert matches(terminal.output(), step.shown or ""), f"line {step.line}: {terminal.output()} {log[-2000:]}"

        eventually(answered, within_s=READY_S)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a fresh clone after `make setup`: the folder's .venv is the one that runs this test."""
    project, notes = tmp_path / "project", tmp_path / "notes"
    project.mkdir()
    notes.mkdir()
    (project / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    reader = Reader(project, notes)
    yield reader
    reader.leave()


def test_the_tutorial_works_word_for_word_in_less_than_ten_minutes(reader: Reader) -> None:
    steps = steps_of(TUTORIAL.read_text(encoding="utf-8"))
    began = time.monotonic()
    for step in steps:
        reader.follow(step)
    took_s = time.monotonic() - began
    assert {step.terminal for step in steps} == {1, 2, 3}
    assert took_s < PROMISED_S
    print(f"the tutorial took a machine {took_s:.1f} s")
