"""Channels over real sockets: a mail server, Telegram's Bot API, apprise, and the page behind an acknowledge link."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import create_async_engine

from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.errors import PermanentError, TransientError
from ioc.oncall.channels import Channel, RetryLater
from ioc.oncall.channels_apprise import AppriseChannel
from ioc.oncall.channels_email import EmailChannel, MailServer
from ioc.oncall.channels_pictures import LONGEST_SIDE, Pictures, no_picture
from ioc.oncall.channels_telegram import TelegramApi, TelegramChannel
from ioc.oncall.channels_telegram_answers import TelegramAnswers
from ioc.oncall.channels_try import ChannelTester
from ioc.oncall.delivery import Outlet
from ioc.oncall.delivery_down import ReachWatch
from ioc.oncall.delivery_notices import notice_outlet
from ioc.oncall.delivery_reach import Reach
from ioc.oncall.delivery_turns import Turns
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import CHANNEL_DOWN
from ioc.oncall.lifecycle import Acknowledge
from ioc.oncall.links import LinkKeys, open_link_keys
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import Addressee, compose
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.secrets import Secrets
from ioc.oncall.store import Store
from ioc.oncall.web_links import LinkDoor, add_links
from ioc.oncall_plan import Address, Plan
from ioc.opencv import cv2
from tests.integration.oncall_receivers import FakeTelegram, MailBox
from tests.integration.postgres import postgres_cluster
from tests.unit.oncall.making import NOW, MovingClock, incident, opened, unit_names
from tests.unit.oncall.plans import OTHER, PLAN, person

CHAT = "4242"
SECRETS = Secrets({"LAN_CHAT": CHAT, "LAN_SMS": "json://127.0.0.1:9/secret-token"})


def jpeg(width: int = 1280, height: int = 720) -> bytes:
    grey = np.full((height, width, 3), 128, np.uint8)
    return bytes(cv2.imencode(".jpg", grey)[1].tobytes())


def plan_of(*addresses: Address, language: str = "vi", everywhere: bool = False) -> Plan:
    """Lan alone stands, at these addresses."""
    lan = replace(
        PLAN.people["lan"],
        addresses=addresses,
        language=language,  # type: ignore[arg-type]
        is_told_everywhere=everywhere,
    )
    return replace(PLAN, people={**PLAN.people, "lan": lan, "minh": replace(PLAN.people["minh"], addresses=addresses)})


class Site:
    """A store, a desk, and outlets to be run by hand; time stands still until it is moved."""

    def __init__(self, store: Store, plan: Plan, clock: MovingClock, links: LinkKeys, http: aiohttp.ClientSession):
        self.store, self.clock, self.links, self.http = store, clock, links, http
        self.desk = Desk(store, PlanKeeper(plan, clock=clock), clock=clock, wake=lambda: None)
        self.metrics = OncallMetrics(CollectorRegistry())
        self.reach = Reach()

    def outlet(self, channel: Channel) -> Outlet:
        return notice_outlet(
            channel,
            store=self.store,
            metrics=self.metrics,
            public_url="https://oncall.example.vn",
            unit_names=unit_names,
            clock=self.clock,
            facts_clock=self.clock,
            on_sent=lambda: None,
            links=self.links,
            reach=self.reach,
            chance=lambda: 1.0,
        )

    async def take(self, **changes: Any) -> None:
        await self.desk.take([incident(**changes)], source="camera")


@asynccontextmanager
async def site_of(folder: Path, plan: Plan) -> AsyncIterator[Site]:
    clock = MovingClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(folder))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Site(store, plan, clock, open_link_keys(folder, clock()), http)


@pytest.fixture
async def mailbox() -> AsyncIterator[MailBox]:
    box = await MailBox().start()
    yield box
    await box.stop()


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    fake = await FakeTelegram().start()
    yield fake
    await fake.stop()


def email_channel(box: MailBox, evidence: EvidenceStore | None = None, timeout_s: float = 5.0) -> EmailChannel:
    server = MailServer(host="127.0.0.1", port=box.port, security="smtp", sender="ioc@lamdong.example")
    picture = Pictures(evidence).of if evidence else no_picture
    return EmailChannel(server, resolve=SECRETS.resolve, timeout_s=timeout_s, picture=picture)


def api_of(site: Site, fake: FakeTelegram) -> TelegramApi:
    return TelegramApi(fake.token, session=site.http, base_url=fake.url)


def telegram_channel(site: Site, fake: FakeTelegram, evidence: EvidenceStore | None = None) -> TelegramChannel:
    picture = Pictures(evidence).of if evidence else no_picture
    return TelegramChannel(api_of(site, fake), resolve=SECRETS.resolve, picture=picture)


EMAIL = Address(channel="email", address="lan@ioc.example")
TELEGRAM = Address(channel="telegram", secret="LAN_CHAT")


# ---- e-mail ----------------------------------------------------------------------------------------------------------


async def test_mail_has_the_picture_with_its_box_the_link_and_a_thread(tmp_path: Path, mailbox: MailBox) -> None:
    evidence = open_evidence("memory:")
    reference = evidence.put(jpeg())
    async with site_of(tmp_path, plan_of(EMAIL)) as site:
        await site.take(evidence=reference, place_vi="Chòi <b>canh</b>")
        outlet = site.outlet(email_channel(mailbox, evidence))
        await outlet.deliver_due()
        site.clock.advance(minutes=3)
        await site.desk.act("smoke-0001", Acknowledge(), OTHER)
        await outlet.deliver_due()
        first, second = mailbox.mails
        assert mailbox.recipients == ["lan@ioc.example"] * 2
        assert first["Subject"] == "[KHẨN CẤP] NGHI CÓ KHÓI, CHÁY — Chòi <b>canh</b>"
        assert second["Subject"].startswith("[ĐÃ CÓ NGƯỜI NHẬN]")
        assert first["References"] == second["References"] == second["In-Reply-To"]
        assert first["Message-ID"] != second["Message-ID"]
        text, html = first.get_body(("plain",)), first.get_body(("html",))
        assert text is not None
        assert html is not None
        assert "https://oncall.example.vn/a/" in text.get_content()
        assert "Chòi &lt;b&gt;canh" in html.get_content()
        assert "cid:picture" in html.get_content()
        (picture,) = [part for part in first.walk() if part.get_content_type() == "image/jpeg"]
        data = picture.get_payload(decode=True)
        assert isinstance(data, bytes)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert max(pixels.shape) == LONGEST_SIDE
        blue, green, red = pixels[int(540 * 0.4), int(960 * 0.45)]  # the left edge of the box
        assert red > 150 > 120 > max(blue, green)
        said = second.get_body(("plain",))
        assert said is not None
        assert "Người nhận: Minh" in said.get_content()
        assert "/a/" not in said.get_content()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("451 4.7.1 greylisted", TransientError),
        ("452 mailbox full", TransientError),
        ("550 5.1.1 no such user", PermanentError),
        ("554 5.7.1 looks like spam", PermanentError),
    ],
)
async def test_mail_server_says_whether_another_try_is_of_use(
    mailbox: MailBox, answer: str, error: type[Exception]
) -> None:
    mailbox.answers.append(answer)
    notice = compose(
        incident(), queued_at=NOW, public_url="http://x", unit_names=unit_names, to=Addressee(address="a@b.example")
    )
    with pytest.raises(error, match=answer[:3]):
        await email_channel(mailbox).send(notice, idempotency_key="msg_1")


async def test_mail_server_that_takes_the_call_and_says_nothing_is_left_in_time() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    notice = compose(
        incident(), queued_at=NOW, public_url="http://x", unit_names=unit_names, to=Addressee(address="a@b.example")
    )
    with pytest.raises(TransientError, match="did not answer in time"):
        await email_channel(MailBox(port=port), timeout_s=0.2).send(notice, idempotency_key="msg_1")
    await asyncio.wait_for(left.wait(), 5)
    server.close()


# ---- Telegram --------------------------------------------------------------------------------------------------------


async def test_telegram_gets_the_picture_with_buttons_and_a_press_acknowledges(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    evidence = open_evidence("memory:")
    reference = evidence.put(jpeg())
    async with site_of(tmp_path, plan_of(TELEGRAM, language="en")) as site:
        await site.take(evidence=reference)
        await site.outlet(telegram_channel(site, telegram, evidence)).deliver_due()
        (photo,) = telegram.sent("sendPhoto")
        assert photo["chat_id"] == CHAT
        assert photo["caption"].startswith("[CRITICAL] Suspected smoke or fire\nWhere: Lang Biang watchtower")
        assert photo["photo"].startswith(b"\xff\xd8\xff")
        assert '"url":"https://oncall.example.vn/incidents/smoke-0001"' in photo["reply_markup"]
        data = photo["reply_markup"].split('"callback_data":"')[1].split('"')[0]
        assert len(data.encode()) <= 64

        answers = TelegramAnswers(api_of(site, telegram), desk=site.desk, resolve=SECRETS.resolve)
        telegram.press(data, chat="666", update_id=1)
        telegram.press("a:msg_unknown", chat=CHAT, update_id=2)
        await answers.take()
        assert (await row_of(site)).life.state == "open"
        telegram.press(data, chat=CHAT, update_id=3)
        telegram.press(data, chat=CHAT, update_id=4)
        await answers.take()
        said = [fields["text"] for fields in telegram.sent("answerCallbackQuery")]
        assert said[:2] == ["Không nhận được ở đây / Not accepted here"] * 2
        assert said[2] == "Noted: it is yours."
        assert said[3].startswith("You took this at ")
        life = (await row_of(site)).life
        assert (life.state, life.owner) == ("acknowledged", "lan")
        again = TelegramAnswers(api_of(site, telegram), desk=site.desk, resolve=SECRETS.resolve)
        assert await again.take() == 0  # the offset lies in SQL


async def test_telegram_that_refuses_the_picture_gets_the_text(tmp_path: Path, telegram: FakeTelegram) -> None:
    evidence = open_evidence("memory:")
    telegram.answers.append((400, {"ok": False, "description": "Bad Request: PHOTO_INVALID_DIMENSIONS"}))
    async with site_of(tmp_path, plan_of(TELEGRAM)) as site:
        await site.take(evidence=evidence.put(jpeg()))
        await site.outlet(telegram_channel(site, telegram, evidence)).deliver_due()
        (message,) = telegram.sent("sendMessage")
        assert "NGHI CÓ KHÓI" in message["text"]


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (429, {"ok": False, "description": "Too Many", "parameters": {"retry_after": 17}}, RetryLater),
        (502, {"ok": False, "description": "Bad Gateway"}, TransientError),
        (401, {"ok": False, "description": "Unauthorized"}, TransientError),
        (403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}, PermanentError),
        (400, {"ok": False, "description": "Bad Request: chat not found"}, PermanentError),
    ],
)
async def test_telegrams_refusals_are_told_apart_and_never_show_the_token(
    tmp_path: Path, telegram: FakeTelegram, status: int, answer: dict[str, Any], error: type[Exception]
) -> None:
    telegram.answers.append((status, answer))
    async with site_of(tmp_path, PLAN) as site:
        notice = compose(
            incident(), queued_at=NOW, public_url="http://x", unit_names=unit_names, to=Addressee(address=CHAT)
        )
        with pytest.raises(error) as caught:
            await telegram_channel(site, telegram).send(notice, idempotency_key="msg_1")
        assert telegram.token not in str(caught.value)
        if isinstance(caught.value, RetryLater):
            assert caught.value.after_s == 17


# ---- apprise ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def gateway(status: int = 200, *, is_hanging: bool = False) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """An SMS gateway, as apprise's own `json://` speaks to one."""
    taken: list[dict[str, Any]] = []

    async def post(request: web.Request) -> web.Response:
        taken.append(await request.json())
        if is_hanging:
            await asyncio.sleep(2)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"json://127.0.0.1:{runner.addresses[0][1]}/", taken
    finally:
        await runner.cleanup()


async def test_apprise_sends_and_says_what_failed_and_a_hanging_one_is_left_alone() -> None:
    notice = compose(
        incident(), queued_at=NOW, public_url="http://x", unit_names=unit_names, to=Addressee(address="secret:SMS")
    )
    async with gateway() as (url, taken):
        channel = AppriseChannel(resolve=Secrets({"SMS": url}).resolve)
        assert (await channel.send(notice, idempotency_key="k")).reference
        assert taken[0]["title"] == notice.subject
        assert "Ở đâu: Chòi canh Lang Biang" in taken[0]["message"]
    async with gateway(500) as (url, _):
        secrets = Secrets({"SMS": url})
        with pytest.raises(TransientError, match="apprise"):
            await AppriseChannel(resolve=secrets.resolve, hide=secrets.hide).send(notice, idempotency_key="k")
    async with gateway(is_hanging=True) as (url, _):
        channel = AppriseChannel(resolve=Secrets({"SMS": url}).resolve, timeout_s=0.1)
        for expected in ("did not come back", "the try before this one"):
            with pytest.raises(TransientError, match=expected):
                await channel.send(notice, idempotency_key="k")
    with pytest.raises(PermanentError, match="does not understand"):
        await AppriseChannel(resolve=Secrets({"SMS": "nosuch://x"}).resolve).send(notice, idempotency_key="k")


# ---- bursts, fall-back, who can't be reached -------------------------------------------------------------------------


async def test_burst_of_200_incidents_is_a_few_messages_to_a_person(tmp_path: Path, telegram: FakeTelegram) -> None:
    async with site_of(tmp_path, plan_of(TELEGRAM)) as site:
        severities = ["warning"] * 150 + ["critical"] + ["warning"] * 49
        await site.desk.take(
            [incident(incident_id=f"i{n:03}", severity=one) for n, one in enumerate(severities)], source="camera"
        )
        await site.outlet(telegram_channel(site, telegram)).deliver_due()
        (digest,) = telegram.sent()
        assert digest["text"].startswith("200 tin cùng lúc. Trước hết: [KHẨN CẤP]")
        assert "i150" not in digest["text"]  # names places, not ids
        assert (await site.store.tally()).notices == {("telegram", "sent"): 200}


async def test_next_address_is_called_after_three_tries_and_channel_down_is_an_incident_until_it_works(
    tmp_path: Path, mailbox: MailBox, telegram: FakeTelegram
) -> None:
    mailbox.answers[:] = ["451 not now"] * 9
    async with site_of(tmp_path, plan_of(EMAIL, TELEGRAM)) as site:
        await site.take()
        mails, chats = site.outlet(email_channel(mailbox)), site.outlet(telegram_channel(site, telegram))
        watch = ReachWatch(site.reach, desk=site.desk, metrics=site.metrics)
        for _ in range(3):
            assert await chats.deliver_due() == 0
            await mails.deliver_due()
            site.clock.advance(seconds=5)
        await chats.deliver_due()
        assert len(telegram.sent()) == 1
        await watch.look()
        assert await site.store.incident(CHANNEL_DOWN) is None
        for _ in range(6):
            site.clock.advance(minutes=1)
            await mails.deliver_due()
        await watch.look()
        down = await site.store.incident(CHANNEL_DOWN)
        assert down is not None
        assert "Lan (email): the mail server answered 451" in down.row.payload["extra"]["description_en"]
        assert site.metrics.registry.get_sample_value("ioc_oncall_unreached", {"channel": "email"}) == 1
        site.clock.advance(minutes=2)
        await mails.deliver_due()
        await watch.look()
        after = await site.store.incident(CHANNEL_DOWN)
        assert after is not None
        assert after.row.life.state == "resolved"


async def test_test_message_says_the_receipt_or_the_exact_error(
    tmp_path: Path, mailbox: MailBox, telegram: FakeTelegram
) -> None:
    telegram.answers.append((403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}))
    async with site_of(tmp_path, PLAN) as site:
        channels: Sequence[Channel] = [email_channel(mailbox), telegram_channel(site, telegram)]
        tester = ChannelTester(channels, public_url="http://x", clock=site.clock)
        lan = replace(person("lan"), addresses=(EMAIL, TELEGRAM, Address(channel="webhook", address="http://x/")))
        mail, chat, hook = await tester.test(lan)
        assert (mail.is_taken, "queued as 1" in mail.receipt) == (True, True)
        assert mailbox.mails[0]["Subject"].startswith("[THỬ KÊNH]")
        assert chat.error == "Telegram: 403 Forbidden: bot was blocked by the user"
        assert "chưa được thiết lập" in hook.vi
        assert [one.channel for one in await tester.test(lan, "email")] == ["email"]


# ---- the page behind a link ------------------------------------------------------------------------------------------


@asynccontextmanager
async def page_of(site: Site) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    add_links(app, LinkDoor(desk=site.desk, links=site.links, unit_names=unit_names))
    async with TestClient(TestServer(app)) as client:
        yield client


async def row_of(site: Site) -> Any:
    view = await site.store.incident("smoke-0001")
    assert view is not None
    return view.row


async def test_link_shows_first_and_acts_on_post_alone_and_a_second_press_says_who_has_it(tmp_path: Path) -> None:
    async with site_of(tmp_path, plan_of(EMAIL)) as site, page_of(site) as page:
        await site.take(place_vi="<script>x</script>")
        path = f"/a/{site.links.token('smoke-0001', 'lan', queued_at=NOW)}"
        for _ in range(3):  # a mail scanner, a messenger's preview
            answer = await page.get(path)
            text = await answer.text()
            assert (answer.status, "<button" in text, "<script>" in text) == (200, True, False)
            assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert (await row_of(site)).life.state == "open"
        answer = await page.post(path, data={"eta": "20"})
        assert "việc này là của bạn" in await answer.text()
        life = (await row_of(site)).life
        assert (life.owner, life.eta_at) == ("lan", NOW + timedelta(minutes=20))
        assert "Bạn đã nhận việc này lúc" in await (await page.post(path)).text()
        others = f"/a/{site.links.token('smoke-0001', 'minh', queued_at=NOW)}"
        for answer in (await page.get(others), await page.post(others)):
            text = await answer.text()
            assert "Lan đã nhận việc này lúc" in text
            assert "<button" not in text


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("forged", 403),
        ("cut", 403),
        ("other key", 403),
        ("swapped", 403),
        ("expired", 410),
        ("gone", 410),
        ("left", 403),
    ],
)
async def test_bad_link_is_a_page_in_both_languages_and_does_nothing(tmp_path: Path, kind: str, status: int) -> None:
    async with site_of(tmp_path, plan_of(EMAIL)) as site, page_of(site) as page:
        await site.take()
        good = site.links.token("smoke-0001", "lan", queued_at=NOW)
        kid, _, mac = good.split(".")
        token = {
            "forged": "k0.WyJhIl0.AAAA",
            "cut": good[:-3],
            "other key": LinkKeys({kid: b"x" * 32}, kid).token("smoke-0001", "lan", queued_at=NOW),
            "swapped": ".".join((kid, site.links.token("other", "lan", queued_at=NOW).split(".")[1], mac)),
            "expired": site.links.token("smoke-0001", "lan", queued_at=NOW - timedelta(hours=49)),
            "gone": site.links.token("nowhere", "lan", queued_at=NOW),
            "left": site.links.token("smoke-0001", "somebody", queued_at=NOW),
        }[kind]
        for answer in (await page.get(f"/a/{token}"), await page.post(f"/a/{token}")):
            text = await answer.text()
            assert answer.status == status
            assert "operations centre" in text
            assert "trung tâm IOC" in text
        assert (await row_of(site)).life.state == "open"


async def test_links_are_limited_by_address(tmp_path: Path) -> None:
    async with site_of(tmp_path, PLAN) as site, page_of(site) as page:
        statuses = [(await page.get("/a/k0.x.y")).status for _ in range(62)]
        assert statuses[:60] == [403] * 60
        assert statuses[-1] == 429


# ---- two services on one database ------------------------------------------------------------------------------------


async def test_one_of_two_services_on_postgresql_delivers_a_channel_and_the_other_stands_in_when_it_dies() -> None:
    cluster = postgres_cluster()
    address = await asyncio.to_thread(cluster.__enter__)
    engines = [create_async_engine(f"postgresql+asyncpg://{address}/postgres") for _ in range(2)]
    try:
        first, second = (Turns(engine) for engine in engines)
        assert [await first.of("email")(), await second.of("email")(), await second.of("telegram")()] == [
            True,
            False,
            True,
        ]
        assert await first.of("email")()  # and it stays so
        await first.close()
        assert await second.of("email")()
        assert not await first.of("email")()
        await second.close()
        await first.close()
    finally:
        for engine in engines:
            await engine.dispose()
        await asyncio.to_thread(cluster.__exit__, None, None, None)
