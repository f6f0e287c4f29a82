"""`POST /hooks/alertmanager`: Alertmanager's webhook (version 4) into the inbox.

Answers 2xx only when the database has it; 503 where it can't be written, so that Alertmanager tries again. The same
post again changes nothing. Kafka is not needed.
"""

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.exc import SQLAlchemyError

from ioc.errors import ConfigurationError, InvalidRecord
from ioc.oncall.alerts import Alert, alerts_of
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import ALERTS_TRUNCATED
from ioc.oncall.own_alarms import OwnAlarm, Trouble

__all__ = ["HOOK_PATH", "WATCHDOG_ALERT", "AlertmanagerHook", "HookMetrics", "checked_token"]

logger = logging.getLogger(__name__)

HOOK_PATH = "/hooks/alertmanager"
WATCHDOG_ALERT = "IocWatchdog"
"""The alert that always fires. It is no incident: that it comes says that the path is well."""

MAX_BODY_BYTES = 4 * 1024 * 1024  # 1,000 alerts of 4 KiB
MIN_TOKEN_CHARS = 16
_MAX_GROUPS = 1000


class HookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.alerts = Counter(
            "ioc_oncall_alerts_total",
            "Alerts of Alertmanager by outcome: taken, repeated, watchdog, rejected, refused, unwritten, truncated",
            ["outcome"],
            registry=registry,
        )


def checked_token(token: str, *, where: str) -> str:
    """Returns the shared token; raises ConfigurationError where it could be guessed."""
    if len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            f"{where}: the shared token needs {MIN_TOKEN_CHARS} printable characters at least; "
            "make one with: openssl rand -hex 32"
        )
    return token


class AlertmanagerHook:
    """The door. Without a token it is closed. `heard` is called when the watchdog alert came."""

    def __init__(
        self, *, desk: Desk, token: str | None, heard: Callable[[], Awaitable[None]], metrics: HookMetrics
    ) -> None:
        self._desk = desk
        self._digest = _digest(token) if token else None
        self._heard = heard
        self._metrics = metrics
        self._truncated: dict[str, int] = {}
        self._alarm = OwnAlarm(ALERTS_TRUNCATED, severity="warning", runbook="/runbooks/alerts_truncated", desk=desk)

    async def post(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            self._metrics.alerts.labels("refused").inc()
            return refusal
        body = await _read(request)
        if body is None:
            self._metrics.alerts.labels("rejected").inc()
            return _answer(413, f"the body is larger than {MAX_BODY_BYTES} bytes; set max_alerts, or group more finely")
        try:
            data = orjson.loads(body)
            alerts = alerts_of(data)
        except orjson.JSONDecodeError as error:
            return self._rejected(f"not JSON: {error}")
        except InvalidRecord as error:
            return self._rejected(str(error))
        try:
            await self._take(alerts, data)
        except (SQLAlchemyError, OSError) as error:
            self._metrics.alerts.labels("unwritten").inc(len(alerts))
            logger.error("the database does not take alerts: %s", getattr(error, "orig", error))
            return _answer(503, "try again in a moment")
        return _answer(200, f"{len(alerts)} alerts taken")

    async def _take(self, alerts: tuple[Alert, ...], data: Mapping[str, Any]) -> None:
        real = [alert for alert in alerts if alert.labels.get("alertname") != WATCHDOG_ALERT]
        if any(alert.labels.get("alertname") == WATCHDOG_ALERT and alert.status == "firing" for alert in alerts):
            await self._heard()
            self._metrics.alerts.labels("watchdog").inc()
        if real:
            for decision in await self._desk.take_alerts(real):
                self._metrics.alerts.labels("repeated" if decision == "ignore" else "taken").inc()
        await self._tell_truncated(data)

    async def _tell_truncated(self, data: Mapping[str, Any]) -> None:
        """Alertmanager leaves alerts out where `max_alerts` is set: what nobody sees must be said."""
        left_out, group = data.get("truncatedAlerts"), str(data.get("groupKey", ""))[:500]
        count = left_out if isinstance(left_out, int) and left_out > 0 else 0
        if not count and group not in self._truncated:
            return
        if count and len(self._truncated) < _MAX_GROUPS:
            self._truncated[group] = count
            self._metrics.alerts.labels("truncated").inc(count)
        else:
            self._truncated.pop(group, None)
        total = sum(self._truncated.values())
        now = self._desk.now()
        trouble = Trouble(
            title_vi="Alertmanager bỏ bớt cảnh báo",
            title_en="Alertmanager leaves alerts out",
            text_vi=f"{total} cảnh báo không được gửi đến (max_alerts của bộ nhận). Xem đủ trên trang Alertmanager.",
            text_en=f"{total} alerts were not sent (max_alerts of the receiver). See them all on Alertmanager's page.",
            since=now,
        )
        await self._alarm.say(trouble if total else None)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._digest is None:
            return _answer(403, "closed: set IOC_ONCALL_HOOK_TOKEN or oncall_hook_token_file, then restart ioc oncall")
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), self._digest):
            return None
        logger.warning("%s: a post without the right token", HOOK_PATH)
        return _answer(401, "the bearer token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    def _rejected(self, why: str) -> web.Response:
        """400 is final for Alertmanager: the same bytes would be wrong again."""
        self._metrics.alerts.labels("rejected").inc()
        logger.error("%s: a post that is none of Alertmanager: %s", HOOK_PATH, why)
        return _answer(400, why[:300])


async def _read(request: web.Request) -> bytes | None:
    """The body; None where it is too large, whatever its length says."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return None
    found = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        found += chunk
        if len(found) > MAX_BODY_BYTES:
            return None
    return bytes(found)


def _digest(text: str) -> bytes:
    """Of equal length, so that comparing takes the same time for every guess."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogateescape")).digest()


def _answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)
