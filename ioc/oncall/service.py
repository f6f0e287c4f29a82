"""The on-call service, put together: intake, one delivery loop a channel, the HTTP door, and a clean stop."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import S3Access, open_evidence
from ioc.adapters.http_service import address_of, bind
from ioc.clock import Clock, system_clock
from ioc.errors import ConfigurationError
from ioc.evidence.retention import Retention
from ioc.incidents import INCIDENTS_TOPIC
from ioc.oncall.actions import ACTIONS_CHANNEL, ACTIONS_TOPIC, ActionPublisher
from ioc.oncall.case_sweep import CaseSweeper
from ioc.oncall.case_terms import OverdueWatch
from ioc.oncall.channels import Channel, ConsoleChannel, WebhookTarget
from ioc.oncall.channels_setup import Reaching, duty_channels, people_channels, telegram_api, webhook_channel
from ioc.oncall.channels_telegram_answers import TelegramAnswers
from ioc.oncall.channels_try import TESTER, ChannelTester
from ioc.oncall.consumer import GROUP, InboxConsumer
from ioc.oncall.delivery import Outlet
from ioc.oncall.delivery_down import ReachWatch
from ioc.oncall.delivery_notices import action_outlet, notice_outlet
from ioc.oncall.delivery_reach import Reach
from ioc.oncall.delivery_turns import Turns
from ioc.oncall.desk import Desk
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import UnitNames
from ioc.oncall.plan_alarm import plan_alarm, plan_trouble
from ioc.oncall.plans import PlanKeeper, checked
from ioc.oncall.store import Store, open_store
from ioc.oncall.switch import Switch, SwitchConfig
from ioc.oncall.timers import TimerLoop
from ioc.oncall.web import Doors, build_web
from ioc.oncall.web_hooks import HOOK_PATH
from ioc.oncall.web_links import LinkDoor, add_links
from ioc.oncall_plan import Plan, duty_plan, limited_to, with_duty

__all__ = ["DUTY", "LoadPlan", "OncallConfig", "run_oncall"]

logger = logging.getLogger(__name__)

DUTY = "duty"
"""Who is told of everything on the channels that the settings name; the only one in a catalogue without `oncall.yaml`.
The address is configuration, so it may change under an entry that waits."""

LoadPlan = Callable[[], Plan]
"""Reads `oncall.yaml` again; raises ConfigurationError where it is broken or gone."""

PROBE_S = 2.0  # a readiness probe waits no longer for the database
READY_POLL_S = 0.1
CONSOLE_PATIENCE_S = 10.0  # people before parsers: without Kafka the console waits no longer for the `ready` line
PLAN_POLL_S = 5.0
STOP_S = 1.0  # what a part gets to end by itself; the whole service ends within 3 s


def _nameless(_: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OncallConfig:
    """What the service needs to know. `port` 0 picks a free one; `console` writes an alert for people to read, if
    anywhere; links in alerts start with `public_url`, "" for the address that the service listens on.

    Topics and group are the contract's; tests that share a broker take others.
    """

    broker: str
    database_url: str
    evidence: str | Path
    province: str
    host: str = "127.0.0.1"
    port: int = 8081
    public_url: str = ""
    webhook: WebhookTarget | None = None
    console: Callable[[bytes], None] | None = None
    incidents_topic: str = INCIDENTS_TOPIC
    actions_topic: str = ACTIONS_TOPIC
    group: str = GROUP
    unit_names: UnitNames = _nameless
    plan: Plan | None = None
    load_plan: LoadPlan | None = None
    plan_trouble: str = ""
    switch: SwitchConfig = field(default_factory=SwitchConfig)
    reaching: Reaching = field(default_factory=Reaching)
    read_token: str = ""
    evidence_s3: S3Access | None = None
    retention: Retention = field(default_factory=Retention)


@dataclass(slots=True)
class _Parts:
    store: Store
    metrics: OncallMetrics
    consumer: InboxConsumer
    outlets: list[Outlet]
    publisher: ActionPublisher
    timers: TimerLoop
    desk: Desk
    reach: Reach
    turns: Turns
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def readiness(self) -> Mapping[str, str]:
        database, kafka = await asyncio.gather(self._database_trouble(), self.consumer.trouble())
        return {"database": database, "kafka": kafka, "loops": self.liveness()}

    def liveness(self) -> str:
        ended = [task.get_name() for task in self.tasks if task.done()]
        return f"ended: {', '.join(ended)}" if ended else ""

    async def own_trouble(self) -> str:
        """Why on-call itself can't do its work; Kafka is somebody else's."""
        return self.liveness() or await self._database_trouble()

    async def _database_trouble(self) -> str:
        try:
            await asyncio.wait_for(self.store.probe_write(system_clock()), PROBE_S)
        except TimeoutError:
            return f"the database took no write in {PROBE_S:.0f} s"
        except (SQLAlchemyError, OSError) as error:
            return f"the database can't be written: {getattr(error, 'orig', error)}"
        return ""


async def run_oncall(
    config: OncallConfig,
    *,
    stop: asyncio.Event,
    announce: Callable[[str], None],
    registry: CollectorRegistry | None = None,
    clock: Clock = system_clock,
    facts_clock: Clock = system_clock,
) -> None:
    """Runs until `stop` is set; `announce` is called once with the service's address when it can do its work.

    `clock` must move (it paces retries and dates signatures); `facts_clock` dates what is published, and may be fixed.

    Raises:
        ConfigurationError: the database, the evidence folder or the port can't be used.
    """
    async with AsyncExitStack() as stack:
        door = bind("on-call", config.host, config.port)  # first: links in alerts may need the port
        address = _address(door, config.host)
        stack.callback(door.close)
        config = replace(config, public_url=config.public_url or address)
        store = await open_store(config.database_url)
        stack.push_async_callback(store.close)
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        is_announced = asyncio.Event()
        evidence = open_evidence(config.evidence, config.evidence_s3)
        channels = _channels(config, session, is_announced, clock)
        channels += people_channels(config.reaching, session, evidence)
        parts = _assemble(config, store, channels, OncallMetrics(registry or CollectorRegistry()), clock, facts_clock)
        stack.push_async_callback(parts.turns.close)
        stack.push_async_callback(_close, parts.publisher)
        doors = Doors(
            store=store,
            desk=parts.desk,
            metrics=parts.metrics,
            evidence=evidence,
            readiness=parts.readiness,
            liveness=parts.liveness,
            unit_names=config.unit_names,
            public_url=config.public_url,
            read_token=config.read_token,
        )
        switch = Switch(
            config.switch,
            broker=config.broker,
            province=config.province,
            desk=parts.desk,
            session=session,
            registry=parts.metrics.registry,
            own=parts.own_trouble,
            reading=parts.consumer.trouble,
            clock=clock,
        )
        sweeper = CaseSweeper(
            store,
            CaseStills(evidence),
            config.retention,
            turn=parts.turns.of("evidence sweep"),
            registry=parts.metrics.registry,
            clock=clock,
        )
        app = build_web(doors)
        app.router.add_post(HOOK_PATH, switch.hook.post)
        app[TESTER] = ChannelTester(channels, public_url=config.public_url, clock=clock)
        if config.reaching.links is not None:
            add_links(app, LinkDoor(desk=parts.desk, links=config.reaching.links, unit_names=config.unit_names))
        await _serve(stack, app, door)
        stack.push_async_callback(_cancel, parts.tasks)
        parts.tasks += [
            asyncio.create_task(parts.consumer.run(), name="intake"),
            asyncio.create_task(parts.timers.run(), name="timers"),
            asyncio.create_task(sweeper.run(), name="evidence sweep"),
            asyncio.create_task(OverdueWatch(parts.desk).run(), name="statutory terms"),
            asyncio.create_task(_watch_plan(parts.desk, clock), name="plan"),
            *(asyncio.create_task(outlet.run(), name=f"delivery {outlet.name}") for outlet in parts.outlets),
            *switch.start(),
            *_reaching(config, parts, session),
        ]
        announcing = asyncio.create_task(_announce(parts, lambda: announce(address), is_announced))
        stack.push_async_callback(_cancel, [announcing])
        await stop.wait()
        logger.info("stopping: what is not delivered waits in the outbox for the next start")


def _channels(
    config: OncallConfig, session: aiohttp.ClientSession, is_announced: asyncio.Event, clock: Clock
) -> list[Channel]:
    channels: list[Channel] = []
    if config.console is not None:
        channels.append(ConsoleChannel(config.console, ready=is_announced))
    if config.webhook is not None:
        channels.append(webhook_channel(config.webhook, config.reaching, session, clock))
    if not channels:
        logger.warning("no channel is set: incidents are kept, but NOBODY IS TOLD; set --webhook or --console")
    return channels


def _reaching(config: OncallConfig, parts: _Parts, session: aiohttp.ClientSession) -> list[asyncio.Task[None]]:
    """The loops beside delivery: who can't be reached, and who presses a button in Telegram."""
    watch = ReachWatch(parts.reach, desk=parts.desk, metrics=parts.metrics)
    tasks = [asyncio.create_task(watch.run(), name="reach")]
    api = telegram_api(config.reaching, session)
    if api is not None:
        answers = TelegramAnswers(
            api, desk=parts.desk, resolve=config.reaching.secrets.resolve, turn=parts.turns.of("telegram answers")
        )
        tasks.append(asyncio.create_task(answers.run(), name="telegram"))
    return tasks


def _assemble(
    config: OncallConfig,
    store: Store,
    channels: Sequence[Channel],
    metrics: OncallMetrics,
    clock: Clock,
    facts_clock: Clock,
) -> _Parts:
    publisher = ActionPublisher(broker=config.broker, province=config.province, topic=config.actions_topic)
    turns = Turns(store.engine)
    actions = action_outlet(
        ACTIONS_CHANNEL, publisher.send, store=store, metrics=metrics, clock=clock, turn=turns.of(ACTIONS_CHANNEL)
    )
    reach = Reach()
    outlets = [
        notice_outlet(
            channel,
            store=store,
            metrics=metrics,
            public_url=config.public_url,
            unit_names=config.unit_names,
            clock=clock,
            facts_clock=facts_clock,
            on_sent=actions.wake,
            links=config.reaching.links,
            fall_back=config.reaching.fall_back,
            on_fallback=lambda: wake_all(),
            reach=reach,
            turn=turns.of(channel.name),
        )
        for channel in channels
    ]

    def wake_all() -> None:
        for outlet in (*outlets, actions):
            outlet.wake()
        timers.wake()

    keeper = _keeper(config, channels, clock)
    desk = Desk(store, keeper, clock=clock, wake=wake_all)
    timers = TimerLoop(store, plan=keeper, clock=clock, on_told=desk.changed)

    consumer = InboxConsumer(
        broker=config.broker,
        topic=config.incidents_topic,
        group=config.group,
        store=store,
        plan=keeper,
        metrics=metrics,
        clock=clock,
        on_change=desk.changed,
    )
    return _Parts(store, metrics, consumer, [*outlets, actions], publisher, timers, desk, reach, turns)


def _keeper(config: OncallConfig, channels: Sequence[Channel], clock: Clock) -> PlanKeeper:
    """The plan in force: the catalogue's for the channels that we serve, and whom the settings name besides."""
    served, own_ways = tuple(channel.name for channel in channels), duty_channels(channels)
    duty = duty_plan(own_ways, DUTY)
    if config.plan is None:
        return PlanKeeper(duty, clock=clock, trouble=config.plan_trouble)
    own = tuple(name for name in own_ways if name != ConsoleChannel.name)  # people of the plan have the console

    def fitted(plan: Plan) -> Plan:
        limited = limited_to(checked(plan, clock), served)
        unreached = [person.name for person in limited.people.values() if not person.addresses]
        if unreached:
            logger.warning("nobody can reach %s: none of their channels is set up here", ", ".join(unreached))
        return with_duty(limited, own, DUTY)

    load = config.load_plan
    try:
        first, trouble = fitted(config.plan), ""
    except ConfigurationError as error:
        logger.error("alerts go to the duty recipient alone: %s", error)
        first, trouble = duty, str(error)
    return PlanKeeper(first, load=(lambda: fitted(load())) if load else None, clock=clock, trouble=trouble)


async def _watch_plan(desk: Desk, clock: Clock) -> None:
    """Reads the plan again every few seconds; a broken one is an incident for as long as it is broken."""
    alarm = plan_alarm(desk)
    while True:
        try:
            await desk.keeper.refresh()
            await alarm.say(plan_trouble(desk.keeper.trouble, clock()))
        except (SQLAlchemyError, OSError) as error:
            logger.error("the plan's trouble can't be written: %s", getattr(error, "orig", error))
        await asyncio.sleep(PLAN_POLL_S)


def _address(door: socket.socket, host: str) -> str:
    """Nobody can open 0.0.0.0: without a public address, links lead to this machine."""
    return address_of(door, {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))  # noqa: S104


async def _serve(stack: AsyncExitStack, app: web.Application, door: socket.socket) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S / 2)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, door).start()


async def _announce(parts: _Parts, announce: Callable[[], None], is_announced: asyncio.Event) -> None:
    """Waits for readiness; the console is let go before that if Kafka stays away."""
    patience = asyncio.get_running_loop().call_later(CONSOLE_PATIENCE_S, is_announced.set)
    try:
        while any((await parts.readiness()).values()):  # noqa: ASYNC110  (Kafka offers no event to wait for)
            await asyncio.sleep(READY_POLL_S)
    finally:
        patience.cancel()
    announce()
    is_announced.set()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        done, _ = await asyncio.wait(tasks, timeout=STOP_S)
        for task in done:
            if not task.cancelled() and task.exception() is not None:
                logger.error("%s ended with an error", task.get_name(), exc_info=task.exception())


async def _close(publisher: ActionPublisher) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(publisher.close(), STOP_S / 2)
