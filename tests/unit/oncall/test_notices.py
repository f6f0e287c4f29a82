from datetime import timedelta

import pytest

from ioc.oncall.notices import KIND_WORDS, Notice, compose, console_block, local_time, runbook_url, webhook_body
from ioc.oncall.web import runbook_markdown
from tests.unit.oncall.making import DIGEST, LOCATED, NOW, SMOKE, incident, unit_names


def notice(**changes: object) -> Notice:
    return compose(
        incident(**changes), queued_at=NOW, public_url="https://ioc.example.vn/oncall/", unit_names=unit_names
    )


def test_vietnamese_message_says_what_where_since_when_how_sure_and_what_to_do() -> None:
    assert notice().message_vi.splitlines() == [
        "[KHẨN CẤP] NGHI CÓ KHÓI, CHÁY",
        "Ở đâu: Chòi canh Lang Biang — Phường Lang Biang — camera lang-biang-1, north",
        "Vị trí camera: geo:12.04530,108.44150, hướng nhìn 15°",
        "Từ lúc: 08:28:30 22/11/2026 (giờ Việt Nam)",
        "Độ tin: 0,82 qua 5 lần phát hiện (dark_channel, saturation)",
        f"Ảnh: https://ioc.example.vn/oncall/evidence/{DIGEST}",
        "Việc cần làm: https://ioc.example.vn/oncall/runbooks/smoke",
        "Mã sự cố: smoke-0001",
    ]


def test_english_message_says_the_same() -> None:
    assert notice().message_en.splitlines() == [
        "[CRITICAL] Suspected smoke or fire",
        "Where: Lang Biang watchtower — Lang Biang ward — camera lang-biang-1, north",
        "Camera at: geo:12.04530,108.44150, looking 15°",
        "Since: 08:28:30 22/11/2026 (Vietnam time)",
        "How sure: score 0.82 over 5 detections (dark_channel, saturation)",
        f"Picture: https://ioc.example.vn/oncall/evidence/{DIGEST}",
        "What to do: https://ioc.example.vn/oncall/runbooks/smoke?lang=en",
        "Incident: smoke-0001",
    ]


def test_a_located_fire_has_its_own_place_how_sure_it_is_and_who_sees_it() -> None:
    told = notice(**LOCATED)
    vi, en = told.message_vi.splitlines(), told.message_en.splitlines()
    assert vi[2:4] == [
        "Bản đồ: geo:12.06000,108.45000",
        "Vị trí 12.06000, 108.45000 (± 270 m với 95 %), giao hướng nhìn của 2 camera: lang-biang-1, robin.",
    ]
    assert en[2:4] == [
        "Map: geo:12.06000,108.45000",
        "At 12.06000, 108.45000 (± 270 m with 95 %), where the bearings of 2 cameras cross: lang-biang-1, robin.",
    ]
    place = webhook_body(told)["data"]["place"]  # type: ignore[index]
    assert (place["located_by"], place["uncertainty_m"]) == ("crossing", 270.0)
    assert place["ellipse"] == {"semi_major_m": 270.0, "semi_minor_m": 90.0, "azimuth_deg": 40.0}
    assert [(each["camera_id"], each["azimuth_deg"]) for each in place["sightings"]] == [
        ("lang-biang-1", 15.0),
        ("robin", 300.0),
    ]


def test_why_there_is_no_position_is_said() -> None:
    told = notice(place_reason="one_bearing", maybe_same=("smoke-0002\n[x]",))
    assert "Chưa định vị được: " in told.message_vi
    assert "No position yet: " in told.message_en
    assert "smoke-0002 [x]" in told.message_en, "an id from outside forges no line"


def test_construction_names_the_broken_rule() -> None:
    told = notice(kind="construction", permit_rule="permit_revoked", permit_id="GP-12/2025", runbook="")
    assert "Giấy phép: giấy phép đã bị thu hồi (GP-12/2025)" in told.message_vi
    assert "Permit: the permit was revoked (GP-12/2025)" in told.message_en
    assert told.runbook_url.endswith("/runbooks/construction")


def test_what_is_not_known_is_left_out() -> None:
    told = notice(lon=None, lat=None, azimuth_deg=None, admin_unit="", place_vi="", place_en="", evidence="", cues=())
    assert "geo:" not in told.message_vi
    assert "Ở đâu: lang-biang-1" in told.message_vi
    assert "Ảnh: không có" in told.message_vi
    assert (told.map_link, told.evidence_url) == ("", "")


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", "http://x/runbooks/smoke"),
        ("/runbooks/smoke", "http://x/runbooks/smoke"),
        ("https://so.gov.vn/quy-trinh", "https://so.gov.vn/quy-trinh"),
        ("javascript:alert(1)", "http://x/runbooks/smoke"),
        ("//evil.example/x", "http://x/runbooks/smoke"),
        ("data:text/html,x", "http://x/runbooks/smoke"),
        ("https://a b", "http://x/runbooks/smoke"),
        ("https://a\nX: y", "http://x/runbooks/smoke"),
        ("runbooks/smoke", "http://x/runbooks/smoke"),
    ],
)
def test_runbook_link_is_a_web_address_or_ours(own: str, expected: str) -> None:
    assert runbook_url(incident(runbook=own), "http://x/") == expected


@pytest.mark.parametrize("hostile", ["a\x1b[2Jb", "a\r\nTo: all", "a\u202eb", "a\u2028b", "a\x07b", "a\u200bb"])
def test_control_characters_of_a_place_reach_no_terminal(hostile: str) -> None:
    block = console_block(notice(place_vi=hostile, place_en=hostile, incident_id="i", cues=(hostile,)))
    assert not {c for c in block if not c.isprintable()} - {"\n"}
    assert block.count("\n") == console_block(notice(place_vi="b", place_en="b", cues=("c",))).count("\n")


def test_webhook_body_is_the_same_on_every_try() -> None:
    body = webhook_body(notice())
    assert body == webhook_body(notice())
    assert (body["type"], body["timestamp"]) == ("incident.opened", NOW.isoformat())
    data = body["data"]
    assert isinstance(data, dict)
    assert data["incident"] == SMOKE.as_json()
    assert data["place"]["unit_name_vi"] == "Phường Lang Biang"
    assert data["evidence"]["ref"] == SMOKE.evidence
    assert set(data) == {"incident", "place", "evidence", "runbook_url", "message_vi", "message_en"}


def test_local_time_is_vietnamese_time() -> None:
    assert local_time(NOW + timedelta(hours=16)) == "00:30:00 23/11/2026"


@pytest.mark.parametrize("kind", sorted(KIND_WORDS))
def test_each_kind_of_incident_has_a_runbook_in_both_languages(kind: str) -> None:
    text = runbook_markdown(kind)
    assert text is not None
    assert "việc cần làm" in text.split("\n---\n")[0]
    assert "what to do" in text.split("\n---\n")[1]


@pytest.mark.parametrize("kind", ["../models", "..", "SMOKE", "smoke.md", "", "smoke/../smoke", "no_such_kind"])
def test_runbook_of_anything_else_is_none(kind: str) -> None:
    assert runbook_markdown(kind) is None
