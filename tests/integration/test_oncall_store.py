"""One contract of the on-call store, held by SQLite and by a real PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, bindparam, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ioc.errors import ConfigurationError
from ioc.oncall.actions import notified_action
from ioc.oncall.alerts import Alert, alerts_of
from ioc.oncall.database import _MIGRATIONS, writing
from ioc.oncall.lifecycle import (
    SYSTEM,
    Acknowledge,
    Assign,
    Clear,
    Comment,
    Dismiss,
    Refusal,
    Reopen,
    Resolve,
    Snooze,
    Tick,
)
from ioc.oncall.models import SEVERITY_RANKS, Base, InboxIncident
from ioc.oncall.outcomes import GivenUp, OutboxRow, Postponed, Sent
from ioc.oncall.store import Acted, Store, open_store, sqlite_url
from ioc.oncall.store_reading import InboxFilter
from ioc.oncall.timers import TimerLoop
from ioc.oncall_plan import Plan, with_duty
from tests.integration.postgres import postgres_cluster
from tests.unit.oncall.making import NOW, MovingClock, incident
from tests.unit.oncall.plans import CENTRE, OPERATOR, OTHER, PLAN, VIEWER, policy

ID = "smoke-0001"
DAY = 1_440


async def sent(store: Store, clock: MovingClock, channel: str = "telegram") -> list[OutboxRow]:
    """Marks everything due on a channel as sent; returns it."""
    rows = await store.due(channel, clock(), 1000)
    await store.settle([Sent(row=row, receipt="ok", follow_up=None) for row in rows], clock())
    return rows


def loop_of(store: Store, clock: MovingClock, plan: Plan = PLAN) -> TimerLoop:
    return TimerLoop(store, plan=lambda: plan, clock=clock, on_told=lambda: None)


async def said(store: Store, clock: MovingClock) -> list[tuple[str, str, int]]:
    return [(row.recipient, row.purpose, row.level) for row in await sent(store, clock)]


async def actions(store: Store, clock: MovingClock) -> list[str]:
    return [str(row.payload["action"]) for row in await sent(store, clock, "actions")]


def alert(status: str = "firing", *, starts: float = 0, fingerprint: str = "ab12", severity: str = "critical") -> Alert:
    (found,) = alerts_of(
        {
            "alerts": [
                {
                    "status": status,
                    "fingerprint": fingerprint,
                    "startsAt": (NOW + timedelta(minutes=starts)).isoformat(),
                    "endsAt": "0001-01-01T00:00:00Z",
                    "labels": {"alertname": "WorkerDown", "severity": severity},
                    "annotations": {"summary": "The worker is down"},
                }
            ]
        }
    )
    return found


class StoreContract:
    """What holds whatever the database. A subclass gives `url`, the address of an empty database."""

    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[Store]:
        store = await open_store(url)
        yield store
        await store.close()

    @pytest.fixture
    def clock(self) -> MovingClock:
        return MovingClock()

    async def test_migrations_make_what_the_models_say(self, store: Store) -> None:
        def differences(connection: Connection) -> list[Any]:
            return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

        async with store.engine.connect() as connection:
            assert await connection.run_sync(differences) == []

    async def test_database_of_version_1_is_upgraded_without_loss_and_calls_nobody_again(self, url: str) -> None:
        await _make_version_1(url)
        store = await open_store(url)
        try:
            (row,) = await store.newest(limit=5)
            assert (row.incident_id, row.unit, row.life.state, row.life.episode) == (ID, "24846", "open", 1)
            (waiting,) = await store.due("webhook", NOW, 10)
            assert (waiting.idempotency_key, waiting.recipient, waiting.level) == ("msg_1", "duty", 1)
            again = await store.take([incident(revision=3)], PLAN, NOW)
            assert again == ["store"]
            assert await store.due("telegram", NOW, 10) == []
            found = await store.act(ID, Acknowledge(), OPERATOR, PLAN, NOW)
            assert isinstance(found, Acted)
        finally:
            await store.close()
        await (await open_store(url)).close()

    async def test_fire_that_nobody_takes_goes_up_the_chain_to_the_fall_back(
        self, store: Store, clock: MovingClock
    ) -> None:
        loop = loop_of(store, clock)
        assert await store.take([incident()], PLAN, clock()) == ["store_and_alert"]
        told = []
        for _ in range(12):
            told.append(await said(store, clock))
            clock.advance(minutes=1)
            await loop.fire_due()
        assert [each for each in told if each] == [
            [("lan", "opened", 1)],
            [("chief", "escalated", 2)],
            [("lan", "escalated", 3)],
            [("chief", "escalated", 4)],
            [("director", "escalated", 5)],
        ]
        assert [number for number, each in enumerate(told) if each] == [0, 2, 5, 7, 10]
        assert await actions(store, clock) == ["escalated"] * 4
        assert await store.next_timer_at() is None

    async def test_after_downtime_the_level_due_now_is_called_and_each_person_once(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        clock.advance(minutes=8)
        assert await loop_of(store, clock).fire_due() == 1
        assert sorted(await said(store, clock)) == [("chief", "escalated", 4), ("lan", "escalated", 4)]
        assert await store.next_timer_at() == clock() + timedelta(minutes=3)

    async def test_chain_that_becomes_shorter_meanwhile_still_calls_its_fall_back(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        for _ in range(3):
            await sent(store, clock)
            clock.advance(minutes=3)
            await loop_of(store, clock).fire_due()
        await sent(store, clock)
        shorter = replace(PLAN, policies={**PLAN.policies, "fire": policy("fire", ("person:minh", 1))})
        clock.advance(minutes=3)
        assert await loop_of(store, clock, shorter).fire_due() == 1
        assert await said(store, clock) == [("director", "escalated", 2)]

    async def test_acknowledged_calls_nobody_else_and_has_one_owner(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        first = await store.act(ID, Acknowledge(eta_at=clock() + timedelta(minutes=20)), OPERATOR, PLAN, clock())
        assert isinstance(first, Acted)
        assert (first.row.life.owner, first.row.life.state) == ("lan", "acknowledged")
        second = await store.act(ID, Acknowledge(), OTHER, PLAN, clock())
        assert isinstance(second, Refusal)
        assert (second.reason, second.en) == ("already_acknowledged", "already acknowledged by Lan")
        clock.advance(hours=2)
        assert await loop_of(store, clock).fire_due() == 0
        assert await said(store, clock) == []
        assert await actions(store, clock) == ["acknowledged"]
        view = await store.incident(ID)
        assert view is not None
        assert [(entry.action, entry.actor_id, entry.door) for entry in view.audit] == [
            ("see", "system", "kafka"),
            ("acknowledge", "lan", "web"),
        ]

    async def test_two_who_acknowledge_at_once_are_one_owner_and_one_refusal(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        both = await asyncio.gather(
            *(store.act(ID, Acknowledge(), actor, PLAN, clock()) for actor in (OPERATOR, OTHER))
        )
        assert sorted(type(each).__name__ for each in both) == ["Acted", "Refusal"]

    async def test_resolved_with_a_verdict_then_seen_again_it_is_reopened_and_people_are_called(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        await store.act(ID, Acknowledge(), OPERATOR, PLAN, clock())
        await store.act(ID, Resolve(verdict="true_positive"), OPERATOR, PLAN, clock())
        published = await actions(store, clock)
        assert published == ["acknowledged", "verdict", "resolved"]
        await sent(store, clock)
        clock.advance(minutes=5)
        lingering = incident(revision=3, last_seen_at=clock())
        assert await store.take([lingering], PLAN, clock()) == ["store"]
        clock.advance(minutes=6)
        again = incident(revision=4, last_seen_at=clock())
        assert await store.take([again], PLAN, clock()) == ["store_and_alert"]
        assert await said(store, clock) == [("lan", "reopened", 1)]
        assert await actions(store, clock) == ["reopened"]
        view = await store.incident(ID)
        assert view is not None
        assert (view.row.life.episode, view.row.life.owner, view.row.life.verdict) == (2, "", None)
        assert "escalate" in view.timers

    async def test_dismissed_stays_dismissed_until_a_person_reopens_it(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        await store.act(ID, Dismiss(verdict="false_positive"), OPERATOR, PLAN, clock())
        clock.advance(hours=1)
        await store.take([incident(revision=3, last_seen_at=clock())], PLAN, clock())
        assert await said(store, clock) == []
        await store.act(ID, Reopen(), OPERATOR, PLAN, clock())
        assert await said(store, clock) == [("lan", "reopened", 1)]

    async def test_snooze_ends_and_people_are_called_again(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        await store.act(ID, Snooze(until=clock() + timedelta(minutes=30)), OPERATOR, PLAN, clock())
        clock.advance(minutes=29)
        assert await loop_of(store, clock).fire_due() == 0
        clock.advance(minutes=1)
        assert await loop_of(store, clock).fire_due() == 1
        assert await said(store, clock) == [("lan", "again", 1)]

    async def test_assigned_is_asked_first_and_the_chain_begins_when_they_do_not_answer(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        await store.act(ID, Acknowledge(), OPERATOR, PLAN, clock())
        asked = await store.act(ID, Assign(person_id="minh"), OPERATOR, PLAN, clock())
        assert isinstance(asked, Acted)
        assert (asked.row.life.state, asked.row.life.owner, asked.row.life.assignee) == ("open", "", "minh")
        assert await said(store, clock) == [("minh", "assigned", 1)]
        clock.advance(minutes=2)
        await loop_of(store, clock).fire_due()
        assert await said(store, clock) == [("lan", "opened", 1)]

    async def test_quiet_hours_hold_a_warning_until_morning_and_the_inbox_shows_it(
        self, store: Store, clock: MovingClock
    ) -> None:
        clock.now = NOW.replace(hour=16)  # 23:00 in Vietnam
        assert await store.take([incident(severity="warning")], PLAN, clock()) == ["store"]
        page = await store.inbox(InboxFilter(), limit=10)
        assert [(row.incident_id, row.held_reason) for row in page.rows] == [(ID, "quiet_hours: ")]
        assert await store.take([incident(incident_id="c")], PLAN, clock()) == ["store_and_alert"]
        clock.advance(hours=7)
        assert await said(store, clock) == [("minh", "opened", 1)]
        loop = loop_of(store, clock)
        await store.act("c", Acknowledge(), OPERATOR, PLAN, clock())
        await loop.fire_due()
        assert [who for who in await said(store, clock) if who[1] == "opened"] == [("minh", "opened", 1)]

    async def test_receiver_of_the_settings_is_told_at_once_of_what_is_held_from_people(
        self, store: Store, clock: MovingClock
    ) -> None:
        clock.now = NOW.replace(hour=16)
        plan = with_duty(PLAN, ("webhook",), "duty")
        assert await store.take([incident(severity="warning")], plan, clock()) == ["store_and_alert"]
        assert [(row.recipient, row.purpose) for row in await sent(store, clock, "webhook")] == [("duty", "opened")]
        assert await said(store, clock) == []
        clock.advance(hours=7)
        await loop_of(store, clock, plan).fire_due()
        assert await said(store, clock) == [("minh", "opened", 1)]
        assert await sent(store, clock, "webhook") == []

    async def test_warning_that_turns_critical_is_not_held_any_longer(self, store: Store, clock: MovingClock) -> None:
        clock.now = NOW.replace(hour=16)
        await store.take([incident(severity="warning")], PLAN, clock())
        assert await store.take([incident(revision=3)], PLAN, clock()) == ["store_and_alert"]

    async def test_nobody_on_the_roster_calls_the_fall_back_and_says_so(self, store: Store, clock: MovingClock) -> None:
        rotation = CENTRE.rotation
        assert rotation is not None
        empty = replace(CENTRE, rotation=replace(rotation, begins_at=NOW + timedelta(days=1)))
        plan = replace(PLAN, rosters={"centre": empty})
        await store.take([incident()], plan, clock())
        (row,) = await sent(store, clock)
        assert (row.recipient, row.facts["nobody_on_roster"], row.facts["told"]) == ("director", True, ["Director"])
        view = await store.incident(ID)
        assert view is not None
        assert "nobody_on_roster" in [entry.action for entry in view.audit]

    async def test_cooldown_begins_at_a_notice_really_sent(self, store: Store, clock: MovingClock) -> None:
        clock.now = NOW.replace(hour=2)
        warning = incident(severity="warning")
        await store.take([warning], PLAN, clock())
        clock.advance(minutes=1)
        assert await store.take([replace(warning, incident_id="b")], PLAN, clock()) == ["store_and_alert"]
        rows = await store.due("telegram", clock(), 10)
        followed = [Sent(row=row, receipt="ok", follow_up=_follow_up(row)) for row in rows]
        await store.settle(followed, clock())
        clock.advance(minutes=9)
        assert await store.take([replace(warning, incident_id="c")], PLAN, clock()) == ["store"]
        clock.advance(minutes=1)
        assert await loop_of(store, clock).fire_due() == 1
        assert [row.incident_id for row in await sent(store, clock)] == ["c"]

    async def test_timers_are_fired_by_one_of_two_processes(self, store: Store, url: str, clock: MovingClock) -> None:
        other = await open_store(url)
        try:
            many = [incident(incident_id=f"i{number}") for number in range(40)]
            await store.take(many, PLAN, clock())
            await sent(store, clock)
            clock.advance(minutes=2)
            claims = await asyncio.gather(
                *(each.claim_timers(clock(), 10) for each in (store, other, store, other, store))
            )
            ids = [timer.timer_id for claim in claims for timer in claim]
            assert len(ids) == len(set(ids))
            loops = [loop_of(each, clock) for each in (store, other)]
            clock.advance(seconds=31)  # what was claimed and never fired is free again
            fired = await asyncio.gather(*(loop.fire_due() for loop in loops))
            assert sum(fired) == 40
            rows = await sent(store, clock)
            assert {(row.recipient, row.level) for row in rows} == {("chief", 2)}
            assert len(rows) == 40
        finally:
            await other.close()

    async def test_timer_claimed_and_then_overtaken_by_an_acknowledgement_does_nothing(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take([incident()], PLAN, clock())
        await sent(store, clock)
        clock.advance(minutes=2)
        (timer,) = await store.claim_timers(clock(), 10)
        await store.act(ID, Acknowledge(), OPERATOR, PLAN, clock())
        assert await store.fire([timer], PLAN, clock()) is False
        assert await said(store, clock) == []

    async def test_post_of_alertmanager_again_changes_nothing(self, store: Store, clock: MovingClock) -> None:
        group = [alert(), alert(fingerprint="cd34")]
        assert await store.take_alerts(group, PLAN, clock()) == ["store_and_alert"] * 2
        assert await store.take_alerts(group, PLAN, clock()) == ["ignore"] * 2
        assert await store.take_alerts([alert("resolved")], PLAN, clock()) == ["store"]
        assert await store.take_alerts([alert("resolved"), alert()], PLAN, clock()) == ["ignore"] * 2
        view = await store.incident("alert-ab12")
        assert view is not None
        assert (view.row.life.state, view.row.kind, view.row.source) == (
            "resolved",
            "alert_worker_down",
            "alertmanager",
        )
        assert "escalate" not in view.timers

    async def test_alert_that_fires_anew_opens_its_incident_again_and_after_a_day_a_new_one(
        self, store: Store, clock: MovingClock
    ) -> None:
        await store.take_alerts([alert()], PLAN, clock())
        await store.take_alerts([alert("resolved")], PLAN, clock())
        clock.advance(minutes=3)
        assert await store.take_alerts([alert(starts=3)], PLAN, clock()) == ["store_and_alert"]
        await store.act("alert-ab12", Clear(), SYSTEM, PLAN, clock())
        clock.advance(hours=25)
        assert await store.take_alerts([alert(starts=DAY + 63)], PLAN, clock()) == ["store_and_alert"]
        assert [row.life.episode for row in await store.newest(limit=5)] == [1, 2]

    async def test_viewer_and_another_unit_are_refused(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        elsewhere = replace(OPERATOR, units=("24778",))
        refused = [
            await store.act(ID, Acknowledge(), VIEWER, PLAN, clock()),
            await store.act(ID, Acknowledge(), elsewhere, PLAN, clock()),
            await store.act("none", Acknowledge(), OPERATOR, PLAN, clock()),
            await store.act(ID, Assign(person_id="nobody"), OPERATOR, PLAN, clock()),
        ]
        assert [each.reason for each in refused if isinstance(each, Refusal)] == [
            "not_allowed",
            "outside_scope",
            "unknown_incident",
            "unknown_person",
        ]
        assert (await store.inbox(InboxFilter(scope=("24778",)), limit=5)).rows == ()

    async def test_comments_and_ticks_are_kept_with_who_and_when(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        await store.act(ID, Comment(text="<b>Đang tới</b>"), OPERATOR, PLAN, clock())
        for actor, is_done in ((OPERATOR, True), (OTHER, True), (OTHER, False)):
            clock.advance(seconds=1)
            await store.act(ID, Tick(step="call-rangers", is_done=is_done), actor, PLAN, clock())
        view = await store.incident(ID)
        assert view is not None
        assert [(c.text, c.actor_name) for c in view.comments] == [("<b>Đang tới</b>", "Lan")]
        assert [(t.step, t.is_done, t.actor_id, t.at) for t in view.ticks] == [("call-rangers", False, "minh", clock())]
        assert [entry.action for entry in view.audit] == ["see", "comment", "tick", "tick"]

    async def test_address_that_fails_hands_over_to_the_next_once(self, store: Store, clock: MovingClock) -> None:
        await store.take([incident()], PLAN, clock())
        (row,) = await store.due("telegram", clock(), 5)
        later = Postponed(row=row, error="down", next_attempt_at=clock() + timedelta(minutes=1), falls_back=True)
        await store.settle([later], clock())
        await store.settle([later], clock())
        (spare,) = await store.due("email", clock(), 5)
        assert (spare.address, spare.fallback_of, spare.recipient) == ("lan@email.example", row.entry_id, "lan")
        await store.settle([GivenUp(row=spare, error="no such address")], clock())
        view = await store.incident(ID)
        assert view is not None
        assert [(n.channel, n.status) for n in view.notices] == [("telegram", "pending"), ("email", "failed")]

    async def test_ten_thousand_open_incidents_are_listed_at_once(self, store: Store, clock: MovingClock) -> None:
        await _fill(store.engine, 10_000)
        elapsed_s = 1.0
        for _ in range(5):  # the best of five says what it costs, the worst how busy the machine is
            began = time.perf_counter()
            page = await store.inbox(InboxFilter(severities=("warning",)), limit=50)
            elapsed_s = min(elapsed_s, time.perf_counter() - began)
        assert (len(page.rows), page.total, sum(page.counts.values())) == (50, 5_000, 10_000)
        assert elapsed_s < 0.1

    async def test_handover_log_is_read_newest_first(self, store: Store, clock: MovingClock) -> None:
        for words in ("đêm yên", "cháy ở Lang Biang"):
            await store.hand_over(OPERATOR, words, clock(), roster="centre")
        assert [line.text for line in await store.handovers(limit=5)] == ["cháy ở Lang Biang", "đêm yên"]


def _follow_up(row: OutboxRow) -> Any:
    return notified_action(row, at=NOW)


async def _fill(engine: AsyncEngine, count: int) -> None:
    payload = incident().as_json()
    rows = [
        {
            "incident_id": f"many-{number}",
            "kind": "smoke",
            "state": "open",
            "severity": severity,
            "severity_rank": SEVERITY_RANKS[severity],
            "revision": 1,
            "payload": payload,
            "unit": f"{24000 + number % 124}",
            "dedup_key": f"many-{number}",
            "opened_times": [],
            **dict.fromkeys(("first_frame_at", "last_seen_at", "received_at", "changed_at"), NOW),
        }
        for number in range(count)
        for severity in [("warning", "critical")[number % 2]]
    ]
    async with writing(engine).begin() as connection:
        await connection.execute(insert(InboxIncident), rows)


async def _make_version_1(url: str) -> None:
    """A database as the first programs left it: their tables, one alerted incident, one notice on its way."""
    engine = create_async_engine(url)

    def make(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("INSERT INTO service_mark VALUES ('schema', '1')"))
        old = Base.metadata.tables
        at = {"first_frame_at": NOW, "last_seen_at": NOW, "received_at": NOW, "changed_at": NOW, "alerted_at": NOW}
        known = {"incident_id": ID, "kind": "smoke", "state": "open", "severity": "critical", "revision": 2}
        _insert(connection, old["inbox_incident"], {**known, **at, "payload": incident().as_json()})
        waiting = {"idempotency_key": "msg_1", "incident_id": ID, "purpose": "opened", "channel": "webhook"}
        state = {"recipient": "duty", "status": "pending", "attempts": 0, "last_error": "", "receipt": ""}
        times = {"next_attempt_at": NOW, "created_at": NOW}
        _insert(connection, old["outbox"], {**waiting, **state, **times, "payload": incident().as_json()})

    async with engine.begin() as connection:
        await connection.run_sync(make)
    await engine.dispose()


def _insert(connection: Connection, table: Any, values: dict[str, Any]) -> None:
    """Only the columns of version 1: the model's defaults of later ones are left out."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    statement = text(f"INSERT INTO {table.name} ({names}) VALUES ({marks})")
    typed = statement.bindparams(*(_typed(table, name) for name in values))
    connection.execute(typed, values)


def _typed(table: Any, name: str) -> Any:
    return bindparam(name, type_=table.c[name].type)


class TestSqlite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "oncall.db")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with postgres_cluster() as address:
        yield address


class TestPostgres(StoreContract):
    @pytest.fixture
    async def url(self, cluster: str) -> str:
        name = f"oncall_{uuid4().hex[:8]}"
        async with _server(cluster) as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        return f"postgresql+asyncpg://{cluster}/{name}"

    async def test_server_that_is_away_is_a_sentence(self) -> None:
        with pytest.raises(ConfigurationError, match="IOC_ONCALL_DATABASE") as caught:
            await open_store("postgresql+asyncpg://ioc:hunter2@127.0.0.1:1/x")
        assert "hunter2" not in str(caught.value)


@asynccontextmanager
async def _server(cluster: str) -> AsyncIterator[Any]:
    engine = create_async_engine(f"postgresql+asyncpg://{cluster}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()
