"""`ioc oncall test-channel`."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.oncall.channels_try import Tried
    from ioc.oncall_plan import Person
    from ioc.settings import Settings

__all__ = ["register"]


def register(oncall: typer.Typer) -> None:
    oncall.command(
        "test-channel", epilog="Example: `ioc oncall test-channel lan --channel telegram`. Exit 1 where one failed."
    )(_test_channel)


def _test_channel(
    person: Annotated[str, typer.Argument(help="the person's name in oncall.yaml, like lan")],
    channel: Annotated[str, typer.Option(help="only this one: telegram, email, webhook, apprise, console")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Send a test message to a person's addresses, and say what each channel answered.

    Uses the settings, secrets and catalogue that the service uses; the service need not run.
    """
    from ioc.settings import load_settings

    settings = load_settings(config)
    chosen = _person(settings, person)
    if channel and channel not in {one.channel for one in chosen.addresses}:
        known = ", ".join(dict.fromkeys(one.channel for one in chosen.addresses))
        raise ConfigurationError(f"oncall.yaml: people.{person} has no channel {channel!r}; it has: {known}")
    tried = asyncio.run(_tried(settings, chosen, channel))
    if json_:
        rows = [{name: getattr(one, name) for name in ("channel", "address", "receipt", "error")} for one in tried]
        print(json.dumps(rows, ensure_ascii=False))
    else:
        for one in tried:
            print(f"{'✓' if one.is_taken else '✗'} {one.vi}\n  {one.en} ({one.took_s:.1f} s)")
    if not all(one.is_taken for one in tried):
        raise typer.Exit(1)


def _person(settings: "Settings", person_id: str) -> "Person":
    from ioc.catalog.loader import load_catalog

    plan = load_catalog(settings.catalog).oncall
    if plan is None:
        raise ConfigurationError(f"{settings.catalog}/oncall.yaml: no such file; it names the people on call")
    if person_id not in plan.people:
        raise ConfigurationError(
            f"oncall.yaml: nobody is called {person_id!r}; known: {', '.join(sorted(plan.people))}"
        )
    return plan.people[person_id]


async def _tried(settings: "Settings", person: "Person", only: str) -> "list[Tried]":
    import aiohttp

    from ioc.adapters.evidence import evidence_of
    from ioc.clock import system_clock
    from ioc.oncall.channels import Channel, ConsoleChannel, webhook_target
    from ioc.oncall.channels_setup import people_channels, reaching_of, webhook_channel
    from ioc.oncall.channels_try import ChannelTester

    reaching = reaching_of(settings, system_clock)
    async with aiohttp.ClientSession(trust_env=False) as session:
        channels: list[Channel] = [ConsoleChannel(_to_stderr)]
        if settings.oncall_webhook_url:
            target = webhook_target(
                settings.oncall_webhook_url,
                settings.oncall_webhook_secret,
                secret_setting="IOC_ONCALL_WEBHOOK_SECRET",  # noqa: S106  (the name of a setting)
            )
            channels.append(webhook_channel(target, reaching, session, system_clock))
        channels += people_channels(reaching, session, evidence_of(settings))
        tester = ChannelTester(channels, public_url=settings.public_url, clock=system_clock)
        return await tester.test(person, only)


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.flush()
