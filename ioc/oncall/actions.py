"""What on-call did, published to `ioc.incident.actions` for the figures; queued in the outbox like any notice."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.errors import PermanentError, TransientError
from ioc.oncall.channels import Receipt
from ioc.oncall.outcomes import ACTIONS_CHANNEL, FollowUp, OutboxRow

__all__ = ["ACTIONS_CHANNEL", "ACTIONS_TOPIC", "ACTION_TYPE", "ActionPublisher", "action_record", "notified_action"]

ACTIONS_TOPIC = "ioc.incident.actions"
ACTION_TYPE = "vn.ioc.incident.action.v1"
SEND_TIMEOUT_S = 15.0


def notified_action(row: OutboxRow, *, at: datetime) -> FollowUp:
    """The action that says a notice was taken. Its id follows from the notice's key: a repeat is the same event."""
    return FollowUp(
        idempotency_key=f"{row.idempotency_key}_notified",
        purpose="notified",
        channel=ACTIONS_CHANNEL,
        recipient=f"{row.channel}/{row.recipient}"[:120],
        payload={
            "incident_id": row.incident_id,
            "action": "notified",
            "at": at.astimezone(UTC).isoformat(),
            "actor_role": "system",
            "channel": row.channel,
            "level": row.level,
            **({"exercise": True} if row.facts.get("exercise") else {}),
        },
    )


def action_record(
    payload: Mapping[str, Any], *, event_id: str, province: str
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Returns (key, value, headers) of the Kafka record: CloudEvents binary mode."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": f"/{province}/incident",
        "ce_type": ACTION_TYPE,
        "ce_time": str(payload["at"]),
        "content-type": "application/json",
    }
    key = str(payload["incident_id"]).encode()
    return key, orjson.dumps(payload), [(name, text.encode()) for name, text in headers.items()]


class ActionPublisher:
    """Publishes actions. The producer is made at the first use and again after a failure: Kafka may be away."""

    def __init__(self, *, broker: str, province: str, topic: str = ACTIONS_TOPIC) -> None:
        self._broker = broker
        self._province = province
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, row: OutboxRow) -> Receipt:
        """Publishes one action and waits until every replica in sync has it."""
        key, value, headers = action_record(row.payload, event_id=row.idempotency_key, province=self._province)
        try:
            producer = await self._started()
            done = await producer.send_and_wait(self._topic, value, key=key, headers=headers)
        except MessageSizeTooLargeError as error:
            raise PermanentError(f"{self._topic}: {error}") from None
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise TransientError(f"{self._topic}: {type(error).__name__}") from None
        return Receipt(reference=f"{done.topic}-{done.partition}@{done.offset}")

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError):
                await producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:  # tries run side by side: one producer for all of them
            if self._producer is None:
                self._producer = await _start_producer(self._broker)
            return self._producer


async def _start_producer(broker: str) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **kafka_arguments(broker),
        client_id="ioc-oncall",
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=int(SEND_TIMEOUT_S * 1000),
    )
    try:
        await producer.start()
    except BaseException:
        with suppress(KafkaError, OSError):
            await producer.stop()
        raise
    return producer
