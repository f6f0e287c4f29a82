"""`ioc …`: the composition root. Each module of this package registers its own commands; heavy imports wait until a
command runs, so that `ioc --help` is quick."""

import importlib
import sys
from typing import Annotated

import typer

from ioc import __version__
from ioc.errors import ConfigurationError, IocError

__all__ = ["build_cli", "main"]

# Each module holds `register(app: typer.Typer) -> None`. The order is the order of `ioc --help`.
COMMAND_MODULES: tuple[str, ...] = (
    "demo",
    "broker",
    "init",
    "check",
    "catalog",
    "topics",
    "doctor",
    "publish",
    "gateway",
    "worker",
    "capture",
    "calibrate",
    "oncall",
    "evidence",
    "wall",
    "simulate",
    "dlq",
    "quality",
    "report",
    "kpi",
    "detectors",
    "evaluate",
    "bench",
    "dashboards",
)


def build_cli() -> typer.Typer:
    """Returns the command line with every command registered."""
    app = typer.Typer(
        name="ioc",
        help="Intelligent Operations Centre (IOC): events and cameras in, figures and alerts out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )

    @app.callback(invoke_without_command=True)
    def root(version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False) -> None:
        if version:
            print(f"ioc {__version__}")
            raise typer.Exit

    for name in COMMAND_MODULES:
        importlib.import_module(f"ioc.cli.{name}").register(app)
    return app


def main() -> None:
    """Exit codes: 0 success, 1 failure, 2 bad usage or configuration."""
    try:
        build_cli()()
    except ConfigurationError as error:
        print(f"ioc: {error}", file=sys.stderr)
        sys.exit(2)
    except IocError as error:
        print(f"ioc: {error}", file=sys.stderr)
        sys.exit(1)
