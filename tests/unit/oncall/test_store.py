import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from ioc.errors import ConfigurationError
from ioc.oncall.actions import notified_action
from ioc.oncall.intake import notice_key, parse_payload
from ioc.oncall.outcomes import Sent
from ioc.oncall.store import open_store, sqlite_url
from ioc.oncall_plan import duty_plan
from tests.unit.oncall.making import NOW, incident, opened

PLAN = duty_plan(("console", "webhook"), "duty")


async def test_incident_and_its_notices_are_written_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.take([incident(state="candidate", revision=1)], PLAN, NOW) == ["store"]
        assert await store.due("webhook", NOW, 10) == []
        assert await store.take([incident(revision=2)], PLAN, NOW) == ["store_and_alert"]
        (row,) = await store.due("webhook", NOW, 10)
        assert parse_payload(dict(row.payload)) == incident()
        assert row.idempotency_key == notice_key(
            incident_id="smoke-0001", purpose="opened", channel="webhook", recipient="duty"
        )
        assert (await store.tally()).outbox_pending == 2


async def test_replay_in_one_batch_or_another_changes_nothing(tmp_path: Path) -> None:
    batch = [incident(state="candidate", revision=1), incident(revision=2), incident(revision=2), incident(revision=3)]
    async with opened(tmp_path) as store:
        assert await store.take(batch, PLAN, NOW) == ["store", "store_and_alert", "ignore", "store"]
        assert await store.take(batch, PLAN, NOW) == ["ignore"] * 4
        assert (await store.tally()).outbox_pending == 2
        (row,) = await store.newest(limit=5)
        assert row.payload["revision"] == 3


@pytest.mark.parametrize(("before", "state"), [("open", "resolved"), ("candidate", "dismissed")])
async def test_what_its_source_takes_back_is_over_for_everybody(tmp_path: Path, before: str, state: str) -> None:
    gone = incident(state="resolved", revision=2, joined_into="smoke-0000")
    async with opened(tmp_path) as store:
        await store.take([incident(state=before, revision=1), gone], PLAN, NOW)
        (row,) = await store.newest(limit=5)
        assert (row.life.state, row.life.closed_by, row.payload["joined_into"]) == (state, "system", "smoke-0000")
        await store.take([incident(state="open", revision=3)], PLAN, NOW)
        (row,) = await store.newest(limit=5)
        assert row.life.state == ("open" if before == "candidate" else "resolved"), "within the patience for smoke"


async def test_neither_is_written_when_the_outbox_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with sqlite3.connect(tmp_path / "oncall.db") as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
        other.close()
        with pytest.raises(IntegrityError):
            await store.take([incident()], PLAN, NOW)
        assert await store.newest(limit=5) == []
        assert (await store.tally()).outbox_pending == 0


async def test_first_notice_of_an_incident_is_told_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, NOW)
        for channel, is_first in (("webhook", True), ("console", False)):
            (row,) = await store.due(channel, NOW, 10)
            sent = Sent(row=row, receipt="r", follow_up=notified_action(row, at=NOW))
            assert await store.settle([sent], NOW) == ({row.idempotency_key} if is_first else set())
            assert await store.settle([sent], NOW) == set()
        tally = await store.tally()
        assert (tally.alerts_delivered, tally.outbox_pending) == (1, 2)  # two actions wait
        assert tally.notices == {("console", "sent"): 1, ("webhook", "sent"): 1}
        assert len(await store.due("actions", NOW, 10)) == 2


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, NOW)
    async with opened(tmp_path) as store:
        (row,) = await store.due("webhook", NOW, 10)
        assert row.created_at == NOW
        assert await store.next_due_at("webhook") == NOW
        assert await store.take([incident()], PLAN, NOW) == ["ignore"]


async def test_newest_incident_comes_first_and_pages_follow(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        many = [incident(incident_id=f"i{n}", first_frame_at=NOW - timedelta(minutes=n)) for n in (2, 0, 1)]
        await store.take(many, PLAN, NOW)
        assert [row.incident_id for row in await store.newest(limit=2)] == ["i0", "i1"]
        assert [row.incident_id for row in await store.newest(limit=2, offset=2)] == ["i2"]


async def test_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "oncall.db").write_text("this is no database, it is a text of some length\n" * 20)
    with pytest.raises(ConfigurationError, match=r"oncall\.db.*IOC_STATE"):
        async with opened(tmp_path):
            pass


async def test_database_of_another_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / "oncall.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
    connection.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        async with opened(tmp_path):
            pass


async def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="IOC_STATE"):
        await open_store(sqlite_url(tmp_path / "file" / "oncall.db"))


async def test_address_with_an_unknown_driver_is_a_sentence_without_the_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_store("postgresql+nosuchdriver://ioc:hunter2@127.0.0.1/x")
    assert "hunter2" not in str(caught.value)
