"""Peer of `ioc bench peers`: Bytewax counts events per key in one-minute windows. Not durable: no recovery store.

Arguments: broker, topic, number of events, state folder, a number of its own. Prints a JSON line.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import SystemClock, TumblingWindower, count_window
from bytewax.testing import TestingSink, run_main


def main(broker: str, topic: str, count: int, folder: str, run: str) -> None:
    started: list[tuple[float, float]] = []
    seen = 0

    def decoded(message):
        nonlocal seen
        if not started:
            started.append((time.process_time(), time.perf_counter()))
        seen += 1
        orjson.loads(message.value)
        return message.key.decode()

    closed: list[object] = []
    flow = Dataflow("windows")
    source = KafkaSource([broker], [topic], tail=False, batch_size=1_000)
    keys = op.map("decode", op.input("in", flow, source), decoded)
    windower = TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2026, 1, 1, tzinfo=UTC))
    windows = count_window("count", keys, SystemClock(), windower, key=lambda key: key)
    op.output("out", windows.down, TestingSink(closed))
    run_main(flow)
    cpu_s, wall_s = time.process_time() - started[0][0], time.perf_counter() - started[0][1]
    if seen != count:
        sys.exit(f"{seen} of {count} events were read")
    print(json.dumps({"cpu_us": cpu_s / count * 1e6, "events_per_s": count / wall_s}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
