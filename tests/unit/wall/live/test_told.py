"""The wall as JSON says what its page says."""

import json
from datetime import UTC, datetime, timedelta

from ioc.wall.live.alerts import alerts_of
from ioc.wall.live.snapshot import PARTS, PartState, Snapshot
from ioc.wall.live.tiles import Group, Reading, tile_of
from ioc.wall.live.told import as_json
from tests.unit.wall.live.test_page_texts import INCIDENT, KPI, board, detection, frame

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


def test_every_figure_incident_and_camera_is_told_with_its_marks() -> None:
    cameras = board()
    cameras.offer(frame(1))
    cameras.take_picture(frame(1), b"jpeg")
    cameras.take_detection(detection(1))
    parts = dict.fromkeys(PARTS, PartState(heard_at=NOW)) | {
        "figures": PartState(heard_at=NOW - timedelta(minutes=3), trouble="TimeoutError")
    }
    tile = tile_of(KPI, Reading(value=0.5, as_of=NOW, is_manual=True), (), [Group(code="24778", value=0.1)])
    told = json.loads(
        json.dumps(
            as_json(
                Snapshot(
                    revision=7,
                    at=NOW,
                    tiles=(tile,),
                    alerts=alerts_of({"incidents": [INCIDENT]}),
                    cameras=cameras.views(NOW),
                    parts=parts,
                )
            )
        )
    )
    assert (told["revision"], told["not_updated_since"]) == (7, "2026-11-22T06:57:00+00:00")
    assert told["parts"]["figures"] == {"heard_at": "2026-11-22T06:57:00+00:00", "trouble": "TimeoutError"}
    (figure,) = told["figures"]
    assert {name: figure[name] for name in ("kpi", "value", "standing", "is_stale", "is_manual", "worst")} == {
        "kpi": "online",
        "value": 0.5,
        "standing": "missed",
        "is_stale": False,
        "is_manual": True,
        "worst": [{"code": "24778", "value": 0.1}],
    }
    (incident,) = told["incidents"]
    assert (incident["incident_id"], incident["state"], incident["is_exercise"]) == ("smoke-1", "open", False)
    (camera,) = told["cameras"]
    assert camera["detections"] == [{"label": "smoke", "tier": "alarm", "score": 0.9}]
    assert (camera["is_blind"], camera["captured_at"]) == (False, "2026-11-22T07:00:00+00:00")
