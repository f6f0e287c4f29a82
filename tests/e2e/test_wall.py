"""The live wall as people see it: a worker, on-call and the wall over a real Kafka, looked at in a browser; nothing
comes from outside, what is away is said, and after a restart the page comes back without a click."""

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ioc.adapters.topics import ensure_topics
from ioc.building_case import BuildingCase, Judged, StageSeen
from ioc.catalog import load_catalog
from ioc.cloudevents import encode_json
from ioc.coverage_facts import COVERAGE_TOPIC, Span, coverage_record
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Box, Detection
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident
from ioc.opencv import cv2
from ioc.settings import load_settings
from tests.integration.running import Record, Running, own_broker, publish, run_ioc, start_ioc, start_worker

PICTURES = Path(__file__).parents[2] / "out" / "e2e"
CHROMIUM = "/usr/bin/chromium"
TV, TV_4K, PHONE = {"width": 1920, "height": 1080}, {"width": 3840, "height": 2160}, {"width": 390, "height": 844}
PROVINCE = "lam-dong"
READ_TOKEN = "read-token-of-the-e2e-test-0123456789"
LEGIBLE_PX = 48  # of the figures at 1080p: what three metres can read


def a_frame(camera: str, shade: int, at: datetime) -> Frame:
    picture = np.full((360, 640, 3), (shade, 110, 70), dtype=np.uint8)
    cv2.rectangle(picture, (0, 200), (640, 360), (40, 90 + shade // 4, 40), -1)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    return Frame(
        camera_id=camera, pose_id="p0", sequence=1, captured_at=at, sha256=sha256_hex(jpeg), jpeg=jpeg
    )  # fmt: skip


def frame_record(frame: Frame) -> Record:
    key, value, headers = encode_frame(frame, province=PROVINCE)
    return Record(topic=FRAMES_TOPIC, key=key, value=value, headers=headers)


def detection_record(frame: Frame) -> Record:
    found = Detection(
        detection_id="d1", camera_id=frame.camera_id, pose_id="p0", label="smoke", tier="alarm", score=0.82,
        box=Box(0.4, 0.3, 0.2, 0.3), frame_at=frame.captured_at, frame_sha256=frame.sha256, frame_ref="",
        detector="smoke", detector_version="1", first_seen_at=frame.captured_at, persisted_s=4.0,
    )  # fmt: skip
    value, headers = encode_json(
        found.as_json(), event_id="d1", event_type=DETECTION_TYPE, source=f"/{PROVINCE}/camera", at=frame.captured_at
    )
    return Record(topic=DETECTIONS_TOPIC, key=frame.key.encode(), value=value, headers=list(headers))


def incident_record(number: int, at: datetime) -> Record:
    incident = Incident(
        incident_id=f"smoke-cam-01-{number}", kind="smoke", state="open", severity="critical", revision=1,
        camera_id="cam-01", pose_id="p0", admin_unit="24846", place_vi="Đỉnh Lang Biang", place_en="Lang Biang peak",
        lon=108.4309, lat=12.0137, azimuth_deg=325.0 - 30 * number, box=Box(0.4, 0.3, 0.2, 0.3), first_frame_at=at,
        opened_at=at, last_seen_at=at, peak_score=0.82, detections=3, evidence="", evidence_sha256="",
        runbook="/runbooks/smoke",
    )  # fmt: skip
    value, headers = encode_json(
        incident.as_json(), event_id=f"i{number}", event_type=INCIDENT_TYPE, source=f"/{PROVINCE}/camera", at=at
    )
    return Record(topic=INCIDENTS_TOPIC, key=b"cam-01:p0", value=value, headers=list(headers))


def building_record(at: datetime) -> Record:
    case = BuildingCase(
        judgements=(Judged(at=at, rule="no_permit"),),
        stages=(StageSeen(at=at, stage="foundation"), StageSeen(at=at, stage="roof", storeys=2)),
    )
    incident = Incident(
        incident_id="construction-cam-02-1", kind="construction", state="open", severity="warning", revision=1,
        camera_id="cam-02", pose_id="p0", admin_unit="24778", place_vi="Đồi Robin", place_en="Robin hill",
        lon=108.4421, lat=11.9793, azimuth_deg=280.0, box=Box(0.6, 0.7, 0.2, 0.2), first_frame_at=at, opened_at=at,
        last_seen_at=at, peak_score=0.7, detections=9, evidence="", evidence_sha256="", permit_rule="no_permit",
        runbook="/runbooks/construction", case=case,
    )  # fmt: skip
    value, headers = encode_json(
        incident.as_json(), event_id="b1", event_type=INCIDENT_TYPE, source=f"/{PROVINCE}/camera", at=at
    )
    return Record(topic=INCIDENTS_TOPIC, key=b"cam-02:p0", value=value, headers=list(headers))


def unseen_record(camera_id: str, now: datetime) -> Record:
    """Of a span that has just ended nothing was looked at."""
    begins_at = now.replace(second=0, microsecond=0) - timedelta(minutes=5)
    span = Span(
        camera_id=camera_id, pose_id="p0", detector="smoke", begins_at=begins_at, expected=5,
        reasons={"camera_fault": 5},
    )  # fmt: skip
    key, value, headers = coverage_record(span, province=PROVINCE, unit="24778")
    return Record(topic=COVERAGE_TOPIC, key=key, value=value, headers=list(headers))


@dataclass(slots=True)
class Site:
    """Broker, worker, on-call and wall as an operator runs them."""

    kafka: str
    folder: Path
    worker: Running
    oncall: Running
    port: int = 0

    def wall(self) -> Any:
        """`ioc wall`, the second time on the port of the first."""
        return start_ioc(
            "wall", name="wall", broker=self.kafka, folder=self.folder, IOC_HTTP_PORT=str(self.port),
            IOC_FIGURES_URL=f"{self.worker.address}/metrics", IOC_ONCALL_URL=self.oncall.address,
            IOC_ONCALL_READ_TOKEN=READ_TOKEN,
        )  # fmt: skip

    def tell(self, *records: Record) -> None:
        """From a thread: the browser's event loop is this thread's."""
        thread = threading.Thread(target=lambda: asyncio.run(publish(self.kafka, list(records))))
        thread.start()
        thread.join(30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("wall")
    with own_broker(folder) as kafka:
        asyncio.run(ensure_topics(kafka.address, load_catalog(load_settings().catalog).topics()))
        with (
            start_worker("events,figures", broker=kafka.address, folder=folder) as worker,
            start_ioc(
                "oncall",
                name="oncall",
                broker=kafka.address,
                folder=folder,
                IOC_ONCALL_CANARY_S="0",
                IOC_ONCALL_READ_TOKEN=READ_TOKEN,
            ) as oncall,
        ):
            done = run_ioc(
                "simulate", "events", "--history", "600", "--rate", "100", "--for", "1s", "--seed", "7",
                broker=kafka.address, state=folder / "sim", timeout_s=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            worker.await_ready()
            oncall.await_ready()
            yield Site(kafka.address, folder, worker, oncall)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Ended with its test: while it lives, its event loop is the thread's."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def picture(page: Page, name: str) -> None:
    """For people to look at; `make test` leaves them in out/e2e."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page="phone" in name)


def assert_nothing_is_cut(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    cut = """names => names.flatMap(name => [...document.querySelectorAll(name)]
        .filter(e => e.offsetParent && (e.scrollHeight > e.clientHeight + 2 || e.scrollWidth > e.clientWidth + 2))
        .map(e => name + ": " + e.textContent))"""
    assert (
        page.evaluate(
            cut, [".camera-labels", ".wall-tile", ".tile-number", ".wall-mark", ".wall-alert", ".alert-title", ".wall"]
        )
        == []
    )


def test_the_wall_shows_figures_cameras_and_incidents_and_says_what_is_away(site: Site, browser: Browser) -> None:
    now = datetime.now(UTC)
    seen, calm = a_frame("cam-01", 180, now), a_frame("cam-02", 120, now)
    site.tell(
        frame_record(seen), frame_record(calm), detection_record(seen), incident_record(1, now - timedelta(minutes=3))
    )
    context = browser.new_context(viewport=TV, locale="vi-VN")  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with site.wall() as wall:
        wall.await_ready()
        site.port = int(wall.address.rpartition(":")[2])

        # ---- the television ------------------------------------------------------------------------------------------
        page.goto(f"{wall.address}/")
        expect(page.locator(".wall-tile.look-bad").first).to_be_visible(timeout=30_000)
        expect(page.locator(".wall-mark").first).to_contain_text("KHÔNG ĐẠT")
        expect(page.locator(".wall-alert").first).to_contain_text("CHƯA AI NHẬN", timeout=20_000)
        expect(page.locator(".wall-camera.has-boxes rect.box.alarm")).to_have_count(1, timeout=20_000)
        expect(page.locator(".wall-camera.is-blind").first).to_contain_text("CHƯA CÓ HÌNH")
        expect(page.locator(".wall-incident-number")).to_have_text("1", timeout=10_000)
        expect(page.locator(".wall-blind")).to_be_hidden(timeout=20_000)
        size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.tile-number')).fontSize)")
        assert size >= LEGIBLE_PX
        assert_nothing_is_cut(page)
        picture(page, "wall-overview-vi")

        # ---- an incident more: the alert sounds, without a click -----------------------------------------------------
        expect(page.locator(".wall-sound")).to_contain_text("BẬT")
        site.tell(incident_record(2, datetime.now(UTC)))
        expect(page.locator("body")).to_have_attribute("data-sounded", "1", timeout=20_000)
        page.locator(".wall-sound").click()
        expect(page.locator(".wall-sound")).to_contain_text("TẮT")

        # ---- a picture that nobody can see through, and building work ------------------------------------------------
        site.tell(unseen_record("cam-02", datetime.now(UTC)), building_record(datetime.now(UTC)))
        covered = page.locator(".wall-camera.is-unseen")
        expect(covered).to_contain_text("cam-02", timeout=20_000)
        expect(covered).to_contain_text("NHÌN ĐƯỢC 0 %: hỏng, bị che")
        work = page.locator(".wall-alert", has_text="xây dựng")
        expect(work).to_contain_text("thửa đất không có giấy phép · lợp mái", timeout=20_000)
        assert_nothing_is_cut(page)
        picture(page, "wall-unseen-vi")

        # ---- other views, other languages, other sizes ---------------------------------------------------------------
        for view in ("figures", "cameras", "map", "public_services"):
            page.goto(f"{wall.address}/?view={view}&lang=en")
            expect(page.locator(".wall-main > *").first).to_be_visible()
            page.wait_for_timeout(600)  # Leaflet's own drawing, which no element tells the end of
            assert_nothing_is_cut(page)
            picture(page, f"wall-{view}-en")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.set_viewport_size(TV_4K)  # type: ignore[arg-type]
        for language in ("vi", "en"):
            page.goto(f"{wall.address}/?rotate=5s&view=overview,cameras&lang={language}")
            expect(page.locator(".area-tiles .tile-number").first).to_be_visible()
            page.wait_for_timeout(1_000)
            assert_nothing_is_cut(page)
            picture(page, f"wall-4k-{language}")
        expect(page.locator(".view-cameras")).to_be_visible(timeout=15_000)  # it turns by itself

        # ---- the leader's phone --------------------------------------------------------------------------------------
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        for language, owner in (("en", "Owner"), ("vi", "Đơn vị")):
            page.goto(f"{wall.address}/p?lang={language}")
            worse = page.locator(".worse").first
            expect(worse).to_be_visible()
            expect(worse).to_contain_text(owner)
            expect(page.locator(".wall-alert").first).to_be_visible()
            assert_nothing_is_cut(page)
            picture(page, f"wall-phone-{language}")

        # ---- on-call is away: said, and the rest stays ---------------------------------------------------------------
        site.oncall.kill()
        expect(page.locator(".wall-blind")).to_contain_text("trực sự cố: mất tin từ", timeout=20_000)
        page.set_viewport_size(TV)  # type: ignore[arg-type]
        page.goto(f"{wall.address}/")
        expect(page.locator(".wall-blind")).to_be_visible(timeout=10_000)
        assert_nothing_is_cut(page)
        picture(page, "wall-blind-vi")

    # ---- the wall itself is away, and comes back ---------------------------------------------------------------------
    expect(page.locator(".wall-old")).to_be_visible(timeout=20_000)
    expect(page.locator(".wall-old")).to_contain_text("TRANG NÀY ĐÃ CŨ")
    picture(page, "wall-old-vi")
    with site.wall() as wall:
        wall.await_ready()
        expect(page.locator(".wall-old")).to_be_hidden(timeout=40_000)
        expect(page.locator(".wall-tile.look-bad").first).to_be_visible(timeout=30_000)

    loopback = re.compile(rf"(http|ws)://127\.0\.0\.1:{site.port}/|data:|blob:")
    assert [url for url in asked if not loopback.match(url)] == [], "an outside address"
    assert not [text for text in complaints if "Content Security Policy" in text or "TypeError" in text], complaints
    context.close()
