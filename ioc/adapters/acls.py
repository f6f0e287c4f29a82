"""Who may do what on Kafka: the rights that the catalogue and the product's roles ask for, and the cluster's own."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from ioc.adapters.topics import with_admin
from ioc.canary import ANSWERS_TOPIC, BEATS_TOPIC
from ioc.catalog import Catalog
from ioc.catalog.model import ENTITY_ROWS_TOPIC, INCIDENT_ROWS_TOPIC, PARTIALS_TOPIC, VALUES_TOPIC
from ioc.catalog.topics import TopicSpec
from ioc.dead_letters import DEAD_LETTERS_TOPIC, RETRIED_TOPIC
from ioc.detections import DETECTIONS_TOPIC
from ioc.errors import ConfigurationError, PermanentError, TransientError
from ioc.frames import FRAMES_TOPIC, HEARTBEAT_TYPE
from ioc.incidents import INCIDENTS_TOPIC
from ioc.publishers import Publisher

__all__ = [
    "DOCTOR_TOPIC",
    "ROLES",
    "Acl",
    "AclReport",
    "Operation",
    "Resource",
    "apply_acls",
    "catalog_acls",
    "publisher_topics",
]

ROLES = ("worker", "gateway", "oncall", "capture")
"""The product's own users, each with the rights of one service."""

# Whoever may publish may write here: the broker stamps its own clock on it, which `ioc doctor` compares with ours.
DOCTOR_TOPIC = TopicSpec(
    name="ioc.doctor",
    partitions=1,
    config={"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000", "max.message.bytes": "1024"},
)

_ACTIONS_TOPIC = "ioc.incident.actions"
_SHOWN_TYPES = ("disaster.alert", "report.submitted")  # the gateway's views of what was told lately
_SECURITY_DISABLED = 54
_RIGHTS_TIMEOUT_S, _RIGHTS_POLL_S = 30.0, 0.05
_ANY, _ALLOW = 1, 3
_LITERAL, _PREFIXED = 3, 4


class Resource(IntEnum):
    """Kafka's codes of what a right is for."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Operation(IntEnum):
    """Kafka's codes of what a right lets do. READ and WRITE bring DESCRIBE along."""

    READ = 3
    WRITE = 4
    DESCRIBE = 8


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Acl:
    """One allowing right of `principal` (`User:NAME`), from every host. `operation`: Kafka's code, which may be one
    that we never give."""

    principal: str
    operation: int
    resource: int
    name: str
    is_prefix: bool = False

    def __str__(self) -> str:
        end = "*" if self.is_prefix else ""
        return (
            f"{self.principal} {_named(Operation, self.operation)} {_named(Resource, self.resource)} {self.name}{end}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AclReport:
    """What differed. `strangers`: rights on topics of ours that belong to nobody whom the catalogue knows; they are
    left alone. `has_authorizer` False: the cluster lets everybody do everything, and nothing was changed."""

    has_authorizer: bool
    added: tuple[Acl, ...] = ()
    removed: tuple[Acl, ...] = ()
    kept: int = 0
    strangers: tuple[Acl, ...] = ()


def publisher_topics(catalog: Catalog, publisher: Publisher) -> tuple[str, ...]:
    """Returns the topics of the event types that `publisher` may publish, in the catalogue's order."""
    return tuple(dict.fromkeys(found.topic for found in publisher.own_types(catalog.event_types)))


def catalog_acls(catalog: Catalog) -> frozenset[Acl]:
    """Returns every right that must be there. A producer's idempotence needs none of its own since Kafka 3.

    Raises:
        ConfigurationError: a publisher is named like a role.
    """
    taken = sorted(catalog.publishers.keys() & {*ROLES, "admin", "broker"})
    if taken:
        raise ConfigurationError(
            f"publishers.yaml: {taken[0]} is a user of the product itself; give this publisher another name"
        )
    heartbeats = [kind.topic for kind in catalog.event_types.values() if kind.ce_type == HEARTBEAT_TYPE]
    capture = _writes("capture", [FRAMES_TOPIC, *heartbeats])
    rights = [*_worker(catalog), *_gateway(catalog), *_oncall(), *capture]
    for publisher in catalog.publishers.values():
        rights += _writes(publisher.name, publisher_topics(catalog, publisher))
    for user in (*ROLES, *catalog.publishers):
        rights += _writes(user, [DOCTOR_TOPIC.name])
    return frozenset(rights)


def _worker(catalog: Catalog) -> list[Acl]:
    """Reads what arrives and writes what follows; events under a wrong key's partition go back to their topic."""
    states = (ENTITY_ROWS_TOPIC, INCIDENT_ROWS_TOPIC)
    flows = (*catalog.entity_topics(), INCIDENTS_TOPIC, DETECTIONS_TOPIC, PARTIALS_TOPIC, VALUES_TOPIC, *states)
    topics = tuple(dict.fromkeys(flows))
    written = (*topics, DEAD_LETTERS_TOPIC, ANSWERS_TOPIC)
    transactions = [_right("worker", Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{name}-", True) for name in states]
    groups = [
        _right("worker", Operation.READ, Resource.GROUP, group)
        for group in ("ioc-events", "ioc-incidents", "ioc-frames")
    ]
    reads = _reads("worker", (*topics, FRAMES_TOPIC, BEATS_TOPIC))
    # At its start it makes sure that every topic is there.
    rest = [_right("worker", Operation.DESCRIBE, Resource.TOPIC, RETRIED_TOPIC)]
    return [*reads, *_writes("worker", written), *rest, *transactions, *groups]


def _gateway(catalog: Catalog) -> list[Acl]:
    """Publishes for the departments and keeps what it refused; shows them their rejects, and its CAP and Open311 doors
    what was told lately."""
    written = _writes("gateway", (*catalog.department_topics(), DEAD_LETTERS_TOPIC))
    shown = [catalog.event_types[name].topic for name in _SHOWN_TYPES if name in catalog.event_types]
    return [*written, *_reads("gateway", (DEAD_LETTERS_TOPIC, RETRIED_TOPIC, *shown))]


def _oncall() -> list[Acl]:
    """Reads incidents and says what was done; sends the canary, and an exercise's incident."""
    group = _right("oncall", Operation.READ, Resource.GROUP, "ioc-oncall")
    written = (_ACTIONS_TOPIC, FRAMES_TOPIC, BEATS_TOPIC, INCIDENTS_TOPIC)
    return [*_reads("oncall", [INCIDENTS_TOPIC, ANSWERS_TOPIC]), *_writes("oncall", written), group]


def _reads(user: str, topics: Iterable[str]) -> list[Acl]:
    return [_right(user, Operation.READ, Resource.TOPIC, topic) for topic in topics]


def _writes(user: str, topics: Iterable[str]) -> list[Acl]:
    return [_right(user, Operation.WRITE, Resource.TOPIC, topic) for topic in topics]


def _right(user: str, operation: Operation, resource: Resource, name: str, is_prefix: bool = False) -> Acl:
    return Acl(principal=f"User:{user}", operation=operation, resource=resource, name=name, is_prefix=is_prefix)


# ---- on the cluster --------------------------------------------------------------------------------------------------


async def apply_acls(broker: str, catalog: Catalog, *, is_dry: bool = False) -> AclReport:
    """Makes the cluster's rights those of the catalogue; changes nothing when they are, or with `is_dry`.

    Rights of the catalogue's users that are not asked for are taken away: a publisher that lost a topic may no longer
    write there. Whom the catalogue does not know is left alone and told about.

    Raises:
        ConfigurationError: see `catalog_acls`. PermanentError: this user may not administer, or Kafka refused a right.
        TransientError: Kafka could not be asked.
    """
    wanted = catalog_acls(catalog)
    ours = {acl.principal for acl in wanted} | {f"User:{name}" for name in catalog.publishers}
    topics = {spec.name for spec in catalog.topics()} | {DOCTOR_TOPIC.name}

    async def change(client: AIOKafkaAdminClient) -> AclReport:
        found = await _found(client)
        if found is None:
            return AclReport(has_authorizer=False)
        added = sorted(wanted - found)
        removed = sorted(acl for acl in found - wanted if acl.principal in ours)
        strangers = sorted(acl for acl in found if acl.principal not in ours and _touches(acl, topics))
        if not is_dry:
            await _create(client, added)
            await _delete(client, removed)
            await _await_rights(client, frozenset(added), frozenset(removed))
        return AclReport(
            has_authorizer=True,
            added=tuple(added),
            removed=tuple(removed),
            kept=len(wanted & found),
            strangers=tuple(strangers),
        )

    return await with_admin(broker, change)


def _touches(acl: Acl, topics: set[str]) -> bool:
    if acl.resource != Resource.TOPIC:
        return False
    return acl.name == "*" or any(name.startswith(acl.name) if acl.is_prefix else name == acl.name for name in topics)


async def _found(client: AIOKafkaAdminClient) -> frozenset[Acl] | None:
    """The cluster's allowing rights; None where it has no authorizer."""
    answer = await client._send_request(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    if answer.error_code == _SECURITY_DISABLED:
        return None
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
    return frozenset(
        Acl(principal=principal, operation=operation, resource=resource, name=name, is_prefix=pattern == _PREFIXED)
        for resource, name, pattern, acls in answer.resources
        for principal, host, operation, permission in acls
        if permission == _ALLOW and host == "*"
    )


class _CreateAcls(CreateAclsRequest):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's request takes one right; a controller writes each request by itself, 25 ms apart."""

    def __init__(self, acls: Sequence[Acl]) -> None:
        self._rows = [_row(acl) for acl in acls]

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._rows)


class _DeleteAcls(DeleteAclsRequest):  # type: ignore[misc]  # as above
    def __init__(self, acls: Sequence[Acl]) -> None:
        self._rows = [_row(acl) for acl in acls]

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._rows)


def _row(acl: Acl) -> tuple[object, ...]:
    pattern = _PREFIXED if acl.is_prefix else _LITERAL
    return int(acl.resource), acl.name, pattern, acl.principal, "*", int(acl.operation), _ALLOW


async def _create(client: AIOKafkaAdminClient, acls: Sequence[Acl]) -> None:
    if acls:
        answer = await client._send_request(_CreateAcls(acls))
        for acl, (code, said) in zip(acls, answer.creation_responses, strict=True):
            _check(acl, code, said)


async def _delete(client: AIOKafkaAdminClient, acls: Sequence[Acl]) -> None:
    if acls:
        answer = await client._send_request(_DeleteAcls(acls))
        for acl, (code, said, _) in zip(acls, answer.filter_responses, strict=True):
            _check(acl, code, said)


async def _await_rights(client: AIOKafkaAdminClient, added: frozenset[Acl], removed: frozenset[Acl]) -> None:
    """Returns once brokers act by them: one that is still making topics takes notice seconds later.

    Raises:
        TransientError: they did not within the time.
    """
    deadline = time.monotonic() + _RIGHTS_TIMEOUT_S
    while True:
        found = await _found(client) or frozenset()
        if added <= found and not removed & found:
            return
        if time.monotonic() > deadline:
            raise TransientError(
                f"Kafka took the rights, but does not act by them after {_RIGHTS_TIMEOUT_S:g} s; "
                f"is a broker of the cluster down?"
            )
        await asyncio.sleep(_RIGHTS_POLL_S)


def _check(acl: Acl, code: int, said: str | None) -> None:
    if code == ClusterAuthorizationFailedError.errno:
        raise ClusterAuthorizationFailedError
    if code:
        raise PermanentError(f"Kafka refused the right {acl}: {said or for_code(code).__name__}")


def _named(codes: type[IntEnum], code: int) -> str:
    try:
        return codes(code).name
    except ValueError:
        return str(code)
