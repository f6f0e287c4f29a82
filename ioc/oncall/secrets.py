"""Secrets of the channels: bot tokens, passwords, addresses that hold a token. Never in the catalogue.

`oncall-secrets.toml` in the state folder holds `NAME = "value"` lines; a variable `IOC_ONCALL_SECRET_NAME` wins.
"""

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from ioc.errors import ConfigurationError, PermanentError

__all__ = ["FILE_NAME", "VARIABLE", "Resolve", "Secrets", "no_secrets", "open_secrets"]

FILE_NAME = "oncall-secrets.toml"
VARIABLE = "IOC_ONCALL_SECRET_"
_PREFIX = "secret:"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Resolve = Callable[[str], str]
"""From an address as the plan has it (`secret:NAME`, or plain) to the real one. PermanentError: no such secret."""


def no_secrets(address: str) -> str:
    """For a service without secrets: plain addresses only."""
    return Secrets({}).resolve(address)


class Secrets:
    """Values by name, kept out of every representation, log and error."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def get(self, name: str) -> str:
        """The value, "" where there is none."""
        return self._values.get(name, "")

    def resolve(self, address: str) -> str:
        """Raises PermanentError where the address names a secret that is not there."""
        if not address.startswith(_PREFIX):
            return address
        name = address.removeprefix(_PREFIX)
        value = self.get(name)
        if not value:
            raise PermanentError(f"the secret {name} is neither in {FILE_NAME} nor in {VARIABLE}{name}")
        return value

    def hide(self, text: str) -> str:
        """`text` with every secret in it replaced: what a library says may hold the address that it was given."""
        for value in sorted(self._values.values(), key=len, reverse=True):
            if len(value) >= 4:
                text = text.replace(value, "…")
        return text

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"


def open_secrets(folder: Path, environment: Mapping[str, str] | None = None) -> Secrets:
    """Reads the secrets of the state folder; no file is no secrets.

    Raises:
        ConfigurationError: the file is readable for others, not TOML, or a value is not a text; never shows one.
    """
    path = folder / FILE_NAME
    values: dict[str, str] = {}
    try:
        if path.stat().st_mode & _OTHERS:
            raise ConfigurationError(f"{path}: others may read it; take that right away: chmod 600 {path}")
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f'{path}: can\'t be read ({type(error).__name__}); it must hold lines like TELEGRAM_BOT_TOKEN = "…"'
        ) from None
    for name, value in found.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{path}: {name} must be a text in quotation marks")
        values[name] = value.strip()
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith(VARIABLE) and value:
            values[name.removeprefix(VARIABLE)] = value.strip()
    return Secrets(values)
