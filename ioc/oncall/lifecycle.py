"""The life of an incident: what may be done with it, by whom, and what follows. Pure.

    candidate ──▶ open ◀──▶ acknowledged ──▶ resolved or dismissed
                   ▲                             │
                   └──────── reopened ───────────┘

`open`: nobody has it, people are being called. `acknowledged`: exactly one has it (`owner`), nobody else is called.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from ioc.incidents import State

__all__ = [
    "MAX_SNOOZE",
    "SYSTEM",
    "VERDICTS",
    "Acknowledge",
    "Actor",
    "Assign",
    "Changed",
    "Clear",
    "Command",
    "Comment",
    "Dismiss",
    "Door",
    "Effect",
    "Escalate",
    "Expire",
    "Life",
    "Open",
    "Refusal",
    "Reopen",
    "Resolve",
    "Role",
    "See",
    "Snooze",
    "Tick",
    "Verdict",
    "apply",
]

Role = Literal["viewer", "operator", "administrator", "system"]
Door = Literal["web", "api", "link", "channel", "kafka", "alertmanager", "timer", "cli"]
Verdict = Literal["true_positive", "false_positive", "other_smoke", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("true_positive", "false_positive", "other_smoke", "unsure")
Effect = Literal[
    "start_escalation",  # call people from the first level on (the assignee before them)
    "stop_escalation",
    "set_snooze",  # wake at `snoozed_until`
    "remind_owner",  # a snooze of what somebody has is over
    "publish_acknowledged",
    "publish_assigned",
    "publish_snoozed",
    "publish_verdict",
    "publish_resolved",
    "publish_dismissed",
    "publish_reopened",
]

MAX_SNOOZE = timedelta(hours=24)
MAX_ETA = timedelta(hours=24)
MAX_COMMENT_CHARS = 4000
MAX_STEP_CHARS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and through which door. `units` is what the actor may see and act on, `*` for all."""

    actor_id: str
    name: str
    role: Role
    door: Door
    units: tuple[str, ...] = ("*",)


SYSTEM = Actor(actor_id="system", name="on-call", role="system", door="timer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How an incident stands. `episode` counts its openings from 1 (0: never open); `owner` is somebody exactly while
    it is acknowledged; `assignee` is who was asked to take it and has not answered."""

    state: State
    episode: int = 0
    owner: str = ""
    owner_name: str = ""
    assignee: str = ""
    eta_at: datetime | None = None
    snoozed_until: datetime | None = None
    verdict: Verdict | None = None
    opened_at: datetime | None = None
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_live(self) -> bool:
        return self.state in ("open", "acknowledged")

    @property
    def is_calling(self) -> bool:
        """Whether people may be called about it at all: open, and not snoozed."""
        return self.state == "open" and self.snoozed_until is None


# ---- commands --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """ "On it", there by `eta_at` where that is known. Repeated by the owner it only moves the ETA."""

    eta_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Ask `person_id` (of the catalogue's people) to take it. Until they acknowledge, nobody has it."""

    person_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A step of the runbook's checklist, ticked or not."""

    step: str
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """It is over. A person says what it was; a source that says it is over has no verdict."""

    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismiss:
    """There is nothing to do. New evidence does not open it again (an alarm opens a candidate); a person may.

    A person says what it was; a source that takes a candidate back has no verdict.
    """

    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """A person opens it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """System: it has become something that people must be told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class See:
    """System: seen at `seen_at`, and not in doubt. Opens it again where it was resolved before `seen_at` by more than
    `reopen_after`."""

    seen_at: datetime
    reopen_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """System: the source says that it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """System: the snooze is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """System: the next level is called; changes nothing of the life, and only fits while people are called."""

    level: int


PersonCommand = Acknowledge | Assign | Snooze | Comment | Tick | Resolve | Dismiss | Reopen
Command = PersonCommand | Open | See | Clear | Expire | Escalate


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How it stands now, and what must follow in the same transaction. `is_news`: worth a row of the audit."""

    life: Life
    effects: tuple[Effect, ...] = ()
    is_news: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing was done, for the person who asked."""

    reason: str
    vi: str
    en: str


def apply(life: Life, command: Command, actor: Actor, now: datetime) -> Changed | Refusal:
    """Returns what `command` makes of `life`, or why not. The unit scope is the caller's to check."""
    is_persons = isinstance(command, PersonCommand)
    if is_persons and actor.role == "viewer":
        return _refuse("not_allowed", "Vai trò «xem» không được thao tác.", "a viewer may look, not act")
    if not is_persons and actor.role != "system":
        return _refuse("not_allowed", "Chỉ hệ thống mới làm được việc này.", "only the service itself does this")
    match command:
        case Acknowledge():
            return _acknowledge(life, command, actor, now)
        case Assign():
            return _assign(life, command)
        case Snooze():
            return _snooze(life, command, now)
        case Comment():
            return _comment(life, command)
        case Tick():
            return _tick(life, command)
        case Resolve() | Dismiss():
            return _close(life, command, actor, now)
        case Reopen():
            return _reopen(life, now)
        case Open():
            return _opened(life, now, "candidate")
        case See():
            return _see(life, command, now)
        case Clear():
            return _cleared(life, actor, now)
        case Expire():
            return _expire(life, now)
        case Escalate():
            return Changed(life=life) if life.is_calling else _same(life)


def _acknowledge(life: Life, command: Acknowledge, actor: Actor, now: datetime) -> Changed | Refusal:
    if life.state == "acknowledged" and life.owner != actor.actor_id:
        return _refuse(
            "already_acknowledged",
            f"{life.owner_name} đã tiếp nhận lúc trước.",
            f"already acknowledged by {life.owner_name}",
        )
    if not life.is_live:
        return _not_live(life)
    if command.eta_at is not None and not now <= command.eta_at <= now + MAX_ETA:
        return _refuse("bad_eta", "Giờ dự kiến phải trong 24 giờ tới.", "the ETA must lie within the next 24 hours")
    after = replace(life, eta_at=command.eta_at or life.eta_at)
    if life.state == "acknowledged":
        return Changed(life=after, is_news=after != life)
    after = replace(
        after,
        state="acknowledged",
        owner=actor.actor_id,
        owner_name=actor.name,
        assignee="",
        snoozed_until=None,
        acknowledged_at=now,
    )
    return Changed(life=after, effects=("stop_escalation", "publish_acknowledged"))


def _assign(life: Life, command: Assign) -> Changed | Refusal:
    if not life.is_live:
        return _not_live(life)
    if command.person_id in (life.owner, life.assignee) and command.person_id:
        return Changed(life=life, is_news=False)
    after = replace(_ownerless(life), state="open", assignee=command.person_id, snoozed_until=None)
    return Changed(life=after, effects=("stop_escalation", "publish_assigned", "start_escalation"))


def _snooze(life: Life, command: Snooze, now: datetime) -> Changed | Refusal:
    if not life.is_live:
        return _not_live(life)
    if not now < command.until <= now + MAX_SNOOZE:
        return _refuse("bad_snooze", "Chỉ hoãn được tối đa 24 giờ tới.", "snooze until a time within the next 24 hours")
    after = replace(life, snoozed_until=command.until)
    return Changed(life=after, effects=("stop_escalation", "set_snooze", "publish_snoozed"))


def _comment(life: Life, command: Comment) -> Changed | Refusal:
    if not command.text.strip() or len(command.text) > MAX_COMMENT_CHARS or "\x00" in command.text:
        return _refuse(
            "bad_comment",
            f"Ý kiến phải có từ 1 đến {MAX_COMMENT_CHARS} ký tự.",
            f"a comment has 1 to {MAX_COMMENT_CHARS} characters",
        )
    return Changed(life=life)


def _tick(life: Life, command: Tick) -> Changed | Refusal:
    if not command.step or len(command.step) > MAX_STEP_CHARS or not command.step.isprintable():
        return _refuse("bad_step", "Không có bước này trong quy trình.", "no such step in the runbook")
    return Changed(life=life)


def _close(life: Life, command: Resolve | Dismiss, actor: Actor, now: datetime) -> Changed | Refusal:
    is_dismissal = isinstance(command, Dismiss)
    if life.state in ("resolved", "dismissed"):
        return _not_live(life)
    if life.state == "candidate" and not is_dismissal:
        return _not_live(life)
    if command.verdict is None and actor.role != "system":
        return _refuse("no_verdict", "Hãy chọn kết luận trước khi đóng.", "choose a verdict before closing")
    after = replace(
        _ownerless(life),
        state="dismissed" if is_dismissal else "resolved",
        verdict=command.verdict or life.verdict,
        closed_at=now,
        closed_by=actor.actor_id,
        snoozed_until=None,
        assignee="",
    )
    verdict: tuple[Effect, ...] = ("publish_verdict",) if command.verdict else ()
    closed: Effect = "publish_dismissed" if is_dismissal else "publish_resolved"
    return Changed(life=after, effects=("stop_escalation", *verdict, closed))


def _reopen(life: Life, now: datetime) -> Changed | Refusal:
    if life.state not in ("resolved", "dismissed"):
        return _refuse("not_closed", "Sự cố đang mở.", "the incident is open already")
    return _opened(life, now, life.state)


def _opened(life: Life, now: datetime, from_state: State) -> Changed:
    if life.state != from_state:
        return _same(life)
    after = replace(
        _ownerless(life),
        state="open",
        episode=life.episode + 1,
        opened_at=now,
        verdict=None,
        acknowledged_at=None,
        closed_at=None,
        closed_by="",
    )
    reopened: tuple[Effect, ...] = ("publish_reopened",) if life.episode else ()
    return Changed(life=after, effects=(*reopened, "start_escalation"))


def _see(life: Life, command: See, now: datetime) -> Changed:
    if not life.episode and life.state in ("candidate", "dismissed"):  # an alarm is more than the watch they dismissed
        return _opened(life, now, life.state)
    if life.state != "resolved" or life.closed_at is None or command.seen_at <= life.closed_at + command.reopen_after:
        return _same(life)
    return _opened(life, now, "resolved")


def _cleared(life: Life, actor: Actor, now: datetime) -> Changed | Refusal:
    if life.is_live:
        return _close(life, Resolve(), actor, now)
    return _close(life, Dismiss(), actor, now) if life.state == "candidate" else _same(life)


def _expire(life: Life, now: datetime) -> Changed:
    if life.snoozed_until is None or now < life.snoozed_until:
        return _same(life)
    follows: Effect = "start_escalation" if life.state == "open" else "remind_owner"
    return Changed(life=replace(life, snoozed_until=None), effects=(follows,))


def _ownerless(life: Life) -> Life:
    return replace(life, owner="", owner_name="", eta_at=None)


def _same(life: Life) -> Changed:
    return Changed(life=life, is_news=False)


def _not_live(life: Life) -> Refusal:
    if life.state == "candidate":
        return _refuse("not_open", "Đây mới là dấu hiệu, chưa thành sự cố.", "this is a candidate, not an incident yet")
    return _refuse("closed", "Sự cố đã đóng; hãy mở lại trước.", "the incident is closed; reopen it first")


def _refuse(reason: str, vi: str, en: str) -> Refusal:
    return Refusal(reason=reason, vi=vi, en=en)
