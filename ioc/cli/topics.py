"""`ioc topics apply / list`: the catalogue's topics on Kafka."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

_EXAMPLE_APPLY = "Example: `IOC_BROKER=127.0.0.1:9092 ioc topics apply`. May be repeated: what is there stays as it is."
_EXAMPLE_LIST = "Example: `ioc topics list --json`."

BrokerOption = Annotated[str | None, typer.Option(help="host:port[,host:port] of Kafka; else IOC_BROKER")]
ConfigOption = Annotated[Path | None, typer.Option(help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def register(app: typer.Typer) -> None:
    topics = typer.Typer(name="topics", help="Kafka topics of the catalogue.", no_args_is_help=True)
    topics.command("apply", epilog=_EXAMPLE_APPLY)(apply)
    topics.command("list", epilog=_EXAMPLE_LIST)(list_)
    app.add_typer(topics)


def apply(broker: BrokerOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Create the topics that are missing; exit 2 where a topic has another partition count than the catalogue's."""
    from ioc.adapters.kafka_access import kafka_access
    from ioc.adapters.topics import ensure_topics
    from ioc.catalog import load_catalog
    from ioc.settings import load_settings

    settings = load_settings(config)
    specs = load_catalog(settings.catalog).topics()
    report = asyncio.run(ensure_topics(kafka_access(settings, broker), specs, strict=not as_json))
    if as_json:
        mismatched = [
            {"topic": found.name, "has": found.has_partitions, "needs": found.needs_partitions}
            for found in report.mismatched
        ]
        print(json.dumps({"created": report.created, "existing": report.existing, "mismatched": mismatched}))
        if mismatched:
            raise typer.Exit(2)
        return
    for name in report.created:
        print(f"created {name}")
    print(f"{len(report.created)} topics created, {len(report.existing)} were there")


def list_(broker: BrokerOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the cluster's topics with their partition and replica counts."""
    from ioc.adapters.kafka_access import kafka_access
    from ioc.adapters.topics import list_topics
    from ioc.settings import load_settings

    found = asyncio.run(list_topics(kafka_access(load_settings(config), broker)))
    if as_json:
        rows = [
            {"topic": topic.name, "partitions": topic.partitions, "replication": topic.replication} for topic in found
        ]
        print(json.dumps(rows))
        return
    for topic in found:
        print(f"{topic.name}  {topic.partitions} partitions  {topic.replication} replicas")
    print(f"{len(found)} topics")
