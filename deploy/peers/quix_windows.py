"""Peer of `ioc bench peers`: Quix Streams counts events per key in one-minute windows, with state and changelog.

Arguments: broker, topic, number of events, state folder, a number of its own. Prints a JSON line.
"""

import json
import sys
import time

from quixstreams import Application


def main(broker: str, topic: str, count: int, folder: str, run: str) -> None:
    app = Application(
        broker_address=broker,
        consumer_group=f"peer-quix-{run}",
        auto_offset_reset="earliest",
        state_dir=f"{folder}/quix-{run}",
        loglevel="ERROR",
        use_changelog_topics=True,
    )
    started: list[tuple[float, float]] = []

    def note_start(value: object) -> None:
        if not started:
            started.append((time.process_time(), time.perf_counter()))

    source = app.topic(topic, key_deserializer="str", value_deserializer="json")
    # The stream's end would keep the last windows open for ever: `current` tells every change, as a wall wants it.
    app.dataframe(source).update(note_start).tumbling_window(60_000).count().current()
    app.run(count=count, timeout=120)
    cpu_s, wall_s = time.process_time() - started[0][0], time.perf_counter() - started[0][1]
    print(json.dumps({"cpu_us": cpu_s / count * 1e6, "events_per_s": count / wall_s}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
