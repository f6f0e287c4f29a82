"""The frames role under lag, on a real broker: the newest frame of each pose, and nothing twice or unsaid."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from ioc.adapters.topics import ensure_topics
from ioc.catalog import load_catalog
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.settings import Settings
from tests.integration.running import Record, committed, eventually, own_broker, publish, start_worker
from tests.unit.streams.test_frames_to_detections import a_jpeg

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

BACKLOG = 30
POSES = ("p0", "p1")


def record(pose_id: str, sequence: int, captured_at: datetime, *, is_replay: bool = False) -> Record:
    jpeg = a_jpeg(seed=sequence)
    frame = Frame(
        camera_id="cam-01",
        pose_id=pose_id,
        sequence=sequence,
        captured_at=captured_at,
        sha256=sha256_hex(jpeg),
        jpeg=jpeg,
        is_replay=is_replay,
    )
    key, value, headers = encode_frame(frame, province="lam-dong")
    return Record(topic=FRAMES_TOPIC, key=key, value=value, headers=headers)


async def test_a_backlog_gives_way_to_its_newest_frames_and_yesterday_is_refused(tmp_path: Path) -> None:
    with own_broker(tmp_path) as kafka:
        await ensure_topics(kafka.address, load_catalog(Settings.model_fields["catalog"].get_default()).topics())
        now = datetime.now(UTC)
        live = [record(pose, index, now + timedelta(milliseconds=index)) for index in range(BACKLOG) for pose in POSES]
        yesterday = now - timedelta(days=1)
        old = [record("p0", 100, yesterday), record("p0", 101, yesterday, is_replay=True)]
        await publish(kafka.address, [*live, *old])
        with start_worker("frames", broker=kafka.address, folder=tmp_path, IOC_FRAME_LATE_S="0.001") as worker:
            worker.await_ready()

            def all_told() -> None:
                assert worker.metrics().total("ioc_frames_total") == len(live) + len(old)

            eventually(all_told, within_s=60, alive=[worker])
            outcomes = worker.metrics().by("ioc_frames_total", "outcome")
            assert worker.end() == 0
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
        await admin.start()
        offsets = await admin.list_consumer_group_offsets("ioc-frames")
        await admin.close()
        letters = [json.loads(found.value) for found in await committed(kafka.address, "ioc.dead-letters")]
    assert outcomes["rejected"] == 1, letters
    assert [letter["reason"] for letter in letters] == ["frame_too_old"]
    assert outcomes["skipped"] >= 1, outcomes  # how many: as many as were read while another was looked at
    assert outcomes["analysed"] + outcomes["repeated"] >= len(POSES) + 1, "the newest of each pose, and the replay"
    assert outcomes.total() == len(live) + len(old)
    assert sum(found.offset for found in offsets.values() if found.offset > 0) == len(live) + len(old)
