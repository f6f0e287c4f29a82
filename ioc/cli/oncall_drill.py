"""`ioc oncall drill`: an exercise through everything, scored."""

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError, PermanentError, TransientError

if TYPE_CHECKING:
    from ioc.incidents import Incident
    from ioc.oncall.drill import Score
    from ioc.oncall.store import Store
    from ioc.settings import Settings

__all__ = ["register"]

_EXAMPLE = "Example: `ioc oncall drill --kind smoke --unit 24846 --for 10m`"
_TAKEN_S = 30.0  # on-call takes an incident within a second where it runs
_LOOK_S = 0.5
_SEND_S = 15.0
_HEARTBEATS_S = 150.0  # two and a half heartbeats

KindOption = Annotated[str, typer.Option(help="what is played: smoke, construction")]
UnitOption = Annotated[str, typer.Option(help="code of the commune where it happens; its roster is called")]
ForOption = Annotated[str, typer.Option("--for", help="how long it waits for people, such as 10m")]
ListOption = Annotated[bool, typer.Option("--list", help="show the exercises so far, and begin none")]


def register(oncall: typer.Typer) -> None:
    """Adds `drill` to the commands of on-call."""
    oncall.command("drill", epilog=_EXAMPLE)(_drill)


def _drill(
    kind: KindOption = "smoke",
    unit: UnitOption = "",
    for_: ForOption = "10m",
    is_list: ListOption = False,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play an incident through everything - Kafka, inbox, notices, people - and score it.

    Every message and page says DIỄN TẬP / EXERCISE; the figures leave it out. It ends when somebody closes it, or after
    --for; Ctrl-C closes it too. Needs a running `ioc oncall` with the same database.

    Exit code 1 where nobody was told, nobody took it, or somebody else had to be called.
    """
    from ioc.cli.capture import parse_duration_s
    from ioc.settings import load_settings

    settings = load_settings(config)
    if is_list:
        _print_past(asyncio.run(_past(settings)), as_json=as_json)
        return
    seconds = parse_duration_s(for_, "--for")
    incident, province = _incident(settings, kind, unit)
    say: Callable[[str], None] = (lambda _: None) if as_json else print
    score = asyncio.run(_play(settings, broker, incident, province, seconds, say))
    if as_json:
        print(json.dumps(score.as_json(), ensure_ascii=False))
    else:
        _print_score(score)
    if not score.is_passed:
        raise typer.Exit(1)


def _incident(settings: "Settings", kind: str, unit: str) -> "tuple[Incident, str]":
    from ioc.catalog.loader import load_catalog
    from ioc.clock import system_clock
    from ioc.incidents import KINDS
    from ioc.oncall.drill import exercise_incident

    if kind not in KINDS:
        raise ConfigurationError(f"--kind {kind!r}: choose from {', '.join(KINDS)}")
    catalog = load_catalog(settings.catalog)
    place = catalog.geography.unit(unit) if unit else None
    if unit and place is None:
        raise ConfigurationError(f"--unit {unit!r}: not a unit of the province; `ioc catalog show` lists them")
    names = (place.name_vi, place.name_en) if place else ("", "")
    mark = secrets.token_hex(3)
    return exercise_incident(kind, unit=unit, unit_names=names, mark=mark, now=system_clock()), catalog.province


async def _open(settings: "Settings") -> "Store":
    from ioc.oncall.store import open_store, sqlite_url

    file = settings.state / "oncall.db"
    if settings.oncall_database is None and not file.exists():
        raise ConfigurationError(f"{file}: no on-call database; start ioc oncall first, or set IOC_STATE as it has it")
    return await open_store(settings.oncall_database or sqlite_url(file))


async def _past(settings: "Settings") -> "Sequence[Score]":
    from ioc.oncall.drill import past_exercises

    store = await _open(settings)
    try:
        return await past_exercises(store, limit=50)
    finally:
        await store.close()


async def _play(
    settings: "Settings",
    broker: str | None,
    incident: "Incident",
    province: str,
    seconds: float,
    say: Callable[[str], None],
) -> "Score":
    from ioc.adapters.kafka_access import kafka_access

    store = await _open(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _check_running(store)
        await _publish(kafka_access(settings, broker), incident, province)
        say(f"DIỄN TẬP / EXERCISE {incident.incident_id}: đã phát / published")
        return await _follow(store, incident.incident_id, stop, seconds, say)
    finally:
        await _close_exercise(store, incident.incident_id)
        await store.close()


async def _check_running(store: "Store") -> None:
    """An on-call that comes back hours later must not call people for an exercise that is long over."""
    from datetime import datetime, timedelta

    from ioc.clock import system_clock

    probed = await store.mark("probe")  # written with every heartbeat
    if not probed or system_clock() - datetime.fromisoformat(probed) > timedelta(seconds=_HEARTBEATS_S):
        raise TransientError("no ioc oncall has written to this database for minutes: start it, then play the exercise")


async def _publish(broker: str, incident: "Incident", province: str) -> None:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from ioc.adapters.kafka_access import kafka_arguments
    from ioc.incidents import INCIDENTS_TOPIC
    from ioc.oncall.drill import exercise_record

    key, value, headers = exercise_record(incident, province=province)
    producer = AIOKafkaProducer(**kafka_arguments(broker), client_id="ioc-oncall-drill", acks="all")
    try:
        async with asyncio.timeout(_SEND_S):
            await producer.start()
            await producer.send_and_wait(INCIDENTS_TOPIC, value, key=key, headers=list(headers))
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransientError(f"Kafka at {broker} does not take the exercise: {type(error).__name__}") from None
    finally:
        with suppress(KafkaError, OSError):
            await producer.stop()


async def _follow(
    store: "Store", incident_id: str, stop: asyncio.Event, seconds: float, say: Callable[[str], None]
) -> "Score":
    """Returns the score once the exercise is closed; says each step on the way."""
    from ioc.oncall.drill import score_of

    loop = asyncio.get_running_loop()
    began, told = loop.time(), set[str]()
    while True:
        view = await store.incident(incident_id)
        over = stop.is_set() or loop.time() - began >= seconds
        if view is None and (over or loop.time() - began >= _TAKEN_S):
            raise PermanentError(
                f"on-call did not take the exercise {incident_id}: is `ioc oncall` running, with the same IOC_STATE or "
                "IOC_ONCALL_DATABASE?"
            )
        if view is not None:
            score = score_of(view)
            for line in _steps(score):
                if line not in told:
                    told.add(line)
                    say(line)
            if over and view.row.life.is_live:
                await _close_exercise(store, incident_id)
                closed = await store.incident(incident_id)
                return score_of(closed or view)
            if not view.row.life.is_live:
                return score
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)


async def _close_exercise(store: "Store", incident_id: str) -> None:
    """Resolves what is still open, so that nobody is called any more; whoever has it keeps it in the history."""
    from ioc.clock import system_clock
    from ioc.oncall.drill import DRILL
    from ioc.oncall.lifecycle import Clear
    from ioc.oncall_plan import duty_plan

    # Closing calls nobody, so the plan is never asked.
    await store.act(incident_id, Clear(), DRILL, duty_plan((), "duty"), system_clock())


def _steps(score: "Score") -> list[str]:
    lines = []
    if score.first_notice_s is not None:
        lines.append(f"  tin đầu tiên / first notice: {score.first_notice_s:.1f} s")
    lines += [f"  lên tuyến / escalated: {number}" for number in range(1, score.escalations + 1)]
    if score.acknowledged_s is not None:
        lines.append(f"  tiếp nhận / acknowledged: {score.acknowledged_s:.1f} s, {_shown(score.acknowledged_by)}")
    return lines


def _print_score(score: "Score") -> None:
    print(f"\nĐIỂM / SCORE {score.incident_id}: {'ĐẠT / PASSED' if score.is_passed else 'KHÔNG ĐẠT / FAILED'}")
    if score.first_notice_s is None:
        print("  không tin nào đến kênh nào / no channel took a notice")
    if score.acknowledged_s is None:
        print("  không ai tiếp nhận / nobody acknowledged")
    for line in _steps(score):
        print(line)
    print(f"  đã gọi / called: {', '.join(map(_shown, score.called)) or '-'}")
    print(f"  tin gửi, hỏng / notices sent, failed: {score.notices_sent}, {score.notices_failed}")
    print(f"  bước đã đánh dấu / steps ticked: {score.steps_ticked}")
    if score.is_nobody_on_roster:
        print("  LỊCH TRỰC TRỐNG / NOBODY ON THE ROSTER")


def _print_past(scores: "Sequence[Score]", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([score.as_json() for score in scores], ensure_ascii=False))
        return
    if not scores:
        print("chưa diễn tập lần nào / no exercise yet", file=sys.stderr)
    for score in scores:
        notice = f"{score.first_notice_s:.1f} s" if score.first_notice_s is not None else "-"
        taken = f"{score.acknowledged_s:.1f} s" if score.acknowledged_s is not None else "-"
        result = "PASSED" if score.is_passed else "FAILED"
        who = _shown(score.acknowledged_by) or "-"
        print(
            f"{score.began_at:%Y-%m-%d %H:%M} {score.kind:<13} {score.admin_unit or '-':<6} {result}  "
            f"notice {notice}  acknowledged {taken} ({who})  escalations {score.escalations}  {score.state}"
        )


def _shown(text: str) -> str:
    """A name without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
