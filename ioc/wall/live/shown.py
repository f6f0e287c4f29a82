"""A snapshot put into words: what each widget of the pages says, in one language. Pure; made once for all viewers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Literal

from ioc.wall.live.alerts import Alert, kind_name
from ioc.wall.live.cameras import CameraView, SeenBox
from ioc.wall.live.coverage_words import unseen_words
from ioc.wall.live.kpis import WallKpi
from ioc.wall.live.snapshot import Owner, PartState, Snapshot
from ioc.wall.live.tiles import Group, Standing, Tile, Trend
from ioc.wall.live.wording import NO_VALUE, age, amount, moment, period_words, pick
from ioc.wall.names import family_name, window_name
from ioc.wall.panels import Language
from ioc.windows import LOCAL_ZONE

__all__ = ["AlertText", "CameraText", "Mark", "Shown", "TileText", "WorseText", "shown_of", "ticker_word"]

Look = Literal["good", "bad", "warn", "info", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A word in a frame. `look` picks colour and form together."""

    text: str
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class TileText:
    """One figure. `look` is the tile's own colour and edge."""

    kpi_id: str
    family: str
    name: str
    number: str
    unit: str
    standing: Mark
    target: str
    trend: str
    as_of: str
    marks: tuple[Mark, ...]

    @property
    def look(self) -> Look:
        return self.standing.look


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraText:
    """One camera. `overlay` is SVG over the picture. `is_unseen`: detectors see little in it, whatever it shows."""

    camera_id: str
    name: str
    picture: str
    words: str
    overlay: str
    labels: str
    is_blind: bool
    is_unseen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertText:
    incident_id: str
    number: int
    title: str
    place: str
    since: str
    holder: str
    severity: Mark
    is_exercise: bool
    is_candidate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseText:
    """A figure that got worse, for the phone: `where` and `owner` say whom to ask."""

    tile: TileText
    where: str
    owner: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All words of one snapshot. `blind`: sentences about the parts that are not heard; "" where all are."""

    at: str
    day: str
    blind: str
    tiles: tuple[TileText, ...]
    worse: tuple[WorseText, ...]
    cameras: tuple[CameraText, ...]
    alerts: tuple[AlertText, ...]
    alerts_known: bool
    summary: str
    families: Mapping[str, str]


def shown_of(
    snapshot: Snapshot, owners: Mapping[str, Owner], units: Mapping[str, tuple[str, str]], language: Language
) -> Shown:
    """Returns what the pages say of `snapshot`. `owners` by KPI; `units`: (Vietnamese, English) name by code."""
    tiles = tuple(_tile(tile, snapshot, language) for tile in snapshot.tiles)
    alerts = tuple(_alert(number, alert, snapshot, language) for number, alert in enumerate(snapshot.alerts, 1))
    local = snapshot.at.astimezone(LOCAL_ZONE)
    return Shown(
        at=f"{local:%H:%M:%S}",
        day=f"{local:%d/%m/%Y}",
        blind=_blind(snapshot.parts, snapshot.at, language),
        tiles=tiles,
        worse=tuple(
            _worse(tile, text, snapshot, owners, units, language)
            for tile, text in zip(snapshot.tiles, tiles, strict=True)
            if tile.got_worse
        ),
        cameras=tuple(_camera(view, snapshot.at, language) for view in snapshot.cameras),
        alerts=alerts,
        alerts_known=snapshot.parts["oncall"].heard_at is not None,
        summary=_summary(snapshot, language),
        families={tile.kpi.family: family_name(tile.kpi.family, language) for tile in snapshot.tiles},
    )


# ---- figures ---------------------------------------------------------------------------------------------------------

_STANDINGS: Mapping[Standing, tuple[str, str, Look]] = {
    "missed": ("▼ KHÔNG ĐẠT", "▼ MISSED", "bad"),
    "met": ("✓ ĐẠT", "✓ MET", "good"),
    "stale": ("⏱ CŨ", "⏱ STALE", "warn"),
    "growing": ("… ĐANG TĂNG", "… GROWING", "info"),
    "untargeted": ("○ THEO DÕI", "○ WATCHED", "plain"),
    "unknown": ("? CHƯA CÓ SỐ", "? NO VALUE", "warn"),
}
_REASONS = {
    "nothing_to_count": ("kỳ này chưa có gì để tính", "nothing to count in this period"),
    "no_data": ("chưa có dữ liệu", "no data yet"),
    "never_read": ("chưa đọc được máy tính chỉ số", "the figures can't be read yet"),
}
_ARROWS: Mapping[Trend, tuple[str, str, str]] = {
    "better": ("↗", "tốt lên", "better"),
    "worse": ("↘", "xấu đi", "worse"),
    "same": ("→", "không đổi", "unchanged"),
    "up": ("↑", "tăng", "up"),
    "down": ("↓", "giảm", "down"),
}


def _tile(tile: Tile, snapshot: Snapshot, language: Language) -> TileText:
    number, unit = (NO_VALUE, "") if tile.value is None else amount(tile.kpi, tile.value, language)
    vi, en, look = _STANDINGS[tile.standing]
    figures = snapshot.parts["figures"]
    marks = []
    if figures.is_blind and figures.heard_at is not None:  # what stands here is a memory
        at = moment(figures.heard_at, snapshot.at)
        marks.append(Mark(text=pick(language, f"CŨ TỪ {at}", f"OLD SINCE {at}"), look="warn"))
        look = "warn"
    if tile.is_stale and tile.standing != "stale":
        marks.append(Mark(text=pick(language, "CŨ", "STALE"), look="warn"))
    if tile.is_manual:
        marks.append(Mark(text=pick(language, "✎ NHẬP TAY", "✎ MANUAL"), look="info"))
    quantile = "p95 · " if tile.kpi.form == "p95" else ""
    return TileText(
        kpi_id=tile.kpi.id,
        family=tile.kpi.family,
        name=tile.kpi.name(language),
        number=number,
        unit=unit,
        standing=Mark(text=pick(language, vi, en), look=look),
        target=f"{quantile}{window_name(tile.kpi.window, language)} · {_target(tile.kpi, language)}",
        trend=_trend(tile, language),
        as_of=_as_of(tile, snapshot.at, language),
        marks=tuple(marks),
    )


def _target(kpi: WallKpi, language: Language) -> str:
    if kpi.target is None:
        return pick(language, "chưa đặt mục tiêu", "no target")
    sign = {"higher_is_better": "≥", "lower_is_better": "≤", "within_band": "≈"}[kpi.direction]
    return f"{pick(language, 'mục tiêu', 'target')} {sign} {_value(kpi, kpi.target, language)}"


def _value(kpi: WallKpi, value: float, language: Language) -> str:
    return " ".join(part for part in amount(kpi, value, language) if part)


def _trend(tile: Tile, language: Language) -> str:
    if tile.reason:
        return pick(language, *_REASONS[tile.reason])
    if tile.before is None:
        return pick(language, "chưa có kỳ trước để so", "no earlier period to compare")
    before = f"{period_words(tile.kpi.window, language)} {_value(tile.kpi, tile.before, language)}"
    if tile.trend == "none":
        return before
    arrow, vi, en = _ARROWS[tile.trend]
    return f"{arrow} {pick(language, vi, en)} · {before}"


def _as_of(tile: Tile, now: datetime, language: Language) -> str:
    if tile.as_of is None:
        return pick(language, "chưa nghe được nguồn nào", "no source heard yet")
    return f"{pick(language, 'tính đến', 'as of')} {moment(tile.as_of, now)}"


def _worse(
    tile: Tile,
    text: TileText,
    snapshot: Snapshot,
    owners: Mapping[str, Owner],
    units: Mapping[str, tuple[str, str]],
    language: Language,
) -> WorseText:
    owner = owners.get(tile.kpi.id)
    return WorseText(
        tile=text,
        where=_where(tile, tile.groups, units, language),
        owner=pick(language, "Trung tâm điều hành (IOC)", "the operations centre itself")
        if owner is None
        else pick(language, owner.title_vi, owner.title_en) + (f" · {owner.contact}" if owner.contact else ""),
        since=_since(tile, language),
    )


def _where(tile: Tile, groups: Sequence[Group], units: Mapping[str, tuple[str, str]], language: Language) -> str:
    if not groups:
        return pick(language, "toàn tỉnh", "the whole province")
    names = (units.get(group.code, (group.code, group.code))[language == "en"] for group in groups)
    return "; ".join(
        f"{name} {_value(tile.kpi, group.value, language)}" for name, group in zip(names, groups, strict=True)
    )


def _since(tile: Tile, language: Language) -> str:
    if tile.missed_since:
        return f"{pick(language, 'không đạt từ kỳ', 'missed since')} {tile.missed_since}"
    if tile.standing == "missed":
        return pick(language, "không đạt trong kỳ này", "missed in this period")
    return f"{pick(language, 'xấu hơn', 'worse than')} {period_words(tile.kpi.window, language)}"


# ---- cameras ---------------------------------------------------------------------------------------------------------


def _camera(view: CameraView, now: datetime, language: Language) -> CameraText:
    camera = view.camera
    if view.captured_at is None:
        words = pick(language, "CHƯA CÓ HÌNH", "NO PICTURE YET")
    elif view.is_blind:
        words = pick(language, "MẤT HÌNH TỪ ", "NO PICTURE SINCE ") + moment(view.captured_at, now)
    else:
        words = f"{view.captured_at.astimezone(LOCAL_ZONE):%H:%M:%S}"
    unseen = unseen_words(view.coverage, language)
    labels = dict.fromkeys(_label(box, language) for box in view.boxes)
    return CameraText(
        camera_id=camera.camera_id,
        name=f"{camera.camera_id} · {camera.name_vi if language == 'vi' else camera.name_en or camera.name_vi}",
        picture=view.picture,
        words=words,
        overlay="".join(_rectangle(box) for box in view.boxes),
        labels=" · ".join((*((unseen,) if unseen else ()), *labels)),
        is_blind=view.is_blind,
        is_unseen=bool(unseen),
    )


def _label(box: SeenBox, language: Language) -> str:
    tier = pick(language, "báo động", "alarm") if box.tier == "alarm" else pick(language, "theo dõi", "watch")
    return f"{kind_name(box.label, language)} ({tier} {box.score:.2f})"


def _rectangle(box: SeenBox) -> str:
    left, top, right, bottom = (max(0.0, min(1.0, edge)) * 100 for edge in box.box.edges)
    name = escape(f"box {box.tier}{'' if box.is_of_picture else ' former'}", quote=True)
    return (
        f'<rect class="{name}" x="{left:.2f}%" y="{top:.2f}%" width="{right - left:.2f}%" '
        f'height="{bottom - top:.2f}%" />'
    )


# ---- incidents -------------------------------------------------------------------------------------------------------

_SEVERITIES: Mapping[str, tuple[str, str, Look]] = {
    "critical": ("▲ KHẨN CẤP", "▲ CRITICAL", "bad"),
    "warning": ("◆ CẢNH BÁO", "◆ WARNING", "warn"),
    "info": ("● THÔNG TIN", "● INFORMATION", "info"),
}


_WATCHED: tuple[str, str, Look] = ("◇ THEO DÕI", "◇ WATCHING", "info")


def _alert(number: int, alert: Alert, snapshot: Snapshot, language: Language) -> AlertText:
    vi, en, look = _WATCHED if alert.is_candidate else _SEVERITIES.get(alert.severity, _SEVERITIES["warning"])
    exercise = pick(language, "DIỄN TẬP · ", "EXERCISE · ") if alert.is_exercise else ""
    if alert.is_candidate:
        holder = pick(language, "CHƯA XÁC NHẬN, chưa gọi ai", "UNCONFIRMED, nobody is called")
    elif alert.owner:
        holder = pick(language, f"đã nhận: {alert.owner}", f"taken by {alert.owner}")
    elif alert.is_taken:
        holder = pick(language, "đã có người nhận", "taken")
    else:
        holder = pick(language, "CHƯA AI NHẬN", "NOBODY HAS TAKEN IT")
    since = "" if alert.opened_at is None else moment(alert.opened_at, snapshot.at)
    span = "" if alert.opened_at is None else _minutes(snapshot.at - alert.opened_at, language)
    return AlertText(
        incident_id=alert.incident_id,
        number=number,
        title=exercise + alert.title(language),
        place=" · ".join(part for part in (alert.place(language) or alert.camera_id, alert.note(language)) if part),
        since=f"{since} ({span})" if since else "",
        holder=holder,
        severity=Mark(text=pick(language, vi, en), look=look),
        is_exercise=alert.is_exercise,
        is_candidate=alert.is_candidate,
    )


def ticker_word(shown: Shown, places: int, language: Language) -> str:
    """What a ticker with so many places has no room for."""
    if not shown.alerts_known:
        return pick(language, "Chưa đọc được danh sách sự cố", "Incidents can't be read yet")
    opened = sum(not alert.is_candidate for alert in shown.alerts)
    watched = len(shown.alerts) - opened
    rest, rest_watched = max(0, opened - places), max(0, watched - max(0, places - opened))
    parts = []
    if not opened:
        parts.append(pick(language, "Không có sự cố đang mở", "No incident is open"))
    if rest:
        parts.append(pick(language, f"và {rest} sự cố khác", f"and {rest} more"))
    if rest_watched:
        parts.append(pick(language, f"{rest_watched} dấu hiệu đang theo dõi", f"{rest_watched} watched"))
    return " · ".join(parts)


def _minutes(span: timedelta, language: Language) -> str:
    """Whole minutes: a text that changes every second would be sent to every viewer every second."""
    minutes = int(span.total_seconds() // 60)
    return age(timedelta(minutes=minutes), language) if minutes > 0 else pick(language, "vừa xong", "just now")


# ---- the page itself -------------------------------------------------------------------------------------------------

_PARTS = {
    "figures": ("chỉ số", "figures"),
    "oncall": ("trực sự cố", "on-call"),
    "cameras": ("camera", "cameras"),
    "log": ("nhật ký chỉ số", "KPI log"),
}


def _blind(parts: Mapping[str, PartState], now: datetime, language: Language) -> str:
    sentences = []
    for name, part in parts.items():
        if not part.is_blind:
            continue
        shown = pick(language, *_PARTS[name])
        if part.heard_at is None:
            sentences.append(pick(language, f"{shown}: chưa nghe được", f"{shown}: never heard"))
        else:
            at = moment(part.heard_at, now)
            sentences.append(pick(language, f"{shown}: mất tin từ {at}", f"{shown}: not heard since {at}"))
    return " · ".join(sentences)


_COUNTED: tuple[tuple[frozenset[Standing], str, str], ...] = (
    (frozenset({"missed"}), "không đạt", "missed"),
    (frozenset({"stale"}), "cũ", "stale"),
    (frozenset({"unknown"}), "chưa có số", "without a value"),
    (frozenset({"growing", "untargeted"}), "theo dõi", "watched"),
    (frozenset({"met"}), "đạt", "met"),
)


def _summary(snapshot: Snapshot, language: Language) -> str:
    """How many figures stand how; what there is none of is left out."""
    parts = []
    for standings, vi, en in _COUNTED:
        count = sum(tile.standing in standings for tile in snapshot.tiles)
        if count:
            parts.append(f"{count} {pick(language, vi, en)}")
    return f"{len(snapshot.tiles)} {pick(language, 'chỉ số', 'figures')}: {' · '.join(parts)}"
