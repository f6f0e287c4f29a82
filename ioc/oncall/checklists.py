"""The steps of a runbook as a checklist: the numbered list of its markdown. Pure.

A step is known by its number and the first words of the Vietnamese text: an audit row says what was ticked, and a
runbook that changes later doesn't carry an old tick over to a new step.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["ChecklistStep", "checklist_of"]

LEAD_CHARS = 100
_RULE = "\n---\n"  # a runbook holds Vietnamese, a rule, then English
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True, slots=True)
class ChecklistStep:
    """`step` is what a tick names; `html` is the step's text, safe to show."""

    step: str
    lead: str
    html: str


@lru_cache(maxsize=128)
def checklist_of(markdown: str, language: Literal["vi", "en"]) -> tuple[ChecklistStep, ...]:
    """Returns the steps in order, none where the runbook has no numbered list."""
    parts = markdown.split(_RULE)
    vietnamese = list(_items(parts[0]))
    wanted = vietnamese
    if language == "en" and len(parts) > 1:
        english = list(_items(parts[1]))
        wanted = english if len(english) == len(vietnamese) else vietnamese
    return tuple(
        ChecklistStep(step=f"{number}. {_lead(key)}", lead=_lead(shown), html=_html(shown))
        for number, (key, shown) in enumerate(zip(vietnamese, wanted, strict=True), 1)
    )


def _items(markdown: str) -> Iterator[list[Token]]:
    """The tokens of each item of the top-level numbered lists."""
    item: list[Token] = []
    is_numbered = False
    for token in _MARKDOWN.parse(markdown):
        if token.level == 0 and token.type in ("ordered_list_open", "ordered_list_close"):
            is_numbered = token.type == "ordered_list_open"
        elif is_numbered and token.level == 1 and token.type == "list_item_open":
            item = []
        elif is_numbered and token.level == 1 and token.type == "list_item_close":
            yield item
        elif is_numbered:
            item.append(token)


def _lead(item: Sequence[Token]) -> str:
    """The words in bold at the beginning, else the first sentence."""
    inline = next((token for token in item if token.type == "inline"), None)
    if inline is None:
        return ""
    text = "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))
    bold = re.match(r"\*\*(.+?)\*\*", inline.content)
    lead = bold[1] if bold else re.split(r"(?<=[.;:])\s", text, maxsplit=1)[0]
    return " ".join(lead.rstrip(" .").split())[:LEAD_CHARS]


def _html(item: Sequence[Token]) -> str:
    if not item:
        return escape("")
    return str(_MARKDOWN.renderer.render(list(item), _MARKDOWN.options, {}))
