"""What somebody is told who has just said "on it", through a link or a button. Pure."""

from dataclasses import dataclass

from ioc.oncall.lifecycle import Actor
from ioc.oncall.notices_lines import local_time, plain
from ioc.oncall.store import InboxRow

__all__ = ["Said", "acknowledged_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`is_mine`: the reader has it now."""

    vi: str
    en: str
    is_mine: bool


def acknowledged_words(row: InboxRow, actor: Actor, *, is_news: bool) -> Said:
    """How the incident stands after `actor` asked for it. `is_news`: it is theirs by this very press."""
    life = row.life
    if life.state == "acknowledged":
        at = local_time(life.acknowledged_at) if life.acknowledged_at else ""
        if life.owner == actor.actor_id:
            return Said(
                vi=f"Bạn đã nhận việc này lúc {at}." if not is_news else "Đã ghi nhận: việc này là của bạn.",
                en=f"You took this at {at}." if not is_news else "Noted: it is yours.",
                is_mine=True,
            )
        name = plain(life.owner_name)
        return Said(vi=f"{name} đã nhận việc này lúc {at}.", en=f"{name} took this at {at}.", is_mine=False)
    if life.state in ("resolved", "dismissed"):
        return Said(vi="Sự cố này đã đóng.", en="This incident is closed.", is_mine=False)
    return Said(vi="Chưa ghi nhận được; hãy thử lại.", en="It could not be noted; try again.", is_mine=False)
