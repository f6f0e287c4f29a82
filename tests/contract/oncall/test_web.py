"""The doors of the pages, through a real HTTP client: who gets in, what a form needs, what a scope hides."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, CookieJar
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry
from yarl import URL

from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.oncall.accounts import Accounts
from ioc.oncall.desk import Desk
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.web import Doors, build_web
from tests.unit.oncall.making import MovingClock, incident, opened, unit_names
from tests.unit.oncall.plans import PLAN

PASSWORD = "nam con cho vang"
JPEG = b"\xff\xd8\xff" + b"0" * 100 + b"\xff\xd9"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(slots=True)
class House:
    """The service without Kafka and channels; `get` and `post` never follow a redirection."""

    client: TestClient[Any, Any]
    desk: Desk
    accounts: Accounts
    evidence: EvidenceStore
    clock: MovingClock
    troubles: dict[str, str]
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(URL(path, encoded=True), allow_redirects=False, headers=headers) as answer:
            return answer.status, await _text(answer)

    async def post(self, path: str, headers: Mapping[str, str] | None = None, **form: str) -> tuple[int, str]:
        fields = {"csrf": self.csrf, **form}
        async with self.client.post(
            URL(path, encoded=True), data=fields, allow_redirects=False, headers=headers
        ) as answer:
            return answer.status, await _text(answer)

    async def add(self, login: str, role: Any, *units: str) -> None:
        now = self.clock()
        await self.accounts.add(login, PASSWORD, now, name=login.title(), role=role, units=units or ("*",))

    async def sign_in(self, login: str, password: str = PASSWORD) -> tuple[int, str]:
        self.client.session.cookie_jar.clear()
        _, page = await self.get("/sign-in")
        form = re.search(r'name="form" value="([^"]+)"', page)
        assert form is not None, page
        answer = await self.post("/sign-in", form=form[1], login=login, password=password, next="/shift")
        _, page = await self.get("/shift")
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        self.csrf = found[1] if found else ""
        return answer


async def _text(answer: ClientResponse) -> str:
    return answer.headers.get("Location", "") if 300 <= answer.status < 400 else await answer.text(errors="replace")


READ_TOKEN = "0123456789abcdef0123"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as store:
        clock, troubles = MovingClock(), {"kafka": "", "database": ""}
        desk = Desk(store, PlanKeeper(PLAN, clock=clock), clock=clock, wake=lambda: None)
        accounts, evidence = Accounts(store.engine, hasher=CHEAP), open_evidence(tmp_path / "evidence")

        async def readiness() -> dict[str, str]:
            return troubles

        doors = Doors(
            store=store,
            desk=desk,
            metrics=OncallMetrics(CollectorRegistry()),
            evidence=evidence,
            readiness=readiness,
            liveness=lambda: "",
            unit_names=unit_names,
            read_token=READ_TOKEN,
        )
        await desk.take([incident()])
        app = build_web(doors, accounts=accounts)
        async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
            yield House(client, desk, accounts, evidence, clock, troubles)


async def test_the_wall_and_the_report_read_the_incidents_with_their_token(house: House) -> None:
    await house.add("lan", "operator")
    assert (await house.get("/api/incidents", Authorization="Bearer wrong"))[0] == 401
    status, listed = await house.get("/api/incidents", Authorization=f"Bearer {READ_TOKEN}")
    told = orjson.loads(listed)["incidents"][0]
    assert (status, told["oncall_state"], told["is_exercise"]) == (200, "open", False)
    assert {"acknowledged_at", "closed_at", "owner", "verdict"} <= told.keys()
    assert (await house.get("/", Authorization=f"Bearer {READ_TOKEN}"))[0] == 303, "it opens no page"


async def test_what_is_open_is_never_pushed_out_of_the_list_by_what_is_newer(house: House) -> None:
    """The wall asks by state: early sights are many, and a list of the newest would lose the oldest open incident."""
    early = [
        incident(incident_id=f"early-{n}", state="candidate", first_frame_at=house.clock() - timedelta(seconds=n))
        for n in range(3)
    ]
    await house.desk.take(early)

    async def listed(query: str) -> list[str]:
        _, body = await house.get(f"/api/incidents?{query}", Authorization=f"Bearer {READ_TOKEN}")
        return [row["incident_id"] for row in orjson.loads(body)["incidents"]]

    assert "smoke-0001" not in await listed("limit=3")
    assert await listed("limit=3&state=open&state=acknowledged") == ["smoke-0001"]
    assert await listed("limit=2&state=candidate") == ["early-0", "early-1"]


PAGES = ["/", "/incidents/smoke-0001", "/incidents/smoke-0001/report", "/shift", "/channels"]


async def test_without_an_account_pages_can_be_read_here_and_say_how_to_make_one(house: House) -> None:
    for path in PAGES:
        status, page = await house.get(path)
        assert (status, "ioc oncall user add" in page) == (200, True), path
    assert (await house.post("/incidents/smoke-0001/acknowledge"))[0] == 403


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "10.0.0.7"}, {"Host": "ioc.example"}], ids=["behind a proxy", "another name"]
)
async def test_without_an_account_nobody_reads_from_elsewhere(house: House, headers: dict[str, str]) -> None:
    assert await house.get("/", **headers) == (303, "/sign-in?next=%2F")
    assert (await house.get("/api/incidents", **headers))[0] == 401
    assert (await house.get("/live", **headers))[0] == 401


async def test_with_an_account_everybody_signs_in(house: House) -> None:
    await house.add("lan", "operator")
    for path in PAGES:
        assert (await house.get(path))[0] == 303, path
    assert (await house.get("/api/incidents"))[0] == 401
    assert (await house.get("/live"))[0] == 401
    assert (await house.get("/incidents/smoke-0001/picture"))[0] == 303
    assert (await house.sign_in("lan", "wrong"))[0] == 401
    assert (await house.get("/"))[0] == 303
    assert await house.sign_in("lan") == (303, "/shift")
    for path in PAGES:
        status, page = await house.get(path)
        assert (status, "Lan" in page) == (200, True), path


async def test_sign_in_leads_only_to_our_own_pages(house: House) -> None:
    await house.add("lan", "operator")
    for hostile in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        house.client.session.cookie_jar.clear()
        _, page = await house.get("/sign-in")
        form = re.search(r'name="form" value="([^"]+)"', page)
        assert form is not None
        answer = await house.post("/sign-in", form=form[1], login="lan", password=PASSWORD, next=hostile)
        assert answer == (303, "/"), hostile


async def test_cookie_is_out_of_the_reach_of_scripts_and_of_other_sites(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    (cookie,) = [one for one in house.client.session.cookie_jar if one.key == "ioc_oncall"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


ACTIONS = {
    "acknowledge": {"eta": "15"},
    "comment": {"text": "đang lên"},
    "assign": {"person": "minh"},
    "snooze": {"minutes": "30"},
    "tick": {"step": "1. Xem ảnh", "done": "1"},
    "escalate": {},
    "close": {"verdict": "unsure", "outcome": "resolve"},
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_operator_does_it(house: House, action: str) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    status, where = await house.post(f"/incidents/smoke-0001/{action}", **ACTIONS[action])
    assert (status, where.split("#")[0]) == (303, f"/incidents/smoke-0001?said={action}")
    assert (await house.get(where.split("#")[0]))[1].count('role="status"') == 1
    view = await house.desk.store.incident("smoke-0001")
    assert view is not None
    assert view.audit[-1].actor_id == "lan"
    assert view.audit[-1].door == "web"


@pytest.mark.parametrize("action", ACTIONS)
async def test_viewer_is_told_that_he_may_only_look(house: House, action: str) -> None:
    await house.add("guest", "viewer")
    await house.sign_in("guest")
    status, page = await house.post(f"/incidents/smoke-0001/{action}", **ACTIONS[action])
    assert (status, "«xem»" in page) == (403, True)


@pytest.mark.parametrize("action", ["acknowledge", "escalate", "close"])
async def test_operator_of_other_communes_neither_sees_nor_acts(house: House, action: str) -> None:
    await house.add("xa", "operator", "24781")
    await house.sign_in("xa")
    assert "smoke-0001" not in (await house.get("/"))[1]
    for path in (
        "/incidents/smoke-0001",
        "/incidents/smoke-0001/report",
        "/incidents/smoke-0001/picture",
        f"/incidents/smoke-0001/stills/{'0' * 64}",
    ):
        assert (await house.get(path))[0] == 404
    assert (await house.post(f"/incidents/smoke-0001/{action}", **ACTIONS[action]))[0] == 404
    status, listed = await house.get("/api/incidents")
    assert (status, listed) == (200, '{"incidents":[]}')


async def test_an_incident_of_no_unit_is_everybodys(house: House) -> None:
    await house.desk.take([incident(incident_id="smoke-0002", admin_unit="")])
    await house.add("xa", "operator", "24781")
    await house.sign_in("xa")
    assert "smoke-0002" in (await house.get("/"))[1]
    assert (await house.post("/incidents/smoke-0002/acknowledge"))[0] == 303


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, "guessed"),
        ({}, ""),
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
    ],
    ids=["guessed token", "no token", "another origin", "no origin", "another site"],
)
async def test_a_form_of_another_site_does_nothing(house: House, headers: dict[str, str], csrf: str | None) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    token = house.csrf if csrf is None else csrf
    for path in ("/incidents/smoke-0001/acknowledge", "/acknowledge", "/shift", "/sign-out", "/channels/test"):
        assert (await house.post(path, headers, csrf=token, incident="smoke-0001", kind="note", text="x"))[0] == 403
    view = await house.desk.store.incident("smoke-0001")
    assert view is not None
    assert view.row.life.state == "open"


async def test_the_second_of_two_sees_who_was_first(house: House) -> None:
    for login in ("lan", "minh"):
        await house.add(login, "operator")
    await house.sign_in("lan")
    assert (await house.post("/acknowledge", incident="smoke-0001", back="/?tab=open"))[
        1
    ] == "/?tab=open&said=acknowledge"
    await house.sign_in("minh")
    status, page = await house.post("/acknowledge", incident="smoke-0001", back="/")
    assert (status, "Lan đã tiếp nhận lúc trước" in page) == (409, True)


@pytest.mark.parametrize(
    ("action", "form", "sentence"),
    [
        ("close", {"outcome": "resolve"}, "Hãy chọn kết luận"),
        ("close", {"outcome": "dismiss", "verdict": "nonsense"}, "Hãy chọn kết luận"),
        ("snooze", {"minutes": "99999"}, "24 giờ"),
        ("snooze", {}, "24 giờ"),
        ("acknowledge", {"eta": "5000"}, "24 giờ"),
        ("assign", {"person": "nobody"}, "oncall.yaml"),
        ("comment", {"text": "  "}, "1 đến 4000"),
        ("reopen", {}, "đang mở"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(
    house: House, action: str, form: dict[str, str], sentence: str
) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    status, page = await house.post(f"/incidents/smoke-0001/{action}", **form)
    assert (status, sentence in page) == (409, True)


async def test_a_comment_that_is_refused_is_not_lost(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    _, page = await house.post("/incidents/smoke-0001/comment", text="</textarea><script>" + "x" * 4000)
    assert "&lt;/textarea&gt;&lt;script&gt;xxx" in page


async def test_escalating_past_the_last_level_says_so(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    statuses = [(await house.post("/incidents/smoke-0001/escalate"))[0] for _ in range(5)]
    assert statuses == [303, 303, 303, 303, 409]  # two levels, both once more, the fall-back
    view = await house.desk.store.incident("smoke-0001")
    assert view is not None
    assert [notice.recipient for notice in view.notices] == ["lan", "chief", "lan", "chief", "director"]


async def test_what_quiet_hours_hold_back_can_be_called_at_once(house: House) -> None:
    house.clock.now = house.clock.now.replace(hour=16)  # 23:00 in Vietnam
    await house.desk.take([incident(incident_id="w-1", severity="warning", admin_unit="")])
    await house.add("lan", "operator")
    await house.sign_in("lan")
    assert "chưa báo ai đến" in (await house.get("/incidents/w-1"))[1]
    assert (await house.post("/incidents/w-1/escalate"))[0] == 303
    view = await house.desk.store.incident("w-1")
    assert view is not None
    assert [(notice.recipient, notice.level) for notice in view.notices] == [("minh", 1)]
    assert set(view.timers) == {"escalate"}


async def test_language_is_remembered(house: House) -> None:
    assert "Hộp sự cố" in (await house.get("/"))[1]
    assert "Incident inbox" in (await house.get("/?lang=en"))[1]
    assert "Incident inbox" in (await house.get("/"))[1]


async def test_pages_go_on_by_key_and_show_everything_once(house: House) -> None:
    await house.desk.take(
        [
            incident(incident_id=f"s-{number:03}", first_frame_at=house.clock() - timedelta(minutes=number // 3))
            for number in range(120)
        ]
    )
    path, seen = "/", list[str]()
    while path:
        _, page = await house.get(path)
        seen += re.findall(r'data-incident="([^"]+)"', page)
        more = re.search(r'href="([^"]+)">Trang sau', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 121


@pytest.mark.parametrize(
    "path",
    ["/?after=x", "/?after=1~2", "/?tab=%00", "/?kind=%27%22", "/?after=9~99999999999999999~x", "/incidents/%00"],
)
async def test_odd_addresses_harm_nothing(house: House, path: str) -> None:
    assert (await house.get(path))[0] in (200, 404)


async def test_an_id_with_odd_characters_has_a_page(house: House) -> None:
    await house.desk.take([incident(incident_id="a/b c?d#é")])
    (path,) = re.findall(r'<h2><a href="(/incidents/a%2F[^"]+)"', (await house.get("/"))[1])
    assert (await house.get(path))[0] == 200


async def test_tabs_filters_and_mine(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    await house.desk.take([incident(incident_id="c-1", kind="construction", severity="warning", admin_unit="")])
    await house.post("/incidents/smoke-0001/acknowledge")

    async def listed(query: str) -> list[str]:
        return re.findall(r'data-incident="([^"]+)"', (await house.get(f"/?{query}"))[1])

    assert await listed("") == ["c-1"]
    assert await listed("kind=smoke") == []
    assert await listed("severity=warning&unit=-") == ["c-1"]
    assert await listed("tab=acknowledged&mine=1") == ["smoke-0001"]
    await house.post("/incidents/c-1/snooze", minutes="15")
    assert await listed("tab=snoozed") == ["c-1"]
    await house.post("/incidents/smoke-0001/close", verdict="true_positive", outcome="resolve")
    assert await listed("tab=closed") == ["smoke-0001"]


async def test_picture_small_and_whole(house: House) -> None:
    reference = house.evidence.put(JPEG)
    await house.desk.take([incident(evidence=reference, evidence_sha256=reference[-64:], revision=3)])
    for path in (
        "/incidents/smoke-0001/picture",
        "/incidents/smoke-0001/picture?small=1",
        f"/evidence/{reference[-64:]}",
    ):
        async with house.client.get(path) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "image/jpeg", JPEG)


async def test_an_incidents_page_shows_the_stills_of_its_case_and_of_no_other(house: House) -> None:
    cases, digests = CaseStills(house.evidence), []
    for minute in (-3, 0, 5):
        jpeg = JPEG + str(minute).encode()
        digests.append(house.evidence.put(jpeg)[-64:])
        cases.add("smoke-0001", house.clock() + timedelta(minutes=minute), digests[-1])
    other = house.evidence.put(JPEG)[-64:]
    cases.add("smoke-0002", house.clock(), other)
    assert (await house.get(f"/incidents/smoke-0001/stills/{digests[0]}"))[0] == 200, "also before the page was seen"
    status, page = await house.get("/incidents/smoke-0001")
    assert status == 200
    shown = re.findall(r'loading="lazy" src="/incidents/smoke-0001/stills/([0-9a-f]{64})\?small=1"', page)
    assert shown == digests
    for digest in (other, "0" * 64, "..%2f..", "x"):
        assert (await house.get(f"/incidents/smoke-0001/stills/{digest}"))[0] == 404
    async with house.client.get(f"/incidents/smoke-0001/stills/{digests[1]}?small=1") as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")


async def test_what_is_wrong_with_the_service_is_on_every_page(house: House) -> None:
    house.troubles["kafka"] = "no broker answers"
    for path in ("/", "/incidents/smoke-0001", "/shift"):
        assert "Không nhận được sự cố mới từ Kafka: no broker answers" in (await house.get(path))[1]


async def test_a_stranger_is_not_told_what_is_wrong(house: House) -> None:
    house.troubles["kafka"] = "no broker answers"
    await house.add("lan", "operator")
    for path in ("/sign-in", "/runbooks/smoke"):
        assert "no broker answers" not in (await house.get(path))[1]


async def test_nobody_on_the_roster_is_said_loudly(house: House) -> None:
    house.clock.now = PLAN.rosters["centre"].rotation.begins_at - timedelta(days=1)  # type: ignore[union-attr]
    assert "KHÔNG CÓ AI TRONG LỊCH TRỰC centre" in (await house.get("/"))[1]


async def test_the_bell_is_muted_until_the_shift_ends_or_somebody_takes_over(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    assert (await house.post("/shift/sound", kind="mute", back="/"))[1] == "/?said=mute"
    assert "Chuông đã tắt đến hết ca" in (await house.get("/"))[1]
    assert "tắt tiếng" in (await house.get("/shift"))[1]
    await house.post("/shift", kind="take_over", text="")
    assert "Chuông đã tắt đến hết ca" not in (await house.get("/"))[1]


async def test_handover_log_keeps_what_was_written(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    await house.post("/shift", kind="hand_over", text="<b>camera 7</b> mờ")
    page = (await house.get("/shift"))[1]
    assert "GIAO CA" in page
    assert "&lt;b&gt;camera 7&lt;/b&gt; mờ" in page
    assert (await house.post("/shift", kind="note", text=" "))[0] == 409


async def test_accounts_are_the_administrators(house: House) -> None:
    for login, role in (("lan", "operator"), ("quan", "administrator")):
        await house.add(login, role)
    await house.sign_in("lan")
    assert (await house.get("/accounts"))[0] == 403
    await house.sign_in("quan")
    status, page = await house.get("/accounts")
    assert (status, "lan" in page, "argon2" in page) == (200, True, False)


async def test_signing_out_everywhere_ends_the_session(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    assert await house.post("/sign-out-everywhere") == (303, "/sign-in")
    assert (await house.get("/"))[0] == 303


async def test_live_tells_of_a_change_and_of_a_new_opening(house: House) -> None:
    async with house.client.get("/live") as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readline() == b"retry: 3000\n"
        assert await stream.content.readline() == b"event: tick\n"
        first = await stream.content.readline()
        house.clock.advance(seconds=5)
        await house.desk.take([incident(incident_id="smoke-0009")])
        while await stream.content.readline() != b"event: change\n":
            pass
        second = await stream.content.readline()
    opened = [int(re.findall(rb'"opened":(\d+)', line)[0]) for line in (first, second)]
    assert opened[1] == opened[0] + 5000


async def test_every_answer_has_the_security_headers(house: House) -> None:
    for path in ("/", "/nothing", "/style.css", "/healthz", "/api/incidents", "/incidents/none"):
        async with house.client.get(path) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_disabled_account_loses_its_page_at_once(house: House) -> None:
    await house.add("lan", "operator")
    await house.sign_in("lan")
    await house.accounts.set_disabled("lan", True, house.clock())
    assert (await house.get("/"))[0] == 303
