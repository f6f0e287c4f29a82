"""A broken on-call file as an incident of on-call's own."""

from datetime import datetime

from ioc.oncall.alerts import MAX_TEXT_CHARS
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import CONFIG_BROKEN
from ioc.oncall.own_alarms import OwnAlarm, Trouble

__all__ = ["plan_alarm", "plan_trouble"]


def plan_alarm(desk: Desk) -> OwnAlarm:
    return OwnAlarm(CONFIG_BROKEN, severity="warning", runbook="/runbooks/oncall_config_broken", desk=desk)


def plan_trouble(text: str, now: datetime) -> Trouble | None:
    """What `PlanKeeper.trouble` says, for people; None where it says nothing."""
    if not text:
        return None
    shown = text[:MAX_TEXT_CHARS]
    return Trouble(
        title_vi="Tệp trực ban hỏng; bản tốt gần nhất vẫn được dùng",
        title_en="The on-call file is broken; the last good one goes on",
        text_vi=shown,
        text_en=shown,
        since=now,
    )
