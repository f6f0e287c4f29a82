"""The dead man's switch: says that the centre is blind, by a way that needs neither Kafka nor the worker.

The canary proves that frames and events go through; Alertmanager's own watchdog alert proves that metric alerts would
come. What proves that on-call itself lives is `ioc.oncall.heartbeat`, and somebody outside who listens to it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import orjson
from sqlalchemy.exc import SQLAlchemyError

from ioc.clock import Clock
from ioc.oncall.canary import Canary
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import ALERTS_SILENT, CANARY_SILENT
from ioc.oncall.notices_lines import local_time
from ioc.oncall.own_alarms import OwnAlarm, Trouble
from ioc.oncall.rounds import Rounds, Silent

__all__ = ["ALERTS_SILENT_AFTER", "AlertPath", "Diagnosis", "Watchdog", "alerts_trouble", "ask_worker", "blind_trouble"]

logger = logging.getLogger(__name__)

LOOK_SHARE = 6  # looks an interval
ALERTS_SILENT_AFTER = timedelta(minutes=5)  # Alertmanager repeats its watchdog every minute or two
ASK_S = 3.0
MAX_ANSWER_BYTES = 64 * 1024
_HALF_WORDS = {"frames": ("khung hình", "frames"), "events": ("sự kiện", "events")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Where the canary got stuck, as far as on-call can see; "" where that part is well."""

    sending: str
    reading: str
    worker_vi: str
    worker_en: str


def blind_trouble(silent: Sequence[Silent], diagnosis: Diagnosis) -> Trouble | None:
    """Returns what to tell of the halves that are silent; None where none is."""
    if not silent:
        return None
    vi = " và ".join(_HALF_WORDS[found.half][0] for found in silent)
    en = " and ".join(_HALF_WORDS[found.half][1] for found in silent)
    since = min(found.since for found in silent)
    parts = ", ".join(f"{found.half} {len(found.parts)}/{found.of_parts}" for found in silent)
    kafka_vi = diagnosis.sending or diagnosis.reading or "nhận và trả lời"
    kafka_en = diagnosis.sending or diagnosis.reading or "takes records and answers"
    return Trouble(
        title_vi=f"TRUNG TÂM BỊ MÙ: {vi} không đi hết dây chuyền",
        title_en=f"THE CENTRE IS BLIND: {en} do not come through",
        text_vi=f"Hai lượt thử liên tiếp không quay về ({parts} phần), từ {local_time(since)}. "
        f"Kafka: {kafka_vi}. Máy xử lý: {diagnosis.worker_vi}. Cháy hay sự cố lúc này KHÔNG ai được báo.",
        text_en=f"Two rounds in a row did not come back ({parts} parts), since {local_time(since)}. "
        f"Kafka: {kafka_en}. Worker: {diagnosis.worker_en}. Nobody would be told of a fire now.",
        since=since,
    )


def alerts_trouble(heard_at: datetime, now: datetime) -> Trouble | None:
    """Returns what to tell where Alertmanager's watchdog has not been heard since `heard_at`; None while it is."""
    if now - heard_at <= ALERTS_SILENT_AFTER:
        return None
    return Trouble(
        title_vi="Prometheus hoặc Alertmanager im lặng",
        title_en="Prometheus or Alertmanager is silent",
        text_vi=f"Cảnh báo IocWatchdog (luôn phát) không đến từ {local_time(heard_at)}. "
        "Cảnh báo về chỉ số và dịch vụ lúc này không đến được người trực; báo khói, cháy vẫn đến.",
        text_en=f"The alert IocWatchdog, which always fires, has not come since {local_time(heard_at)}. "
        "Alerts of figures and services reach nobody now; those of smoke and fire still do.",
        since=heard_at,
    )


async def ask_worker(session: aiohttp.ClientSession, url: str) -> tuple[str, str]:
    """Returns what the worker's `/readyz` says, for people: (vi, en). Never raises."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=ASK_S), allow_redirects=False) as answer:
            body = await answer.content.read(MAX_ANSWER_BYTES)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return f"không trả lời ở {url} ({type(error).__name__})", f"does not answer at {url} ({type(error).__name__})"
    if status == 200:
        return "trả lời là sẵn sàng", "says that it is ready"
    try:
        parts = orjson.loads(body)["parts"]
        waiting = ", ".join(sorted(str(name)[:40] for name, is_ready in parts.items() if not is_ready))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        waiting = f"HTTP {status}"
    return f"chưa sẵn sàng: {waiting}", f"not ready: {waiting}"


class AlertPath:
    """When Alertmanager's watchdog alert came last. It is waited for once it has come at all, also before a restart:
    a site without Prometheus is not told that Prometheus is silent."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._started_at = desk.now()
        self._alarm = OwnAlarm(ALERTS_SILENT, severity="critical", runbook="/runbooks/alerts_silent", desk=desk)

    async def heard(self) -> None:
        await self._desk.store.set_mark(_HEARD, self._desk.now().isoformat())

    async def look(self) -> None:
        """Opens or resolves the incident of the silence. While on-call itself was down nothing could be heard: that is
        no silence, and no sign of life either."""
        mark = await self._desk.store.mark(_HEARD)
        if not mark:
            return
        heard_at, now = datetime.fromisoformat(mark), self._desk.now()
        trouble = alerts_trouble(max(heard_at, self._started_at), now)
        if trouble is not None or alerts_trouble(heard_at, now) is None:
            await self._alarm.say(trouble)


_HEARD = "alertmanager_watchdog"


class Watchdog:
    """Looks at the canary's rounds and at the alert path, a few times an interval.

    `canary` None: only the alert path. `reading`: why incidents can't be read, "" where they can;
    `ask`: what the worker says of itself, (vi, en).
    """

    def __init__(
        self,
        *,
        desk: Desk,
        clock: Clock,
        alert_path: AlertPath,
        interval: timedelta,
        rounds: Rounds | None = None,
        canary: Canary | None = None,
        reading: Callable[[], Awaitable[str]],
        ask: Callable[[], Awaitable[tuple[str, str]]],
    ) -> None:
        self._clock = clock
        self._alert_path = alert_path
        self._interval = interval
        self._rounds = rounds
        self._canary = canary
        self._reading = reading
        self._ask = ask
        self._blind = OwnAlarm(CANARY_SILENT, severity="critical", runbook="/runbooks/canary_silent", desk=desk)

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                logger.error("the watchdog can't write what it sees: %s", getattr(error, "orig", error))
            except Exception:  # the boundary: who watches the others must not end
                logger.exception("the watchdog failed in an unforeseen way")
            await asyncio.sleep(self._interval.total_seconds() / LOOK_SHARE)

    async def look(self) -> None:
        """One look, and what follows from it."""
        await self._alert_path.look()
        if self._rounds is None:
            return
        silent = self._rounds.silent(self._clock())
        if silent:
            await self._blind.say(blind_trouble(silent, await self._diagnosis()))
        elif self._rounds.is_heard:
            await self._blind.say(None)

    async def _diagnosis(self) -> Diagnosis:
        reading, (vi, en) = await asyncio.gather(self._reading(), self._ask())
        sending = self._canary.trouble if self._canary is not None else ""
        return Diagnosis(sending=sending, reading=reading, worker_vi=vi, worker_en=en)
