"""Tells the administrator who can't be reached, as an incident of its own, and shows it on the metrics."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from ioc.oncall.delivery_reach import Reach, Unreached
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import CHANNEL_DOWN
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.own_alarms import OwnAlarm, Trouble

__all__ = ["ReachWatch", "trouble_of"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
MAX_NAMED = 8


class ReachWatch:
    """Looks every few seconds until cancelled."""

    def __init__(self, reach: Reach, *, desk: Desk, metrics: OncallMetrics) -> None:
        self._reach = reach
        self._desk = desk
        self._metrics = metrics
        self._alarm = OwnAlarm(CHANNEL_DOWN, severity="warning", runbook="/runbooks/channel_down", desk=desk)

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                logger.error("who can't be reached can't be written: %s", getattr(error, "orig", error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Says once how it stands."""
        unreached = self._reach.unreached(self._desk.now())
        self._metrics.show_unreached([one.channel for one in unreached])
        await self._alarm.say(trouble_of(unreached, self._desk.now()))


def trouble_of(unreached: Sequence[Unreached], now: datetime) -> Trouble | None:
    """Whom nothing reaches, and why, in both languages; None where everybody is reached."""
    if not unreached:
        return None
    named = "; ".join(f"{one.name} ({one.channel}): {one.error}" for one in unreached[:MAX_NAMED])
    more = f" … (+{len(unreached) - MAX_NAMED})" if len(unreached) > MAX_NAMED else ""
    return Trouble(
        title_vi=f"Không báo được cho {len(unreached)} địa chỉ trực ban",
        title_en=f"{len(unreached)} on-call addresses can't be reached",
        text_vi=f"Không nhận được tin: {named}{more}. Kênh dự phòng và cấp báo tiếp theo vẫn chạy.",
        text_en=f"They get nothing: {named}{more}. Their other addresses and the escalation go on.",
        since=min(one.since for one in unreached),
    )
