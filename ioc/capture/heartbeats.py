"""Each live camera's heartbeat, the catalogue's event `camera.heartbeat`: what the KPI `camera_online` counts."""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaError

from ioc.capture.publisher import FramePublisher
from ioc.capture.status import CameraStatus
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.cloudevents import encode_json
from ioc.frames import HEARTBEAT_TYPE, capture_source

__all__ = ["beat_for_ever", "heartbeat"]

logger = logging.getLogger(__name__)

EVERY_S = 30.0  # the KPI takes a camera for online while its newest picture is at most 120 s old


def heartbeat(camera_id: str, status: CameraStatus, *, now_s: float, at: datetime) -> dict[str, Any]:
    """Returns the event's data; `now_s` is the monotonic clock of the status."""
    data: dict[str, Any] = {
        "camera_id": camera_id,
        "at": at.isoformat().replace("+00:00", "Z"),
        "online": status.is_online(now_s),
        "last_frame_age_s": round(status.age_s(now_s), 1),
    }
    if status.opened is not None and status.opened.fps:
        data["fps"] = status.opened.fps
    return data


async def beat_for_ever(
    statuses: Mapping[str, CameraStatus], publisher: FramePublisher, catalog: Catalog, clock: Clock
) -> None:
    """Publishes every camera's heartbeat each 30 s, beginning after the first; nothing where the catalogue does not
    know the event."""
    topic = next((kind.topic for kind in catalog.event_types.values() if kind.ce_type == HEARTBEAT_TYPE), None)
    is_told = False
    while True:
        await asyncio.sleep(EVERY_S)
        if topic is None:
            continue
        now_s, at = time.monotonic(), clock()
        try:
            for camera_id, status in statuses.items():
                value, headers = encode_json(
                    heartbeat(camera_id, status, now_s=now_s, at=at),
                    event_id=f"{camera_id}:{at.isoformat()}",
                    event_type=HEARTBEAT_TYPE,
                    source=capture_source(catalog.province),
                    at=at,
                )
                await publisher.tell(topic, camera_id.encode(), value, list(headers))
            is_told = False
        except KafkaError as error:
            if not is_told:
                logger.warning("the cameras' heartbeats are not delivered: %s", type(error).__name__)
            is_told = True
