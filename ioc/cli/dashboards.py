"""`ioc dashboards build`: Grafana boards and Prometheus rules from the catalogue."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ioc.cli.options import ConfigOption, JsonOption
from ioc.errors import ConfigurationError

__all__ = ["register"]

_EXAMPLE = (
    "Example: `ioc dashboards build --out deploy` writes the boards in both languages, the recording and alert rules "
    "and their promtool tests; `ioc dashboards build --out deploy --check` only says whether they are up to date."
)


def register(app: typer.Typer) -> None:
    dashboards = typer.Typer(name="dashboards", help="Boards and rules for the wall.", no_args_is_help=True)

    @dashboards.callback()
    def dashboards_group() -> None:
        """Boards and rules for the wall."""

    @dashboards.command("build", epilog=_EXAMPLE)
    def build(
        out: Annotated[Path, typer.Option(help="the deployment folder to write into")] = Path("deploy"),
        config: ConfigOption = None,
        check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 where a file would change")] = False,
        as_json: JsonOption = False,
    ) -> None:
        """Write Grafana boards (vi, en), recording and alert rules, generated from the catalogue."""
        from ioc.catalog import load_catalog
        from ioc.settings import load_settings
        from ioc.wall.files import differing, generated_files, write_files
        from ioc.wall.panels import wall_of

        settings = load_settings(config)
        files = generated_files(wall_of(load_catalog(settings.catalog), public_url=settings.public_url))
        try:
            changed = differing(out, files) if check else write_files(out, files)
        except OSError as error:
            raise ConfigurationError(f"--out {out}: {error.strerror}; name a folder that can be written") from error
        if as_json:
            print(json.dumps({"files": sorted(files), "changed": changed}))
        else:
            verb = "out of date" if check else "written"
            print(
                "\n".join(
                    [*(f"{verb}: {out / path}" for path in changed), f"{len(files)} files, {len(changed)} {verb}"]
                )
            )
        if check and changed:
            raise typer.Exit(1)

    app.add_typer(dashboards)
