"""A department without Kafka, from its token to its page: a CSV with one bad row, explained in Vietnamese, mended and
sent again; figures right, nothing twice; and what was refused, mended in the browser."""

import asyncio
import html
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ioc.adapters.topics import ensure_topics
from ioc.catalog import load_catalog
from ioc.settings import load_settings
from tests.e2e.looking import picture
from tests.integration.running import (
    Record,
    Running,
    eventually,
    own_broker,
    publish,
    run_ioc,
    start_ioc,
    start_worker,
)

NOW = "2026-11-22T08:00:00+07:00"
OFFICE = "van-phong-ubnd"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
HEADER = (
    'Mã hồ sơ,Mã thủ tục,Mức độ DVC,Hình thức nộp,Ngày nộp,Mã cơ quan,Mã xã,"Phí, lệ phí",Hạn trả,'
    "Ngày trả kết quả,Hình thức trả"
)


def row(number: int, *, channel: str = "Trực tuyến") -> str:
    return f"H36-{number:04},1.004227,Toàn trình,{channel},20/11/2026 08:0{number},H36.14,24781,0,27/11/2026 17:00,,"


def event(dossier: str, **data: object) -> dict[str, Any]:
    """What the department's own software tells: a dossier that was handed in."""
    return {
        "specversion": "1.0",
        "id": f"{dossier}-submitted",
        "source": "/lam-dong/onestop/mot-cua",
        "type": "vn.ioc.dossier.submitted.v1",
        "time": "2026-11-20T09:00:00+07:00",
        "data": {
            "dossier_id": dossier,
            "service_level": "full",
            "channel": "counter",
            "submitted_at": "2026-11-20T09:00:00+07:00",
            "agency_code": "H36.14",
            **data,
        },
    }


@dataclass(frozen=True, slots=True)
class Site:
    """Broker, worker and gateway as an operator runs them; `token` is the department's."""

    address: str
    folder: Path
    worker: Running
    gateway: Running
    token: str

    def publish(self, table: Path, *options: str) -> tuple[int, str]:
        """What the department types; (exit code, what it reads)."""
        done = run_ioc(
            "publish", str(table), "--as", "mot-cua-ho-so", "--gateway", self.gateway.address,
            "--token-file", str(self.folder / "token"), *options,
            broker="127.0.0.1:1", state=self.folder / "office", timeout_s=60, IOC_NOW=NOW,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def post(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What its software sends."""
        request = urllib.request.Request(
            f"{self.gateway.address}/v1/events",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/cloudevents+json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def await_dossiers(self, online: int, total: int) -> None:
        def shown() -> None:
            figure = self.worker.metrics().figure("dossiers_online", "mtd")
            assert (figure.numerator, figure.denominator) == (online, total)

        eventually(shown, within_s=30, alive=[self.worker, self.gateway])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("department")
    with own_broker(folder) as kafka:
        asyncio.run(ensure_topics(kafka.address, load_catalog(load_settings().catalog).topics()))
        with start_worker("events,figures", broker=kafka.address, folder=folder, IOC_NOW=NOW) as worker:
            worker.await_ready()
            place = {"broker": kafka.address, "folder": folder, "IOC_NOW": NOW}
            url = f"{worker.address}/metrics"
            with start_ioc("gateway", name="gateway", IOC_FIGURES_URL=url, **place) as gateway:  # type: ignore[arg-type]
                gateway.await_ready()
                issue = ("gateway", "token", "issue", OFFICE)
                issued = run_ioc(*issue, broker=kafka.address, state=folder / "state", timeout_s=60, IOC_NOW=NOW)
                assert issued.returncode == 0, issued.stderr
                token = issued.stdout.strip()
                (folder / "token").write_text(token + "\n")
                yield Site(kafka.address, folder, worker, gateway, token)


def assert_nothing_is_cut(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def test_a_department_without_kafka_publishes_reads_why_mends_and_sends_again(site: Site, browser: Browser) -> None:
    # ---- a table with one bad row ------------------------------------------------------------------------------------
    table, rejects = site.folder / "ho-so.csv", site.folder / "rejects.csv"
    rows = [row(1), row(2, channel="Trực tiếp"), row(3).replace("20/11/2026", "32/11/2026"), row(4)]
    table.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    code, said = site.publish(table, "--rejects", str(rejects))
    assert code == 1, said
    assert "dòng 4" in said
    assert "32/11/2026" in said
    assert "3 sự kiện" in said
    site.await_dossiers(online=2, total=3)

    # ---- mended and sent again: the whole table, so that three rows come a second time -------------------------------
    table.write_text("\n".join([HEADER, rows[0], rows[1], row(3), rows[3]]) + "\n", encoding="utf-8")
    code, said = site.publish(table)
    assert code == 0, said
    site.await_dossiers(online=3, total=4)

    # ---- its software sends an event that is refused: the answer says why, in Vietnamese -----------------------------
    status, answer = site.post(event("H36-0009", channel="fax"))
    assert status == 422, answer
    (result,) = answer["results"]
    assert (result["reason"], result["field"]) == ("not_allowed", "channel")
    assert "không nằm trong danh sách cho phép" in result["message"]

    # ---- its page ----------------------------------------------------------------------------------------------------
    context = browser.new_context(viewport=DESKTOP, locale="vi-VN")  # type: ignore[arg-type]
    page = context.new_page()
    outside = []
    page.on("request", lambda request: outside.append(request.url))
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{site.gateway.address}/self")
    picture(page, "sign-in-desktop")
    page.get_by_label("Mã truy cập").fill("ioc_00000000_wrong")
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page.get_by_role("alert")).to_contain_text("không đúng hoặc đã hết hiệu lực")
    page.get_by_label("Mã truy cập").fill(site.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Chất lượng dữ liệu")).to_be_visible()
    (cookie,) = [each for each in context.cookies() if each["name"] == "ioc_self"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert site.token not in json.dumps(context.cookies()) + page.url

    reject = page.locator("article").filter(has_text="not_allowed")
    expect(reject).to_contain_text("Giá trị của channel không nằm trong danh sách cho phép.")
    expect(reject).to_contain_text("bị từ chối")
    assert_nothing_is_cut(page)
    picture(page, "overview-desktop")

    # ---- tried, mended and sent in the browser -----------------------------------------------------------------------
    reject.get_by_text("Sửa và gửi lại").click()
    reject.get_by_role("button", name="Thử xem có hợp lệ không").click()
    expect(page.get_by_role("alert")).to_contain_text("not_allowed")
    form = page.get_by_label("Sự kiện (JSON)")
    form.fill(form.input_value().replace('"fax"', '"postal"'))
    page.get_by_role("button", name="Thử xem có hợp lệ không").click()
    expect(page.get_by_role("status")).to_contain_text("Chưa gửi gì")
    page.get_by_role("button", name="Gửi", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Đã nhận")
    picture(page, "resent-desktop")
    site.await_dossiers(online=3, total=5)
    page.get_by_role("button", name="Gửi", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Đã nhận từ trước")

    # ---- the page shows it, on a phone too, and in English -----------------------------------------------------------
    page.get_by_role("link", name="Quay lại").click()
    expect(page.locator("article").filter(has_text="not_allowed")).to_contain_text("đã gửi lại lúc")
    card = page.locator("article").filter(has=page.get_by_role("link", name="/lam-dong/onestop/mot-cua"))
    expect(card.locator(".scores li").first).to_contain_text("100 %")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert_nothing_is_cut(page)
    picture(page, "overview-phone")
    card.get_by_role("link", name="/lam-dong/onestop/mot-cua").click()
    expect(page.get_by_role("heading", name="Sự kiện bị từ chối gần đây")).to_be_visible()
    assert_nothing_is_cut(page)
    picture(page, "source-phone")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Events refused lately")).to_be_visible()
    picture(page, "source-phone-en")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token of your department")).to_be_visible()
    assert all(url.startswith(site.gateway.address) for url in outside), "an outside address"
    assert not [text for text in complaints if "Content Security Policy" in text], complaints
    context.close()

    # ---- nothing twice -----------------------------------------------------------------------------------------------
    code, said = site.publish(table, "--restart")
    assert code == 0, said
    site.await_dossiers(online=3, total=5)
    outcomes = site.worker.metrics().outcomes("ioc.onestop.dossiers")
    assert outcomes["accepted"] == 5
    assert outcomes["rejected"] == 0
    assert site.token not in site.gateway.log() + site.gateway.output()


def test_what_kafka_refused_is_on_the_page_too_and_marked_once_it_was_sent_again(site: Site) -> None:
    body = json.dumps(event("H36-0011", channel="telex")).encode()
    headers = [("content-type", b"application/cloudevents+json")]
    record = Record(topic="ioc.onestop.dossiers", key=b"H36-0011", value=body, headers=headers)
    (sent,) = asyncio.run(publish(site.address, [record]))
    ref = f"{sent.topic}/{sent.partition}/{sent.offset}"
    session = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    form = urllib.parse.urlencode({"token": site.token}).encode()
    session.open(f"{site.gateway.address}/self/sign-in", form, timeout=20)

    def shows(*parts: str) -> None:
        page = html.unescape(session.open(f"{site.gateway.address}/self", timeout=20).read().decode())
        card = next((each for each in page.split("<article") if ref in each), "")
        assert all(part in card for part in parts), page

    eventually(lambda: shows("not_allowed", "bị từ chối", "Kafka"), within_s=30, alive=[site.gateway, site.worker])
    place: dict[str, Any] = {"broker": site.address, "state": site.folder / "state", "timeout_s": 60, "IOC_NOW": NOW}
    refused = run_ioc("dlq", "retry", ref, "--yes", **place)
    assert refused.returncode == 1
    assert "would be refused again, not_allowed" in refused.stdout, refused.stderr
    forced = run_ioc("dlq", "retry", ref, "--yes", "--force", **place)
    assert forced.returncode == 0, forced.stderr
    eventually(lambda: shows("đã gửi lại lúc"), within_s=30, alive=[site.gateway])
    scores = run_ioc("quality", "/lam-dong/onestop", "--url", f"{site.worker.address}/metrics", "--json", **place)
    (source,) = json.loads(scores.stdout)["sources"]
    valid = source["scores"]["source_valid"]
    assert (valid["numerator"], valid["denominator"], valid["state"]) == (5, 7, "bad")
