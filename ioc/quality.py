"""The quality contract of a source - đúng, đủ, sạch, sống - and how much is typed by hand: scores, words, what to fix.

Pure. The scores are the KPIs `source_valid`, `source_complete`, `source_clean`, `source_alive` and `manual_share` of
the figures role; targets are the catalogue's. A figure that is not there is never taken for a good one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from ioc.kpis import Target
from ioc.reject_advice import advice_of

__all__ = ["SCORES", "Both", "FigureKey", "Quality", "Reading", "Score", "ScoreKind", "State", "quality_of"]

State = Literal["good", "bad", "unknown", "not_asked"]
"""unknown: no figure (yet). not_asked: the figure does not concern this source."""

SNAPSHOT_FAMILY = "indicators"
"""The family whose sources report statistical figures: completeness and hand-typing are about these alone."""


class Both(NamedTuple):
    """One text in both languages."""

    vi: str
    en: str


class FigureKey(NamedTuple):
    """A series: KPI, window, and the source as its label `dim`; "" for the province's total."""

    kpi: str
    window: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A figure as the figures role exports it; None where there is no such sample."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    as_of: datetime | None = None
    is_stale: bool = False


class ScoreKind(NamedTuple):
    kpi: str
    window: str
    word: Both
    means: Both
    is_of_snapshots: bool = False


SCORES: tuple[ScoreKind, ...] = (
    ScoreKind("source_valid", "day", Both("Đúng", "Valid"), Both("sự kiện hợp lệ hôm nay", "events accepted today")),
    ScoreKind(
        "source_complete",
        "mtd",
        Both("Đủ", "Complete"),
        Both("xã có số liệu tháng này", "communes with a figure this month"),
        is_of_snapshots=True,
    ),
    ScoreKind(
        "source_clean",
        "day",
        Both("Sạch", "Clean"),
        Both("sự kiện không trùng, không mâu thuẫn hôm nay", "events neither repeated nor contradictory today"),
    ),
    ScoreKind("source_alive", "now", Both("Sống", "Alive"), Both("gửi đúng hạn đã hứa", "tells within its promise")),
    ScoreKind(
        "manual_share",
        "now",
        Both("Nhập tay", "By hand"),
        Both("chỉ tiêu còn nhập tay", "figures still typed by hand"),
        is_of_snapshots=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score of one source. `is_provincial`: the province's figure, because there is none of the source alone."""

    kind: ScoreKind
    state: State
    reading: Reading
    target: Target | None
    is_provincial: bool
    fix: Both | None

    @property
    def verdict(self) -> Both:
        """The state in words: colour alone tells nothing to many."""
        return _VERDICTS[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """All scores of one source; `fixes` are sentences, the most urgent first."""

    source: str
    state: State
    scores: tuple[Score, ...]

    @property
    def verdict(self) -> Both:
        return _PARTLY if self.state == "unknown" and self.is_told else _WHOLE[self.state]

    @property
    def is_told(self) -> bool:
        """Whether there is any figure of the source."""
        return any(score.reading.value is not None for score in self.scores)

    @property
    def fixes(self) -> tuple[Both, ...]:
        return tuple(score.fix for score in self.scores if score.fix is not None)


_VERDICTS: Mapping[State, Both] = {
    "good": Both("đạt", "on target"),
    "bad": Both("chưa đạt", "below target"),
    "unknown": Both("chưa có số liệu", "no figure yet"),
    "not_asked": Both("không áp dụng", "does not apply"),
}
_PARTLY = Both("Chưa đủ số liệu", "Some figures lack")
_WHOLE: Mapping[State, Both] = {
    "good": Both("Tốt", "Good"),
    "bad": Both("Cần sửa", "Needs work"),
    "unknown": Both("Chưa có số liệu", "No figures yet"),
    "not_asked": Both("Không áp dụng", "Does not apply"),
}


def quality_of(
    source: str,
    readings: Mapping[FigureKey, Reading],
    targets: Mapping[str, Target | None],
    *,
    reasons: Sequence[tuple[str, int]] = (),
    promise_s: float | None = None,
) -> Quality:
    """Returns the scores of `source` and what to fix.

    Args:
        readings: what the figures role exports, by series.
        targets: in force today, by KPI; the bar is the catalogue's.
        reasons: why its events were refused and how often, the most frequent first.
        promise_s: how often it has promised to tell.
    """
    scores = tuple(_score(kind, source, readings, targets.get(kind.kpi), reasons, promise_s) for kind in SCORES)
    states = {score.state for score in scores}
    state: State = "bad" if "bad" in states else "good" if "good" in states else "unknown"
    if state == "good" and "unknown" in states:
        state = "unknown"  # part of it is fine: that is not all of it
    return Quality(source=source, state=state, scores=scores)


def _score(
    kind: ScoreKind,
    source: str,
    readings: Mapping[FigureKey, Reading],
    target: Target | None,
    reasons: Sequence[tuple[str, int]],
    promise_s: float | None,
) -> Score:
    own = readings.get(FigureKey(kind.kpi, kind.window, source))
    is_asked = not kind.is_of_snapshots or source.split("/")[2:3] == [SNAPSHOT_FAMILY]
    total = readings.get(FigureKey(kind.kpi, kind.window, "")) if kind.is_of_snapshots and is_asked else None
    reading = own or total or Reading(value=None)
    state: State = "not_asked" if not is_asked else _state(reading, target)
    fix = _fix(kind, reading, reasons, promise_s) if state == "bad" else None
    return Score(
        kind=kind,
        state=state,
        reading=reading,
        target=target,
        is_provincial=own is None and total is not None,
        fix=fix,
    )


def _state(reading: Reading, target: Target | None) -> State:
    if reading.value is None:
        return "unknown"
    if target is None or target.value is None:
        return "good"
    is_met = reading.value <= target.value if target.direction == "lower_is_better" else reading.value >= target.value
    return "good" if is_met else "bad"


def _fix(kind: ScoreKind, reading: Reading, reasons: Sequence[tuple[str, int]], promise_s: float | None) -> Both:
    match kind.kpi:
        case "source_valid":
            return _fix_valid(reasons)
        case "source_complete":
            missing = round((reading.denominator or 0) - (reading.numerator or 0))
            return Both(
                f"Còn {missing} xã chưa có số liệu tháng này: gửi indicator.reported cho các xã còn thiếu "
                "(mẫu: `ioc publish --template indicator`).",
                f"{missing} communes have no figure this month: send indicator.reported for them "
                "(sample: `ioc publish --template indicator`).",
            )
        case "source_clean":
            return Both(
                "Có sự kiện trùng hoặc mâu thuẫn: mỗi sự kiện một id không đổi, không phát lại cả tệp; muốn sửa số đã "
                "gửi thì gửi bản sửa với id mới và thời gian mới hơn.",
                "Events repeat or contradict each other: one id an event that never changes, no replays of whole "
                "files; to correct a value, send it under a new id with a later time.",
            )
        case "source_alive":
            vi, en = _duration(promise_s)
            return Both(
                f"Quá hạn {vi} đã hứa mà chưa có tin mới: xem chương trình gửi còn chạy không, thử `ioc doctor`; nếu "
                "lịch gửi thưa hơn, đề nghị IOC sửa sources.yaml.",
                f"Nothing new within the {en} promised: see whether the sender runs, try `ioc doctor`; where it tells "
                "less often, ask the IOC to change sources.yaml.",
            )
        case _:
            return Both(
                "Nối phần mềm để gửi tự động (method=auto) các chỉ tiêu còn nhập tay, bắt đầu từ cái gửi nhiều lần.",
                "Let software send what is typed by hand (method=auto), beginning with what is sent most often.",
            )


def _fix_valid(reasons: Sequence[tuple[str, int]]) -> Both:
    if not reasons:
        return Both(
            "Có sự kiện bị từ chối: xem lý do ở danh sách bên dưới; kiểm tra tệp trước khi gửi bằng "
            "`ioc publish TỆP --dry-run`.",
            "Events were refused: see the reasons below; check a file before sending it: `ioc publish FILE --dry-run`.",
        )
    reason, count = reasons[0]
    advice = advice_of(reason)
    return Both(
        f"Lý do nhiều nhất: {reason} ({count} lần). {advice[0]}", f"Most often: {reason} ({count}×). {advice[1]}"
    )


def _duration(seconds: float | None) -> Both:
    if not seconds:
        return Both("thời gian", "time")
    for size, vi, en in ((86_400, "ngày", "days"), (3_600, "giờ", "hours"), (60, "phút", "minutes")):
        if seconds >= size and seconds % size == 0:
            return Both(f"{seconds / size:g} {vi}", f"{seconds / size:g} {en}")
    return Both(f"{seconds:g} giây", f"{seconds:g} seconds")
