"""Peer of `ioc bench peers`: a stock Faust agent that does our work event by event: decode, validate, fold, keep.

Runs in our own environment. Arguments: broker, topic, number of events, state folder, a number of its own, partitions.
Prints a JSON line.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import faust
import orjson

_REQUIRED = {
    "vn.ioc.dossier.submitted.v1": ("dossier_id", "service_level", "channel", "submitted_at"),
    "vn.ioc.dossier.status_changed.v1": ("dossier_id", "status", "at"),
}


def main(broker: str, topic: str, count: int, folder: str, run: str, partitions: int) -> None:
    app = faust.App(
        f"peer-faust-{run}",
        broker=f"kafka://{broker}",
        store="memory://",
        datadir=f"{folder}/faust-peer-{run}",
        web_enabled=False,
        autodiscover=False,
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        value_serializer="raw",
        key_serializer="raw",
    )
    source = app.topic(topic, value_serializer="raw", key_serializer="raw")
    rows = app.Table("rows", partitions=partitions, key_type=str, value_type=None)
    counters = {"received": 0, "resolved": 0, "on_time": 0}
    marks: list[tuple[float, float]] = []
    done = asyncio.Event()
    seen = 0

    @app.agent(source)
    async def fold(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            if not marks:
                marks.append((time.process_time(), time.perf_counter()))
            headers = dict(event.headers)
            kind = headers["ce_type"].decode()
            data = orjson.loads(event.value)
            if any(data.get(name) is None for name in _REQUIRED[kind]):
                raise ValueError(f"{kind}: a required field is missing")
            row = rows.get(data["dossier_id"]) or {"ids": [], "facts": []}
            _fold(row, headers["ce_id"].decode(), kind, data, counters)
            rows[data["dossier_id"]] = row
            seen += 1
            if seen == count:
                marks.append((time.process_time(), time.perf_counter()))
                done.set()

    async def run_app() -> None:
        app.finalize()
        await app.start()
        await asyncio.wait_for(done.wait(), 300)
        await app.stop()

    asyncio.run(run_app())
    cpu_s, wall_s = marks[1][0] - marks[0][0], marks[1][1] - marks[0][1]
    print(json.dumps({"cpu_us": cpu_s / count * 1e6, "events_per_s": count / wall_s}))


def _fold(row: dict[str, Any], event_id: str, kind: str, data: dict[str, Any], counters: dict[str, int]) -> None:
    """Adds one fact, once, and counts what it changes."""
    if event_id in row["ids"]:
        return
    row["ids"].append(event_id)
    if kind == "vn.ioc.dossier.submitted.v1":
        datetime.fromisoformat(data["submitted_at"])
        row["due_at"], row["agency"] = data.get("due_at"), data.get("agency_code")
        counters["received"] += 1
        return
    at = datetime.fromisoformat(data["at"])
    row["facts"].append([data["at"], data["status"]])
    row["facts"].sort()
    if data["status"] == "resolved" and "resolved_at" not in row:
        row["resolved_at"] = data["at"]
        counters["resolved"] += 1
        counters["on_time"] += bool(row.get("due_at")) and at <= datetime.fromisoformat(row["due_at"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6]))
