"""`ioc topics apply / list`: the catalogue's topics on Kafka, and who may do what with them."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ioc.adapters.acls import AclReport
    from ioc.adapters.topics import TopicReport

__all__ = ["register"]

_EXAMPLE_APPLY = "Example: `IOC_BROKER=127.0.0.1:9092 ioc topics apply`. May be repeated: what is there stays as it is."
_EXAMPLE_LIST = "Example: `ioc topics list --json`."


def register(app: typer.Typer) -> None:
    topics = typer.Typer(name="topics", help="Kafka topics of the catalogue.", no_args_is_help=True)
    topics.command("apply", epilog=_EXAMPLE_APPLY)(apply)
    topics.command("list", epilog=_EXAMPLE_LIST)(list_)
    app.add_typer(topics)


def apply(
    broker: BrokerOption = None,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create the topics that are missing, and give each user its rights where Kafka asks for them.

    A publisher of the catalogue may write its own topics, each service what it needs, and nobody anything else; rights
    that a user of the catalogue should not have are taken away. Exit 2 where a topic has another partition count than
    the catalogue's.
    """
    import logging

    from ioc.adapters.acls import DOCTOR_TOPIC, apply_acls
    from ioc.adapters.kafka_access import kafka_access
    from ioc.adapters.topics import ensure_topics
    from ioc.catalog import load_catalog
    from ioc.settings import load_settings

    settings = load_settings(config)
    catalog, kafka = load_catalog(settings.catalog), kafka_access(settings, broker)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentences say what it would
    specs = (*catalog.topics(), DOCTOR_TOPIC)

    async def change() -> "tuple[TopicReport, AclReport]":
        topics = await ensure_topics(kafka, specs, strict=not as_json, is_dry=is_dry)
        return topics, await apply_acls(kafka, catalog, is_dry=is_dry)

    topics, acls = asyncio.run(change())
    if as_json:
        print(json.dumps(_topics_json(topics) | {"acls": _acls_json(acls), "dry_run": is_dry}))
        if topics.mismatched:
            raise typer.Exit(2)
        return
    for line in (*_topic_lines(topics, is_dry=is_dry), *_acl_lines(acls, is_dry=is_dry)):
        print(line)


def _topics_json(report: "TopicReport") -> dict[str, object]:
    mismatched = [
        {"topic": found.name, "has": found.has_partitions, "needs": found.needs_partitions}
        for found in report.mismatched
    ]
    return {"created": report.created, "existing": report.existing, "mismatched": mismatched}


def _acls_json(report: "AclReport") -> dict[str, object]:
    return {
        "authorizer": report.has_authorizer,
        "added": [str(acl) for acl in report.added],
        "removed": [str(acl) for acl in report.removed],
        "kept": report.kept,
        "strangers": [str(acl) for acl in report.strangers],
    }


def _topic_lines(report: "TopicReport", *, is_dry: bool) -> "Iterator[str]":
    verb = "would create" if is_dry else "created"
    for name in report.created:
        yield f"{verb} {name}"
    yield f"{len(report.created)} topics {'to create' if is_dry else 'created'}, {len(report.existing)} were there"


def _acl_lines(report: "AclReport", *, is_dry: bool) -> "Iterator[str]":
    if not report.has_authorizer:
        yield "no rights were set: this Kafka has no authorizer, so that whoever reaches it may do everything"
        return
    for acl in report.added:
        yield f"+ {acl}"
    for acl in report.removed:
        yield f"- {acl}"
    for acl in report.strangers:
        yield f"? {acl}: nobody of the catalogue; take it away with kafka-acls --remove, if it should not be"
    added, removed = ("to add", "to remove") if is_dry else ("added", "removed")
    yield f"{len(report.added)} rights {added}, {len(report.removed)} {removed}, {report.kept} were there"


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
