"""The outlets of notices and of actions: what an entry of the outbox says, put into words for its reader."""

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from ioc.clock import Clock
from ioc.oncall.actions import notified_action
from ioc.oncall.channels import Channel, PeopleChannel, Receipt
from ioc.oncall.delivery import FallBack, Outlet
from ioc.oncall.delivery_lanes import ACTIONS, MACHINES, PEOPLE
from ioc.oncall.delivery_reach import Reach
from ioc.oncall.delivery_turns import Turn, always
from ioc.oncall.intake import parse_payload
from ioc.oncall.links import LinkKeys
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import Addressee, Digest, Notice, UnitNames, compose, digest_key
from ioc.oncall.notices_lines import NEWS, Circumstances
from ioc.oncall.outcomes import OutboxRow, Sent
from ioc.oncall.store import Store

__all__ = ["Wording", "action_outlet", "notice_outlet"]


class Wording:
    """Puts entries of the outbox into words: the same on every try. Without `links` nobody can acknowledge by link."""

    def __init__(self, *, public_url: str, unit_names: UnitNames, links: LinkKeys | None = None) -> None:
        self.public_url = public_url
        self._unit_names = unit_names
        self._links = links

    def notice(self, row: OutboxRow) -> Notice:
        """Raises InvalidRecord where the entry holds no incident."""
        return compose(
            parse_payload(dict(row.payload)),
            queued_at=row.created_at,
            public_url=self.public_url,
            unit_names=self._unit_names,
            to=_addressee(row),
            about=_circumstances(row),
            acknowledge_url=self._acknowledge_url(row),
        )

    def digest(self, rows: Sequence[OutboxRow]) -> Digest:
        return Digest(notices=tuple(self.notice(row) for row in rows), open_url=f"{self.public_url.rstrip('/')}/")

    def _acknowledge_url(self, row: OutboxRow) -> str:
        if self._links is None:
            return ""
        token = self._links.token(row.incident_id, row.recipient, queued_at=row.created_at)
        return f"{self.public_url.rstrip('/')}/a/{token}"


def _addressee(row: OutboxRow) -> Addressee:
    return Addressee(
        person_id=row.recipient,
        name=str(row.facts.get("name") or row.recipient),
        language="en" if row.language == "en" else "vi",
        address=row.address,
    )


def _circumstances(row: OutboxRow) -> Circumstances:
    facts = row.facts
    eta = facts.get("eta_at")
    return Circumstances(
        purpose=row.purpose,
        level=row.level,
        told=tuple(str(name) for name in facts.get("told", ())),
        is_nobody_on_roster=bool(facts.get("nobody_on_roster")),
        is_fallback=bool(facts.get("is_fallback")),
        is_exercise=bool(facts.get("exercise")),
        by=str(facts.get("by", "")),
        eta_at=datetime.fromisoformat(eta) if eta else None,
        verdict=str(facts.get("verdict", "")),
    )


def notice_outlet(
    channel: Channel,
    *,
    store: Store,
    metrics: OncallMetrics,
    public_url: str,
    unit_names: UnitNames,
    clock: Clock,
    facts_clock: Clock,
    on_sent: Callable[[], None],
    links: LinkKeys | None = None,
    fall_back: FallBack | None = None,
    on_fallback: Callable[[], None] = lambda: None,
    reach: Reach | None = None,
    turn: Turn = always,
    chance: Callable[[], float] = random.random,
) -> Outlet:
    """The outlet of a channel of notices.

    `clock` moves (pauses, signatures); `facts_clock` says when the notice was given, and may be fixed in a replay.
    `on_sent` is called when an action has been queued, `on_fallback` when a notice for another channel was.
    """
    wording = Wording(public_url=public_url, unit_names=unit_names, links=links)

    async def send(rows: Sequence[OutboxRow]) -> Receipt:
        if len(rows) > 1 and isinstance(channel, PeopleChannel):
            key = digest_key([row.idempotency_key for row in rows])
            return await channel.send_digest(wording.digest(rows), idempotency_key=key)
        return await channel.send(wording.notice(rows[0]), idempotency_key=rows[0].idempotency_key)

    def told(sent: Sent, is_first: bool) -> None:
        if is_first:
            first_frame_at = datetime.fromisoformat(str(sent.row.payload["first_frame_at"]))
            metrics.stage.labels("first_frame_to_alert").observe(_seconds(first_frame_at, facts_clock()))
            metrics.stage.labels("inbox_to_alert").observe(_seconds(sent.row.created_at, clock()))
        on_sent()

    return Outlet(
        channel.name,
        store=store,
        send=send,
        count=lambda outcome: metrics.notices.labels(channel.name, outcome).inc(),
        clock=clock,
        rules=PEOPLE if isinstance(channel, PeopleChannel) else MACHINES,
        fall_back=fall_back,
        follow_up=lambda row: None if row.purpose in NEWS else notified_action(row, at=facts_clock()),
        told=told,
        on_fallback=on_fallback,
        reach=reach,
        turn=turn,
        chance=chance,
    )


def action_outlet(
    name: str,
    send: Callable[[OutboxRow], Awaitable[Receipt]],
    *,
    store: Store,
    metrics: OncallMetrics,
    clock: Clock,
    turn: Turn = always,
) -> Outlet:
    """The outlet that publishes actions; nothing follows from its entries."""

    async def send_one(rows: Sequence[OutboxRow]) -> Receipt:
        return await send(rows[0])

    return Outlet(
        name,
        store=store,
        send=send_one,
        count=lambda outcome: metrics.actions.labels(outcome).inc(),
        clock=clock,
        rules=ACTIONS,
        turn=turn,
    )


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())
