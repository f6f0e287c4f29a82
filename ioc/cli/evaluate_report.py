"""The page of `ioc evaluate … --report`: what a detector saw and why it decided so, to look at.

One HTML file that names no outside address: thumbnails are inside it. Moving the threshold shows at once which
sightings would have been alarms.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import jinja2
import numpy as np

from detectors.base import BgrImage, Candidate, Detector
from detectors.evaluation import Evaluation, Look, Run, SequenceResult, scored, sweep
from ioc.cli.evaluate_words import TITLES, Both, said
from ioc.detections import Box
from ioc.opencv import cv2

__all__ = ["Mark", "Reporter", "Shown", "data_url", "mark_of", "thumbnail"]

_THUMB_WIDTH_PX = 360
_VIEW_WIDTH_PX = 960
_QUALITY = 62
_MOST_THUMBS = 18
_MOST_VIEWS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One frame as the page shows it. `views` names pictures of the detector's inside; empty where there is none."""

    look: Look
    thumb: bytes
    views: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class Reporter:
    """Gathers pictures while an evaluation runs, then makes the page."""

    shown: dict[str, list[Shown]] = field(default_factory=dict)
    _viewed: dict[str, int] = field(default_factory=dict)

    def witness(self, run: Run, look: Look, image: BgrImage, detector: Detector) -> None:
        frames = self.shown.setdefault(run.sequence, [])
        before = frames[-1].look if frames else None
        views: tuple[tuple[str, bytes], ...] = ()
        if _is_turn(before, look) and self._viewed.get(run.sequence, 0) < _MOST_VIEWS:
            views = _views(detector)
            self._viewed[run.sequence] = self._viewed.get(run.sequence, 0) + 1
        frames.append(Shown(look=look, thumb=thumbnail(image), views=views))

    def page(self, answer: Evaluation) -> str:
        """Returns the whole HTML document."""
        totals = answer.totals()
        return _template().render(
            answer=answer,
            title=TITLES[answer.detector],
            totals=totals,
            rows=sweep(answer.runs),
            sequences=[_Sequence(run, self.shown.get(run.sequence, [])) for run in answer.runs],
        )


class _Sequence:
    """One sequence as the template reads it."""

    def __init__(self, run: Run, shown: Sequence[Shown]) -> None:
        self.run = run
        self.result: SequenceResult = scored(run)
        self.bars = [_bar(index, one.look) for index, one in enumerate(shown)]
        self.pictures = [_Picture(shown[index]) for index in _chosen(shown)]
        self.rejected = [(said(reason), count) for reason, count in sorted(self.result.rejected.items())]
        self.states = [(said(state), count) for state, count in self.result.states.items()]

    @property
    def verdict(self) -> Both:
        alarm, watch = self.result.alarm, self.result.watch
        if not self.run.is_positive:
            return ("báo động nhầm", "false alarm") if alarm.boxes else ("yên tĩnh", "quiet")
        if alarm.detected:
            return (f"báo động sau {alarm.frames_to} khung hình", f"alarm after {alarm.frames_to} frames")
        if watch.detected:
            return ("chỉ theo dõi", "watched only")
        return ("bỏ sót", "missed")

    @property
    def mood(self) -> str:
        is_false = bool(self.result.alarm.false)
        is_missed = self.run.is_positive and not self.result.alarm.detected
        return "bad" if is_missed or (is_false and not self.run.is_positive) else "meh" if is_false else "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A box in per cent of the picture. `score` None for a labelled one."""

    left: float
    top: float
    width: float
    height: float
    kind: str
    score: float | None = None


class _Picture:
    def __init__(self, shown: Shown) -> None:
        look = shown.look
        self.look = look
        self.thumb = data_url(shown.thumb)
        self.views = [(said(name), data_url(data)) for name, data in shown.views]
        self.marks = [mark_of(box, "label", None) for box in look.labels]
        self.marks += [mark_of(c.box, c.tier, c.score) for c in look.seen.candidates]
        self.decisions = [_Decision(candidate, look.labels) for candidate in look.seen.candidates]
        self.rejected = [(said(reason), count) for reason, count in look.seen.rejected.items()]
        self.state = None if look.seen.state == "ok" else said(look.seen.note or look.seen.state)


class _Decision:
    def __init__(self, candidate: Candidate, labels: Sequence[Box]) -> None:
        self.tier, self.score = candidate.tier, candidate.score
        self.name = said(candidate.tier)
        self.cues = [said(cue) for cue in candidate.cues]
        is_right = any(candidate.box.overlaps(label) for label in labels)
        self.truth: Both = ("trùng nhãn", "on a label") if is_right else ("ngoài nhãn", "off every label")


def _is_turn(before: Look | None, look: Look) -> bool:
    """Whether something on this frame differs in kind from the one before: worth a look inside."""

    def kind(one: Look) -> tuple[bool, bool, str]:
        tiers = {candidate.tier for candidate in one.seen.candidates}
        return bool(tiers), "alarm" in tiers, one.seen.state

    return (before is not None and kind(before) != kind(look) and bool(look.seen.candidates)) or (
        before is not None and not before.seen.rejected and bool(look.seen.rejected)
    )


def _chosen(shown: Sequence[Shown]) -> list[int]:
    """Returns the frames that the page shows: every turn first, then evenly spread ones, in their order."""
    turns = [i for i in range(1, len(shown)) if _is_turn(shown[i - 1].look, shown[i].look)]
    kept = turns[: _MOST_THUMBS * 2 // 3]
    others = max(0, min(len(shown), _MOST_THUMBS) - len(kept))
    even = [round(at) for at in np.linspace(0, len(shown) - 1, others)] if others and shown else []
    return sorted({*kept, *even})


def _bar(index: int, look: Look) -> dict[str, object]:
    best = max(look.seen.candidates, key=lambda candidate: candidate.score, default=None)
    return {
        "x": index,
        "is_labelled": bool(look.labels),
        "state": look.seen.state,
        "score": 0.0 if best is None else best.score,
        "tier": "" if best is None else best.tier,
        "number": f"{look.number:g}",
    }


def mark_of(box: Box, kind: str, score: float | None) -> Mark:
    """Returns the part of a box that is in the picture."""
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) * 100 for edge in box.edges)
    return Mark(
        left=round(x0, 2), top=round(y0, 2), width=round(x1 - x0, 2), height=round(y1 - y0, 2), kind=kind, score=score
    )


def _views(detector: Detector) -> tuple[tuple[str, bytes], ...]:
    """What the detector shows of its inside, where it does."""
    debug_view = getattr(detector, "debug_view", None)
    picture = debug_view() if debug_view is not None else None
    return () if picture is None else (("debug_view", _jpeg(picture, _VIEW_WIDTH_PX)),)


def thumbnail(image: BgrImage) -> bytes:
    """Returns a picture as a small JPEG."""
    return _jpeg(image, _THUMB_WIDTH_PX)


def _jpeg(image: BgrImage, width_px: int) -> bytes:
    height, width = image.shape[:2]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data.tobytes())


def data_url(jpeg: bytes) -> str:
    """Returns a JPEG as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((files("ioc.cli") / "evaluate_report.html.jinja").read_text(encoding="utf-8"))
