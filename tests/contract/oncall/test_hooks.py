"""Alertmanager's door: who gets in, what becomes of a post, and what a broken database costs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from ioc.errors import ConfigurationError
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Acknowledge, Actor
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.store import Store
from ioc.oncall.web_hooks import HOOK_PATH, MAX_BODY_BYTES, AlertmanagerHook, HookMetrics, checked_token
from ioc.oncall_plan import duty_plan
from tests.unit.oncall.making import MovingClock, opened

TOKEN = "only-for-tests-0123456789"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
LAN = Actor(actor_id="lan", name="Lan", role="operator", door="web")


def alert(fingerprint: str = "ab12", *, status: str = "firing", starts: str = "08:00:00", **changes: Any) -> Any:
    whole = {
        "status": status,
        "labels": {"alertname": "IocConsumerLag", "severity": "warning", "topic": "t"},
        "annotations": {"summary": "Bản ghi dồn ứ", "summary_en": "Records pile up"},
        "startsAt": f"2026-11-22T{starts}.123456789+07:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": fingerprint,
    }
    return whole | changes


def post_of(*alerts: Any, **changes: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "alerts": alerts} | changes


@dataclass(slots=True)
class Door:
    client: "TestClient[web.Request, web.Application]"
    store: Store
    desk: Desk
    registry: CollectorRegistry
    heard: list[str]
    clock: MovingClock

    async def post(self, body: Any, headers: dict[str, str] = AUTHORIZED) -> int:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self.client.post(HOOK_PATH, data=data, headers=headers) as answer:
            return answer.status

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("ioc_oncall_alerts_total", {"outcome": outcome}) or 0.0


async def a_door(store: Store, token: str | None = TOKEN) -> Door:
    clock, registry, heard = MovingClock(), CollectorRegistry(), list[str]()
    keeper = PlanKeeper(duty_plan(("console",), "duty"), clock=clock)
    desk = Desk(store, keeper, clock=clock, wake=lambda: None)

    async def hear() -> None:
        heard.append("watchdog")

    hook = AlertmanagerHook(desk=desk, token=token, heard=hear, metrics=HookMetrics(registry))
    app = web.Application(client_max_size=1024)  # as small as the pages': the hook has a bound of its own
    app.router.add_post(HOOK_PATH, hook.post)
    client = TestClient(TestServer(app))
    await client.start_server()
    return Door(client, store, desk, registry, heard, clock)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as store:
        found = await a_door(store)
        yield found
        await found.client.close()


# ---- who gets in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nobody"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, id="another scheme"),
        pytest.param({"Authorization": "Bearer "}, id="an empty token"),
        pytest.param({"Authorization": f"Bearer {TOKEN}x"}, id="almost"),
        pytest.param({"Authorization": "Bearer " + "a" * 5000}, id="very long"),
        pytest.param({"Authorization": "Bearer mật-khẩu"}, id="not ASCII"),
    ],
)
async def test_without_the_token_nothing_is_read(door: Door, headers: dict[str, str]) -> None:
    assert await door.post(post_of(alert()), headers) == 401
    assert await door.store.incident("alert-ab12") is None
    assert door.counted("refused") == 1


async def test_without_a_token_of_its_own_the_door_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        door = await a_door(store, token=None)
        assert await door.post(post_of(alert())) == 403
        await door.client.close()


@pytest.mark.parametrize(
    "token", ["short", "has a space in it, and is long", "mật-khẩu-dài-hơn-16-ký-tự", "tab\tabcdefghijklmnop"]
)
def test_a_token_that_could_be_guessed_or_garbled_is_a_sentence(token: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand"):
        checked_token(token, where="IOC_ONCALL_HOOK_TOKEN")


# ---- what becomes of a post ----------------------------------------------------------------------------------------


async def test_a_group_is_taken_together_and_the_same_post_again_changes_nothing(door: Door) -> None:
    post = post_of(*(alert(f"{number:04x}") for number in range(300)))
    assert len(orjson.dumps(post)) > 64 * 1024
    assert await door.post(post) == 200
    version = door.desk.version
    assert await door.post(post) == 200
    assert (door.counted("taken"), door.counted("repeated")) == (300, 300)
    assert door.desk.version == version
    view = await door.store.incident("alert-0007")
    assert view is not None
    assert (view.row.kind, view.row.life.state, len(view.notices)) == ("alert_ioc_consumer_lag", "open", 1)


async def test_resolved_resolves_it_and_who_had_it_stays_in_the_history(door: Door) -> None:
    await door.post(post_of(alert()))
    await door.desk.act("alert-ab12", Acknowledge(), LAN)
    over = post_of(alert(status="resolved", endsAt="2026-11-22T08:40:00+07:00"), status="resolved")
    assert [await door.post(over), await door.post(over)] == [200, 200]
    view = await door.store.incident("alert-ab12")
    assert view is not None
    assert (view.row.life.state, view.row.life.closed_by, view.row.life.verdict) == ("resolved", "alertmanager", None)
    assert [(entry.action, entry.actor_name) for entry in view.audit if entry.action in ("acknowledge", "clear")] == [
        ("acknowledge", "Lan"),
        ("clear", "Alertmanager"),
    ]


async def test_a_firing_that_comes_after_its_own_end_is_late(door: Door) -> None:
    await door.post(post_of(alert(status="resolved")))
    assert await door.store.incident("alert-ab12") is None
    await door.post(post_of(alert()))
    await door.post(post_of(alert(status="resolved")))
    await door.post(post_of(alert()))
    view = await door.store.incident("alert-ab12")
    assert view is not None
    assert view.row.life.state == "resolved"
    door.clock.advance(seconds=30)
    await door.post(post_of(alert(starts="08:30:20")))
    view = await door.store.incident("alert-ab12")
    assert view is not None
    assert (view.row.life.state, view.row.life.episode) == ("open", 2)


async def test_the_watchdog_alert_is_heard_and_is_no_incident(door: Door) -> None:
    watchdog = alert("cd34", labels={"alertname": "IocWatchdog", "severity": "none"})
    assert await door.post(post_of(watchdog, alert())) == 200
    assert door.heard == ["watchdog"]
    assert await door.store.incident("alert-cd34") is None
    assert await door.post(post_of(watchdog | {"status": "resolved"})) == 200
    assert door.heard == ["watchdog"]


async def test_what_alertmanager_leaves_out_is_told_until_the_group_is_whole(door: Door) -> None:
    await door.post(post_of(alert(), truncatedAlerts=7))
    view = await door.store.incident("alerts_truncated")
    assert view is not None
    assert view.row.life.state == "open"
    assert "7 cảnh báo" in view.row.payload["extra"]["description_vi"]
    await door.post(post_of(alert(), groupKey="another"))
    await door.post(post_of(alert()))
    view = await door.store.incident("alerts_truncated")
    assert view is not None
    assert view.row.life.state == "resolved"


@pytest.mark.parametrize(
    ("labels", "url", "severity", "unit", "shown_url"),
    [
        pytest.param(
            {"severity": "page"}, "https://p.test/g", "critical", "", "https://p.test/g", id="page is critical"
        ),
        pytest.param({"severity": "odd"}, "javascript:alert(1)", "warning", "", "", id="no script to click on"),
        pytest.param({"admin_unit": "24846"}, "http://p.test/a b", "warning", "24846", "", id="no blank in an address"),
        pytest.param({"admin_unit": "*"}, "", "warning", "", "", id="the whole province is everybody's"),
    ],
)
async def test_labels_become_the_incidents_facts(
    door: Door, labels: dict[str, str], url: str, severity: str, unit: str, shown_url: str
) -> None:
    await door.post(post_of(alert(labels={"alertname": "IocConsumerLag", "agency": "H36", **labels}, generatorURL=url)))
    view = await door.store.incident("alert-ab12")
    assert view is not None
    assert (view.row.severity, view.row.unit) == (severity, unit)
    assert view.row.payload["extra"]["generator_url"] == shown_url
    assert view.row.payload["extra"]["agency"] == "H36"
    assert (view.row.payload["place_vi"], view.row.payload["place_en"]) == ("Bản ghi dồn ứ", "Records pile up")


# ---- what is none --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="not JSON"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param([], id="a list"),
        pytest.param({"alerts": "many"}, id="no list of alerts"),
        pytest.param(post_of("one"), id="an alert that is a text"),
        pytest.param(post_of(alert("<script>")), id="a fingerprint that is none"),
        pytest.param(post_of(alert(status="on fire")), id="a status that is none"),
        pytest.param(post_of(alert(starts="99:00:00")), id="a time that is none"),
        pytest.param(post_of(alert(labels={str(n): "x" for n in range(65)})), id="too many labels"),
        pytest.param(post_of(*[alert()] * 1001), id="too many alerts"),
        pytest.param(post_of(alert(), alert("<")), id="one bad alert among good ones"),
    ],
)
async def test_what_is_no_post_of_alertmanager_is_400_and_changes_nothing(door: Door, body: Any) -> None:
    assert await door.post(body) == 400
    assert door.counted("rejected") == 1
    assert await door.store.incident("alert-ab12") is None


async def test_a_body_beyond_the_bound_is_413_whatever_its_length_says(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    async with door.client.post(HOOK_PATH, data=endless(), headers=AUTHORIZED) as answer:
        assert answer.status == 413
    async with door.client.post(HOOK_PATH, data=BytesIO(b" " * (MAX_BODY_BYTES + 1)), headers=AUTHORIZED) as answer:
        assert answer.status == 413


async def test_a_database_that_takes_nothing_is_503_so_that_alertmanager_tries_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(Store, "take_alerts", away)
        assert await door.post(post_of(alert())) == 503
    assert door.counted("unwritten") == 1
    assert await door.post(post_of(alert())) == 200
    assert door.counted("taken") == 1
