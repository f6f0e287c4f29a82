"""`ioc doctor`: what stands between a publisher and the centre, in a sentence with what to do."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption
from ioc.errors import ConfigurationError

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.doctor import Finding
    from ioc.publishers import Publisher
    from ioc.settings import Settings

__all__ = ["register"]

_EXAMPLE = (
    "Example: `IOC_BROKER=kafka.example:9093 IOC_KAFKA_USER=so-y-te IOC_KAFKA_PASSWORD_FILE=password "
    "IOC_KAFKA_CA=ca.pem ioc doctor --event event.json`; without Kafka: "
    "`ioc doctor --gateway https://ioc.example --token-file token`."
)
_MARKS = {"ok": "✓", "skipped": "–", "warning": "!", "fault": "✗"}
_MAX_EVENT_BYTES = 1024 * 1024
_MAX_TOKEN_BYTES = 4096


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=_EXAMPLE)(doctor)


def doctor(
    publisher: Annotated[str, typer.Option(help="of publishers.yaml; else IOC_KAFKA_USER, where that is one")] = "",
    topic: Annotated[str, typer.Option(help="only this topic")] = "",
    type_: Annotated[str, typer.Option("--type", help="only the topic of this event type: dossier.submitted")] = "",
    event: Annotated[Path | None, typer.Option(help="judge this event (CloudEvents JSON) too; '-': stdin")] = None,
    gateway: Annotated[str, typer.Option(help="examine the HTTP door too: https://host[:port]")] = "",
    token_file: Annotated[Path | None, typer.Option(help="file with the department's token for the gateway")] = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine a publisher's way to the centre: address, TLS, login, rights, topics, clock, partitioner, an event.

    One sentence and what to do about it for each finding, in Vietnamese and English; under 15 seconds; exit 0 only
    when all is well. With `--gateway` and no user or address of Kafka set, Kafka is left out.
    """
    import logging

    from ioc.adapters.doctor import Examination, examine
    from ioc.adapters.kafka_access import kafka_access
    from ioc.catalog import load_catalog
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings

    settings = load_settings(config)
    catalog = load_catalog(settings.catalog)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    is_at_kafka = not gateway or broker is not None or bool(settings.model_fields_set & {"broker", "kafka_user"})
    wanted = Examination(
        catalog=catalog,
        clock=clock_from_setting(settings.now),
        kafka=kafka_access(settings, broker) if is_at_kafka else None,
        publisher=_publisher(publisher, settings, catalog),
        topics=_topics(topic, type_, catalog),
        event=None if event is None else _read(event, "--event", _MAX_EVENT_BYTES),
        gateway=gateway,
        token="" if token_file is None else _token(token_file),
    )
    findings = asyncio.run(examine(wanted))
    is_well = all(found.status in ("ok", "skipped") for found in findings)
    if as_json:
        rows = [_json(found) for found in findings]
        print(json.dumps({"well": is_well, "findings": rows}, ensure_ascii=False))
    else:
        for found in findings:
            print(_text(found))
    if not is_well:
        raise typer.Exit(1)


def _publisher(name: str, settings: "Settings", catalog: "Catalog") -> "Publisher | None":
    if not name:
        return catalog.publishers.get(settings.kafka_user or "")
    found = catalog.publishers.get(name)
    if found is None:
        known = ", ".join(catalog.publishers)
        raise ConfigurationError(f"--publisher {name!r} is not in publishers.yaml; there are {known}")
    return found


def _topics(topic: str, type_name: str, catalog: "Catalog") -> tuple[str, ...]:
    if not type_name:
        return (topic,) if topic else ()
    if topic:
        raise ConfigurationError("--topic and --type are two ways to say one thing; give one of them")
    import difflib

    by_name = {name: found for found in catalog.event_types.values() for name in (found.name, found.ce_type)}
    if type_name not in by_name:
        meant = difflib.get_close_matches(type_name, by_name, n=1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        raise ConfigurationError(f"--type {type_name!r} is no event type of the catalogue{hint}")
    return (by_name[type_name].topic,)


def _token(file: Path) -> str:
    try:
        token = _read(file, "--token-file", _MAX_TOKEN_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable():
        raise ConfigurationError(f"--token-file {file}: it must hold the token alone, on one line")
    return token


def _read(file: Path, option: str, limit_bytes: int) -> bytes:
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(limit_bytes + 1)
        else:
            with file.open("rb") as stream:
                content = stream.read(limit_bytes + 1)
    except OSError as error:
        raise ConfigurationError(f"{option} {file}: can't be read ({error.strerror})") from None
    if len(content) > limit_bytes:
        raise ConfigurationError(f"{option} {file}: over {limit_bytes} bytes; give the file of one event or token")
    return content


def _json(found: "Finding") -> dict[str, object]:
    return {
        "code": found.code,
        "status": found.status,
        "message_vi": found.vi,
        "message_en": found.en,
        "fix_vi": found.fix_vi,
        "fix_en": found.fix_en,
    }


def _text(found: "Finding") -> str:
    lines = [f"{_MARKS[found.status]} {found.vi}", f"  {found.en[:1].upper()}{found.en[1:]}"]
    if found.fix_vi:
        lines += [f"  → {found.fix_vi}", f"  → {found.fix_en[:1].upper()}{found.fix_en[1:]}"]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
