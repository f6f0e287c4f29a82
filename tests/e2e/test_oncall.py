"""A fire in a real browser: it appears without a reload, is acknowledged on a phone, escalation stops, it is resolved
with a verdict, its report opens. In both languages; the pictures lie in out/e2e for people to look at."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.adapters.topics import ensure_topics
from ioc.building_case import BuildingCase, Finding, Judged, StageSeen
from ioc.catalog import load_catalog
from ioc.detections import Box
from ioc.incidents import Incident
from ioc.opencv import cv2
from ioc.settings import load_settings
from tests.e2e import looking
from tests.integration.running import Record, Running, committed, eventually, own_broker, publish, run_ioc, start_ioc
from tests.unit.oncall.making import incident, record

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
PASSWORD = "nam con cho vang"
LEVEL_LASTS = "5s"


def apart(work: Callable[[], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    """Runs `work` in a thread of its own: the browser's event loop is this one's."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(work())).result()


def hillside() -> bytes:
    """A picture that looks a little like smoke over a ridge."""
    rows, columns = np.mgrid[0:720, 0:1280]
    ridge = 430 + 60 * np.sin(columns / 170) + 25 * np.sin(columns / 53)
    image = np.empty((720, 1280, 3), np.uint8)
    image[:] = np.where((rows < ridge)[..., None], (225, 205, 180), (55, 90, 60))
    plume = np.exp(-(((columns - 640 - (430 - rows) * 0.25) / 38) ** 2)) * ((rows > 190) & (rows < 440))
    image[:] = (image * (1 - 0.8 * plume[..., None]) + 200 * 0.8 * plume[..., None]).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(image, (0, 0), 3))[1].tobytes())


def built_on(jpeg: bytes) -> bytes:
    """The same view with a house of three storeys."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    cv2.rectangle(image, (550, 390), (730, 520), (150, 160, 175), -1)
    for storey in range(3):
        cv2.rectangle(image, (550, 390 + 43 * storey), (730, 393 + 43 * storey), (70, 70, 75), -1)
    cv2.fillPoly(image, [np.array([(535, 390), (640, 340), (745, 390)], np.int32)], (60, 60, 150))
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


@dataclass(frozen=True, slots=True)
class Centre:
    """Broker and on-call as a centre runs them, with two operators who have accounts."""

    broker: str
    oncall: Running
    evidence: str
    store: EvidenceStore

    def publish(self, incident_id: str, vi: str, en: str) -> None:
        now = datetime.now(UTC)
        self.tell(incident(
            incident_id=incident_id,
            place_vi=vi,
            place_en=en,
            first_frame_at=now - timedelta(seconds=40),
            opened_at=now - timedelta(seconds=2),
            last_seen_at=now - timedelta(seconds=2),
            evidence=self.evidence,
            evidence_sha256=self.evidence[-64:],
            admin_unit="24846",
        ))  # fmt: skip

    def tell(self, told: Incident) -> None:
        value, headers = record(told)
        sent = Record(topic="ioc.incidents", key=told.incident_id.encode(), value=value, headers=headers)
        apart(lambda: publish(self.broker, [sent]))

    def publish_building(self, incident_id: str) -> None:
        """A house that was built without a permit, and got one late; with stills of before and after."""
        now = datetime.now(UTC)
        began = now - timedelta(days=40)
        before, after = hillside(), built_on(hillside())
        for at, jpeg in ((began - timedelta(days=1), before), (now - timedelta(minutes=5), after)):
            CaseStills(self.store).add(incident_id, at, self.store.put(jpeg)[-64:])
        shown = self.store.put(after)
        case = BuildingCase(
            judgements=(
                Judged(at=began + timedelta(days=3), rule="no_permit"),
                Judged(at=now - timedelta(days=2), rule="too_many_storeys", permit_id="GPXD-2026-0117"),
            ),
            stages=(
                StageSeen(at=began, stage="foundation"),
                StageSeen(at=began + timedelta(days=12), stage="frame", storeys=2),
                StageSeen(at=began + timedelta(days=30), stage="roof", storeys=3),
            ),
            storeys=3,
            forbidden_at=now - timedelta(hours=30),
            is_confirmed=True,
            parcel_id="24778-0012-0345",
            agency="H36.42",
            finding=Finding(found_at=now - timedelta(hours=1)),
        ).with_terms("construction", load_catalog(load_settings().catalog).term_rules)
        self.tell(
            incident(
                incident_id=incident_id,
                kind="construction",
                severity="warning",
                camera_id="cam-02",
                pose_id="p0",
                place_vi="Đồi Robin, lô đất mẫu",
                place_en="Robin hill, sample plot",
                first_frame_at=began,
                opened_at=began + timedelta(days=3),
                last_seen_at=now - timedelta(minutes=5),
                box=Box(0.5, 0.62, 0.16, 0.2),
                evidence=shown,
                evidence_sha256=shown[-64:],
                admin_unit="24778",
                permit_rule="too_many_storeys",
                permit_id="GPXD-2026-0117",
                runbook="/runbooks/construction",
                cues=("new_structure",),
                case=case,
            )
        )

    def actions(self, incident_id: str) -> list[str]:
        found = apart(lambda: committed(self.broker, "ioc.incident.actions"))
        told = [json.loads(each.value) for each in found]
        return [each["action"] for each in told if each["incident_id"] == incident_id]


def hurried_catalog(folder: Path) -> Path:
    """The starting catalogue, whose chains don't wait for minutes."""
    catalog = folder / "catalog"
    shutil.copytree(load_settings().catalog, catalog)
    plan = yaml.safe_load((catalog / "oncall.yaml").read_text(encoding="utf-8"))
    plan["policies"]["fire"]["repeat"] = 5
    for level in plan["policies"]["fire"]["levels"]:
        level["acknowledge_within"] = LEVEL_LASTS
    (catalog / "oncall.yaml").write_text(yaml.safe_dump(plan, allow_unicode=True), encoding="utf-8")
    return catalog


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder = tmp_path_factory.mktemp("centre")
    catalog = hurried_catalog(folder)
    (folder / "password").write_text(PASSWORD)
    for login, name in (("lan", "Nguyễn Thị Lan"), ("minh", "Trần Quang Minh")):
        made = run_ioc(
            "oncall", "user", "add", login, "--name", name, "--password-file", str(folder / "password"),
            broker="", state=folder / "state", timeout_s=60, IOC_CATALOG=str(catalog),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    with own_broker(folder) as kafka:
        asyncio.run(ensure_topics(kafka.address, load_catalog(catalog).topics()))
        store = open_evidence(folder / "state" / "evidence")
        reference = store.put(hillside())
        with start_ioc(
            "oncall", name="oncall", broker=kafka.address, folder=folder, IOC_CATALOG=str(catalog)
        ) as oncall:
            oncall.await_ready()
            yield Centre(kafka.address, oncall, reference, store)


def picture(page: Page, name: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} scrolls sideways"
    looking.picture(page, f"oncall-{name}")


class Watched:
    """A browser's window: which addresses it asked for, and what it complained of."""

    def __init__(self, browser: Browser, viewport: dict[str, int], locale: str) -> None:
        self.context: BrowserContext = browser.new_context(viewport=viewport, locale=locale)  # type: ignore[arg-type]
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def sign_in(self, address: str, login: str) -> None:
        self.page.goto(f"{address}/")
        self.page.locator("#login").fill(login)
        self.page.locator("#password").fill(PASSWORD)
        self.page.keyboard.press("Enter")


def test_a_fire_is_acknowledged_on_a_phone_resolved_and_reported_in_both_languages(
    centre: Centre, browser: Browser
) -> None:
    address = centre.oncall.address
    phone, desk = Watched(browser, PHONE, "vi-VN"), Watched(browser, DESKTOP, "en-GB")

    # ---- two operators sign in: one on a phone in Vietnamese, one at the desk in English -----------------------------
    phone.page.goto(f"{address}/")
    expect(phone.page.get_by_role("heading", name="Đăng nhập")).to_be_visible()
    picture(phone.page, "sign-in-phone-vi")
    phone.page.get_by_label("Tên đăng nhập").fill("lan")
    phone.page.get_by_label("Mật khẩu").fill("not this one")
    phone.page.get_by_role("button", name="Đăng nhập").click()
    expect(phone.page.get_by_role("alert").filter(has_text="không đúng")).to_be_visible()
    phone.sign_in(address, "lan")
    expect(phone.page.get_by_text("Không có sự cố nào ở mục này.")).to_be_visible()
    (cookie,) = [each for each in phone.context.cookies() if each["name"] == "ioc_oncall"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    desk.sign_in(address, "minh")
    desk.page.get_by_role("link", name="English").click()  # the account's language is Vietnamese until one chooses
    expect(desk.page.get_by_role("heading", name="Incident inbox")).to_be_visible()

    # ---- the fire appears on both, without a reload, and the bell would ring -----------------------------------------
    centre.publish("smoke-e2e-1", "Chòi canh Lang Biang", "Lang Biang watchtower")
    card = phone.page.locator("[data-incident='smoke-e2e-1']")
    expect(card).to_contain_text("Chòi canh Lang Biang", timeout=20_000)
    expect(card).to_contain_text("chưa ai nhận")
    expect(phone.page.locator("html[data-rung]")).to_have_count(1)
    expect(desk.page.locator("[data-incident='smoke-e2e-1']")).to_contain_text("Lang Biang watchtower")
    expect(card.locator("img")).to_have_js_property("complete", True)
    picture(phone.page, "inbox-phone-vi")
    picture(desk.page, "inbox-desktop-en")

    # ---- somebody else has its page open, without live updates: the second will see who was first --------------------
    second = desk.new_page()
    second.route("**/live", lambda route: route.abort())
    second.goto(f"{address}/incidents/smoke-e2e-1")
    expect(second.get_by_role("button", name="Acknowledge")).to_be_visible()

    # ---- acknowledged on the phone: escalation stops -----------------------------------------------------------------
    card.get_by_role("button", name="Nhận việc").click()
    expect(phone.page.get_by_role("status")).to_contain_text("Bạn đã nhận việc")
    expect(desk.page.locator("[data-incident='smoke-e2e-1']")).to_have_count(0, timeout=10_000)
    second.get_by_role("button", name="Acknowledge").click()
    refusal = second.get_by_role("alert").filter(has_text="already acknowledged by Nguyễn Thị Lan")
    expect(refusal).to_be_visible()
    picture(second, "second-desktop-en")
    phone.page.goto(f"{address}/incidents/smoke-e2e-1")
    expect(phone.page.locator("#head")).to_contain_text("Nguyễn Thị Lan đang xử lý")
    expect(phone.page.locator("#head")).not_to_contain_text("báo cấp tiếp theo lúc")
    calls = phone.page.locator("#timeline li", has_text="báo cấp tiếp theo: cấp")
    called = calls.count()

    # Another fire goes through its levels meanwhile: it is the clock by which the first one's silence is told.
    centre.publish("smoke-e2e-2", "Chòi canh đèo Prenn", "Prenn pass watchtower")
    desk.page.goto(f"{address}/incidents/smoke-e2e-2")
    levels = desk.page.locator("#timeline li", has_text="called the next level: level")
    for _ in range(60):  # until the page is there, it says that it is not
        if desk.page.locator("#timeline").count():
            break
        desk.page.wait_for_timeout(250)
        desk.page.reload()
    expect(levels).to_have_count(2, timeout=30_000)
    picture(desk.page, "incident-desktop-en")
    phone.page.reload()
    assert calls.count() == called, "somebody was called after the acknowledgement"

    # ---- the checklist, a comment with a script in it, and the verdict -----------------------------------------------
    phone.page.get_by_role("button", name="Đánh dấu xong: Xem ảnh").click()
    expect(phone.page.locator("#checklist li").first).to_contain_text("Nguyễn Thị Lan")
    phone.page.get_by_label("Ý kiến").fill("<script>alert(1)</script> Kiểm lâm đã tới nơi")
    phone.page.get_by_role("button", name="Ghi", exact=True).click()
    expect(phone.page.locator("#timeline blockquote")).to_contain_text("<script>alert(1)</script> Kiểm lâm đã tới nơi")
    picture(phone.page, "incident-phone-vi")
    phone.page.get_by_role("button", name="Đã xử lý xong").click()  # the browser asks for the verdict first
    expect(phone.page.locator("#head")).to_contain_text("đã nhận")
    phone.page.get_by_label("Đúng: có sự cố thật").check()
    phone.page.get_by_role("button", name="Đã xử lý xong").click()
    expect(phone.page.locator("#head")).to_contain_text("đã xử lý")
    expect(phone.page.locator("#facts")).to_contain_text("Đúng: có sự cố thật")

    # ---- the report --------------------------------------------------------------------------------------------------
    phone.page.get_by_role("link", name="Báo cáo").click()
    expect(phone.page.get_by_role("heading", name="Báo cáo sau sự cố")).to_be_visible()
    expect(phone.page.locator("main")).to_contain_text("Nguyễn Thị Lan")
    picture(phone.page, "report-phone-vi")

    def published() -> None:
        told = centre.actions("smoke-e2e-1")
        assert told[-2:] == ["verdict", "resolved"], told
        assert "acknowledged" in told
        assert told.count("escalated") == called, told

    eventually(published, within_s=20, alive=[centre.oncall])

    # ---- the other one at the desk, by keyboard, in English ----------------------------------------------------------
    desk.page.goto(f"{address}/")
    expect(desk.page.locator("[data-incident='smoke-e2e-2']")).to_be_visible()
    desk.page.keyboard.press("?")
    expect(desk.page.get_by_role("dialog")).to_contain_text("acknowledge")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("j")
    expect(desk.page.locator("[data-incident='smoke-e2e-2']")).to_be_focused()
    desk.page.keyboard.press("a")
    expect(desk.page.get_by_role("status")).to_contain_text("You have it")
    desk.page.goto(f"{address}/incidents/smoke-e2e-2")
    desk.page.get_by_label("False alarm: there was nothing").check()
    desk.page.get_by_role("button", name="Dismiss, nothing to do").click()
    expect(desk.page.locator("#head")).to_contain_text("dismissed")
    desk.page.get_by_role("link", name="Report").click()
    expect(desk.page.get_by_role("heading", name="Post-incident report")).to_be_visible()
    picture(desk.page, "report-desktop-en")

    # ---- shift, channels, and signing out everywhere -----------------------------------------------------------------
    desk.page.goto(f"{address}/shift")
    desk.page.get_by_label("Note").fill("Camera 7 is dirty; a technician comes at nine.")
    desk.page.get_by_role("button", name="Take over").click()
    expect(desk.page.locator("#log")).to_contain_text("TOOK OVER")
    picture(desk.page, "shift-desktop-en")
    desk.page.goto(f"{address}/channels")
    desk.page.get_by_role("button", name="Test my channel").click()
    expect(desk.page.locator("main")).to_contain_text("console: taken")
    picture(desk.page, "channels-desktop-en")
    phone.page.goto(f"{address}/shift")
    picture(phone.page, "shift-phone-vi")
    phone.page.get_by_text("Nguyễn Thị Lan").first.click()
    phone.page.get_by_role("button", name="Đăng xuất khỏi mọi máy").click()
    expect(phone.page.get_by_role("heading", name="Đăng nhập")).to_be_visible()
    phone.page.goto(f"{address}/incidents/smoke-e2e-1")
    expect(phone.page.get_by_role("heading", name="Đăng nhập")).to_be_visible()

    for window in (phone, desk):
        assert all(url.startswith(address) for url in window.asked), "an outside address"
        assert not [text for text in window.complaints if "Content Security Policy" in text], window.complaints
        window.context.close()


def test_a_building_case_shows_the_law_the_stages_and_before_and_after(centre: Centre, browser: Browser) -> None:
    address = centre.oncall.address
    phone, desk = Watched(browser, PHONE, "vi-VN"), Watched(browser, DESKTOP, "vi-VN")
    centre.publish_building("construction-e2e-1")
    phone.sign_in(address, "lan")
    desk.sign_in(address, "lan")
    expect(phone.page.locator("[data-incident='construction-e2e-1']")).to_be_visible(timeout=20_000)
    for window, name in ((phone, "phone"), (desk, "desktop")):
        window.page.goto(f"{address}/incidents/construction-e2e-1")
        case = window.page.locator("#case")
        for part in (
            "vi phạm: vượt số tầng được phép",
            "GPXD-2026-0117",
            "24778-0012-0345",
            "UBND xã Ka Đô",
            "vi phạm: thửa đất không có giấy phép",
            "đánh giá lại",
            "lợp mái",
            "Lập biên bản vi phạm hành chính · đang tính · hạn cuối",
            "Nghị định 118/2021/NĐ-CP, Điều 12",
        ):
            expect(case).to_contain_text(part)
        pictures = case.locator(".pair img")
        expect(pictures).to_have_count(2)
        pictures.last.scroll_into_view_if_needed()
        for place in range(2):
            expect(pictures.nth(place)).to_have_js_property("complete", True)
            assert pictures.nth(place).evaluate("image => image.naturalWidth") == 1280
        picture(window.page, f"building-{name}-vi")
    desk.page.goto(f"{address}/incidents/construction-e2e-1/report")
    expect(desk.page.locator("main")).to_contain_text("Hồ sơ công trình")
    picture(desk.page, "building-report-vi")
    for window in (phone, desk):
        assert all(url.startswith(address) for url in window.asked), "an outside address"
        assert not [text for text in window.complaints if "Content Security Policy" in text], window.complaints
        window.context.close()
