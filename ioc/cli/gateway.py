"""`ioc gateway` and `ioc gateway token`."""

import gc
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.logs import configure_logs
from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.gateway.tokens import Token
    from ioc.settings import Settings

__all__ = ["register"]

DEFAULT_PORT = 8080
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="the department in publishers.yaml")]
DaysOption = Annotated[
    int | None, typer.Option("--expires-days", min=1, max=3650, help="days that it is valid; else until revoked")
]


def register(app: typer.Typer) -> None:
    """Adds `ioc gateway`."""
    gateway = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")
    gateway.callback(invoke_without_command=True)(_gateway)
    token = typer.Typer(help="Tokens of the departments.", no_args_is_help=True, rich_markup_mode="markdown")
    token.command("issue", epilog="Example: `ioc gateway token issue so-y-te --expires-days 365`")(_issue)
    token.command("list", epilog="Example: `ioc gateway token list --json`")(_list)
    token.command("rotate", epilog="Example: `ioc gateway token rotate so-y-te --overlap-days 14`")(_rotate)
    token.command("revoke", epilog="Example: `ioc gateway token revoke 3fa94c1b`")(_revoke)
    gateway.add_typer(token, name="token")
    app.add_typer(gateway, name="gateway")


def _gateway(
    context: typer.Context,
    config: ConfigOption = None,
    broker: BrokerOption = None,
) -> None:
    """Take the departments' events over HTTP: judged at once, answered when Kafka has them.

    Prints `ready http://host:port` first (port 8080, or IOC_HTTP_PORT). On Ctrl-C or SIGTERM it takes no new requests
    and answers those it has.

    Example: `ioc gateway --broker 127.0.0.1:9092`, then `curl http://127.0.0.1:8080/v1/types`
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio
    import signal

    import uvloop

    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.gateway.service import run_gateway
    from ioc.settings import load_settings

    settings = load_settings(config)
    settings = settings.model_copy(update={"broker": broker} if broker else {})
    configure_logs(settings.log_level)
    catalog, clock = load_catalog(settings.catalog), clock_from_setting(settings.now)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_gateway(
            catalog,
            settings,
            port=settings.port(DEFAULT_PORT),
            stop=stop,
            announce=_announce,
            clock=clock,
        )

    uvloop.run(main())


def _announce(address: str) -> None:
    """What was made until now stays: looked through by the collector, it would stop every request for 0.1 s."""
    gc.collect()
    gc.freeze()
    print(f"ready {address}", flush=True)


# ---- tokens ----------------------------------------------------------------------------------------------------------


def _issue(
    name: NameArgument, expires_days: DaysOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Issue a token and print it, this once: only its digest is kept. A running gateway takes it within a second."""
    from ioc.gateway.service import token_file

    settings = _settings(config)
    _require_publisher(settings, name)
    token, text = token_file(settings.state).issue(name, now=_now(settings), valid_for=_days(expires_days))
    _show_new(token, text, as_json=as_json)


def _rotate(
    name: NameArgument,
    overlap_days: Annotated[int, typer.Option(min=0, max=90, help="days that the old one stays valid")] = 7,
    expires_days: DaysOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a department's next token; the old one stays valid for a while, so that nothing stops."""
    from ioc.gateway.service import token_file

    settings = _settings(config)
    _require_publisher(settings, name)
    token, text = token_file(settings.state).rotate(
        name, now=_now(settings), overlap=timedelta(days=overlap_days), valid_for=_days(expires_days)
    )
    _show_new(token, text, as_json=as_json)


def _revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="as `token list` shows it")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a token at once, for good."""
    from ioc.gateway.service import token_file

    settings = _settings(config)
    token = token_file(settings.state).revoke(token_id, now=_now(settings))
    print(json.dumps(_told(token, None)) if as_json else f"{token.id} ({token.publisher}) is revoked")


def _list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every token: whose it is, how long it is valid, and when it was last used. Never the secret."""
    from ioc.gateway.service import token_file, token_use_file

    settings = _settings(config)
    now = _now(settings)
    tokens, used = token_file(settings.state).read(), token_use_file(settings.state).read()
    if as_json:
        entries = [_told(token, used.get(token.id)) | {"valid": token.is_valid(now)} for token in tokens]
        print(json.dumps({"tokens": entries}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "department", "state", "issued", "expires", "last used")
    for token in tokens:
        state = "valid" if token.is_valid(now) else ("revoked" if token.revoked_at else "expired")
        times = (token.created_at, token.expires_at, used.get(token.id))
        table.add_row(token.id, token.publisher, state, *("" if at is None else f"{at:%Y-%m-%d %H:%M}" for at in times))
    Console(width=120).print(table)


def _show_new(token: "Token", text: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**_told(token, None), "token": text}))
        return
    print(text)
    print(
        f"Mã truy cập của {token.publisher}; chỉ hiện một lần, hãy chuyển cho đơn vị qua kênh an toàn.\n"
        f"The token of {token.publisher}; shown this once, hand it over on a safe way.",
        file=sys.stderr,
    )


def _told(token: "Token", used_at: datetime | None) -> dict[str, str | None]:
    return {
        "id": token.id,
        "publisher": token.publisher,
        "created_at": token.created_at.isoformat(),
        "expires_at": _moment(token.expires_at),
        "revoked_at": _moment(token.revoked_at),
        "last_used_at": _moment(used_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _days(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)


def _settings(config: Path | None) -> "Settings":
    from ioc.settings import load_settings

    return load_settings(config)


def _now(settings: "Settings") -> datetime:
    from ioc.clock import clock_from_setting

    return clock_from_setting(settings.now)()


def _require_publisher(settings: "Settings", name: str) -> "Catalog":
    from ioc.catalog import load_catalog

    catalog = load_catalog(settings.catalog)
    if name not in catalog.publishers:
        raise ConfigurationError(
            f"{settings.catalog / 'publishers.yaml'}: no department {name!r}; known: {', '.join(catalog.publishers)}"
        )
    return catalog
