"""Every channel is down for ten minutes. Time is moved by hand, the sockets are real."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from ioc.oncall.channels import WebhookChannel, WebhookTarget
from ioc.oncall.delivery import Outlet
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.signatures import SigningKey
from ioc.oncall_plan import Address, Plan
from tests.integration.oncall_receivers import FakeTelegram, MailBox
from tests.integration.test_oncall_delivery import Site, email_channel, site_of, telegram_channel
from tests.unit.oncall.making import SECRET
from tests.unit.oncall.plans import PLAN, target

KEY = SigningKey.from_text(SECRET, where="test")
INCIDENTS = 40
STEP_S = 15


def plan_with(*addresses: Address) -> Plan:
    people = {
        person_id: replace(each, addresses=addresses, is_told_everywhere=True)
        for person_id, each in PLAN.people.items()
    }
    return replace(PLAN, people=people, cooldown={}, quiet_hours=())


async def test_every_channel_down_for_ten_minutes_then_all_comes_in_order_and_intake_never_waited(
    tmp_path: Path,
) -> None:
    mailbox, telegram = await MailBox().start(), await FakeTelegram().start()
    receiver = WebhookReceiver(key=KEY)
    await receiver.start()
    addresses = (
        Address(channel="email", address="lan@ioc.example"),
        Address(channel="telegram", address="4242"),
        Address(channel="webhook", address=receiver.url),
    )
    async with site_of(tmp_path, plan_with(*addresses)) as site, AsyncExitStack() as stack:
        receiver.clock = site.clock
        outlets = [
            site.outlet(email_channel(mailbox)),
            site.outlet(telegram_channel(site, telegram)),
            site.outlet(WebhookChannel(WebhookTarget(url=receiver.url, key=KEY), session=site.http, clock=site.clock)),
        ]
        for stop in (mailbox.stop, telegram.stop, receiver.stop):
            await stop()

        for number in range(INCIDENTS):  # ten minutes of them
            async with asyncio.timeout(1):
                await site.take(incident_id=f"i{number:03}", place_vi=f"Chòi số {number:03}")
            await deliver(outlets)
            site.clock.advance(seconds=STEP_S)
        tally = (await site.store.tally()).notices
        assert tally == {(name, "pending"): INCIDENTS for name in ("email", "telegram", "webhook")}

        await mailbox.start()
        await telegram.start()
        await receiver.start()
        stack.push_async_callback(mailbox.stop)
        stack.push_async_callback(telegram.stop)
        stack.push_async_callback(receiver.stop)
        for _ in range(40):
            await deliver(outlets)
            site.clock.advance(seconds=STEP_S)

        expected = [f"i{number:03}" for number in range(INCIDENTS)]
        assert (await site.store.tally()).notices == {
            (name, "sent"): INCIDENTS for name in ("email", "telegram", "webhook")
        }
        assert [body["data"]["incident"]["incident_id"] for body in receiver.bodies.values()] == expected  # type: ignore[index]
        assert (receiver.unique, receiver.duplicate) == (INCIDENTS, 0)
        # People get what piled up as digests: the first names all of them, and nothing comes twice.
        for messages in ([text_of(mail) for mail in mailbox.mails], [str(one["text"]) for one in telegram.sent()]):
            told = [name for text in messages for name in named(text)]
            assert sorted(set(told)) == sorted(told)
            assert len(messages) <= 5
            assert told[:20] == [f"{number:03}" for number in range(20)]


async def deliver(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        await outlet.deliver_due()


def text_of(mail: object) -> str:
    part = mail.get_body(("plain",))  # type: ignore[attr-defined]
    return str(part.get_content())


def named(text: str) -> list[str]:
    """The numbers of the places that a message names, each line's once."""
    lines = text.splitlines()
    rows = [line for line in lines[1:] if line[:1].isdigit()] or lines[1:2]
    return [row.split("Chòi số ")[1][:3] for row in rows if "Chòi số " in row]


async def test_channel_that_hangs_holds_up_no_other_channel(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    hanging = await asyncio.start_server(silent, "127.0.0.1", 0)
    telegram = await FakeTelegram().start()
    addresses = (
        Address(channel="email", address="lan@ioc.example"),
        Address(channel="telegram", address="4242"),
    )
    async with site_of(tmp_path, plan_with(*addresses)) as site:
        mails = site.outlet(email_channel(MailBox(port=hanging.sockets[0].getsockname()[1]), timeout_s=30))
        outlets = [mails, site.outlet(telegram_channel(site, telegram))]
        loops = [asyncio.create_task(outlet.run()) for outlet in outlets]
        await site.take()
        for outlet in outlets:
            outlet.wake()
        await asyncio.wait_for(telegram.arrived.wait(), 5)
        await settled(site)
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)
        assert (await site.store.tally()).notices == {("email", "pending"): 1, ("telegram", "sent"): 1}
    hanging.close()
    await telegram.stop()


async def test_nobody_on_the_roster_calls_the_fall_back_and_says_so_loudly(tmp_path: Path) -> None:
    telegram = await FakeTelegram().start()
    address = Address(channel="telegram", address="4242")
    plan = plan_with(address)
    empty = replace(plan.rosters["centre"], rotation=None)
    plan = replace(plan, rosters={"centre": empty})
    async with site_of(tmp_path, plan) as site:
        await site.take()
        await site.outlet(telegram_channel(site, telegram)).deliver_due()
        (message,) = telegram.sent()
        assert "KHÔNG CÓ AI TRONG LỊCH TRỰC" in message["text"]
        view = await site.store.incident("smoke-0001")
        assert view is not None
        assert [notice.recipient for notice in view.notices] == ["director"]
        assert "nobody_on_roster" in [entry.action for entry in view.audit]
        assert target("person:director") in plan.policies["fire"].fallback
    await telegram.stop()


async def settled(site: Site) -> None:
    """Waits until Telegram's answer is written down."""
    async with asyncio.timeout(5):
        while ("telegram", "sent") not in (await site.store.tally()).notices:  # noqa: ASYNC110  (SQL offers no event)
            await asyncio.sleep(0.01)


async def test_one_notice_that_alone_fails_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    receiver = WebhookReceiver(key=KEY)
    await receiver.start()
    addresses = (Address(channel="webhook", address=receiver.url),)
    async with site_of(tmp_path, plan_with(*addresses)) as site:
        receiver.clock = site.clock

        class Picky(WebhookChannel):
            async def send(self, notice, *, idempotency_key):  # type: ignore[no-untyped-def]
                if notice.incident.incident_id == "poison":
                    receiver.refusals[:] = [500]
                return await super().send(notice, idempotency_key=idempotency_key)

        outlet = site.outlet(Picky(WebhookTarget(url=receiver.url, key=KEY), session=site.http, clock=site.clock))
        await site.take(incident_id="poison")
        await outlet.deliver_due()
        await site.take(incident_id="fire")
        for _ in range(30):
            await outlet.deliver_due()
            site.clock.advance(seconds=1)
        delivered = [body["data"]["incident"]["incident_id"] for body in receiver.bodies.values()]  # type: ignore[index]
        assert delivered == ["fire"]
        assert (await site.store.tally()).notices == {("webhook", "pending"): 1, ("webhook", "sent"): 1}
    await receiver.stop()
