"""`ioc oncall` and `ioc oncall receiver`."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli import oncall_drill, oncall_test, oncall_user
from ioc.cli.logs import configure_logs
from ioc.cli.options import BrokerOption, ConfigOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.oncall.channels import WebhookTarget
    from ioc.oncall.notices import UnitNames
    from ioc.oncall.service import LoadPlan
    from ioc.oncall.switch import SwitchConfig
    from ioc.oncall_plan import Plan
    from ioc.settings import Settings

__all__ = ["register"]

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8081
STDOUT = 1


def register(app: typer.Typer) -> None:
    oncall = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")
    oncall.callback(invoke_without_command=True)(_oncall)
    oncall.command("receiver")(_receiver)
    oncall_test.register(oncall)
    oncall_drill.register(oncall)
    oncall_user.register(oncall)
    app.add_typer(oncall, name="oncall")


def _oncall(
    context: typer.Context,
    config: ConfigOption = None,
    broker: BrokerOption = None,
    webhook: Annotated[str | None, typer.Option(help="address that gets each alert as a signed webhook")] = None,
    webhook_secret_file: Annotated[
        Path | None, typer.Option(help="file with the secret (whsec_…); else IOC_ONCALL_WEBHOOK_SECRET")
    ] = None,
    console: Annotated[bool, typer.Option(help="print each alert on standard output")] = True,
) -> None:
    """Keep the inbox of incidents and tell people: the on-call service. Ends cleanly on Ctrl-C or SIGTERM.

    Prints `ready http://host:port` first, then each alert. The database is `oncall.db` in IOC_STATE,
    or where IOC_ONCALL_DATABASE says. People, rosters and chains: `oncall.yaml` in the catalogue.

    Example: `ioc oncall --broker 127.0.0.1:9092 --webhook http://127.0.0.1:9000/ --webhook-secret-file secret.txt`
    """
    if context.invoked_subcommand is not None:
        return
    from ioc.adapters.evidence import evidence_place, retention_of
    from ioc.adapters.kafka_access import kafka_access
    from ioc.clock import clock_from_setting, system_clock
    from ioc.oncall.channels_setup import reaching_of
    from ioc.oncall.service import OncallConfig, run_oncall
    from ioc.oncall.store import sqlite_url
    from ioc.settings import load_settings

    settings = load_settings(config)
    configure_logs(settings.log_level)
    province, partitions, unit_names, plan, load_plan, trouble = _catalog(settings)
    place, access = evidence_place(settings)
    service = OncallConfig(
        broker=kafka_access(settings, broker),
        database_url=settings.oncall_database or sqlite_url(settings.state / "oncall.db"),
        evidence=place,
        evidence_s3=access,
        retention=retention_of(settings),
        province=province,
        public_url=settings.public_url if "public_url" in settings.model_fields_set else "",
        host=settings.http_host,
        port=settings.port(DEFAULT_PORT),
        webhook=_target(settings, webhook, webhook_secret_file),
        console=_write_out if console else None,
        unit_names=unit_names,
        plan=plan,
        load_plan=load_plan,
        plan_trouble=trouble,
        reaching=reaching_of(settings, system_clock),
        switch=_switch(settings, partitions),
        read_token=_read_token(settings),
    )
    facts_clock = clock_from_setting(settings.now)

    async def main() -> None:
        await run_oncall(service, stop=_stop_on_signals(), announce=_announce, facts_clock=facts_clock)

    asyncio.run(main())


def _receiver(
    port: Annotated[int, typer.Option(help="port to listen on; 0 picks a free one")] = 0,
    secret: Annotated[
        str | None,
        typer.Option(envvar="IOC_ONCALL_WEBHOOK_SECRET", help="shared secret, whsec_ and base64", show_envvar=True),
    ] = None,
    secret_file: Annotated[Path | None, typer.Option(help="file with the secret, kept out of the process list")] = None,
    file: Annotated[Path | None, typer.Option(help="append each message to this file as a JSON line")] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """Receive and verify signed webhooks: to try on-call out, and an example of a receiver.

    Prints `ready http://host:port/` first; GET on it shows the counts of unique, duplicate and forged messages.

    Example: `ioc oncall receiver --port 9000 --secret-file secret.txt --file received.jsonl`
    """
    from ioc.oncall.receiver import WebhookReceiver
    from ioc.oncall.signatures import SigningKey

    text = _secret_text(secret_file) or secret
    if not text:
        raise ConfigurationError("give the shared secret with --secret-file, --secret or IOC_ONCALL_WEBHOOK_SECRET")
    configure_logs("WARNING")
    receiver = WebhookReceiver(key=SigningKey.from_text(text, where="--secret"), host=host, port=port, file=file)

    async def main() -> None:
        stop = _stop_on_signals()
        await receiver.start()
        _announce(receiver.url)
        await stop.wait()
        await receiver.stop()

    asyncio.run(main())


def _target(settings: "Settings", url: str | None, secret_file: Path | None) -> "WebhookTarget | None":
    from ioc.oncall.channels import webhook_target

    chosen = url or settings.oncall_webhook_url
    if not chosen:
        return None
    secret = _secret_text(secret_file) or settings.oncall_webhook_secret
    setting = f"--webhook-secret-file {secret_file}" if secret_file else "IOC_ONCALL_WEBHOOK_SECRET"
    return webhook_target(chosen, secret, secret_setting=setting)


def _secret_text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the secret can't be read ({type(error).__name__}); check the file") from None


def _switch(settings: "Settings", partitions: int) -> "SwitchConfig":
    from datetime import timedelta

    from ioc.oncall.canary import CanaryConfig
    from ioc.oncall.switch import SwitchConfig
    from ioc.oncall.web_hooks import checked_token

    file, given, outside = settings.oncall_hook_token_file, settings.oncall_hook_token, settings.oncall_heartbeat_url
    token = _secret_text(file) or (given.get_secret_value() if given is not None else "")
    interval = timedelta(seconds=settings.oncall_canary_s)
    return SwitchConfig(
        canary=CanaryConfig(interval=interval, partitions=partitions) if interval else None,
        worker_url=settings.oncall_worker_url,
        heartbeat_url=outside.get_secret_value() if outside is not None else None,
        hook_token=checked_token(token, where=str(file or "IOC_ONCALL_HOOK_TOKEN")) if token else None,
    )


def _read_token(settings: "Settings") -> str:
    from ioc.oncall.web_hooks import checked_token

    given = settings.oncall_read_token
    return checked_token(given.get_secret_value(), where="IOC_ONCALL_READ_TOKEN") if given is not None else ""


def _catalog(settings: "Settings") -> "tuple[str, int, UnitNames, Plan | None, LoadPlan | None, str]":
    """The province's name, the partitions of its topics, its units' and agencies' names, the plan and how to read it
    again. A fault in a catalogue file must not silence alerting: it is told, and alerts go out nameless, to the duty
    recipient."""
    from ioc.catalog.loader import load_catalog, load_plan

    folder = settings.catalog
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such catalogue folder; set IOC_CATALOG, or make it with ioc init")
    try:
        catalog = load_catalog(folder)
    except ConfigurationError as error:
        logger.error("alerts go out without names of places, to the duty recipient: the catalogue is broken: %s", error)
        return folder.resolve().name, 1, lambda _: ("", ""), None, None, str(error)

    def names(code: str) -> tuple[str, str]:
        named = catalog.geography.unit(code) or catalog.agencies.get(code)
        return (named.name_vi, named.name_en) if named else ("", "")

    def load() -> "Plan":
        plan = load_plan(folder, catalog.geography, catalog.cameras)
        if plan is None:
            raise ConfigurationError(f"{folder}/oncall.yaml: the file has gone; put it back, or start on-call anew")
        return plan

    load_again = load if catalog.oncall is not None else None
    return catalog.province, catalog.partitions, names, catalog.oncall, load_again, ""


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _write_out(data: bytes) -> None:
    """Writes past Python's own buffer: its lock, held by a write that hangs, would abort the interpreter at the end."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(STDOUT, rest) :]


def _announce(address: str) -> None:
    print(f"ready {address}", flush=True)
