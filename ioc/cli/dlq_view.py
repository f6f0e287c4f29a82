"""How dead letters look on a terminal. Nothing of what they hold is obeyed by it."""

import json
from typing import TYPE_CHECKING

from ioc.reject_advice import advice_of

if TYPE_CHECKING:
    from ioc.adapters.retries import Retry
    from ioc.dead_letters import RetryMark, StoredLetter

__all__ = ["description", "line", "original_text", "plain", "retry_line"]

SHOWN_CHARACTERS = 4000


def line(letter: "StoredLetter", mark: "RetryMark | None") -> str:
    """One letter of the list."""
    what = f"{letter.reason} ({letter.field})" if letter.field else letter.reason
    again = f"  sent again {mark.at.isoformat(timespec='seconds')} as {mark.sent_to}" if mark else ""
    text = f"{letter.at.isoformat(timespec='seconds')}  {letter.place}  {what}  {letter.source}{again}"
    return plain(text, is_line=True)


def retry_line(retry: "Retry") -> str:
    """What became of one letter."""
    place = retry.letter.place
    match retry.outcome:
        case "sent":
            text = f"sent {place} again as {retry.sent_to}"
        case "already":
            at = retry.at.isoformat(timespec="seconds") if retry.at else "?"
            text = f"{place} was already sent again at {at} as {retry.sent_to}; --again sends it once more"
        case "refused":
            assert retry.error is not None, "a refusal has its reason"
            reason, vi, en = retry.error.reason, retry.error.vi, retry.error.en
            text = f"{place} would be refused again, {reason}: {en} | {vi}; --force sends it all the same"
        case "lost":
            text = retry.sentence
    return plain(text, is_line=True)


def description(letter: "StoredLetter", mark: "RetryMark | None" = None) -> str:
    fix_vi, fix_en = advice_of(letter.reason)
    lines = [
        f"{letter.event_ref}  event {letter.index}",
        f"  refused   {letter.at.isoformat()}",
        f"  source    {letter.source}",
        f"  reason    {letter.reason}" + (f"  in {letter.field}" if letter.field else ""),
        f"  vi        {letter.message_vi}",
        f"  en        {letter.message_en}",
        f"  việc cần làm  {fix_vi}",
        f"  what to do    {fix_en}",
    ]
    if mark is not None:
        lines.append(f"  sent again {mark.at.isoformat(timespec='seconds')} as {mark.sent_to}")
    return "\n".join(lines)


def original_text(letter: "StoredLetter") -> str:
    key = "none" if letter.key is None else _text(letter.key)
    headers = [f"  {name}: {_text(value or b'')}" for name, value in letter.headers]
    return "\n".join(["key: " + key, "headers:", *headers, "original:", _body(letter.original, letter.original_bytes)])


def _body(original: bytes | None, size_bytes: int = 0) -> str:
    """JSON indented, other text as it is, anything else by size and first bytes; cut at `SHOWN_CHARACTERS`."""
    if original is None:
        return f"({size_bytes} bytes; too large for the dead letter to keep)"
    try:
        text = json.dumps(json.loads(original), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        text = _text(original)
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:SHOWN_CHARACTERS]}\n… {len(original)} bytes in all; --json prints them whole"
    return text


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(data)} bytes that are no text: {data[:64].hex(' ')}{' …' if len(data) > 64 else ''})"


def plain(text: str, *, is_line: bool = False) -> str:
    """`text` without anything that a terminal would obey: it comes from whoever could write to a topic."""
    kept = "" if is_line else "\n\t"
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)
