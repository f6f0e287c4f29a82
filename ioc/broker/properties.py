"""The broker's settings as Kafka's properties text: pure functions of a plan."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONTROLLER", "MESSAGE_MAX_BYTES", "NodePlan", "new_cluster_id", "render_properties"]

CONTROLLER = "CONTROLLER"  # the listener of the nodes among themselves
# Frames travel whole up to 256 KiB, and batches of them up to the clients' request size; Kafka's own 1 MB is too tight.
MESSAGE_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node: broker and controller in one process. `voters` maps node id to controller port, on the same host."""

    node_id: int
    host: str
    port: int
    voters: Mapping[int, int]
    data: Path


def new_cluster_id() -> str:
    """Returns a fresh id (22 characters). Never one that begins with `-`, which Kafka's tools take for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def render_properties(plan: NodePlan, secure: Mapping[str, object] | None = None) -> str:
    """Returns the text of `server.properties`; `secure` are the settings that take the place of clear text."""
    nodes = len(plan.voters)
    replication = min(3, nodes)
    in_sync = max(1, replication - 1)
    clients = "SASL_SSL" if secure else "PLAINTEXT"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": plan.node_id,
        "controller.quorum.voters": ",".join(
            f"{node}@{plan.host}:{port}" for node, port in sorted(plan.voters.items())
        ),
        "listeners": f"{clients}://{plan.host}:{plan.port},{CONTROLLER}://{plan.host}:{plan.voters[plan.node_id]}",
        "advertised.listeners": f"{clients}://{plan.host}:{plan.port}",
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": clients,
        "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,{CONTROLLER}:PLAINTEXT",
        "log.dirs": plan.data,
        # A topic that nobody declared is a mistake to be seen, not a topic with the wrong partition count.
        "auto.create.topics.enable": "false",
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "replica.fetch.max.bytes": MESSAGE_MAX_BYTES,
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Kafka's 50 partitions each are for big clusters; every one costs files and start-up time here.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 1,
        # A single worker should not wait 3 s for company.
        "group.initial.rebalance.delay.ms": 0,
        # After a hard stop the controller refuses the new broker until the old one's session is over: 9 s with Kafka's
        # own values, measured.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        # Kafka's 128 MB would be half of our heap.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # Sparse, but a file system without holes would really give 20 MB a partition. 1 MB indexes 512 MB of log.
        "log.index.size.max.bytes": 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }
    return "".join(f"{key}={value}\n" for key, value in (settings | dict(secure or {})).items())
