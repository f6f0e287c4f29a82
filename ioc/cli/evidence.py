"""`ioc evidence`: the stills that are kept of incidents, and letting go those whose time has come."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ioc.cli.options import ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ioc.adapters.case_stills import CaseStill, CaseStills
    from ioc.oncall.case_sweep import Standing
    from ioc.oncall.store import Store
    from ioc.settings import Settings

__all__ = ["register"]

T = TypeVar("T")

_LIST = "Example: `ioc evidence list --json`"
_SHOW = "Example: `ioc evidence show smoke-cam-01-p0-20261122T030000`"
_SWEEP = "Example: `ioc evidence sweep --dry-run`, then without `--dry-run`."


def register(app: typer.Typer) -> None:
    """Adds `ioc evidence list | show | sweep`."""
    evidence = typer.Typer(no_args_is_help=True, help="Stills of incidents: which are kept, until when.")
    evidence.command("list", epilog=_LIST)(evidence_list)
    evidence.command("show", epilog=_SHOW)(evidence_show)
    evidence.command("sweep", epilog=_SWEEP)(evidence_sweep)
    app.add_typer(evidence, name="evidence")


def evidence_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the incidents that have stills: how each stands, and until when its stills are kept.

    What on-call knows of them is read where its database is; elsewhere the state is unknown.
    """
    settings = _settings(config)
    cases = _cases(settings)
    ids = cases.incidents()
    standings = asyncio.run(_standings(settings, ids))
    rows = [_row(settings, incident_id, standings.get(incident_id)) for incident_id in ids]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        print(
            f"{row['incident_id']}  {row['state']}  {row['verdict'] or '-'}  {row['keep_until'] or 'while it is open'}"
        )
    print(f"{len(rows)} incidents with stills")


def evidence_show(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="its id, as `ioc evidence list` prints it")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an incident's stills by time, with the reference of each and where it lies."""
    settings = _settings(config)
    try:
        stills = _cases(settings).of(incident)
    except ValueError:
        raise ConfigurationError(f"{incident[:80]!r} is no incident's id; `ioc evidence list` prints them") from None
    if not stills:
        raise ConfigurationError(f"no stills are kept of {incident!r}; `ioc evidence list` says of which there are")
    standings = asyncio.run(_standings(settings, (incident,)))
    told = _row(settings, incident, standings.get(incident)) | {"stills": _stills(settings, stills)}
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    for still in told["stills"]:
        print(f"{still['at']}  {still['path'] or still['reference']}")
    print(f"{len(stills)} stills · {told['state']} · {told['verdict'] or 'no verdict'}")


def evidence_sweep(
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only say what would go; nothing is deleted")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let stills go whose time has come: of closed incidents by their verdict, then those that belong to no incident.

    On-call does it once a day; this does it now. An incident that is not closed keeps everything. It runs where
    on-call's database is: nobody else knows what is closed.
    """
    from ioc.adapters.evidence import retention_of
    from ioc.clock import clock_from_setting
    from ioc.oncall.case_sweep import sweep_once

    settings = _settings(config)
    if not _has_database(settings):
        raise ConfigurationError(
            f"{settings.state}/oncall.db: no such database; run it where on-call runs, or set IOC_ONCALL_DATABASE"
        )
    cases, now = _cases(settings), clock_from_setting(settings.now)()
    if sys.stderr.isatty():
        print("looking through the evidence store …", file=sys.stderr)
    swept = asyncio.run(
        _with_store(settings, lambda store: sweep_once(store, cases, retention_of(settings), now, is_dry=is_dry))
    )
    if as_json:
        print(
            json.dumps({"cases": swept.cases, "stills": swept.stills, "bytes": swept.size_bytes, "is_dry_run": is_dry})
        )
        return
    verb = "would go" if is_dry else "went"
    print(f"{swept.cases} incidents and {swept.stills} stills {verb}: {swept.size_bytes / 1e6:.1f} MB")


# ---- parts -----------------------------------------------------------------------------------------------------------


def _settings(config: "Path | None") -> "Settings":
    from ioc.settings import load_settings

    return load_settings(config)


def _cases(settings: "Settings") -> "CaseStills":
    from ioc.adapters.case_stills import CaseStills
    from ioc.adapters.evidence import evidence_of

    return CaseStills(evidence_of(settings))


def _has_database(settings: "Settings") -> bool:
    return bool(settings.oncall_database) or (settings.state / "oncall.db").exists()


async def _with_store(settings: "Settings", work: "Callable[[Store], Awaitable[T]]") -> "T":
    from ioc.oncall.store import open_store, sqlite_url

    store = await open_store(settings.oncall_database or sqlite_url(settings.state / "oncall.db"))
    try:
        return await work(store)
    finally:
        await store.close()


async def _standings(settings: "Settings", ids: "tuple[str, ...]") -> "dict[str, Standing]":
    from ioc.oncall.case_sweep import standings

    if not _has_database(settings):
        return {}
    return await _with_store(settings, lambda store: standings(store.engine, ids))


def _row(settings: "Settings", incident_id: str, standing: "Standing | None") -> dict[str, Any]:
    """`keep_until` None: it is not closed, or on-call does not know it, and nothing of it goes."""
    from ioc.adapters.evidence import retention_of

    if standing is None:
        return {"incident_id": incident_id, "state": "unknown", "verdict": "", "keep_until": None}
    until = standing.keep_until(retention_of(settings))
    return {
        "incident_id": incident_id,
        "state": standing.state,
        "verdict": standing.verdict,
        "keep_until": until.isoformat() if until is not None else None,
    }


def _stills(settings: "Settings", stills: "tuple[CaseStill, ...]") -> list[dict[str, Any]]:
    from ioc.adapters.evidence import evidence_of, evidence_reference

    store = evidence_of(settings)
    references = [(still.at, evidence_reference(still.sha256)) for still in stills]
    return [
        {"at": at.isoformat(), "reference": reference, "path": str(store.path_of(reference) or "")}
        for at, reference in references
    ]
