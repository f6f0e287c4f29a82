"""`ioc catalog …`: the contracts of the event types, for people and for machines."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ioc.cli.options import CatalogOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.contracts.published import Comparison
    from ioc.event_types import EventType

__all__ = ["register"]

_EXAMPLE_SHOW = "Example: `ioc catalog show dossier.submitted --lang en`."
_EXAMPLE_SCHEMAS = "Example: `ioc catalog schemas --out schemas`, or `ioc catalog schemas dossier.paid` to print one."
_EXAMPLE_EXAMPLES = "Example: `ioc catalog examples`. Exit code 1 with a sentence for each example that does not hold."
_EXAMPLE_COMPAT = (
    "Example: `ioc catalog compat`. Exit code 1 where a published contract is broken or a change is not yet published."
)
_EXAMPLE_PUBLISH = (
    "Example: `ioc catalog publish`, then commit contracts/published with the change of event_types.yaml."
)
_EXAMPLE_ASYNCAPI = "Example: `ioc catalog asyncapi --out asyncapi.json --lang en`."

LangOption = Annotated[Literal["vi", "en"], typer.Option("--lang", help="language of the texts: vi or en")]
OneTypeArgument = Annotated[str | None, typer.Argument(metavar="[TYPE]", help="one event type; else all of them")]
FolderOption = Annotated[Path | None, typer.Option("--out", help="folder to write, one file for each type")]
FileOption = Annotated[Path | None, typer.Option("--out", help="file to write; else it is printed")]


def register(app: typer.Typer) -> None:
    """Adds `ioc catalog`."""
    catalog = typer.Typer(name="catalog", help="The contracts of the event types.", no_args_is_help=True)
    catalog.command("show", epilog=_EXAMPLE_SHOW)(show)
    catalog.command("schemas", epilog=_EXAMPLE_SCHEMAS)(schemas)
    catalog.command("examples", epilog=_EXAMPLE_EXAMPLES)(examples)
    catalog.command("compat", epilog=_EXAMPLE_COMPAT)(compat)
    catalog.command("publish", epilog=_EXAMPLE_PUBLISH)(publish)
    catalog.command("asyncapi", epilog=_EXAMPLE_ASYNCAPI)(asyncapi)
    app.add_typer(catalog)


def show(
    type_name: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="an event type; else a list of all")] = None,
    catalog: CatalogOption = None,
    lang: LangOption = "vi",
) -> None:
    """Show an event type as a person reads it: where it goes, every field, and an example. Without TYPE: a list."""
    from ioc.cli.catalog_view import list_of, page_of
    from ioc.contracts import Samples

    found = _load(catalog)
    if type_name is None:
        print(list_of(found.event_types.values(), lang))
        return
    event_type = _type(found, type_name)
    print(page_of(event_type, Samples.of(found), lang))


def schemas(type_name: OneTypeArgument = None, catalog: CatalogOption = None, out: FolderOption = None) -> None:
    """Write the JSON Schema (2020-12) of every event type, or print one's."""
    from ioc.contracts import Samples, json_schema

    found = _load(catalog)
    samples = Samples.of(found)
    if type_name is None and out is None:
        raise ConfigurationError("name one event type to print its schema, or --out DIR to write all of them")
    if type_name is None:
        chosen = [event_type for event_type in found.event_types.values() if event_type.entity]
    else:
        chosen = [_type(found, type_name)]
    for event_type in chosen:
        text = json.dumps(json_schema(event_type, found.province, samples=samples), ensure_ascii=False, indent=2)
        if out is None:
            print(text)
        else:
            _write(out / f"{event_type.ce_type}.json", text + "\n")
    if out is not None:
        print(f"{out}: {len(chosen)} schemas")


def examples(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Judge the examples of contracts/examples with the reader that the worker uses."""
    from ioc.contracts.examples import FOLDER, example_problems, examples_in

    found = _load(catalog)
    folder = Path(found.folder)
    if not (folder / FOLDER).is_dir():
        _answer({"ok": True, "examples": 0, "problems": []}, f"{folder / FOLDER}: no examples yet", as_json=as_json)
        return
    problems = list(example_problems(folder, found))
    count = sum(1 for _ in examples_in(folder, found))
    _answer(
        {"ok": not problems, "examples": count, "problems": problems},
        "\n".join([*problems, f"{folder}: {count} examples, {len(problems)} problems"]),
        as_json=as_json,
    )
    if problems:
        raise typer.Exit(1)


def compat(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Compare the event types with the published contracts: nothing that a department relies on may break."""
    from ioc.contracts.published import FOLDER, compare

    found = _load(catalog)
    folder = Path(found.folder)
    comparison = compare(folder, found.event_types)
    if not comparison.published:
        text = (
            f"{folder / FOLDER}: nothing is published yet; `ioc catalog publish` writes down what departments rely on"
        )
        _answer({"ok": True, "published": 0, "breaks": [], "unpublished": []}, text, as_json=as_json)
        return
    is_ok = not comparison.breaks and not comparison.unpublished
    answer = {
        "ok": is_ok,
        "published": comparison.published,
        "breaks": [{"type": b.type_name, "field": b.field, "vi": b.vi, "en": b.en} for b in comparison.breaks],
        "unpublished": [{"ce_type": ce_type, "differs": place} for ce_type, place in comparison.unpublished],
        "superseded": list(comparison.superseded),
    }
    _answer(answer, _told(folder, comparison), as_json=as_json)
    if not is_ok:
        raise typer.Exit(1)


def publish(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Write today's contracts as published; refused where a change breaks them and its version did not go up."""
    from ioc.contracts.published import FOLDER
    from ioc.contracts.published import publish as write

    found = _load(catalog)
    folder = Path(found.folder)
    written = write(folder, found.event_types)
    text = "\n".join([*(f"published {ce_type}" for ce_type in written), f"{folder / FOLDER}: {len(written)} changed"])
    _answer({"folder": str(folder / FOLDER), "written": written}, text, as_json=as_json)


def asyncapi(catalog: CatalogOption = None, out: FileOption = None, lang: LangOption = "vi") -> None:
    """Write one AsyncAPI 3.0 document (JSON) of everything that departments publish on Kafka."""
    from ioc.contracts.asyncapi import asyncapi_document

    text = json.dumps(asyncapi_document(_load(catalog), lang), ensure_ascii=False, indent=1)
    if out is None:
        print(text)
        return
    _write(out, text + "\n")
    print(f"{out}: written", file=sys.stderr)


def _load(folder: Path | None) -> "Catalog":
    from ioc.catalog import load_catalog
    from ioc.settings import load_settings

    return load_catalog(folder or load_settings(None).catalog)


def _type(catalog: "Catalog", name: str) -> "EventType":
    import difflib

    found = catalog.event_types.get(name) or next((t for t in catalog.event_types.values() if t.ce_type == name), None)
    if found is None:
        near = difflib.get_close_matches(name, catalog.event_types, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(catalog.event_types)}"
        raise ConfigurationError(f"{catalog.folder}/event_types.yaml: no event type {name!r}{hint}")
    return found


def _told(folder: Path, comparison: "Comparison") -> str:
    lines = [f"{folder / 'event_types.yaml'}: {broken}" for broken in comparison.breaks]
    lines += [
        f"{ce_type}: {'is' if place == 'new' else f'differs at {place}: is'} not published yet; "
        f"run `ioc catalog publish` and commit what it writes"
        for ce_type, place in comparison.unpublished
        if not comparison.breaks
    ]
    lines += [
        f"{ce_type}: a later version has taken over; events of this one are refused"
        for ce_type in comparison.superseded
    ]
    counts = f"{len(comparison.breaks)} breaks, {len(comparison.unpublished)} not yet published"
    return "\n".join([*lines, f"{comparison.published} published contracts: {counts}"])


def _answer(answer: dict[str, object], text: str, *, as_json: bool) -> None:
    print(json.dumps(answer, ensure_ascii=False) if as_json else text)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}; give another --out") from None
