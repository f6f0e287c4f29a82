"""Topics as they must be: creates what is missing, and says where a topic differs from the catalogue."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from ioc.adapters.kafka_access import kafka_arguments, security_of
from ioc.broker.wire import ClusterView, LoginRefused, NotKafka, fetch_cluster
from ioc.catalog.topics import TopicSpec
from ioc.errors import ConfigurationError, PermanentError, TransientError

__all__ = [
    "LiveTopic",
    "TopicMismatch",
    "TopicReport",
    "TopicSpec",
    "addresses",
    "ensure_topics",
    "find_cluster",
    "list_topics",
    "with_admin",
]

logger = logging.getLogger(__name__)

_PROBE_EVERY_S = 0.2
_NOT_ALLOWED = {TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno}
_LEADER_POLL_S = 0.05
# 65 topics of 4 partitions took 0.1 s on one node; a busy three-node cluster may need far longer.
_LEADERS_TIMEOUT_S = 30.0
# Several session timeouts (Kafka's own is 9 s): by then the survivors know who is gone.
_NODE_LOSS_TIMEOUT_S = 20.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTopic:
    """A topic as the cluster has it. `has_leaders`: every partition can be written to."""

    name: str
    partitions: int
    replication: int
    has_leaders: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicMismatch:
    """A topic whose partition count is not the catalogue's."""

    name: str
    has_partitions: int
    needs_partitions: int

    def __str__(self) -> str:
        return f"topic {self.name} has {self.has_partitions} partitions, needs {self.needs_partitions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """Names of the topics created now and those that were there, and what differs."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    mismatched: tuple[TopicMismatch, ...]


def addresses(broker: str) -> list[tuple[str, int]]:
    """Returns (host, port) of each broker named.

    Raises:
        ConfigurationError: `broker` is no such list.
    """
    found = []
    for part in broker.split(","):
        host, _, port = part.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigurationError(f"IOC_BROKER={broker!r}: write host:port[,host:port], like 127.0.0.1:9092")
        found.append((host.strip("[]"), int(port)))
    return found


async def find_cluster(broker: str, *, timeout_s: float = 10.0) -> ClusterView:
    """Returns the cluster behind `broker` (`host:port[,host:port]`), trying again for up to `timeout_s` seconds.

    Raises:
        ConfigurationError: `broker` is no address.
        PermanentError: Kafka does not let us in. TransientError: no Kafka there; a sentence that says what to do.
    """
    places, security = addresses(broker), security_of(broker)
    deadline = time.monotonic() + timeout_s
    reason: Exception | None = None
    while True:
        for host, port in places:
            left_s = max(0.2, deadline - time.monotonic())
            try:
                view = await asyncio.to_thread(fetch_cluster, host, port, timeout_s=min(3.0, left_s), security=security)
            except (LoginRefused, ssl.SSLCertVerificationError) as error:
                raise PermanentError(
                    f"Kafka at {broker} was not entered as {security.user or 'nobody'} ({error}); "
                    f"`ioc doctor` says why and what to do"
                ) from None
            except (OSError, NotKafka) as error:
                reason = error
            else:
                if view.brokers:
                    return view
        if time.monotonic() + _PROBE_EVERY_S > deadline:
            if isinstance(reason, NotKafka):
                way = "over TLS" if security.has_tls else "in clear text"
                raise TransientError(
                    f"something at {broker} answers, but does not speak Kafka's protocol {way} ({reason}); "
                    f"check IOC_BROKER, or ask `ioc doctor`"
                )
            raise TransientError(
                f"no Kafka at {broker}: start one with `ioc broker`, or set IOC_BROKER; `ioc doctor` looks closer"
            ) from None
        await asyncio.sleep(_PROBE_EVERY_S)


async def with_admin(broker: str, ask: Callable[[AIOKafkaAdminClient], Awaitable[_T]]) -> _T:
    """Returns what `ask(client)` returns, asked again of another node while one is down.

    aiokafka's administration client picks a node at random, also one that died within the session timeout, and does
    not try the next one.
    """
    deadline = time.monotonic() + _NODE_LOSS_TIMEOUT_S
    while True:
        client = AIOKafkaAdminClient(**kafka_arguments(broker), client_id="ioc-topics", request_timeout_ms=30_000)
        try:
            await client.start()
            return await ask(client)
        except ClusterAuthorizationFailedError:
            raise PermanentError(
                f"Kafka at {broker} does not let this user administer it; set IOC_KAFKA_USER and its password to an "
                f"administrator's (one of its super.users)"
            ) from None
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise TransientError(f"Kafka at {broker} could not be asked about its topics: {error}") from error
        finally:
            await client.close()
        await asyncio.sleep(_PROBE_EVERY_S)


async def _live(client: AIOKafkaAdminClient, names: Sequence[str] | None = None) -> dict[str, LiveTopic]:
    topics = {}
    for topic in await client.describe_topics(list(names) if names is not None else None):
        partitions = topic["partitions"]
        if topic["error_code"] or not partitions or topic["is_internal"]:
            continue
        topics[topic["topic"]] = LiveTopic(
            name=topic["topic"],
            partitions=len(partitions),
            replication=len(partitions[0]["replicas"]),
            has_leaders=all(part["error_code"] == 0 and part["leader"] >= 0 for part in partitions),
        )
    return topics


async def list_topics(broker: str, *, timeout_s: float = 10.0) -> tuple[LiveTopic, ...]:
    """Returns the cluster's topics by name, without Kafka's internal ones. Raises as `ensure_topics` does."""
    await find_cluster(broker, timeout_s=timeout_s)
    topics = await with_admin(broker, _live)
    return tuple(sorted(topics.values(), key=lambda topic: topic.name))


async def ensure_topics(
    broker: str, specs: Sequence[TopicSpec], *, strict: bool = True, is_dry: bool = False, timeout_s: float = 10.0
) -> TopicReport:
    """Creates the topics that are missing, in one request, and returns once every partition has a leader.

    With `is_dry` it creates none, and `created` tells those it would.

    May run at the same time as another: a topic that appears meanwhile counts as existing. Settings of existing topics
    are left alone. A replication above the number of live brokers is lowered to it, with a warning.

    Raises:
        ConfigurationError: `broker` is no address; the specs contradict each other; with `strict`, a topic has another
            partition count than its spec.
        PermanentError: Kafka refused a topic.
        TransientError: no Kafka there within `timeout_s` seconds, or partitions stay without a leader.
    """
    wanted = _by_name(specs)
    view = await find_cluster(broker, timeout_s=timeout_s)
    created: set[str] = set()

    async def create_missing(client: AIOKafkaAdminClient) -> dict[str, LiveTopic]:
        before = await _live(client)
        missing = [spec for name, spec in wanted.items() if name not in before]
        if is_dry:
            created.update(spec.name for spec in missing)
            return before
        created.update(await _create(client, missing, live_brokers=len(view.brokers)))
        return await _await_leaders(client, wanted)

    live = await with_admin(broker, create_missing)
    mismatched = tuple(
        TopicMismatch(name=name, has_partitions=live[name].partitions, needs_partitions=spec.partitions)
        for name, spec in wanted.items()
        if name in live and live[name].partitions != spec.partitions
    )
    if mismatched and strict:
        listed = "; ".join(map(str, mismatched))
        raise ConfigurationError(
            f"{listed}. Records of one entity must stay together, so a count is never changed in place: "
            f"correct the catalogue, or delete the topic if its data may go"
        )
    existing = tuple(name for name in wanted if name not in created)
    return TopicReport(
        created=tuple(name for name in wanted if name in created), existing=existing, mismatched=mismatched
    )


def _by_name(specs: Sequence[TopicSpec]) -> Mapping[str, TopicSpec]:
    wanted: dict[str, TopicSpec] = {}
    for spec in specs:
        other = wanted.setdefault(spec.name, spec)
        if other != spec:
            raise ConfigurationError(f"topic {spec.name} is declared twice, and differently; keep one declaration")
    return wanted


async def _create(client: AIOKafkaAdminClient, specs: Sequence[TopicSpec], *, live_brokers: int) -> set[str]:
    if not specs:
        return set()
    lowered = [spec.name for spec in specs if spec.replication > live_brokers]
    if lowered:
        logger.warning("%d of the wished replicas can be had; lowered for %d topics", live_brokers, len(lowered))
    requests = [
        NewTopic(
            name=spec.name,
            num_partitions=spec.partitions,
            replication_factor=min(spec.replication, live_brokers),
            topic_configs=dict(spec.config),
        )
        for spec in specs
    ]
    answer = await client.create_topics(requests, timeout_ms=30_000)
    created = set()
    for name, code, *message in answer.topic_errors:
        if code == 0:
            created.add(name)
        elif code != TopicAlreadyExistsError.errno:
            if code in _NOT_ALLOWED:
                raise PermanentError(
                    f"topic {name} is missing, and this user may not create it; an administrator runs: ioc topics apply"
                )
            said = message[0] if message and message[0] else for_code(code).__name__
            raise PermanentError(f"Kafka refused to create topic {name}: {said}")
    return created


async def _await_leaders(client: AIOKafkaAdminClient, wanted: Mapping[str, TopicSpec]) -> dict[str, LiveTopic]:
    if not wanted:
        return {}
    deadline = time.monotonic() + _LEADERS_TIMEOUT_S
    while True:
        live = await _live(client, list(wanted))
        waiting = [name for name in wanted if name not in live or not live[name].has_leaders]
        if not waiting:
            return live
        if time.monotonic() > deadline:
            raise TransientError(
                f"topic {waiting[0]} has partitions without a leader; is a broker of the cluster down?"
            )
        await asyncio.sleep(_LEADER_POLL_S)
