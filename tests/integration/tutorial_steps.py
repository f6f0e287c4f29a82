"""A tutorial's Markdown as steps that a machine can follow: every command block, in order, with what it should print.

The marks are the words that the reader goes by: "second terminal" or "third terminal" above a block runs it there and
leaves it running; "run it again" lets it be repeated until the answer is the one shown; "Press Ctrl-C" ends what runs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Step", "matches", "steps_of"]

ANYTHING = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command block. `shown`: what it should print, None where the text shows nothing; `line`: where it stands."""

    line: int
    commands: str
    shown: str | None
    terminal: int
    is_repeated: bool
    stops_others: bool


def steps_of(markdown: str) -> list[Step]:
    """Returns the steps of a tutorial.

    Raises:
        ValueError: a fenced block is neither commands (bash) nor the answer (text) that follows some.
    """
    blocks = list(_blocks(markdown))
    steps = []
    for place, (line, language, prose, body) in enumerate(blocks):
        if language == "text":
            if not place or blocks[place - 1][1] != "bash" or prose.strip():
                raise ValueError(f"line {line}: an answer must follow its command at once")
            continue
        if language != "bash":
            raise ValueError(f"line {line}: a block of {language!r}; only bash and text are followed")
        follows = blocks[place + 1] if place + 1 < len(blocks) else None
        steps.append(
            Step(
                line=line,
                commands=body,
                shown=follows[3] if follows is not None and follows[1] == "text" else None,
                terminal=3 if "Open a third terminal" in prose else 2 if "Open a second terminal" in prose else 1,
                is_repeated="run it again" in prose,
                stops_others="Press Ctrl-C" in prose,
            )
        )
    return steps


def matches(output: str, shown: str) -> bool:
    """Whether `output` is what the text shows. A line `…` stands for any lines, `…` in a line for any text."""
    lines = [
        r"(?:.*\n)*?" if line.strip() == ANYTHING else ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n"
        for line in shown.rstrip().splitlines()
    ]
    return re.fullmatch("".join(lines), output.rstrip() + "\n") is not None


def _blocks(markdown: str) -> Iterator[tuple[int, str, str, str]]:
    """Yields (line, language, prose since the block before on one line, body) of each fenced block."""
    prose: list[str] = []
    body: list[str] | None = None
    start, language = 0, ""
    for number, line in enumerate(markdown.splitlines(), start=1):
        if body is None and line.startswith("```"):
            start, language, body = number, line.removeprefix("```").strip(), []
        elif body is not None and line == "```":
            yield start, language, " ".join(prose), "\n".join(body) + "\n"
            prose, body = [], None
        elif body is not None:
            body.append(line)
        else:
            prose.append(line)
    if body is not None:
        raise ValueError(f"line {start}: the block does not end")
