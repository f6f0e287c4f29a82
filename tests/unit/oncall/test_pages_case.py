"""The case of building work on its incident's page: what holds, what held before, and what was built when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ioc.adapters.case_stills import CaseStill
from ioc.building_case import BuildingCase, Decision, Finding, Judged, StageSeen
from ioc.case_terms import CaseTerm
from ioc.incidents import Incident
from ioc.oncall.pages import Frame, Language
from ioc.oncall.pages_case import before_and_after, case_section
from tests.unit.oncall.making import NOW, incident
from tests.unit.oncall.test_pages import SCRIPT, TURNED, frame

LATE = BuildingCase(
    judgements=(
        Judged(at=NOW - timedelta(days=5), rule="no_permit"),
        Judged(at=NOW - timedelta(days=1), rule="permit_valid", permit_id="GPXD-2026-0117"),
    ),
    stages=(
        StageSeen(at=NOW - timedelta(days=6), stage="foundation"),
        StageSeen(at=NOW - timedelta(days=2), stage="frame", storeys=2),
    ),
    storeys=2,
    forbidden_at=NOW - timedelta(hours=30),
    is_confirmed=True,
    parcel_id="24778-0012-0345",
    agency="H36.42",
    decision=Decision(decided_at=NOW, field="construction", fine_vnd=5_000_000),
)


def building(case: BuildingCase | None = LATE, kind: str = "construction") -> Incident:
    return incident(kind=kind, case=case)


def still(days: float, mark: str) -> CaseStill:
    return CaseStill(at=incident().first_frame_at + timedelta(days=days), sha256=mark * 64)


def section(of: Incident, language: Language = "vi", stills: tuple[CaseStill, ...] = ()) -> str:
    around: Frame = frame(language)
    return case_section(around, of, lambda code: (f"UBND {code}", f"Committee {code}"), stills, "/incidents/x")


def test_a_late_permit_is_judged_again_and_both_judgements_stay() -> None:
    html = section(building())
    for part in (
        "hợp pháp</strong>: có giấy phép còn hiệu lực",
        "vi phạm</strong>: thửa đất không có giấy phép",
        "đánh giá lại",
        "GPXD-2026-0117",
        "24778-0012-0345",
        "UBND H36.42",
        "làm móng",
        "dựng khung, tường",
        "phạt 5.000.000 đ",
        "không phải khi camera thấy",
    ):
        assert part in html
    assert html.index("thửa đất không có giấy phép") < html.rindex("có giấy phép còn hiệu lực")


def test_the_english_page_has_english_words_only() -> None:
    html = section(building(), "en")
    for part in ("Building case", "lawful</strong>: a valid permit covers it", "judged again", "foundation",
                 "Committee H36.42", "fine VND 5,000,000"):  # fmt: skip
        assert part in html
    assert "Giấy phép" not in html


def term(name: str, due_days: float, met_days: float | None = None) -> CaseTerm:
    met_at = None if met_days is None else NOW + timedelta(days=met_days)
    return CaseTerm(
        name=name, name_vi=f"hạn {name}", name_en=f"term {name}", basis="Điều 66", since=NOW - timedelta(days=20),
        due_at=NOW + timedelta(days=due_days), met_at=met_at,
    )  # fmt: skip


def test_terms_are_shown_with_their_last_day_and_whether_they_are_over() -> None:
    terms = (term("a", 3), term("b", -1), term("c", 3, -1), term("d", -3, -1))
    case = BuildingCase(terms=terms, finding=Finding(found_at=NOW - timedelta(days=20)))
    html = section(building(case))
    for part in (
        'hạn a</bdi> · <strong class="">đang tính</strong> · hạn cuối 24/11/2026',
        "QUÁ HẠN</strong> · hạn cuối 20/11/2026",
        "đã xong đúng hạn",
        "đã xong, trễ hạn",
        "Điều 66",
        "pháp chế là nơi quyết định",
    ):
        assert part in html
    assert 'term b</bdi> · <strong class="bad">OVERDUE</strong> · last day 20/11/2026' in section(building(case), "en")


@pytest.mark.parametrize("kind", ["smoke", "covered"])
def test_other_incidents_have_no_case(kind: str) -> None:
    assert section(building(kind=kind)) == ""


def test_a_case_of_which_little_is_known_says_so() -> None:
    for html in (section(building(None)), section(building(BuildingCase()))):
        for part in (
            "Chưa có đánh giá nào",
            "không có giấy phép nào",
            "chưa khai báo trong danh mục camera",
            "chưa có",
        ):
            assert part in html
        assert "<h3>" not in html


def test_before_is_the_last_still_before_the_work_and_after_the_newest() -> None:
    stills = (still(-3, "a"), still(-1, "b"), still(0, "c"), still(9, "d"))
    before, after = before_and_after(building(), stills)
    assert before is not None
    assert after is not None
    assert (before.sha256[0], after.sha256[0]) == ("b", "d")
    html = section(building(), stills=stills)
    assert f"/incidents/x/stills/{'b' * 64}" in html
    assert f"/incidents/x/stills/{'d' * 64}" in html


def test_without_a_still_from_before_the_page_says_so() -> None:
    html = section(building(), stills=(still(0, "c"),))
    assert "Không còn ảnh nào trước khi phát hiện" in html
    assert section(building(), stills=(still(-1, "b"),)).count("<img") == 0, "before alone is no pair"


@pytest.mark.parametrize("hostile", [SCRIPT, TURNED])
def test_hostile_text_of_a_case_stays_text(hostile: str) -> None:
    case = BuildingCase(
        judgements=(Judged(at=NOW, rule=hostile, permit_id=hostile),),
        stages=(StageSeen(at=NOW, stage=hostile),),
        parcel_id=hostile,
        agency=hostile,
        decision=Decision(decided_at=NOW, field=hostile),
        terms=(replace(term("a", 1), name_vi=hostile, basis=hostile),),
    )
    html = case_section(frame(), building(case), lambda code: (hostile, hostile), (), "/incidents/x")
    assert "<script>" not in html
    assert "<img src=x" not in html
    assert "\u202e" not in html
