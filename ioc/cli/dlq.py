"""`ioc dlq`: what could not be processed and why, from the topic `ioc.dead-letters`; and sending it again, once."""

import heapq
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError, PermanentError

if TYPE_CHECKING:
    from ioc.adapters.retries import Retry
    from ioc.dead_letters import RetryMark, StoredLetter
    from ioc.settings import Settings

__all__ = ["Wanted", "register"]

_LIST = "Example: `ioc dlq list --reason foreign_source --since 2h --pending`"
_SHOW = "Example: `ioc dlq show ioc.onestop.dossiers/3/1042`"
_RETRY = "Example: `ioc dlq retry --reason unknown_type --since 1d --dry-run`, then without `--dry-run`."

# A record of Kafka, or what the gateway calls an event that never got there; #N is an event of a batched record.
_REF = re.compile(r"([A-Za-z0-9._-]{1,249}/[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100})(?:#([0-9]{1,9}))?", re.ASCII)
_AGO = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

_REF_HELP = "the refused event, as `ioc dlq list` prints it: TOPIC/PARTITION/OFFSET[#EVENT]"
RefArgument = Annotated[str, typer.Argument(metavar="REF", help=_REF_HELP)]
RefsArgument = Annotated[list[str] | None, typer.Argument(metavar="[REF]...", help=_REF_HELP)]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="only this reason, like unknown_type")]
SourceOption = Annotated[str | None, typer.Option("--source", help="only this source and those below it")]
TopicOption = Annotated[str | None, typer.Option("--topic", help="only events of this topic")]
SinceOption = Annotated[str, typer.Option("--since", help="refused since: a time with offset, or 90m, 2h, 3d ago")]
UntilOption = Annotated[str, typer.Option("--until", help="refused before: a time with offset, or 90m, 2h, 3d ago")]


def register(app: typer.Typer) -> None:
    """Adds `ioc dlq list | show | retry`."""
    dlq = typer.Typer(no_args_is_help=True, help="Dead letters: events that were refused, why, and sending them again.")
    dlq.command("list", epilog=_LIST)(dlq_list)
    dlq.command("show", epilog=_SHOW)(dlq_show)
    dlq.command("retry", epilog=_RETRY)(dlq_retry)
    app.add_typer(dlq, name="dlq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are meant; None and empty: any. `refs`: (event_ref, index or None for every event of it)."""

    refs: frozenset[tuple[str, int | None]] = frozenset()
    reason: str | None = None
    source: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def has(self, letter: "StoredLetter") -> bool:
        source = self.source.rstrip("/") if self.source else None
        return (
            (not self.refs or bool(self.refs & {(letter.event_ref, None), (letter.event_ref, letter.index)}))
            and self.reason in (None, letter.reason)
            and self.topic in (None, letter.topic)
            and (source is None or letter.source == source or letter.source.startswith(f"{source}/"))
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


def dlq_list(
    limit: Annotated[int, typer.Option("--limit", min=1, help="the newest so many")] = 50,
    reason: ReasonOption = None,
    source: SourceOption = None,
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    is_pending: Annotated[bool, typer.Option("--pending", help="only those not yet sent again")] = False,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, newest first. A letter that was written twice after a crash is listed once."""
    import asyncio

    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.dlq_view import line

    settings = _settings(config)
    wanted = _wanted(settings, reason=reason, source=source, topic=topic, since=since, until=until)
    newest, marks, total = asyncio.run(
        _newest(kafka_access(settings, broker), wanted, limit=limit, is_pending=is_pending)
    )
    if as_json:
        letters = [letter.as_json() | _mark_json(marks.get(letter.id)) for letter in newest]
        print(json.dumps({"total": total, "dead_letters": letters}, ensure_ascii=False))
        return
    for letter in newest:
        print(line(letter, marks.get(letter.id)))
    print(f"{len(newest)} of {total} dead letters")


def dlq_show(
    ref: RefArgument,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why an event was refused, in Vietnamese and English, what to do about it, and the record itself."""
    import asyncio

    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.dlq_view import description, original_text, plain

    settings = _settings(config)
    letters, marks = asyncio.run(_of_ref(kafka_access(settings, broker), _parse_ref(ref)))
    if as_json:
        told = [letter.as_json(is_whole=True) | _mark_json(marks.get(letter.id)) for letter in letters]
        print(json.dumps(told, ensure_ascii=False))
        return
    for letter in letters:
        print(plain(description(letter, marks.get(letter.id))))
    print(plain(original_text(letters[0])))


def dlq_retry(
    refs: RefsArgument = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    topic: TopicOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    is_all: Annotated[bool, typer.Option("--all", help="every dead letter that is left")] = False,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only say how many; nothing is sent")] = False,
    is_forced: Annotated[bool, typer.Option("--force", help="also what would be refused once more")] = False,
    is_again: Annotated[bool, typer.Option("--again", help="also what was sent again before")] = False,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send refused events again to their topics, once the cause is gone (a type was added, a source was allowed).

    Each is sent exactly once, whoever retries and however often: event and mark are one transaction. A record goes
    byte for byte, with its key and headers; of a batched record only the refused event. What today's catalogue would
    refuse again is not sent.
    """
    import asyncio

    from ioc.adapters.kafka_access import kafka_access

    if not (refs or reason or source or topic or since or until or is_all):
        raise ConfigurationError(
            "say what to send again: records (see `ioc dlq list`), a filter like --reason, or --all"
        )
    settings = _settings(config)
    parsed = [_parse_ref(ref) for ref in refs or ()]
    wanted = _wanted(settings, refs=parsed, reason=reason, source=source, topic=topic, since=since, until=until)
    address = kafka_access(settings, broker)
    left, done = asyncio.run(_count(address, wanted, is_again=is_again))
    if is_dry:
        told = {"would_send": left, "already_sent": done}
        print(json.dumps(told) if as_json else f"{left} to be sent again, {done} were already; nothing was sent")
        return
    if left and not is_confirmed:
        if not sys.stdin.isatty():
            raise ConfigurationError("ioc dlq retry asks before it sends; with no terminal, say --yes")
        typer.confirm(f"Send {left} events again?", abort=True)
    options = {"is_forced": is_forced, "is_again": is_again}
    tally = _Tally(as_json=as_json)
    try:
        asyncio.run(_retry(address, settings, wanted, left + done, tally, **options))
    finally:
        tally.finish()
    if tally.counts["refused"] or tally.counts["lost"]:
        raise typer.Exit(1)


# ---- reading ---------------------------------------------------------------------------------------------------------


async def _letters(broker: str, wanted: Wanted) -> "AsyncIterator[StoredLetter]":
    """The letters meant. A reference that nobody speaks of is an error, once all are read."""
    from ioc.adapters.dead_letters import read_dead_letters

    missing = set(wanted.refs)
    async for letter in read_dead_letters(broker):
        if wanted.has(letter):
            missing -= {(letter.event_ref, None), (letter.event_ref, letter.index)}
            yield letter
    if missing:
        ref, index = min(missing, key=str)
        raise PermanentError(f"no dead letter speaks of {ref}{'' if index is None else f'#{index}'}; see: ioc dlq list")


async def _newest(
    broker: str, wanted: Wanted, *, limit: int, is_pending: bool = False
) -> "tuple[list[StoredLetter], dict[str, RetryMark], int]":
    """The newest `limit` letters, newest first, the marks, and how many match in all. Keeps no more than it shows."""
    import msgspec

    from ioc.adapters.dead_letters import read_retry_marks

    marks = await read_retry_marks(broker)
    heap: list[tuple[datetime, int, StoredLetter]] = []
    total = 0
    async for letter in _letters(broker, wanted):
        if is_pending and letter.id in marks:
            continue
        total += 1
        entry = (letter.at, total, msgspec.structs.replace(letter, original=None, headers=[]))
        heapq.heappush(heap, entry) if len(heap) < limit else heapq.heappushpop(heap, entry)
    return [letter for _, _, letter in sorted(heap, reverse=True)], marks, total


async def _of_ref(broker: str, ref: tuple[str, int | None]) -> "tuple[list[StoredLetter], dict[str, RetryMark]]":
    from ioc.adapters.dead_letters import read_retry_marks

    letters = [letter async for letter in _letters(broker, Wanted(refs=frozenset({ref})))]
    return sorted(letters, key=lambda letter: letter.index), await read_retry_marks(broker)


async def _count(broker: str, wanted: Wanted, *, is_again: bool) -> tuple[int, int]:
    """How many are left to send, and how many were sent before."""
    from ioc.adapters.dead_letters import read_retry_marks

    marks = await read_retry_marks(broker)
    ids = [letter.id async for letter in _letters(broker, wanted)]
    done = 0 if is_again else sum(letter_id in marks for letter_id in ids)
    return len(ids) - done, done


# ---- sending ---------------------------------------------------------------------------------------------------------


async def _retry(
    broker: str, settings: "Settings", wanted: Wanted, total: int, tally: "_Tally", *, is_forced: bool, is_again: bool
) -> None:
    from ioc.adapters.retries import LETTERS_AT_ONCE, open_retrier
    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.resending import ResendJudge

    clock = clock_from_setting(settings.now)
    judge = ResendJudge(load_catalog(settings.catalog))
    async with open_retrier(broker, judge) as retrier:
        with _bar(total) as advance:
            waiting: list[StoredLetter] = []

            async def send() -> None:
                tally.add(await retrier.retry(waiting, clock(), is_forced=is_forced, is_again=is_again))
                advance(len(waiting))
                waiting.clear()

            async for letter in _letters(broker, wanted):
                waiting.append(letter)
                if len(waiting) == LETTERS_AT_ONCE:
                    await send()
            await send()


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on the terminal's error stream; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("letters", total=total)
        yield lambda number: progress.update(task, advance=number)


class _Tally:
    """What the command prints: a line for each letter as it comes and the sums, or one JSON object at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._answers: list[dict[str, object]] = []
        self.counts = {"sent": 0, "already": 0, "refused": 0, "lost": 0}

    def add(self, retries: "Sequence[Retry]") -> None:
        from ioc.cli.dlq_view import retry_line

        for retry in retries:
            self.counts[retry.outcome] += 1
            if self._as_json:
                self._answers.append(_retry_json(retry))
            else:
                print(retry_line(retry))

    def finish(self) -> None:
        if self._as_json:
            print(json.dumps(self.counts | {"dead_letters": self._answers}, ensure_ascii=False))
        elif sum(self.counts.values()) > 1:
            print(
                "{sent} sent again, {already} were already, {refused} would be refused, {lost} lost".format(
                    **self.counts
                )
            )


def _retry_json(retry: "Retry") -> dict[str, object]:
    told: dict[str, object] = {"letter": retry.letter.place, "outcome": retry.outcome}
    if retry.at is not None:
        told |= {"at": retry.at.isoformat(), "sent_to": retry.sent_to}
    if retry.error is not None:
        error = retry.error
        told |= {"reason": error.reason, "field": error.field, "message_vi": error.vi, "message_en": error.en}
    if retry.sentence:
        told["message_en"] = retry.sentence
    return told


def _mark_json(mark: "RetryMark | None") -> dict[str, object]:
    return {"sent_again": None if mark is None else {"at": mark.at.isoformat(), "as": mark.sent_to}}


# ---- arguments -------------------------------------------------------------------------------------------------------


def _settings(config: Path | None) -> "Settings":
    import logging

    from ioc.settings import load_settings

    for name in (
        "aiokafka",
        "asyncio",
    ):  # our own sentences say what they would; a fenced producer leaves futures behind
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return load_settings(config)


def _wanted(
    settings: "Settings",
    *,
    refs: Sequence[tuple[str, int | None]] = (),
    reason: str | None,
    source: str | None,
    topic: str | None,
    since: str,
    until: str,
) -> Wanted:
    from ioc.clock import clock_from_setting

    now = clock_from_setting(settings.now)()
    return Wanted(
        refs=frozenset(refs),
        reason=reason,
        source=source,
        topic=topic,
        since=_moment("--since", since, now),
        until=_moment("--until", until, now),
    )


def _moment(option: str, text: str, now: datetime) -> datetime | None:
    """`2h` is two hours before `now`; "" is no moment."""
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"{option} {text!r}: write a time with its offset, like 2026-11-22T08:00:00+07:00, or 2h"
        )
    return moment


def _parse_ref(ref: str) -> tuple[str, int | None]:
    match = _REF.fullmatch(ref)
    if match is None:
        raise ConfigurationError(
            f"{ref!r} names no refused event; write TOPIC/PARTITION/OFFSET, like ioc.onestop.dossiers/3/1042"
        )
    return match.group(1), None if match.group(2) is None else int(match.group(2))
