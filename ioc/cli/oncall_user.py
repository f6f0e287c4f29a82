"""`ioc oncall user …`: who may sign in to the operators' pages."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ioc.cli.options import ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.oncall.accounts import Accounts, Role

__all__ = ["register"]

T = TypeVar("T")

PasswordFileOption = Annotated[
    Path | None, typer.Option(help="file with the password on its first line; asked for without it")
]


def register(oncall: typer.Typer) -> None:
    """Adds `user` to `ioc oncall`."""
    user = typer.Typer(help="Accounts of the operators' pages.", no_args_is_help=True, rich_markup_mode="markdown")
    user.command("add")(_add)
    user.command("passwd")(_passwd)
    user.command("list")(_list)
    user.command("disable")(_disable)
    oncall.add_typer(user, name="user")


def _add(
    login: Annotated[str, typer.Argument(help="small letters, digits, dots and dashes")],
    name: Annotated[str, typer.Option(help="shown to others, with its accents")],
    role: Annotated[str, typer.Option(help="viewer (looks), operator (acts) or administrator")] = "operator",
    units: Annotated[str, typer.Option(help="codes of communes with commas between, * for the whole province")] = "*",
    person: Annotated[str, typer.Option(help="short name in oncall.yaml, where it differs from the login")] = "",
    language: Annotated[str, typer.Option(help="vi or en")] = "vi",
    password_file: PasswordFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Make an account. Asks for its password twice.

    Example: `ioc oncall user add lan --name "Nguyễn Thị Lan" --role operator --units 24846,24781`
    """
    from ioc.clock import system_clock

    chosen = _role(role)
    if language not in ("vi", "en"):
        raise ConfigurationError(f"--language {language!r} must be vi or en")
    codes = _units(units, config)
    password = _password(password_file)

    async def add(accounts: "Accounts") -> None:
        await accounts.add(
            login, password, system_clock(), name=name, role=chosen, units=codes, language=language, person_id=person
        )

    _run(config, add)
    print(f"{login}: {name}, {chosen}, {', '.join(codes)}")


def _passwd(
    login: Annotated[str, typer.Argument()],
    password_file: PasswordFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Set a new password; ends the account's sessions.

    Example: `ioc oncall user passwd lan`
    """
    from ioc.clock import system_clock

    password = _password(password_file)
    _run(config, lambda accounts: accounts.set_password(login, password, system_clock()))
    print(f"{login}: the password is changed, every session has ended")


def _list(json_: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the accounts, without their passwords.

    Example: `ioc oncall user list --json`
    """
    import json
    from dataclasses import asdict

    from ioc.clock import system_clock

    rows = _run(config, lambda accounts: accounts.all(system_clock()))
    if json_:
        print(json.dumps([asdict(row) for row in rows], default=str, ensure_ascii=False))
        return
    if not rows:
        print('no account yet; make one with: ioc oncall user add lan --name "Nguyễn Thị Lan" --role administrator')
    for row in rows:
        state = "disabled" if row.is_disabled else f"{row.sessions} sessions"
        print(f"{row.login:<20} {row.role:<14} {','.join(row.units):<16} {state:<12} {row.name}")


def _disable(
    login: Annotated[str, typer.Argument()],
    undo: Annotated[bool, typer.Option("--undo", help="let the account sign in again")] = False,
    config: ConfigOption = None,
) -> None:
    """Lock an account out at once; what it did stays in the audit.

    Example: `ioc oncall user disable lan`
    """
    from ioc.clock import system_clock

    _run(config, lambda accounts: accounts.set_disabled(login, not undo, system_clock()))
    print(f"{login}: {'may sign in again' if undo else 'is disabled, every session has ended'}")


def _run(config: Path | None, work: "Callable[[Accounts], Awaitable[T]]") -> T:
    from ioc.oncall.accounts import Accounts
    from ioc.oncall.store import open_store, sqlite_url
    from ioc.settings import load_settings

    settings = load_settings(config)
    url = settings.oncall_database or sqlite_url(settings.state / "oncall.db")

    async def main() -> T:
        store = await open_store(url)
        try:
            return await work(Accounts(store.engine))
        finally:
            await store.close()

    return asyncio.run(main())


def _role(text: str) -> "Role":
    from ioc.oncall.accounts import ROLES

    found = next((role for role in ROLES if role == text), None)
    if found is None:
        raise ConfigurationError(f"--role {text!r} must be {', '.join(ROLES)}")
    return found


def _units(text: str, config: Path | None) -> tuple[str, ...]:
    """The codes; each must be a unit of the catalogue: a mistyped one would hide incidents without a word."""
    from ioc.catalog.loader import load_catalog
    from ioc.settings import load_settings

    codes = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not codes:
        raise ConfigurationError("--units is empty; write * for the whole province")
    if codes == ("*",):
        return codes
    geography = load_catalog(load_settings(config).catalog).geography
    unknown = [code for code in codes if code not in geography]
    if unknown:
        raise ConfigurationError(f"--units: {', '.join(unknown)}: no unit of the province; see ioc catalog --help")
    return codes


def _password(path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: the password can't be read ({type(error).__name__})") from None
    if not sys.stdin.isatty():
        raise ConfigurationError("there is no terminal to ask for the password; give it with --password-file")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
