"""A person has the next level called at once, without waiting for the deadline."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.oncall.database import writing
from ioc.oncall.desk import Desk
from ioc.oncall.escalation import steps_of
from ioc.oncall.lifecycle import Actor, Refusal
from ioc.oncall.models import InboxIncident, TimerEntry
from ioc.oncall.routing import policy_of
from ioc.oncall.store_changes import HOLD, Changes, facts_of, life_of

__all__ = ["escalate_now"]


async def escalate_now(desk: Desk, incident_id: str, actor: Actor) -> Refusal | None:
    """Calls the level after the one that was told last; None: it is done. The rest of the chain runs on from now."""
    now = desk.now()
    async with AsyncSession(writing(desk.store.engine), autoflush=False) as session, session.begin():
        row = await session.get(InboxIncident, incident_id, with_for_update=True)
        refusal = _refusal(row, actor)
        if row is None or refusal is not None:
            return refusal
        plan = desk.keeper()
        policy = plan.policies.get(row.policy) or policy_of(plan, facts_of(row), now)
        if row.chain_step >= len(steps_of(policy)):
            return _last()
        changes = Changes(session, plan, now)
        if row.held_until is not None:  # a person knows better than quiet hours
            row.policy, row.chain, row.chain_step = policy.name, row.chain + 1, 0
            row.held_until, row.held_reason = None, ""
            held = TimerEntry.incident_id == incident_id
            await session.execute(delete(TimerEntry).where(held, TimerEntry.kind == HOLD))
        changes.escalate(row, now)
        changes.audit(row, "escalate_now", actor, {"level": row.chain_step})
        await changes.write()
    desk.changed()
    return None


def _refusal(row: InboxIncident | None, actor: Actor) -> Refusal | None:
    if row is None:
        return Refusal(reason="unknown_incident", vi="Không có sự cố này.", en="there is no such incident")
    if actor.role == "viewer":
        return Refusal(reason="not_allowed", vi="Vai trò «xem» không được thao tác.", en="a viewer may look, not act")
    if row.unit and "*" not in actor.units and row.unit not in actor.units:
        return Refusal(
            reason="outside_scope", vi="Sự cố ở ngoài địa bàn được giao.", en="the incident lies outside your units"
        )
    if not life_of(row).is_calling:
        return Refusal(
            reason="not_calling",
            vi="Sự cố này không còn đang gọi ai: đã có người nhận, đã hoãn hoặc đã đóng.",
            en="nobody is being called about it: somebody has it, it is snoozed or closed",
        )
    return None


def _last() -> Refusal:
    return Refusal(
        reason="last_level",
        vi="Đã gọi đến cấp cuối cùng; hãy gọi điện trực tiếp.",
        en="the last level has been called already; use the telephone",
    )
