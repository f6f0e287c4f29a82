"""A case of building work on the page of its incident: the law, the parcel, what was built when, before and after.

Pure. What is shown is what the product knows: terms of the law run from what people are known to have done. Judgements
and stages are a history: a permit that came late judges the same work again, and both lines stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ioc.adapters.case_stills import CaseStill
from ioc.building_case import BUILDING_KINDS, LEGAL, BuildingCase, Decision, Judged, StageSeen
from ioc.case_terms import CaseTerm
from ioc.incidents import Incident
from ioc.oncall.notices import UnitNames
from ioc.oncall.notices_lines import RULE_WORDS, local_time
from ioc.oncall.pages import Frame, pick, user_text

__all__ = ["STAGE_WORDS", "before_and_after", "case_section"]

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "case": ("Hồ sơ công trình", "Building case"),
        "none_yet": ("Chưa có đánh giá nào.", "Not judged yet."),
        "rule": ("Đánh giá hiện tại", "Judged now"),
        "permit": ("Giấy phép", "Permit"),
        "no_permit": ("không có giấy phép nào của thửa đất", "none of this parcel"),
        "parcel": ("Thửa đất", "Parcel"),
        "no_parcel": ("chưa khai báo trong danh mục camera", "not declared in the catalogue of cameras"),
        "agency": ("Cơ quan phụ trách", "Agency in charge"),
        "no_agency": ("chưa khai báo", "not declared"),
        "storeys": ("Số tầng chắc chắn", "Storeys, at least"),
        "forbidden": ("Thi công ngoài giờ", "Work outside hours"),
        "sign": ("Mức dấu hiệu", "How sure"),
        "confirmed": ("đã báo động, không chỉ là dấu hiệu sớm", "alarmed, not only an early sign"),
        "early": ("dấu hiệu sớm, chưa báo động", "an early sign, no alarm yet"),
        "stages": ("Các giai đoạn đã thấy", "Stages seen"),
        "judgements": ("Lịch sử đánh giá theo giấy phép", "How it was judged"),
        "again": ("đánh giá lại", "judged again"),
        "legal": ("hợp pháp", "lawful"),
        "violation": ("vi phạm", "violation"),
        "decision": ("Quyết định xử lý", "Decision"),
        "not_decided": ("chưa có", "none yet"),
        "fine": ("phạt", "fine"),
        "terms": ("Thời hạn theo luật", "Statutory terms"),
        "no_terms": (
            "Thời hạn chỉ bắt đầu khi có người kết luận là vi phạm hoặc lập biên bản, không phải khi camera thấy.",
            "Terms begin when a person finds that it is a violation, or puts it on record; not when a camera sees it.",
        ),
        "due": ("hạn cuối", "last day"),
        "running": ("đang tính", "running"),
        "met": ("đã xong đúng hạn", "done in time"),
        "late": ("đã xong, trễ hạn", "done, late"),
        "overdue": ("QUÁ HẠN", "OVERDUE"),
        "law": (
            "Thời hạn theo danh mục của tỉnh; pháp chế là nơi quyết định cách tính cho từng vụ.",
            "Terms as the province's catalogue has them; its lawyers decide how they run for this case.",
        ),
        "pair": ("Trước và sau", "Before and after"),
        "before": ("trước", "before"),
        "after": ("mới nhất", "newest"),
        "no_before": ("Không còn ảnh nào trước khi phát hiện.", "No still from before it was seen is left."),
    }
)
STAGE_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cleared": ("san nền, dọn mặt bằng", "ground cleared"),
        "foundation": ("làm móng", "foundation"),
        "frame": ("dựng khung, tường", "frame, walls"),
        "roof": ("lợp mái", "roof"),
        "finished": ("hoàn thiện", "finished"),
    }
)


def case_section(frame: Frame, incident: Incident, names: UnitNames, stills: Sequence[CaseStill], path: str) -> str:
    """Returns the section, "" for an incident of another kind. `names`: what the agency in charge is called."""
    if incident.kind not in BUILDING_KINDS:
        return ""
    case = incident.case or BuildingCase()
    rows = "".join(f"<dt>{_word(frame, name)}</dt><dd>{value}</dd>" for name, value in _facts(frame, case, names))
    return (
        f"<h2>{_word(frame, 'case')}</h2><dl>{rows}</dl>{_pair(frame, incident, stills, path)}"
        f"{_history(frame, 'judgements', [_judged(frame, case, place) for place in range(len(case.judgements))])}"
        f"{_history(frame, 'stages', [_stage(frame, stage) for stage in case.stages])}"
        f"{_terms(frame, case)}"
    )


def before_and_after(incident: Incident, stills: Sequence[CaseStill]) -> tuple[CaseStill | None, CaseStill | None]:
    """Returns the last still before the first sight of the work, and the newest one; `stills`: oldest first."""
    before = [still for still in stills if still.at < incident.first_frame_at]
    after = [still for still in stills if still.at >= incident.first_frame_at]
    return (before[-1] if before else None, after[-1] if after else None)


# ---- parts -----------------------------------------------------------------------------------------------------------


def _word(frame: Frame, name: str) -> str:
    return frame.pick(_WORDS[name])


def _facts(frame: Frame, case: BuildingCase, names: UnitNames) -> Iterator[tuple[str, str]]:
    last = case.judgements[-1] if case.judgements else None
    yield "rule", _standing(frame, last) if last is not None else _word(frame, "none_yet")
    yield "permit", _code(last.permit_id) if last is not None and last.permit_id else _word(frame, "no_permit")
    yield "parcel", _code(case.parcel_id) if case.parcel_id else _word(frame, "no_parcel")
    yield "agency", _agency(frame, case.agency, names) if case.agency else _word(frame, "no_agency")
    if case.storeys is not None:
        yield "storeys", str(case.storeys)
    if case.forbidden_at is not None:
        yield "forbidden", _day(case.forbidden_at)
    yield "sign", _word(frame, "confirmed" if case.is_confirmed else "early")
    yield "decision", _decision(frame, case.decision) if case.decision is not None else _word(frame, "not_decided")


def _standing(frame: Frame, judged: Judged) -> str:
    """The rule in words, and whether it is a violation: in words too, not by colour alone."""
    is_legal = judged.rule in LEGAL
    said = frame.pick(RULE_WORDS[judged.rule]) if judged.rule in RULE_WORDS else user_text(judged.rule)
    mark = f'<strong class="{"" if is_legal else "bad"}">{_word(frame, "legal" if is_legal else "violation")}</strong>'
    return f"{mark}: {said}"


def _judged(frame: Frame, case: BuildingCase, place: int) -> tuple[str, str, bool]:
    judged = case.judgements[place]
    again = f"{_word(frame, 'again')} · " if place else ""
    permit = f" ({_code(judged.permit_id)})" if judged.permit_id else ""
    return _day(judged.at), f"{again}{_standing(frame, judged)}{permit}", judged.rule not in LEGAL


def _stage(frame: Frame, seen: StageSeen) -> tuple[str, str, bool]:
    said = frame.pick(STAGE_WORDS[seen.stage]) if seen.stage in STAGE_WORDS else user_text(seen.stage)
    storeys = ""
    if seen.storeys is not None:
        storeys = f"{_word(frame, 'storeys').lower()}: {seen.storeys}"
    return _day(seen.at), " · ".join(part for part in (said if seen.stage else "", storeys) if part), False


def _history(frame: Frame, title: str, lines: Sequence[tuple[str, str, bool]]) -> str:
    if not lines:
        return ""
    rows = "".join(
        f'<li class="{"bad" if is_bad else "system"}"><time>{at}</time><div>{html}</div></li>'
        for at, html, is_bad in lines
    )
    return f'<h3>{_word(frame, title)}</h3><ol class="timeline">{rows}</ol>'


def _terms(frame: Frame, case: BuildingCase) -> str:
    lines = [_term(frame, term) for term in case.terms]
    said = _word(frame, "law" if lines else "no_terms")
    return f'{_history(frame, "terms", lines)}<p class="soft">{said}</p>'


def _term(frame: Frame, term: CaseTerm) -> tuple[str, str, bool]:
    state = term.state(frame.now)
    name = user_text(frame.pick((term.name_vi, term.name_en)))
    mark = f'<strong class="{"bad" if state in ("late", "overdue") else ""}">{_word(frame, state)}</strong>'
    due = f"{_word(frame, 'due')} {term.last_day:%d/%m/%Y}"
    basis = f'<br><span class="soft">{user_text(term.basis)}</span>'
    return _day(term.since), f"{name} · {mark} · {due}{basis}", state == "overdue"


def _pair(frame: Frame, incident: Incident, stills: Sequence[CaseStill], path: str) -> str:
    before, after = before_and_after(incident, stills)
    if after is None:
        return ""
    shown = [_picture(frame, "before", before, path) if before is not None else _missing(frame)]
    shown.append(_picture(frame, "after", after, path))
    return f'<h3>{_word(frame, "pair")}</h3><div class="pair">{"".join(shown)}</div>'


def _picture(frame: Frame, name: str, still: CaseStill, path: str) -> str:
    source = f"{path}/stills/{still.sha256}"
    words = f"{_word(frame, name)} · {_day(still.at)}"
    return (
        f'<figure><a href="{source}"><img loading="lazy" src="{source}" alt="{words}"></a>'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _missing(frame: Frame) -> str:
    return f'<p class="soft">{_word(frame, "no_before")}</p>'


def _agency(frame: Frame, code: str, names: UnitNames) -> str:
    name = pick(names(code), frame.language)
    return f"{user_text(name)} ({_code(code)})" if name else _code(code)


def _decision(frame: Frame, decision: Decision) -> str:
    parts = [_day(decision.decided_at)]
    if decision.field:
        parts.append(user_text(decision.field))
    if decision.fine_vnd is not None:
        amount = f"{decision.fine_vnd:,.0f}"
        amount = f"{amount.replace(',', '.')} đ" if frame.language == "vi" else f"VND {amount}"
        parts.append(f"{_word(frame, 'fine')} {amount}")
    return " · ".join(parts)


def _day(moment: datetime) -> str:
    """Building goes on for weeks: the day first, no seconds."""
    clock, day = local_time(moment).split(" ")
    return f"{day} {clock[:5]}"


def _code(text: str) -> str:
    return f"<code>{user_text(text)}</code>"
