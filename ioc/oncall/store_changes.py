"""One transaction's changes of incidents: life, audit, timers and outbox together. Everything here runs inside it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.incidents import Incident, Severity, State
from ioc.oncall import escalation
from ioc.oncall.escalation import Advance
from ioc.oncall.intake import OPENED, notice_key
from ioc.oncall.lifecycle import (
    SYSTEM,
    Actor,
    Assign,
    Changed,
    Command,
    Comment,
    Dismiss,
    Effect,
    Life,
    Refusal,
    Reopen,
    Resolve,
    See,
    Snooze,
    Tick,
    Verdict,
    apply,
)
from ioc.oncall.models import (
    SEVERITY_RANKS,
    AuditEntry,
    CommentEntry,
    InboxIncident,
    OutboxEntry,
    TickEntry,
    TimerEntry,
)
from ioc.oncall.notices_lines import NEWS
from ioc.oncall.outcomes import ACTIONS_CHANNEL
from ioc.oncall.quiet import Hold, hold_of
from ioc.oncall.routing import Call, Facts, Recipient, call, policy_of, recipients_of
from ioc.oncall.store_news import news_entries
from ioc.oncall_plan import Plan, Policy, Target

__all__ = ["ESCALATE", "HOLD", "SNOOZE", "Changes", "copy_incident", "life_of", "new_row"]

ESCALATE, HOLD, SNOOZE = "escalate", "hold", "snooze"
_KEPT_OPENINGS = 20
_LIFE_FIELDS = tuple(field.name for field in fields(Life))


def life_of(row: InboxIncident) -> Life:
    return Life(
        state=cast(State, row.state),
        episode=row.episode,
        owner=row.owner,
        owner_name=row.owner_name,
        assignee=row.assignee,
        eta_at=row.eta_at,
        snoozed_until=row.snoozed_until,
        verdict=cast(Verdict | None, row.verdict),
        opened_at=row.opened_at,
        acknowledged_at=row.acknowledged_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
    )


def facts_of(row: InboxIncident) -> Facts:
    return Facts(kind=row.kind, severity=cast(Severity, row.severity), unit=row.unit, camera_id=row.camera_id)


def new_row(incident: Incident, *, source: str, dedup_key: str, now: datetime) -> InboxIncident:
    """A row whose life has not begun; what its source told is copied into it."""
    row = InboxIncident(
        incident_id=incident.incident_id,
        state="candidate",
        source=source,
        dedup_key=dedup_key,
        received_at=now,
        is_exercise=incident.extra.get("exercise") == "true",
        opened_times=[],
        **dict.fromkeys(("owner", "owner_name", "assignee", "closed_by", "held_reason", "policy"), ""),
        **dict.fromkeys(("episode", "chain", "chain_step"), 0),
    )
    if incident.state not in ("candidate", "open"):  # its source has closed it, or has it: nobody is called
        row.state, row.owner, row.owner_name = incident.state, source, source
        row.closed_at = incident.last_seen_at if incident.state != "acknowledged" else None
    copy_incident(incident, row, now)
    return row


def copy_incident(incident: Incident, row: InboxIncident, now: datetime) -> None:
    """What the source tells; how it stands with us is not the source's."""
    row.kind, row.severity, row.revision = incident.kind, incident.severity, incident.revision
    row.severity_rank = SEVERITY_RANKS[incident.severity]
    row.payload = incident.as_json()
    row.first_frame_at, row.last_seen_at, row.changed_at = incident.first_frame_at, incident.last_seen_at, now
    row.unit, row.camera_id = incident.admin_unit[:10], incident.camera_id[:200]
    place = (
        f"{incident.camera_id}/{incident.pose_id}/{incident.zone_id}" if incident.camera_id else incident.incident_id
    )
    row.place_key = place[:400]


class Changes:
    """Collects what a transaction adds; `write` puts it into the session, rows of incidents first."""

    def __init__(self, session: AsyncSession, plan: Plan, now: datetime) -> None:
        self.notices = 0
        self._session = session
        self._plan = plan
        self._now = now
        self._added: list[object] = []
        self._timers: dict[tuple[str, str], datetime | None] = {}

    async def write(self) -> None:
        await self._session.flush()  # what follows refers to the inbox
        for kind in (ESCALATE, HOLD, SNOOZE):
            ids = [incident_id for incident_id, of in self._timers if of == kind]
            if ids:
                gone = delete(TimerEntry).where(TimerEntry.kind == kind, TimerEntry.incident_id.in_(ids))
                await self._session.execute(gone)
        for (incident_id, kind), due_at in self._timers.items():
            if due_at is not None:
                self._added.append(TimerEntry(incident_id=incident_id, kind=kind, due_at=due_at))
        for entry in self._added:
            await self._session.merge(entry) if isinstance(entry, TickEntry) else self._session.add(entry)
        await self._session.flush()

    async def change(self, row: InboxIncident, command: Command, actor: Actor) -> Changed | Refusal:
        """Applies one command and what follows from it."""
        before = life_of(row)
        outcome = apply(before, command, actor, self._now)
        if isinstance(outcome, Refusal) or not outcome.is_news:
            return outcome
        for name in _LIFE_FIELDS:
            setattr(row, name, getattr(outcome.life, name))
        row.changed_at = self._now
        if row.episode > before.episode:
            row.opened_times = [*row.opened_times, self._now.astimezone(UTC).isoformat()][-_KEPT_OPENINGS:]
        self.audit(row, type(command).__name__.lower(), actor, _detail(command))
        self._keep(row, command, actor)
        for effect in outcome.effects:
            await self._follow(row, effect, command, actor)
        return outcome

    async def call_people(self, row: InboxIncident, purpose: str = "again") -> None:
        """Begins a chain, or holds it where people must not be called yet. The first chain is always `opened`."""
        hold = await self._hold(row)
        self._set(row, ESCALATE, None)
        self._set(row, HOLD, hold.until if hold else None)
        row.held_until, row.held_reason = (hold.until, f"{hold.reason}: {hold.detail}"[:200]) if hold else (None, "")
        if hold is not None:
            self.audit(row, "held", SYSTEM, {"until": _text(hold.until), "reason": hold.reason, "detail": hold.detail})
            return
        policy = policy_of(self._plan, facts_of(row), self._now)
        row.policy, row.chain, row.chain_step = policy.name, row.chain + 1, 0
        if row.assignee in self._plan.people:
            self._ask_assignee(row, policy)
            return
        self._step(row, policy, escalation.begin(policy, self._now), OPENED if row.chain == 1 else purpose)

    def escalate(self, row: InboxIncident, due_at: datetime) -> None:
        """The deadline `due_at` is over: calls whoever is due now."""
        self._set(row, ESCALATE, None)
        policy = self._plan.policies.get(row.policy) or policy_of(self._plan, facts_of(row), self._now)
        last = len(escalation.steps_of(policy)) - 1
        if row.chain_step > last:  # the plan has become shorter meanwhile: its fall-back is left to call
            row.chain, row.chain_step = row.chain + 1, last
        step = escalation.advance(policy, row.chain_step, due_at, self._now)
        if step is None:
            return
        self._step(row, policy, step, "escalated" if row.chain_step else OPENED)

    def audit(self, row: InboxIncident, action: str, actor: Actor, detail: Mapping[str, Any]) -> None:
        self._added.append(
            AuditEntry(
                incident_id=row.incident_id,
                at=self._now,
                actor_id=actor.actor_id,
                actor_name=actor.name,
                role=actor.role,
                door=actor.door,
                action=action,
                state=row.state,
                episode=row.episode,
                detail=dict(detail),
            )
        )

    # ---- what follows ------------------------------------------------------------------------------------------------

    def _keep(self, row: InboxIncident, command: Command, actor: Actor) -> None:
        by = {"incident_id": row.incident_id, "at": self._now, "actor_id": actor.actor_id, "actor_name": actor.name}
        match command:
            case Comment():
                self._added.append(CommentEntry(**by, text=command.text))
            case Tick():
                self._added.append(TickEntry(**by, step=command.step, is_done=command.is_done))

    async def _follow(self, row: InboxIncident, effect: Effect, command: Command, actor: Actor) -> None:
        match effect:
            case "start_escalation":
                is_opening = isinstance(command, See | Reopen)
                if is_opening:
                    self._tell_receivers(row)
                await self.call_people(row, "reopened" if is_opening else "again")
            case "stop_escalation":
                for kind in (ESCALATE, HOLD, SNOOZE):
                    self._set(row, kind, None)
                row.held_until, row.held_reason = None, ""
            case "set_snooze":
                self._set(row, SNOOZE, row.snoozed_until)
            case "remind_owner":
                self._tell(row, recipients_of(self._plan, self._person(row.owner), self._now), "reminder", level=1)
            case _:
                verdict = row.verdict if effect == "publish_verdict" else None
                action = effect.removeprefix("publish_")
                self._publish(row, action, actor, verdict=verdict)
                if action in NEWS:
                    self._added += await news_entries(self._session, row, action, actor, self._now)

    def _step(self, row: InboxIncident, policy: Policy, step: Advance, purpose: str) -> None:
        called = call(self._plan, policy, step.targets, self._now)
        row.chain_step = step.step
        self._set(row, ESCALATE, step.next_due_at)
        facts = {"nobody_on_roster": called.is_nobody_on_roster, "is_fallback": step.is_fallback}
        if called.is_nobody_on_roster:
            self.audit(row, "nobody_on_roster", SYSTEM, {"level": step.step, "policy": policy.name})
        if purpose == "escalated":
            self.audit(row, "escalated", SYSTEM, {"level": step.step, "people": _names(called)})
            self._publish(row, "escalated", SYSTEM, level=step.step)
        self._tell(row, called.recipients, purpose, level=step.step, facts=facts)

    def _tell_receivers(self, row: InboxIncident) -> None:
        """Those who are told of every opening: machines, which know no quiet hours."""
        receivers = recipients_of(self._plan, self._plan.always, self._now)
        purpose = OPENED if row.episode == 1 else "reopened"
        self._tell(row, receivers, purpose, level=1, facts={"always": True})

    def _ask_assignee(self, row: InboxIncident, policy: Policy) -> None:
        """They have as long as the first level would; then the chain begins."""
        within = policy.levels[0].acknowledge_within
        self._set(row, ESCALATE, self._now + within if within else None)
        self._tell(row, recipients_of(self._plan, self._person(row.assignee), self._now), "assigned", level=1)

    def _person(self, person_id: str) -> tuple[Target, ...]:
        return (Target(kind="person", name=person_id),) if person_id in self._plan.people else ()

    async def _hold(self, row: InboxIncident) -> Hold | None:
        facts = facts_of(row)
        place_told_at: datetime | None = None
        if self._plan.cooldown.get(facts.severity):
            place_told_at = await self._session.scalar(
                select(func.max(InboxIncident.last_notified_at)).where(
                    InboxIncident.place_key == row.place_key, InboxIncident.kind == row.kind
                )
            )
        return hold_of(
            self._plan,
            facts,
            self._now,
            opened_at=[datetime.fromisoformat(text) for text in row.opened_times],
            told_at=row.last_notified_at,
            place_told_at=place_told_at,
        )

    def _tell(
        self,
        row: InboxIncident,
        recipients: Sequence[Recipient],
        purpose: str,
        *,
        level: int,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        told = list(dict.fromkeys(recipient.name for recipient in recipients))
        for recipient in recipients:
            self._added.append(self._notice(row, recipient, purpose, level, {**(facts or {}), "told": told}))
        if recipients:
            row.alerted_at = row.alerted_at or self._now
            self.notices += len(recipients)

    def _notice(
        self, row: InboxIncident, recipient: Recipient, purpose: str, level: int, facts: Mapping[str, Any]
    ) -> OutboxEntry:
        address = recipient.address
        is_first = purpose == OPENED and level == 1 and (row.chain == 1 or bool(facts.get("always")))
        chain = f"always-{row.episode}" if facts.get("always") else row.chain
        moment = f"{purpose}/{chain}/{level}" + (f"/{self._now.isoformat()}" if purpose == "reminder" else "")
        key = notice_key(
            incident_id=row.incident_id,
            purpose=OPENED if is_first else moment,
            channel=address.channel,
            recipient=f"{recipient.person_id}|{address.key}" if address.key else recipient.person_id,
        )
        return OutboxEntry(
            idempotency_key=key,
            incident_id=row.incident_id,
            purpose=purpose,
            channel=address.channel,
            recipient=recipient.person_id,
            payload=row.payload,
            next_attempt_at=self._now,
            created_at=self._now,
            address=address.key,
            language=recipient.language,
            level=level,
            spare=[{"channel": spare.channel, "address": spare.key} for spare in recipient.spare],
            facts={**facts, "name": recipient.name, "exercise": row.is_exercise},
        )

    def _publish(
        self, row: InboxIncident, action: str, actor: Actor, *, level: int | None = None, verdict: str | None = None
    ) -> None:
        """Queues an action for `ioc.incident.actions`, with exactly the fields of `incident.action`."""
        payload: dict[str, Any] = {
            "incident_id": row.incident_id,
            "action": action,
            "at": _text(self._now),
            "actor_role": actor.role,
        }
        extra = row.payload.get("extra") or {}
        more = {
            "level": level,
            "verdict": verdict,
            "rule_id": extra.get("alertname"),
            "kpi_id": extra.get("kpi_id"),
            "exercise": row.is_exercise or None,
        }
        payload |= {name: value for name, value in more.items() if value}
        key = notice_key(
            incident_id=row.incident_id, purpose=f"{action}/{level}", channel=ACTIONS_CHANNEL, recipient=payload["at"]
        )
        self._added.append(
            OutboxEntry(
                idempotency_key=f"{key}_{action}",
                incident_id=row.incident_id,
                purpose=action,
                channel=ACTIONS_CHANNEL,
                recipient=actor.actor_id,
                payload=payload,
                next_attempt_at=self._now,
                created_at=self._now,
            )
        )

    def _set(self, row: InboxIncident, kind: str, due_at: datetime | None) -> None:
        self._timers[(row.incident_id, kind)] = due_at


def _names(called: Call) -> list[str]:
    return list(dict.fromkeys(recipient.name for recipient in called.recipients))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _detail(command: Command) -> dict[str, Any]:
    match command:
        case Assign():
            return {"person": command.person_id}
        case Snooze():
            return {"until": _text(command.until)}
        case Tick():
            return {"step": command.step, "is_done": command.is_done}
        case Resolve() | Dismiss():
            return {"verdict": command.verdict}
        case Comment():
            return {"characters": len(command.text)}
    return {}
