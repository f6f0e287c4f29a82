"""What a detector answers is said in Vietnamese too: a report with an English code in it helps no duty officer."""

import ast
from pathlib import Path

import pytest

import detectors.smoke
from ioc.cli.evaluate_words import said

SOURCES = [Path(str(detectors.smoke.__file__)).parent / name for name in ("guards.py", "candidates.py", "detector.py")]
SHORT = {"dark", "still", "foreground", "persistence"}


def codes() -> set[str]:
    """Every text within a function that could be a reason, a note or a cue: letters joined by underscores."""
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in SOURCES]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    texts = {node.value for one in functions for node in ast.walk(one) if isinstance(node, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and "_" in text and text.replace("_", "").isalpha()} | SHORT


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_reason_has_words_in_both_languages(code: str) -> None:
    vietnamese, english = said(code)
    assert vietnamese != english, code


def test_the_reasons_were_found() -> None:
    assert {"unsteady_picture", "visibility_degraded", "dark", "no_view", "above_terrain", "camera_moved"} <= codes()
