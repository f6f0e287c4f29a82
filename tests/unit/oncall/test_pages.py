import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from ioc.incidents import Incident
from ioc.oncall.accounts import Visitor
from ioc.oncall.checklists import checklist_of
from ioc.oncall.lifecycle import Life
from ioc.oncall.pages import SECURITY_HEADERS, Frame, Language, runbook_page, static_file, user_lines
from ioc.oncall.pages_inbox import InboxShown, Shown, clock_time, inbox_page, inbox_region
from ioc.oncall.pages_incident import IncidentShown, incident_page
from ioc.oncall.pages_map import map_svg
from ioc.oncall.pages_report import report_page
from ioc.oncall.pages_words import WORDS, age
from ioc.oncall.store_reading import AuditRow, CommentRow, InboxRow, IncidentView, NoticeRow, TickRow
from ioc.oncall.web import runbook_markdown
from ioc.oncall.web_reading import Choices, Wanted
from tests.unit.oncall.making import DIGEST, LOCATED, NOW, incident, sighting, unit_names

SCRIPT = '<script>alert("x")</script>"\'><img src=x onerror=alert(1)>'
TURNED = "safe\u202etxt.exe\u2066"
OPERATOR = Visitor(login="lan", actor_id="lan", name="Lan", role="operator", csrf_token="secret-token")
LIFE = Life(state="open", episode=1, opened_at=NOW - timedelta(minutes=3))


def frame(language: Language = "vi", visitor: Visitor = OPERATOR, **changes: object) -> Frame:
    return replace(Frame(language=language, path="/", visitor=visitor, now=NOW), **changes)  # type: ignore[arg-type]


def row(of: Incident, life: Life = LIFE, **changes: object) -> InboxRow:
    known = InboxRow(
        incident_id=of.incident_id,
        payload=of.as_json(),
        alerted_at=None,
        first_notified_at=None,
        source="camera",
        kind=of.kind,
        severity=of.severity,
        unit=of.admin_unit,
        life=life,
        is_exercise=False,
        received_at=NOW,
        changed_at=NOW,
        held_until=None,
        held_reason="",
        policy="fire",
        chain_step=1,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def shown(of: Incident, life: Life = LIFE, **changes: object) -> Shown:
    return Shown(row=row(of, life, **changes), incident=of, acknowledge_within=timedelta(minutes=2))


def inbox(found: Sequence[Shown], around: Frame | None = None, **changes: object) -> str:
    around = around or frame()
    choices = Choices(counts={"open": len(found)}, kinds=("smoke",), units=("24846", ""))
    listed = InboxShown(wanted=Wanted(), rows=found, choices=choices, **changes)  # type: ignore[arg-type]
    return inbox_page(around, inbox_region(around, listed, unit_names))


def view(of: Incident, text: str = "Đang lên", name: str = "Lan", life: Life = LIFE) -> IncidentView:
    who = {"actor_id": "lan", "actor_name": name}
    audit = AuditRow(
        audit_id=1, at=NOW, role="operator", door="web", action="resolve", state="open", episode=1,
        detail={"verdict": "true_positive"}, **who,
    )  # fmt: skip
    notice = NoticeRow(
        entry_id=1, purpose="opened", level=1, channel="telegram", recipient="lan", name=name, status="failed",
        attempts=3, created_at=NOW, sent_at=None, last_error=text, fallback_of=None, facts={},
    )  # fmt: skip
    return IncidentView(
        row=row(of, life),
        audit=(audit,),
        comments=(CommentRow(comment_id=1, at=NOW, text=text, **who),),
        ticks=(TickRow(step="1. Xem ảnh", is_done=True, at=NOW, **who),),
        notices=(notice,),
        timers={},
    )


def incident_html(of: Incident, around: Frame | None = None, life: Life = LIFE, **changes: str) -> str:
    seen = view(of, life=life, **changes)
    steps = checklist_of(runbook_markdown("smoke") or "", "vi")
    whole = IncidentShown(shown=shown(of, life), view=seen, steps=steps, people={"minh": changes.get("name", "Minh")})
    around = around or frame()
    return incident_page(around, whole, unit_names) + report_page(around, whole, unit_names)


def test_inbox_shows_what_where_since_when_and_that_nobody_has_it() -> None:
    html = inbox([shown(incident())])
    for part in ("Nghi có khói, cháy", "Chòi canh Lang Biang", "08:28", "chưa ai nhận", "3 phút", "quá hạn nhận",
                 "khẩn cấp", "Phường Lang Biang", "/incidents/smoke-0001/picture?small=1"):  # fmt: skip
        assert part in html


def test_inbox_in_english_has_english_words_only() -> None:
    html = inbox([shown(incident())], frame("en"))
    for part in ('lang="en"', "Lang Biang watchtower", "nobody has it for", "Acknowledge", "Tiếng Việt"):
        assert part in html
    assert "chưa ai nhận" not in html


def test_empty_inbox_says_so() -> None:
    assert WORDS["vi"]["none"] in inbox([])


def test_exercise_is_marked_in_words() -> None:
    assert "DIỄN TẬP" in inbox([shown(incident(), is_exercise=True)])


def test_reader_gets_no_button_to_act() -> None:
    around = frame(visitor=Visitor())
    page = inbox([shown(incident())], around) + incident_html(incident(), around)
    assert 'class="main ack"' not in page
    assert "/comment" not in page


@pytest.mark.parametrize(
    ("life", "part"),
    [
        (replace(LIFE, state="acknowledged", owner="minh", owner_name="Minh", eta_at=NOW), "Minh đang xử lý"),
        (replace(LIFE, snoozed_until=NOW + timedelta(hours=1)), "hoãn đến 09:30"),
        (replace(LIFE, state="resolved", closed_at=NOW, closed_by="minh"), "minh đóng lúc 08:30"),
    ],
    ids=["acknowledged", "snoozed", "closed"],
)
def test_inbox_says_who_has_it(life: Life, part: str) -> None:
    assert part in inbox([shown(incident(), life)])


@pytest.mark.parametrize("hostile", [SCRIPT, TURNED, "javascript:alert(1)"])
@pytest.mark.parametrize(
    "field", ["place_vi", "place_en", "camera_id", "runbook", "evidence", "incident_id", "pose_id"]
)
def test_hostile_text_in_any_field_stays_text(field: str, hostile: str) -> None:
    if field == "incident_id":  # the intake takes printable ones alone
        hostile = hostile.replace("\u202e", "").replace("\u2066", "")
    changes = {"place_vi": "" if field in ("place_en", "camera_id") else "p", field: hostile}
    assert_harmless(inbox([shown(incident(**changes))]) + incident_html(incident(**changes)))


@pytest.mark.parametrize("hostile", [SCRIPT, TURNED, "javascript:alert(1)"])
def test_hostile_comment_name_title_and_error_stay_text(hostile: str) -> None:
    titled = incident(
        kind="alert_x", camera_id="", place_vi=hostile, place_en=hostile, extra={"description_vi": hostile}
    )
    assert_harmless(incident_html(titled, text=hostile, name=hostile))
    assert_harmless(inbox([shown(titled)], frame(troubles=((hostile, hostile),), notice=hostile, refusal=hostile)))


def assert_harmless(html: str) -> None:
    tags = [re.sub(r'"[^"]*"', '""', tag) for tag in re.findall(r"<[^>]*>", html)]
    scripts = [tag for tag in tags if tag.startswith("<script")]
    assert scripts == ['<script src="" defer>'] * html.count("<!doctype")
    assert not [tag for tag in tags if re.search(r"\son\w+=", tag)]
    assert not re.search(r"(href|src|action)=\"javascript:", html)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)


def test_pages_name_no_outside_address_and_no_inline_script_or_style() -> None:
    html = inbox([shown(incident())]) + incident_html(incident())
    html += runbook_page("smoke", runbook_markdown("smoke") or "", language="vi")
    files = (static_file("oncall.css") + static_file("oncall.js")).decode()
    assert not re.search(r"https?://|[\"'(]//[a-z]|@import|url\(", html + files)
    assert not re.search(r"<script(?! src=\"/oncall\.js\" defer>)|\sstyle=|<style", html)


def test_content_policy_lets_nothing_in_from_outside() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_form_of_every_page_holds_the_sessions_token() -> None:
    html = incident_html(incident()) + inbox([shown(incident())])
    forms = re.findall(r'<form[^>]*method="post".*?</form>', html, flags=re.DOTALL)
    assert len(forms) > 8
    assert all('name="csrf" value="secret-token"' in form for form in forms)


def test_the_inboxs_list_holds_no_token_so_that_it_can_be_shared() -> None:
    around = frame()
    listed = InboxShown(wanted=Wanted(), rows=[shown(incident())], choices=Choices(counts={}, kinds=(), units=()))
    assert "secret-token" not in inbox_region(around, listed, unit_names)


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    names = {name: set(re.findall(r"{(\w+)}", text)) for name, text in WORDS["vi"].items()}
    assert names == {name: set(re.findall(r"{(\w+)}", text)) for name, text in WORDS["en"].items()}


def test_box_is_drawn_where_it_lies() -> None:
    assert '<rect class="box" x="45.00" y="35.00" width="10.00" height="10.00"/>' in incident_html(incident())


def test_closing_asks_for_a_verdict() -> None:
    html = incident_html(incident())
    for verdict in ("true_positive", "false_positive", "other_smoke", "unsure"):
        assert f'name="verdict" value="{verdict}" required' in html


def test_closed_incident_offers_to_open_it_again() -> None:
    closed = replace(LIFE, state="resolved", closed_at=NOW, closed_by="lan", verdict="unsure")
    html = incident_html(incident(), life=closed)
    assert "/incidents/smoke-0001/reopen" in html
    assert "/incidents/smoke-0001/close" not in html
    assert "Không rõ" in html


def test_report_has_the_times_and_the_verdict() -> None:
    life = replace(LIFE, state="resolved", acknowledged_at=NOW - timedelta(minutes=2), closed_at=NOW, closed_by="lan",
                   verdict="true_positive")  # fmt: skip
    html = incident_html(incident(), life=life).split("<!doctype")[2]
    for part in ("Báo cáo sau sự cố", "3 phút", "Đúng: có sự cố thật", f"{DIGEST[:12]}"):
        assert part in html


@pytest.mark.parametrize(
    ("azimuth_deg", "tip"),
    [(0.0, "L160.0 22.0"), (90.0, "L298.0 160.0"), (-90.0, "L22.0 160.0"), (540.0, "L160.0 298.0")],
)
def test_map_turns_the_fan_clockwise_from_north(azimuth_deg: float, tip: str) -> None:
    assert f'class="axis" d="M160.0 160.0{tip}"' in map_svg(incident(azimuth_deg=azimuth_deg), language="vi", label="x")


def test_map_without_a_bearing_has_no_fan() -> None:
    assert "fan" not in map_svg(incident(azimuth_deg=None), language="en", label="x")


def test_map_of_a_located_fire_has_its_ellipse_and_every_bearing_from_its_cameras_side() -> None:
    drawn = map_svg(incident(**LOCATED), language="vi", label="x")
    assert 'rx="24.8" ry="74.5" transform="rotate(40.0 160.0 160.0)"' in drawn, "90 and 270 m of 500 m"
    assert re.findall(r">([\d,]+ k?m)</text>", drawn) == ["100 m", "300 m", "500 m"]
    assert "M279.5 229.0L160.0 160.0" in drawn, "who looks to 300° stands at 120°"
    assert "robin</text>" in drawn
    assert 'class="fire"' in drawn


@pytest.mark.parametrize(
    ("long_m", "rings"),
    [(20, ["20 m", "60 m", "100 m"]), (1500, ["500 m", "1.5 km", "2.5 km"]), (90_000, ["10 km", "30 km", "50 km"])],
)
def test_rings_of_the_map_fit_the_ellipse(long_m: float, rings: list[str]) -> None:
    wide = replace(LOCATED["ellipse"], semi_major_m=long_m)
    drawn = map_svg(incident(**{**LOCATED, "ellipse": wide}), language="en", label="x")
    assert re.findall(r">([\d.]+ k?m)</text>", drawn) == rings


def test_map_without_a_place_has_a_fan_as_wide_as_each_bearing_of_its_camera_is_known() -> None:
    seen = (sighting("lang-biang-1", 90.0, azimuth_sd_deg=5.0), sighting("robin", 300.0))
    drawn = map_svg(incident(sightings=seen), language="en", label="x")
    assert drawn.count('class="fan"') == 1, "where robin stands is not known"
    assert "L295.9 136.0" in drawn, "from 80° to 100°"


def test_page_says_whose_place_the_coordinates_are() -> None:
    assert "Vị trí camera: <code>" in incident_html(incident())
    located = incident_html(incident(**LOCATED))
    assert "Vị trí camera: <code>" not in located
    assert "<dt>Định vị</dt>" in located
    assert "Vị trí 12.06000, 108.45000 (± 270 m với 95 %)" in located
    assert "hình elip" in located


@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (-5, "0 giây", "0 s"),
        (59, "59 giây", "59 s"),
        (180, "3 phút", "3 min"),
        (7200, "2 giờ", "2 h"),
        (200_000, "2 ngày", "2 d"),
    ],
)
def test_age_is_written_in_one_unit(seconds: int, vi: str, en: str) -> None:
    assert (age(timedelta(seconds=seconds), "vi"), age(timedelta(seconds=seconds), "en")) == (vi, en)


def test_times_of_another_day_say_which() -> None:
    assert clock_time(NOW, NOW) == "08:30"
    assert clock_time(NOW - timedelta(days=1), NOW) == "08:30 21/11"


def test_lines_of_a_comment_are_kept() -> None:
    assert user_lines("a\nb <i>") == "<bdi>a</bdi><br><bdi>b &lt;i&gt;</bdi>"


def test_runbook_shows_the_asked_language_first() -> None:
    text = runbook_markdown("smoke") or ""
    vi, en = (runbook_page("smoke", text, language=language) for language in ("vi", "en"))
    assert vi.index("Xem ảnh") < vi.index("Look at the picture")
    assert en.index("Look at the picture") < en.index("Xem ảnh")


def test_runbook_markdown_becomes_a_list_and_raw_html_is_escaped() -> None:
    html = runbook_page("smoke", "# T\n\n1. **a**\n\n<script>x</script>\n\n[l](javascript:x)", language="vi")
    assert "<ol>" in html
    assert "<script>" not in html
    assert 'href="javascript' not in html


def test_checklist_is_the_runbooks_numbered_list() -> None:
    text = runbook_markdown("smoke") or ""
    vi, en = checklist_of(text, "vi"), checklist_of(text, "en")
    assert [step.step for step in vi][:2] == ["1. Xem ảnh", "2. Phân biệt nhanh"]
    assert [step.step for step in en] == [step.step for step in vi]
    assert en[0].lead == "Look at the picture"
    assert "<ul>" in vi[2].html


def test_checklist_of_a_text_without_numbers_is_empty() -> None:
    assert checklist_of("# T\n\n- a\n- b", "vi") == ()
