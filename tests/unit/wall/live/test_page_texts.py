"""What the pages say: marks in words, ages, incidents, cameras; and that every colour can be read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from ioc.catalog.cameras import Camera
from ioc.coverage_facts import Span
from ioc.detections import Box, Detection
from ioc.frames import Frame
from ioc.wall.live.alerts import alerts_of
from ioc.wall.live.cameras import MAX_OFFERED, CameraBoard
from ioc.wall.live.kpis import WallKpi
from ioc.wall.live.map_layers import base_layers, camera_layers, cone, extent_of, incident_layers
from ioc.wall.live.palette import PALETTE, contrast
from ioc.wall.live.shown import shown_of, ticker_word
from ioc.wall.live.snapshot import PARTS, Owner, PartState, Snapshot
from ioc.wall.live.tiles import Group, Past, Reading, tile_of
from ioc.wall.live.views import program_of, slice_of
from ioc.wall.live.wording import age, amount, moment

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
KPI = WallKpi(
    id="online", metric="m", name_vi="Hồ sơ trực tuyến", name_en="Dossiers online", unit="ratio",
    family="public_services", window="day", target=0.8, direction="higher_is_better",
)  # fmt: skip
HEARD = {part: PartState(heard_at=NOW) for part in PARTS}
INCIDENT = {
    "incident_id": "smoke-1", "kind": "smoke", "state": "open", "severity": "critical", "camera_id": "cam-01",
    "place_vi": "Đồi Robin", "place_en": "Robin hill", "azimuth_deg": 90.0, "opened_at": "2026-11-22T06:48:00+00:00",
    "geo": {"type": "Point", "coordinates": [108.4, 11.9]},
}  # fmt: skip
CAMERA = Camera(camera_id="cam-01", name_vi="Đồi", lon=108.4, lat=11.9, poses={})


def snapshot(**changes: object) -> Snapshot:
    whole = Snapshot(revision=1, at=NOW, tiles=(), alerts=(), cameras=(), parts=HEARD)
    return replace(whole, **changes)  # type: ignore[arg-type]


def frame(number: int, at: datetime = NOW) -> Frame:
    return Frame(camera_id="cam-01", pose_id="p0", sequence=number, captured_at=at, sha256=f"{number:064}", jpeg=b"x")


def detection(number: int, at: datetime = NOW) -> Detection:
    return Detection(
        detection_id=f"d{number}", camera_id="cam-01", pose_id="p0", label="smoke", tier="alarm", score=0.9,
        box=Box(0.5, 0.5, 0.2, 0.4), frame_at=at, frame_sha256=f"{number:064}", frame_ref="", detector="smoke",
        detector_version="1", first_seen_at=at, persisted_s=1.0,
    )  # fmt: skip


def board() -> CameraBoard:
    return CameraBoard({"cam-01": CAMERA}, timedelta(minutes=5))


def span(minute: int, detector: str = "smoke", **reasons: int) -> Span:
    return Span(
        camera_id="cam-01",
        pose_id="p0",
        detector=detector,
        begins_at=NOW + timedelta(minutes=minute),
        expected=5,
        reasons=reasons,
    )


@pytest.mark.parametrize(
    ("told", "vi", "en"),
    [
        ([], "", ""),
        ([span(-5)], "", ""),
        ([span(-5, camera_fault=1)], "", ""),
        ([span(-5, camera_fault=5)], "NHÌN ĐƯỢC 0 %: hỏng, bị che", "SEES 0 %: fault, covered"),
        ([span(-5, offline=5), span(-5, "camera_health")], "NHÌN ĐƯỢC 50 %: không có hình", "SEES 50 %: no frames"),
        ([span(-5), span(-10, offline=5)], "", ""),
        ([span(-25, offline=5)], "", ""),
    ],
    ids=["nothing told", "all seen", "most seen", "none seen", "one of two detectors", "the newest counts", "long ago"],
)
def test_a_camera_with_a_picture_that_nobody_can_see_through_says_so(told: list[Span], vi: str, en: str) -> None:
    seen = board()
    seen.take_picture(frame(1), b"small")
    for each in told:
        seen.take_coverage(each)
    for language, says in (("vi", vi), ("en", en)):
        (text,) = shown_of(snapshot(cameras=seen.views(NOW)), {}, {}, language).cameras  # type: ignore[arg-type]
        assert (text.labels, text.is_unseen) == (says, bool(says))


def test_building_work_says_what_the_law_says_and_how_far_it_is() -> None:
    case = {"judgements": [], "stages": [{"stage": "foundation"}, {"stage": "roof", "storeys": 2}]}
    row = {**INCIDENT, "kind": "construction", "permit_rule": "no_permit", "case": case}
    for language, says in (
        ("vi", "thửa đất không có giấy phép · lợp mái"),
        ("en", "the parcel has no permit · roof"),
    ):
        (text,) = shown_of(snapshot(alerts=alerts_of({"incidents": [row]})), {}, {}, language).alerts  # type: ignore[arg-type]
        assert text.place.endswith(says)
    for broken in ({"case": 3}, {"case": {"stages": 3}}, {"permit_rule": ""}, {"case": {"stages": [3]}}):
        alerts_of({"incidents": [{**row, **broken}]})


def test_every_colour_can_be_read_on_what_it_stands_on() -> None:
    for ink, ground in product(("text", "muted", "good", "bad", "warn", "info"), ("ground", "card")):
        assert contrast(getattr(PALETTE, ink), getattr(PALETTE, ground)) >= 4.5, (ink, ground)
    for name in ("good", "bad", "warn", "info"):
        assert contrast(getattr(PALETTE, f"on_{name}"), getattr(PALETTE, name)) >= 7, name


def test_marks_stand_in_words_in_both_languages() -> None:
    reading = Reading(value=0.9, as_of=NOW, is_stale=True, is_manual=True)
    found = {}
    for language in ("vi", "en"):
        (tile,) = shown_of(snapshot(tiles=(tile_of(KPI, reading),)), {}, {}, language).tiles
        found[language] = [tile.standing.text, *(mark.text for mark in tile.marks)]
        assert tile.look == "warn", "what is stale is never green"
    assert found == {"vi": ["⏱ CŨ", "✎ NHẬP TAY"], "en": ["⏱ STALE", "✎ MANUAL"]}


def test_a_figure_without_a_value_shows_a_dash_and_why() -> None:
    tile = tile_of(KPI, Reading(denominator=0.0))
    (text,) = shown_of(snapshot(tiles=(tile,)), {}, {}, "vi").tiles
    assert (text.number, text.unit, text.trend) == ("—", "", "kỳ này chưa có gì để tính")


def test_figures_that_are_a_memory_lose_their_colour_and_say_since_when() -> None:
    parts = HEARD | {"figures": PartState(heard_at=NOW - timedelta(minutes=3), trouble="TimeoutError")}
    shown = shown_of(snapshot(tiles=(tile_of(KPI, Reading(value=0.9, as_of=NOW)),), parts=parts), {}, {}, "en")
    assert shown.blind == "figures: not heard since 13:57"
    assert shown.tiles[0].look == "warn"
    assert shown.tiles[0].marks[0].text == "OLD SINCE 13:57"


def test_the_phone_says_what_got_worse_where_whose_it_is_and_since_when() -> None:
    tile = tile_of(
        KPI, Reading(value=0.5, as_of=NOW), [Past(period="2026-11-21", value=0.6)], [Group(code="24778", value=0.1)]
    )
    met = tile_of(replace(KPI, id="met"), Reading(value=0.9, as_of=NOW))
    owners = {"online": Owner(title_vi="Văn phòng", title_en="Office", contact="0263 1")}
    units = {"24778": ("Phường Lâm Viên", "Lam Vien ward")}
    (worse,) = shown_of(snapshot(tiles=(tile, met)), owners, units, "vi").worse
    assert (worse.where, worse.owner) == ("Phường Lâm Viên 10,0 %", "Văn phòng · 0263 1")
    assert worse.since == "không đạt từ kỳ 2026-11-21"
    assert worse.tile.trend == "↘ xấu đi · hôm qua 60,0 %"


def test_incidents_come_gravest_and_newest_first_and_those_that_are_over_not_at_all() -> None:
    rows = [
        {**INCIDENT, "incident_id": "w", "severity": "warning"},
        {**INCIDENT, "incident_id": "old", "opened_at": "2026-11-22T05:00:00+00:00"},
        {**INCIDENT, "incident_id": "over", "state": "resolved"},
        {**INCIDENT, "incident_id": "seen", "state": "candidate"},
        {**INCIDENT, "incident_id": "new", "state": "acknowledged", "owner_name": "Lan", "is_exercise": True},
        "no incident",
    ]
    alerts = alerts_of({"incidents": rows})
    assert [alert.incident_id for alert in alerts] == ["new", "old", "w", "seen"]
    *texts, _ = shown_of(snapshot(alerts=alerts), {}, {}, "vi").alerts
    assert texts[0].title.startswith("DIỄN TẬP · ")
    assert [text.holder for text in texts] == ["đã nhận: Lan", "CHƯA AI NHẬN", "CHƯA AI NHẬN"]
    assert texts[0].since == "13:48 (12 phút)"
    with pytest.raises(ValueError):
        alerts_of([])


def test_an_early_sight_stands_last_says_that_it_is_unconfirmed_and_makes_no_sound() -> None:
    early = {**INCIDENT, "incident_id": "early", "oncall_state": "candidate", "opened_at": "2026-11-22T06:59:00+00:00"}
    alerts = alerts_of({"incidents": [INCIDENT]}, {"incidents": [early, early]})
    assert [(alert.incident_id, alert.is_candidate) for alert in alerts] == [("smoke-1", False), ("early", True)]
    for language, severity, holder in (
        ("vi", "◇ THEO DÕI", "CHƯA XÁC NHẬN, chưa gọi ai"),
        ("en", "◇ WATCHING", "UNCONFIRMED, nobody is called"),
    ):
        shown = shown_of(snapshot(alerts=alerts), {}, {}, language)  # type: ignore[arg-type]
        _, text = shown.alerts
        assert (text.severity.text, text.severity.look, text.holder, text.is_candidate) == (
            severity,
            "info",
            holder,
            True,
        )
        assert [alert.incident_id for alert in shown.alerts if not alert.is_candidate] == ["smoke-1"]
    _, cone_of_early = (layer for layer in incident_layers(alerts, board().views(NOW)) if "cone" in layer.key)
    assert cone_of_early.arguments[1]["dashArray"] == "2 8"


@pytest.mark.parametrize(
    ("opened", "watched", "word"),
    [
        (0, 0, "Không có sự cố đang mở"),
        (0, 5, "Không có sự cố đang mở · 2 dấu hiệu đang theo dõi"),
        (2, 1, ""),
        (2, 3, "2 dấu hiệu đang theo dõi"),
        (5, 1, "và 2 sự cố khác · 1 dấu hiệu đang theo dõi"),
    ],
)
def test_the_ticker_says_what_it_has_no_room_for(opened: int, watched: int, word: str) -> None:
    rows = [{**INCIDENT, "incident_id": f"o{n}"} for n in range(opened)]
    rows += [{**INCIDENT, "incident_id": f"w{n}", "state": "candidate"} for n in range(watched)]
    shown = shown_of(snapshot(alerts=alerts_of({"incidents": rows})), {}, {}, "vi")
    assert ticker_word(shown, 3, "vi") == word


def test_boxes_stand_on_their_own_picture_and_a_former_one_is_marked() -> None:
    cameras = board()
    later = NOW + timedelta(seconds=3)
    cameras.offer(frame(1))
    cameras.offer(frame(2, later))
    cameras.take_detection(detection(1))
    (chosen,) = cameras.chosen()
    assert chosen.sequence == 1, "the judged one, though a newer is there"
    cameras.take_picture(chosen, b"small")
    (view,) = cameras.views(NOW)
    assert [box.is_of_picture for box in view.boxes] == [True]
    assert cameras.jpeg("cam-01", view.picture) == b"small"
    cameras.offer(frame(3, later))
    cameras.take_picture(cameras.chosen()[0], b"smaller")
    assert [box.is_of_picture for box in cameras.views(later)[0].boxes] == [False]
    assert cameras.jpeg("cam-01", view.picture) == b"small", "a page may still ask for it"
    text = shown_of(snapshot(cameras=cameras.views(later)), {}, {}, "en").cameras[0]
    assert 'class="box alarm former" x="40.00%" y="30.00%" width="20.00%" height="40.00%"' in text.overlay


def test_a_camera_is_blind_once_its_promise_is_broken() -> None:
    cameras = board()
    text = shown_of(snapshot(cameras=cameras.views(NOW)), {}, {}, "vi").cameras[0]
    assert (text.words, text.is_blind) == ("CHƯA CÓ HÌNH", True)
    cameras.offer(frame(1))
    cameras.take_picture(cameras.chosen()[0], b"x")
    assert not cameras.views(NOW + timedelta(minutes=5))[0].is_blind
    late = NOW + timedelta(minutes=5, seconds=1)
    text = shown_of(snapshot(at=late, cameras=cameras.views(late)), {}, {}, "vi").cameras[0]
    assert (text.words, text.is_blind, text.overlay) == ("MẤT HÌNH TỪ 14:00", True, "")


def test_a_cameras_frames_are_held_in_a_bounded_number() -> None:
    cameras = board()
    for number in range(100):
        cameras.offer(frame(number, NOW + timedelta(seconds=number)))
    assert len(cameras._offered["cam-01"]) == MAX_OFFERED
    assert cameras.chosen()[0].sequence == 99
    assert cameras.chosen() == []
    cameras.offer(replace(frame(1), camera_id="unknown"))
    assert cameras.chosen() == []


@pytest.mark.parametrize(
    ("view", "rotate", "views", "every_s"),
    [
        ("", "", ("overview",), None),
        ("map,nowhere,soc,map", "", ("map", "soc"), None),
        ("", "30s", ("overview", "figures", "cameras", "map", "soc"), 30),
        ("map", "2m", ("map",), 120),
        ("map", "1", ("map",), 5),
        ("<script>", "x", ("overview",), None),
    ],
)
def test_an_address_says_which_views_turn(
    view: str, rotate: str, views: tuple[str, ...], every_s: float | None
) -> None:
    program = program_of(view, rotate, ["soc"])
    assert (program.views, program.every_s) == (views, every_s)


def test_a_view_that_does_not_fit_is_shown_in_parts() -> None:
    assert [slice_of(20, 8, turn) for turn in range(4)] == [(0, 8), (8, 16), (16, 20), (0, 8)]
    assert slice_of(0, 8, 3) == (0, 0)


@pytest.mark.parametrize(
    ("unit", "value", "vi", "en"),
    [
        ("ratio", 0.98536, ("98,5", "%"), ("98.5", "%")),
        ("seconds", 45.0, ("45", "giây"), ("45", "s")),
        ("seconds", 5400.0, ("90", "phút"), ("90", "min")),
        ("seconds", 9000.0, ("2,5", "giờ"), ("2.5", "h")),
        ("dossiers", 12345.0, ("12.345", "hồ sơ"), ("12,345", "dossiers")),
        ("transactions", 2_500_000.0, ("2,5", "triệu giao dịch"), ("2.5", "M transactions")),
        ("megabits_per_second", 2e8, ("200", "Mbit/s"), ("200", "Mbit/s")),
    ],
)
def test_amounts_are_written_as_people_read_them(
    unit: str, value: float, vi: tuple[str, str], en: tuple[str, str]
) -> None:
    kpi = replace(KPI, unit=unit)
    assert (amount(kpi, value, "vi"), amount(kpi, value, "en")) == (vi, en)


def test_times_and_ages_are_local_and_short() -> None:
    assert moment(NOW, NOW) == "14:00"
    assert moment(NOW - timedelta(days=1), NOW) == "21/11 14:00"
    assert moment(NOW - timedelta(days=400), NOW) == "18/10/2025"
    spans = (timedelta(seconds=-5), timedelta(seconds=59), timedelta(minutes=90), timedelta(hours=3), timedelta(days=3))
    assert [age(span, "en") for span in spans] == ["0 s", "59 s", "90 min", "3 h", "3 d"]


def test_the_map_holds_cameras_and_cones_on_a_ground_of_our_own() -> None:
    extent = extent_of([(108.4, 11.9)])
    base = base_layers(extent, None)
    assert {layer.factory for layer in base} == {"polyline", "tooltip"}
    (own,) = base_layers(extent, {"type": "FeatureCollection", "features": []})
    assert own.factory == "geoJSON"
    views = board().views(NOW)
    alerts = alerts_of({"incidents": [INCIDENT, {**INCIDENT, "incident_id": "x", "geo": None, "camera_id": ""}]})
    assert [layer.factory for layer in camera_layers(views)] == ["circleMarker"]
    assert [layer.factory for layer in incident_layers(alerts, views)] == ["polygon", "circleMarker", "tooltip"]
    tip, left, middle, right = cone(108.4, 11.9, 90.0)
    assert tip == [11.9, 108.4]
    assert left[0] > middle[0] > right[0], "it looks east"
    assert middle[1] == pytest.approx(108.51, abs=0.01)


def test_the_map_shows_a_located_fire_with_its_ellipse_and_a_ray_from_every_camera_that_sees_it() -> None:
    views = [
        replace(board().views(NOW)[0], camera=replace(CAMERA, camera_id=f"cam-0{n}", lon=108.4 + n / 10))
        for n in (1, 2)
    ]
    located = {
        **INCIDENT,
        "located_by": "crossing",
        "geo": {"type": "Point", "coordinates": [108.55, 11.95]},
        "ellipse": {"semi_major_m": 300.0, "semi_minor_m": 90.0, "azimuth_deg": 0.0},
        "sightings": [
            {"camera_id": "cam-01", "azimuth_deg": 44.5},
            {"camera_id": "cam-02", "azimuth_deg": 315.5},
            {"camera_id": "cam-77", "azimuth_deg": 10.0},
            {"camera_id": "cam-02", "azimuth_deg": None},
        ],
    }
    layers = incident_layers(alerts_of({"incidents": [located]}), views)
    assert [layer.factory for layer in layers] == ["polygon", "polyline", "polyline", "circleMarker", "tooltip"]
    ellipse, ray, _, point, label = (layer.arguments for layer in layers)
    lats = [lat for lat, _ in ellipse[0]]
    assert (max(lats) - min(lats)) * 111_000 == pytest.approx(600, abs=10)
    assert ray[0][0] == [11.9, 108.5]
    assert ray[0][1] == pytest.approx([11.95, 108.55], abs=0.005)
    assert point[0] == [11.95, 108.55]
    assert point[1]["fillColor"] == point[1]["color"], "a located fire is a full point"
    assert "wall-located" in label[1]["className"]
    for broken in ({"ellipse": None}, {"located_by": "camera"}, {"ellipse": {"semi_major_m": "x"}}, {"sightings": "x"}):
        drawn = incident_layers(alerts_of({"incidents": [{**located, **broken}]}), views)
        assert [layer.factory for layer in drawn][-2:] == ["circleMarker", "tooltip"], broken
    moved = {**located, "geo": {"type": "Point", "coordinates": [108.56, 11.95]}}
    keys = {layer.key for layer in layers}
    assert keys.isdisjoint(layer.key for layer in incident_layers(alerts_of({"incidents": [moved]}), views))
