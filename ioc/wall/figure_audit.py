"""The entities behind a figure, for whoever asks over HTTP: one audit at a time, few a minute, repeated ones kept.

An audit reads all rows of the KPI's entities from Kafka: seconds of work, so strangers must not start many.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from math import isclose
from typing import Any

from ioc.gateway.problems import Problem
from ioc.kpis import KpiDefinition
from ioc.kpis.audit import Counted, Explanation, Wanted
from ioc.kpis.log import LoggedValue

__all__ = ["Auditor"]

AUDITS_A_MINUTE = 12
_MINUTE_S = 60.0
_KEPT_S = 60.0
_KEPT = 8
TIMEOUT_S = 60.0

_Key = tuple[str, str, int, Wanted]


class Auditor:
    """Runs audits within bounds.

    Args:
        explain: the audit itself.
        monotonic: seconds.
    """

    def __init__(
        self,
        explain: Callable[[KpiDefinition, str, int, Wanted], Awaitable[Explanation]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._explain, self._monotonic = explain, monotonic
        self._one_at_a_time = asyncio.Lock()
        self._begun: deque[float] = deque()
        self._kept: OrderedDict[_Key, tuple[float, Explanation]] = OrderedDict()

    async def explain(self, kpi: KpiDefinition, window: str, clock_us: int, wanted: Wanted) -> Explanation:
        """Returns the explanation, at most a minute old.

        Raises:
            Problem: 429 too many audits, 503 one is running or it took too long; both say when to come again.
        """
        # The minute serves as the clock of a running period: who reloads gets the same answer.
        key = (kpi.id, window, clock_us // 60_000_000, wanted)
        kept = self._kept.get(key)
        if kept is not None and self._monotonic() - kept[0] < _KEPT_S:
            return kept[1]
        if self._one_at_a_time.locked():
            raise _busy(5)
        self._take_turn()
        async with self._one_at_a_time:
            try:
                found = await asyncio.wait_for(self._explain(kpi, window, clock_us, wanted), TIMEOUT_S)
            except TimeoutError:
                raise _busy(60) from None
        self._kept[key] = (self._monotonic(), found)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def _take_turn(self) -> None:
        now_s = self._monotonic()
        while self._begun and now_s - self._begun[0] >= _MINUTE_S:
            self._begun.popleft()
        if len(self._begun) >= AUDITS_A_MINUTE:
            wait_s = int(_MINUTE_S - (now_s - self._begun[0])) + 1
            raise Problem(
                429,
                "too_many_audits",
                vi=f"Quá nhiều lượt tra hồ sơ; hãy thử lại sau {wait_s} giây.",
                en=f"too many audits; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )
        self._begun.append(now_s)

    @staticmethod
    def tell(explained: Explanation, *, limit: int, logged: LoggedValue | None) -> dict[str, Any]:
        """Ids and amounts only: no field of an event, and not who told of it. `agrees`: today's rows give the figure
        that the log holds; None where it holds none."""
        figure = explained.figure
        recount = None
        if figure is not None:
            recount = {"value": figure.value, "numerator": figure.numerator, "denominator": figure.denominator}
        return {
            "recount": recount,
            "agrees_with_log": None if logged is None or figure is None else _agrees(logged, recount),
            "adds_up": explained.adds_up,
            "rule_version": None if figure is None else figure.definition.rule_version,
            "entities_total": len(explained.counted),
            "entities": [_entity(item) for item in explained.counted[:limit]],
            "superseded_total": len(explained.superseded),
            "missing_total": len(explained.missing),
            "missing": [{"id": item.member, "heard": item.was_heard} for item in explained.missing[:limit]],
        }


def _agrees(logged: LoggedValue, recount: dict[str, float | None] | None) -> bool:
    pairs = [
        (getattr(logged, name), (recount or {}).get(name)) for name in ("value", "numerator", "denominator")
    ]  # fmt: skip
    return all(a == b or (a is not None and b is not None and isclose(a, b, rel_tol=1e-9)) for a, b in pairs)


def _entity(item: Counted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "entity": item.entity,
        "id": item.entity_id.replace("\x1f", " | "),  # the parts of a composite id
        "side": item.side,
        "bucket": item.bucket,
    }
    if item.side == "sample":
        return told | {"seconds": list(item.seconds)}
    return told | {"numerator": item.numerator, "denominator": item.denominator}


def _busy(wait_s: int) -> Problem:
    return Problem(
        503,
        "audit_running",
        vi=f"Đang tra một chỉ số khác; hãy thử lại sau {wait_s} giây.",
        en=f"another audit is running; try again in {wait_s} s",
        headers={"Retry-After": str(wait_s)},
    )
