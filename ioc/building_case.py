"""What a case of building work holds beside its incident: how it was judged, what was built when, how it was decided.

Pure. A permit that comes later, or is withdrawn, judges the same facts again; nothing that was told is taken back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, TypeVar

import msgspec

from ioc.case_terms import CaseTerm, Moment, TermRules, terms_of
from ioc.detections import Detection
from ioc.ground import GroundMap
from ioc.permits import PUBLIC_KINDS, Judgement, Permit, Work, Zone, judge
from ioc.windows import LOCAL_ZONE

__all__ = ["BUILDING_KINDS", "LEGAL", "BuildingCase", "Decision", "Finding", "Judged", "StageSeen", "judgement_of"]

BUILDING_KINDS: Final = ("construction", "encroachment")
"""Kinds of incidents that have a case."""

LEGAL: Final = frozenset({"permit_valid", "private_ground"})
"""Rules by which work is none of the inspectors' business."""

_KEPT = 50  # of judgements and of stages: a detector that flutters must not fill the row
_ZONE_UNKNOWN = Judgement(is_violation=True, rule="no_permit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`rule` (of `ioc.permits.RULES`) and `permit_id` ("" where there is none) hold from `at` on."""

    at: datetime
    rule: str
    permit_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeen:
    """From the frame of `at` on the work was seen at `stage`, with at least so many storeys (None: not known)."""

    at: datetime
    stage: str
    storeys: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An inspector's decision on a case, as `violation.recorded` tells it. `noted_at`: when the product heard of it."""

    decided_at: datetime
    field: str = ""
    fine_vnd: float | None = None
    noted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """When a competent person found the violation, and when it was put on record (None: not told). `noted_at`: when the
    product heard of it."""

    found_at: datetime
    recorded_at: datetime | None = None
    noted_at: datetime | None = None


_Told = TypeVar("_Told", Finding, Decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingCase:
    """`judgements` and `stages` are the history, oldest first; the last judgement holds.

    `storeys` is the greatest number that was ever certain, `footprint` corners in shares of the picture, `forbidden_at`
    when work was last seen outside the hours of work, `worked_at` a time after which work certainly went on (None: not
    known). `is_confirmed`: there was an alarm, not only an early sign. `agency` answers for the zone.
    `finding` is a person's, never the camera's; `terms` are the statutory terms that it has begun.
    """

    judgements: tuple[Judged, ...] = ()
    stages: tuple[StageSeen, ...] = ()
    storeys: int | None = None
    footprint: tuple[tuple[float, float], ...] = ()
    forbidden_at: datetime | None = None
    worked_at: datetime | None = None
    is_confirmed: bool = False
    parcel_id: str = ""
    agency: str = ""
    decision: Decision | None = None
    finding: Finding | None = None
    terms: tuple[CaseTerm, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether it is decided, or nothing that is forbidden."""
        return self.decision is not None or self.is_legal

    @property
    def is_legal(self) -> bool:
        return bool(self.judgements) and self.judgements[-1].rule in LEGAL

    @property
    def changed_at(self) -> datetime | None:
        """When it was last judged, found to be a violation or decided."""
        noted = [done.noted_at for done in (self.decision, self.finding) if done is not None]
        moments = [*(judged.at for judged in self.judgements[-1:]), *(at for at in noted if at is not None)]
        return max(moments, default=None)

    @property
    def moments(self) -> list[datetime]:
        """Every time that it holds."""
        told = [
            *(judged.at for judged in self.judgements),
            *(stage.at for stage in self.stages),
            *(moment for term in self.terms for moment in (term.since, term.due_at, term.met_at)),
            *((self.finding.found_at, self.finding.recorded_at, self.finding.noted_at) if self.finding else ()),
        ]
        return [moment for moment in told if moment is not None]

    def handled(self, finding: Finding | None, decision: Decision | None, at: datetime) -> "BuildingCase":
        """The case with what people are known to have found and decided, heard of at `at`."""
        return replace(self, finding=_noted(finding, self.finding, at), decision=_noted(decision, self.decision, at))

    def with_terms(self, kind: str, rules: TermRules) -> "BuildingCase":
        """The case of an incident of `kind` with its terms as `rules` count them."""
        moments: dict[Moment, datetime] = {}
        if self.finding is not None:
            moments["found"] = self.finding.found_at
            if self.finding.recorded_at is not None:
                moments["recorded"] = self.finding.recorded_at
        if self.decision is not None:
            moments["decided"] = self.decision.decided_at
        return replace(self, terms=terms_of(kind, moments, rules))

    def after(self, detection: Detection, zone: Zone | None) -> "BuildingCase":
        """The case with what `detection` shows of it."""
        seen = _Extra.of(detection)
        storeys = max((n for n in (self.storeys, seen.storeys) if n is not None), default=None)
        at = detection.frame_at
        is_forbidden = seen.is_active and zone is not None and not zone.allows_work_at(at.astimezone(LOCAL_ZONE).time())
        return replace(
            self,
            storeys=storeys,
            stages=self._with_stage(StageSeen(at=at, stage=seen.stage, storeys=storeys)),
            footprint=seen.footprint or self.footprint,
            forbidden_at=at if is_forbidden else self.forbidden_at,
            worked_at=max((t for t in (self.worked_at, seen.worked_at) if t is not None), default=None),
            is_confirmed=self.is_confirmed or _is_alarm(detection, zone),
            parcel_id=zone.parcel_id if zone is not None else "",
            agency=zone.agency if zone is not None else "",
        )

    def _with_stage(self, seen: StageSeen) -> tuple[StageSeen, ...]:
        last = self.stages[-1] if self.stages else None
        stage = seen.stage or (last.stage if last else "")
        if (last is not None and (last.stage, last.storeys) == (stage, seen.storeys)) or not (stage or seen.storeys):
            return self.stages
        return (*self.stages, replace(seen, stage=stage))[-_KEPT:]

    def judged(self, judgement: Judgement, at: datetime) -> "BuildingCase":
        """The case with a judgement where it is another than before."""
        last = self.judgements[-1] if self.judgements else None
        if last is not None and (last.rule, last.permit_id) == (judgement.rule, judgement.permit_id):
            return self
        new = Judged(at=at, rule=judgement.rule, permit_id=judgement.permit_id)
        return replace(self, judgements=(*self.judgements, new)[-_KEPT:])


def judgement_of(
    case: BuildingCase, kind: str, *, zone: Zone | None, ground: GroundMap | None, on: date, permits: Iterable[Permit]
) -> Judgement:
    """How the law stands to what `case` shows on the local day `on`. What stands on public ground needs no permit to be
    forbidden; what somebody leaves on private ground is the owner's. Building needs a permit while it goes on, not for
    ever: a house that is finished is judged by the last day on which it is known to have been worked at."""
    if zone is None:
        return _ZONE_UNKNOWN if kind == "construction" else Judgement(is_violation=True, rule="encroachment")
    if kind == "encroachment":
        is_public = zone.kind in PUBLIC_KINDS
        return Judgement(is_violation=is_public, rule="encroachment" if is_public else "private_ground")
    work = Work(
        zone=zone,
        on=on if case.worked_at is None else min(on, case.worked_at.astimezone(LOCAL_ZONE).date()),
        footprint=ground.footprint(case.footprint) if ground is not None and case.footprint else None,
        storeys=case.storeys,
        active_at=case.forbidden_at.astimezone(LOCAL_ZONE).time() if case.forbidden_at is not None else None,
    )
    return judge(work, permits)


def _noted(told: _Told | None, before: _Told | None, at: datetime) -> _Told | None:
    """What is told now, noted at `at`; what was told already stays noted as it was."""
    if told is None or (before is not None and replace(before, noted_at=None) == replace(told, noted_at=None)):
        return before if told is not None else None
    return replace(told, noted_at=at)


def _is_alarm(detection: Detection, zone: Zone | None) -> bool:
    """An encroachment is one once it has stood for the zone's time."""
    if detection.tier != "alarm":
        return False
    return detection.label != "encroachment" or zone is None or detection.persisted_s >= zone.dwell_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """What a detector adds to a detection of building work, as far as it can be read."""

    stage: str = ""
    storeys: int | None = None
    footprint: tuple[tuple[float, float], ...] = ()
    is_active: bool = False
    worked_at: datetime | None = None

    @classmethod
    def of(cls, detection: Detection) -> "_Extra":
        extra = detection.extra
        storeys = extra.get("storeys", "")
        return cls(
            stage=extra.get("stage", "")[:40],
            storeys=int(storeys) if storeys.isascii() and storeys.isdecimal() and len(storeys) <= 3 else None,
            footprint=_corners(extra.get("footprint", "")),
            is_active=extra.get("active", "").lower() in ("true", "1", "yes"),
            worked_at=_moment(extra.get("worked_at", "")),
        )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    try:
        corners: Any = msgspec.json.decode(text, type=tuple[tuple[float, float], ...]) if text else ()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return ()
    is_outline = 3 <= len(corners) <= 500 and all(0 <= x <= 1 and 0 <= y <= 1 for x, y in corners)
    return corners if is_outline else ()
