"""Camera health, one pose: each frame is held against the known view, and a fault is what comes at once and stays.

Weather comes slowly and goes, a fault comes from one frame to the next (or never goes): fog takes minutes to hide what
a bag over the lens hides at once; dusk halves the light in minutes, a broken iris in a frame. So most kinds ask what
the last good frames showed. While something is wrong nothing is learnt: a fault never becomes the view.

A fault that has lasted for the camera's grace is told with every frame as an alarm, by the name that it had first; when
it is over, once as `clear`. What it judges by may be kept over a restart (`memory`); lost, it is learnt anew, and a
fault told before is never cleared by this detector.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation, State
from detectors.camera_health.dirt import LensDirt
from detectors.camera_health.measures import BLOCKS, Measures, View, measure
from detectors.camera_health.memory import HealthMemory, KeptGood, KeptHealth, packed, unpacked
from detectors.preprocess import Plane, as_bgr
from ioc.detections import Box

__all__ = ["CameraHealthDetector", "HealthThresholds"]

_WHOLE = Box(0.5, 0.5, 1.0, 1.0)
_NOTES = {"degraded": "visibility_degraded", "dark": "darkness"}
_SEEING = ("", "dark")  # how a frame is noted that shows the view
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_KEEP_EVERY = timedelta(minutes=5)
_KEPT_FOR = timedelta(days=7)  # as long as the incident of a fault stands


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthThresholds:
    """Every number of the rules. Found on rendered scenes (seeds below 10,000); a gain is 1 as ever, 0 gone."""

    at_most_every: timedelta = timedelta(seconds=30)  # faults last for minutes; frames between are not looked at
    gap: timedelta = timedelta(minutes=10)  # after it light and weather may be anything
    view_frames: int = 90  # the known view follows the sun in an hour and a half at one frame a minute
    warm_up_frames: int = 10
    good_frames: int = 8  # the last good ones, which a sudden change is told by
    identical: float = 0.05  # levels, nine tenths of the blocks: sensors never give the same noise twice
    infrared: float = 0.03  # mean chroma: infrared pictures have none
    dark: float = 40.0  # light, 0–255: below it lamps and noise are the view
    black: float = 8.0  # light: colours can't be told
    blind: float = 3.0  # light: nothing at all can be told
    burnt: float = 0.8  # share at white: hardly any noise is left
    dimmed: float = 0.5  # of the light before; the quickest dusk takes 4 % a minute
    dazzled: float = 1.6
    blown: float = 0.2  # more of the picture at white than before
    brighter: float = 1.3  # gain of patterns over that before: at night and in fog nothing is blown
    known: float = 0.75  # gain that good frames must have: where it is less, the view is mostly noise
    gone: float = 0.12  # median gain of fine patterns
    elsewhere: float = 0.5  # share of blocks lost
    intact: float = 0.5  # gain of a block that is as ever
    another_view: float = 0.35  # strength of details where none are known, of the usual
    others: float = 0.5  # strength of details where the known ones are lost, of theirs
    lost: float = 0.25  # gain of a block that is hidden
    hidden: float = 0.10  # share of the blocks that have a pattern
    fading: float = 0.8  # of the gain of the first of the good frames: fog is coming, in which a cover has to hide more
    hidden_blocks: int = 8  # of 144: at night few have one, and two lamps that go out are no cover
    mostly: float = 0.3  # share of blocks: with more hidden it is no matter of focus
    soft: float = 0.45  # fine over coarse gain; fog keeps 0.9, a sigma of 5 px (of 1280) leaves 0.3
    softer: float = 0.6  # of fine over coarse gain in the last good frames
    degraded: float = 0.45  # median coarse gain: the weather hides half of what there is
    frames: int = 3  # that show a fault one after another, all but one
    grace: timedelta = timedelta(seconds=120)
    recovered_frames: int = 3
    short_lived: timedelta = timedelta(hours=24)  # dirt that went by itself within it was none that has to be wiped
    doubted_for: timedelta = timedelta(days=7)  # after such a one; meanwhile dirt has to stay
    doubted_grace: timedelta = timedelta(hours=6)  # for so long
    forget_after: timedelta = timedelta(hours=24)  # a view that nobody can see any more is learnt anew


@dataclass(frozen=True, slots=True, kw_only=True)
class _Good:
    """What a good frame showed: light, share blown, coarse gains of the blocks and their median, fine over coarse."""

    at: datetime
    light: float
    blown: float
    blocks: Plane
    seen: float
    sharp: float


class CameraHealthDetector:
    """The health of one pose. `grace`: how long a fault must last before it is told (per camera)."""

    name = "camera_health"
    version = "1.1.0"

    def __init__(
        self,
        thresholds: HealthThresholds | None = None,
        *,
        grace: timedelta | None = None,
        memory: HealthMemory | None = None,
    ) -> None:
        self.thresholds = thresholds or HealthThresholds()
        self._grace = self.thresholds.grace if grace is None else grace
        self._memory, self._kept_at, self._kept_fault = memory, _LONG_AGO, ""
        self._newest_at: datetime | None = None
        self._answer = Observation(state="warming_up", note="warming_up")
        self._last: Measures | None = None
        self._last_at: datetime | None = None
        self._views: dict[str, View] = {}
        self._mode = ""
        self._good: deque[_Good] = deque(maxlen=self.thresholds.good_frames)
        self._dirt, self._looks = LensDirt(), 0
        self._symptoms: deque[str] = deque(maxlen=self.thresholds.frames + 1)
        self._since: dict[str, datetime] = {}
        self._reported = ""
        self._good_since = 0
        self._held_since: datetime | None = None
        self._doubted_until = _LONG_AGO

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if self._newest_at is not None and at <= self._newest_at:
            return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        if self._newest_at is None and self._memory is not None:
            self._recall(self._memory.load(), at)
        self._newest_at = at
        if self._last_at is not None and at - self._last_at < self.thresholds.at_most_every:
            return self._answer
        now = measure(as_bgr(image))
        if self._last_at is not None and at - self._last_at > self.thresholds.gap:
            self._good.clear()
            self._dirt.forget()
        self._looks += 1
        symptom, note = self._judged(now, at)
        self._last, self._last_at = now, at
        seen = self._told(symptom, note, at)
        self._answer = Observation(state=seen.state, note=seen.note)
        if self._memory is not None and (self._reported != self._kept_fault or at - self._kept_at >= _KEEP_EVERY):
            self._memory.keep(self._to_keep(at))
            self._kept_at, self._kept_fault = at, self._reported
        return seen

    # ---- over a restart ----------------------------------------------------------------------------------------------

    def _recall(self, kept: KeptHealth | None, at: datetime) -> None:
        """Goes on from what was kept; what is of another time (a replay, weeks of silence) is left alone."""
        if kept is None or not timedelta(0) <= at - kept.at <= _KEPT_FOR:
            return
        try:
            views = {mode: View.recalled(view, frames=self.thresholds.view_frames) for mode, view in kept.views.items()}
            good = [_good_of(one) for one in kept.good]
        except ValueError:  # measures of another version
            return
        self._views, self._mode = views, kept.mode
        self._reported, self._since, self._held_since = kept.reported, dict(kept.since), kept.held_since
        self._doubted_until = kept.doubted_until or _LONG_AGO
        self._symptoms.extend(kept.symptoms)
        if at - kept.at <= self.thresholds.gap:
            self._good.extend(good)
        self._kept_at, self._kept_fault = kept.at, kept.reported

    def _to_keep(self, at: datetime) -> KeptHealth:
        return KeptHealth(
            at=at,
            mode=self._mode,
            views={mode: view.kept() for mode, view in self._views.items()},
            good=[_kept_good(good) for good in self._good],
            reported=self._reported,
            since=dict(self._since),
            symptoms=list(self._symptoms),
            held_since=self._held_since,
            doubted_until=self._doubted_until,
        )

    # ---- one frame ---------------------------------------------------------------------------------------------------

    def _judged(self, now: Measures, at: datetime) -> tuple[str, str]:
        """Returns (symptom or "", what hinders the sight or "")."""
        t = self.thresholds
        has_noise = now.light > t.blind and now.blown < t.burnt  # all black or all white has none
        if self._last is not None and has_noise and now.difference(self._last) < t.identical:
            return "frozen", ""
        light = self._light_symptom(now, at)
        if light == "":
            self._enter_mode(now)
        view = self._views.get(self._mode)
        if view is None:
            self._views[self._mode] = View(now, frames=t.view_frames)
            return "", "warming_up"
        if view.count < t.warm_up_frames and not light:
            view.settle(now)
            view.learn(now)
            return "", "warming_up"
        symptom, note, good = self._seen(now, view, light, at)
        if symptom in ("", "dirty_lens"):  # through dirt is seen what comes at once, and what slowly
            self._good.append(good)
        if symptom:
            self._hold(at, symptom)
            return symptom, note
        if note == "degraded":
            self._hold(at, symptom)
            return symptom, note
        self._held_since = None
        view.settle(now)
        view.learn(now)
        return "", "dark" if self._mode == "dark" else note

    def _enter_mode(self, now: Measures) -> None:
        """Light of another kind has a view of its own; the switch of the infrared filter is no fault."""
        t = self.thresholds
        if self._mode and not self._shows_colour(now):
            return
        if now.colour < t.infrared:
            mode = "infrared"
        else:
            mode = "dark" if now.light < (t.dark * 1.15 if self._mode == "dark" else t.dark) else "day"
        if mode != self._mode:
            self._mode = mode
            self._good.clear()
            self._dirt.forget()

    def _shows_colour(self, now: Measures) -> bool:
        """White and black have no colour in any mode."""
        return now.light > self.thresholds.black and now.blown < self.thresholds.blown

    def _light_symptom(self, now: Measures, at: datetime) -> str:
        """Returns what happened to the light since the last good frames, "" where nothing did."""
        t = self.thresholds
        if len(self._good) < 3:
            return ""
        if at - self._good[-1].at > t.gap and not self._reported.endswith("_exposed"):
            return ""  # since then the light may have changed by itself
        newest = float(np.mean([good.light for good in list(self._good)[-3:]]))
        if self._shows_colour(now) and (now.colour < t.infrared) != (self._mode == "infrared"):
            return ""
        if now.light < t.dimmed * min(self._light_before(), newest):
            return "under_exposed"
        if now.light > t.dazzled * max(self._light_before(), newest):
            return "over_exposed"
        return ""

    def _seen(self, now: Measures, view: View, light: str, at: datetime) -> tuple[str, str, _Good]:
        t = self.thresholds
        coarse, fine = view.gains(now)
        strong = view.strong()
        seen = float(np.median(coarse[strong])) if strong.any() else 0.0
        sharp = float(np.median(fine[strong])) / max(seen, 0.05) if strong.any() else 0.0
        good = _Good(at=at, light=now.light, blown=now.blown, blocks=coarse, seen=seen, sharp=sharp)
        if not strong.any() or view.coarse_typical < t.known:
            return "", "no_pattern", good
        dim = min(1.0, now.light / max(self._light_before(), 1.0)) if light == "under_exposed" else 1.0
        if light == "under_exposed" and seen / dim > t.intact:
            return light, "", good
        if light == "over_exposed" and self._is_dazzled(now, seen):
            return light, "", good
        symptom, note = self._hidden_symptom(now, view, coarse / dim, fine / dim)
        if not symptom and not note and self._dirt.observe(*view.cells(now), look=self._looks):
            symptom = "dirty_lens"
        return symptom, note, good

    def _hidden_symptom(self, now: Measures, view: View, coarse: Plane, fine: Plane) -> tuple[str, str]:
        """Returns (symptom, note) by how much of the view is to be seen, in gains of the blocks."""
        t = self.thresholds
        strong = view.strong()
        seen_coarse, seen_fine = float(np.median(coarse[strong])), float(np.median(fine[strong]))
        lost = float((coarse[strong] < t.lost).mean())
        has_details = view.fine_typical > t.known
        is_soft = has_details and seen_coarse > 0.3 and lost < t.mostly and seen_fine < t.soft * seen_coarse
        if is_soft and self._was_sharp(seen_fine / seen_coarse):
            return "blurred", ""
        is_gone = seen_fine < t.gone and float((fine[strong] > t.intact).mean()) < 0.1
        if has_details and is_gone and self._shows_another_view(now, view):
            return "moved", ""
        hidden = strong & (coarse < t.lost)
        is_large = lost >= t.hidden and int(hidden.sum()) >= t.hidden_blocks
        shows_others = has_details and is_large and self._shows_others(now, view, hidden)
        if shows_others and lost > t.elsewhere:
            return "moved", ""
        # A cover has no details of its own: where there are some now, the fog that was known lifted.
        if is_large and not shows_others and self._came_at_once(coarse, strong):
            return "covered", ""
        return "", "degraded" if seen_coarse < t.degraded else ""

    def _light_before(self) -> float:
        return float(np.median([good.light for good in self._good])) if self._good else 1.0

    def _is_dazzled(self, now: Measures, seen: float) -> bool:
        t = self.thresholds
        blown = float(np.median([good.blown for good in self._good]))
        before = float(np.median([good.seen for good in self._good]))
        return now.blown > blown + t.blown or seen > t.brighter * before

    def _shows_another_view(self, now: Measures, view: View) -> bool:
        """Whether there are details, only elsewhere: a cover has folds and no details; noise is everywhere alike."""
        own, known = np.sort(view.power(now.fine).ravel()), np.sort(view.power(view.fine).ravel())
        top = max(3, own.size // 5)
        details = float(own[-top:].mean() - own[: 2 * top].mean())
        return details > self.thresholds.another_view * float(known[-top:].mean() - known[: 2 * top].mean())

    def _shows_others(self, now: Measures, view: View, hidden: NDArray[np.bool_]) -> bool:
        """Whether other details stand where the known ones are lost: a camera that pans may keep its horizon."""
        own, known = view.power(now.fine), view.power(view.fine)
        details = float(np.median(own[hidden])) - float(np.quantile(own, 0.1))
        return details > self.thresholds.others * float(np.median(known[hidden]) - np.quantile(known, 0.1))

    def _came_at_once(self, coarse: Plane, strong: NDArray[np.bool_]) -> bool:
        """Whether what is hidden now was to be seen in the last good frames; once so, it stays so until they return."""
        if self._symptoms and self._symptoms[-1] == "covered":
            return True
        if len(self._good) < 3:
            return False
        before = np.mean([good.blocks for good in list(self._good)[-3:]], axis=0)
        hidden = strong & (coarse < self.thresholds.lost)
        is_fading = self._good[-1].seen < self.thresholds.fading * self._good[0].seen
        least = self.thresholds.mostly if is_fading else 0.6 * self.thresholds.hidden
        return float((hidden & (before > self.thresholds.intact))[strong].mean()) > least

    def _was_sharp(self, sharp: float) -> bool:
        """Whether the last good frames were sharper: at dawn other things are seen, but not from frame to frame."""
        if self._symptoms and self._symptoms[-1] == "blurred":
            return True
        return len(self._good) >= 3 and sharp < self.thresholds.softer * float(
            np.median([good.sharp for good in self._good])
        )

    def _hold(self, at: datetime, symptom: str) -> None:
        """Learns nothing; but a camera that was turned for good, or a view that the seasons changed, is known again
        after a day. A cover never becomes the view."""
        if self._held_since is None or symptom not in ("", "moved"):
            self._held_since = at
        elif at - self._held_since > self.thresholds.forget_after:
            self._views.pop(self._mode, None)
            self._good.clear()
            self._held_since = None

    # ---- over frames -------------------------------------------------------------------------------------------------

    def _told(self, symptom: str, note: str, at: datetime) -> Observation:
        t = self.thresholds
        if symptom == "dirty_lens" and "dirty_lens" not in self._symptoms:
            self._symptoms.extend([symptom] * (t.frames - 1))  # it has been there for three frames
        self._symptoms.append(symptom)
        if symptom:
            self._since.setdefault(symptom, at)
            self._good_since = 0
        elif note in _SEEING:
            self._good_since += 1
        if self._good_since >= t.recovered_frames:
            return self._well(note, at)
        fault = self._fault(at)
        if fault:
            self._reported = fault
            told = _candidate(fault, self._since.get(fault, at), is_over=False)
            return Observation(candidates=(told,), state="suspended", note=fault)
        if symptom:
            return Observation(state="degraded", note=symptom)
        state: State = "warming_up" if note == "warming_up" else "degraded" if note else "ok"
        return Observation(state=state, note=_NOTES.get(note, note))

    def _well(self, note: str, at: datetime) -> Observation:
        over, self._reported = self._reported, ""
        since = self._since.get(over, at)
        candidates = (_candidate(over, since, is_over=True),) if over else ()
        if over == "dirty_lens" and at - since < self.thresholds.short_lived:
            self._doubted_until = at + self.thresholds.doubted_for
        self._since.clear()
        return Observation(candidates=candidates, state="degraded" if note else "ok", note=_NOTES.get(note, note))

    def _fault(self, at: datetime) -> str:
        """Returns what is to be told: a fault keeps its first name, but for dirt that was the beginning of worse."""
        shown = self._persistent()
        is_doubted = shown == "dirty_lens" and at < self._doubted_until
        grace = max(self._grace, self.thresholds.doubted_grace) if is_doubted else self._grace
        is_due = bool(shown) and at - self._since.get(shown, at) >= grace
        if self._reported and (self._reported != "dirty_lens" or not is_due):
            return self._reported
        return shown if is_due else ""

    def _persistent(self) -> str:
        """Returns the symptom that all but one of the last frames show; dirt also has to be there in this one."""
        counts = {symptom: self._symptoms.count(symptom) for symptom in self._symptoms if symptom}
        if self._symptoms and self._symptoms[-1] != "dirty_lens":
            counts.pop("dirty_lens", None)
        best = max(counts, key=lambda symptom: counts[symptom], default="")
        return best if best and counts[best] >= self.thresholds.frames else ""


def _kept_good(good: _Good) -> KeptGood:
    return KeptGood(
        at=good.at,
        light=good.light,
        blown=good.blown,
        seen=good.seen,
        sharp=good.sharp,
        blocks=packed(good.blocks),
    )


def _good_of(kept: KeptGood) -> _Good:
    blocks = unpacked(kept.blocks, (BLOCKS[1], BLOCKS[0]))
    return _Good(at=kept.at, light=kept.light, blown=kept.blown, blocks=blocks, seen=kept.seen, sharp=kept.sharp)


def _candidate(fault: str, since: datetime, *, is_over: bool) -> Candidate:
    return Candidate(
        label=fault,
        tier="clear" if is_over else "alarm",
        score=1.0,
        box=_WHOLE,
        first_seen_at=since,
        cues=(fault, "recovered" if is_over else "persistence"),
    )
