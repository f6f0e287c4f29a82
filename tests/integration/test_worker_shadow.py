"""A shadow detector beside the live one, on a real broker: never published, and judged by people's verdicts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ioc.detections import DETECTIONS_TOPIC
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.incidents import INCIDENTS_TOPIC, Incident
from ioc.oncall.actions import ACTIONS_TOPIC, action_record
from ioc.simulate.scenes import Scene, demo_scenes
from streams.shadow_alerts import SHADOW_ALERTS_FILE
from tests.integration.running import Record, committed, eventually, own_broker, publish, run_ioc, start_worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(150)]

FRAMES = 40  # one a minute: the plume begins at 12, and ten minutes after the alarm it is known who raised it
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
LIVE, SHADOW = "rule", "free@0.999"  # a shadow that asks for what no network ever says: it misses the fire


def frame(scene: Scene, index: int) -> Record:
    jpeg = scene.render_jpeg(index)
    one = Frame(
        camera_id="cam-01",
        pose_id="p0",
        sequence=index,
        captured_at=START + timedelta(minutes=index),
        sha256=sha256_hex(jpeg),
        jpeg=jpeg,
    )
    key, value, headers = encode_frame(one, province="lam-dong")
    return Record(topic=FRAMES_TOPIC, key=key, value=value, headers=headers)


async def test_what_a_switch_would_lose_is_known_before_it_and_nothing_of_the_shadow_is_published(
    tmp_path: Path,
) -> None:
    scene = Scene(demo_scenes(7, width=480, height=270)["cam-01"])
    changes = {"IOC_SMOKE_MODEL": LIVE, "IOC_SHADOW_SMOKE_MODEL": SHADOW, "IOC_FRAME_LATE_S": "0"}
    with own_broker(tmp_path) as kafka:
        with start_worker("frames,incidents", broker=kafka.address, folder=tmp_path, **changes) as worker:
            worker.await_ready()
            for index in range(0, FRAMES, 20):  # no faster than the shadow's queue holds
                await publish(kafka.address, [frame(scene, number) for number in range(index, index + 20)])

                def looked(count: int = index + 20) -> None:
                    metrics = worker.metrics()
                    assert metrics.total("ioc_frames_total", outcome="analysed") == count
                    assert metrics.total("ioc_shadow_frames_total", outcome="analysed") == count

                eventually(looked, within_s=40, alive=[worker])
            assert worker.metrics().by("ioc_shadow_alerts_total", "outcome") == {"lost": 1}
            assert (tmp_path / "state" / SHADOW_ALERTS_FILE).exists()

            def opened() -> None:
                assert worker.metrics().total("ioc_incidents_total", kind="smoke", state="open") >= 1

            eventually(opened, within_s=20, alive=[worker])
            live = worker.metrics().total("ioc_detections_total", detector="smoke")
            assert worker.end() == 0
        detections = [json.loads(record.value) for record in await committed(kafka.address, DETECTIONS_TOPIC)]
        assert sum(found["detector"] == "smoke" for found in detections) == live, "all are the live detector's"
        incidents = [
            Incident.from_json(json.loads(one.value)) for one in await committed(kafka.address, INCIDENTS_TOPIC)
        ]
        incident_id = next(one.incident_id for one in incidents if one.state == "open")
        payload = {"incident_id": incident_id, "action": "resolved", "at": START.isoformat()}
        key, value, headers = action_record(payload | {"verdict": "true_positive"}, event_id="a1", province="lam-dong")
        await publish(kafka.address, [Record(topic=ACTIONS_TOPIC, key=key, value=value, headers=headers)])

        def compared(*arguments: str) -> Any:
            found = run_ioc(
                "detectors", "compare", *arguments, "--json", broker=kafka.address, state=tmp_path / "state",
                timeout_s=60, **changes,
            )  # fmt: skip
            assert found.returncode == 1, found.stderr
            return json.loads(found.stdout)

        seen = compared("seen", "--report", str(tmp_path / "seen.html"))
        assert seen["counts"]["lost"] == {"real": 1, "false": 0, "other": 0, "unknown": 0}
        assert (seen["live"], seen["shadow"]) == (LIVE, SHADOW)
        page = (tmp_path / "seen.html").read_text(encoding="utf-8")
        assert page.count("data:image/jpeg;base64,") == 1
        assert "http" not in page.replace("http-equiv", "")
        cases = compared("cases")
        assert cases["counts"]["lost"]["real"] == 1
        assert cases["frames"] >= 20, "the stills that are kept of the incident"
