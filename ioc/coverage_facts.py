"""Coverage as facts of the catalogue (`camera.coverage`), so that it is a figure like any other. Pure.

Each tells of one detector on one pose and a span of minutes. Its id is made of what it tells of: told again after a
restart, or by another worker, it counts once, and what was told first stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.cloudevents import Headers, decode_json, encode_json

__all__ = [
    "COVERAGE_EVENT",
    "COVERAGE_TOPIC",
    "COVERAGE_TYPE",
    "NOT_RUNNING",
    "REASONS",
    "Span",
    "coverage_record",
    "gap_before",
    "read_coverage",
]

COVERAGE_EVENT = "camera.coverage"
COVERAGE_TOPIC = "ioc.coverage.cameras"
COVERAGE_TYPE = "vn.ioc.camera.coverage.v1"

NOT_RUNNING = "not_running"
REASONS = ("offline", "camera_fault", "degraded", "skipped", "masked", "not_ready", NOT_RUNNING)
"""Why minutes were not looked at: no frame came; the camera is covered, blurred, moved …; fog or darkness; frames gave
way to newer ones; the view is masked; the detector warms up or has lost its scene; no worker was running."""

_OF_LEDGER = {
    "darkness": "degraded",
    "visibility_degraded": "degraded",
    "suspended": "not_ready",
    "warming_up": "not_ready",
}
_LONGEST_GAP = timedelta(hours=24)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What became of the minutes of one detector on one pose from `begins_at` on, all of them expected.

    `reasons`: why minutes were not looked at, and how many; those that nobody counted are `not_running`.
    """

    camera_id: str
    pose_id: str
    detector: str
    begins_at: datetime
    expected: int
    reasons: Mapping[str, int]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.camera_id, self.pose_id, self.detector

    @property
    def analysed(self) -> int:
        return self.expected - sum(self.reasons.values())

    @property
    def ends_at(self) -> datetime:
        return self.begins_at + self.expected * _MINUTE


def coverage_record(span: Span, *, province: str, unit: str) -> tuple[bytes, bytes, Headers]:
    """Returns (key, value, headers) of the record that tells of a span; `unit`: the camera's commune, "" for none."""
    reasons = _reasons_of(span)
    data = {
        "camera_id": span.camera_id,
        "pose_id": span.pose_id,
        "detector": span.detector,
        "begins_at": span.begins_at.isoformat(),
        "admin_unit": unit or None,
        "expected": span.expected,
        "analysed": span.analysed,
        **{reason: reasons[reason] for reason in REASONS},
        "main_reason": max(REASONS, key=reasons.__getitem__) if span.reasons else None,
    }
    value, headers = encode_json(
        data,
        event_id=":".join((*span.key, f"{span.begins_at:%Y%m%dT%H%MZ}")),
        event_type=COVERAGE_TYPE,
        source=f"/{province}/coverage/detectors",
        at=span.ends_at,
    )
    return f"{span.camera_id}:{span.pose_id}".encode(), value, headers


def read_coverage(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Span:
    """Returns what a record of ours tells; its reasons are those of `REASONS`.

    Raises:
        InvalidRecord, ValueError, KeyError, TypeError: the record is not one of ours.
    """
    data = decode_json(COVERAGE_TYPE, value, headers)
    return Span(
        camera_id=data["camera_id"],
        pose_id=data["pose_id"],
        detector=data["detector"],
        begins_at=datetime.fromisoformat(data["begins_at"]),
        expected=int(data["expected"]),
        reasons={reason: int(data[reason]) for reason in REASONS if data.get(reason)},
    )


def gap_before(span: Span, told_until: datetime) -> Iterator[Span]:
    """Yields the spans between what was told last and `span`, in which nobody looked; of a day at most."""
    length = span.ends_at - span.begins_at
    begins_at = max(told_until, span.begins_at - _LONGEST_GAP)
    begins_at += (span.begins_at - begins_at) % length  # told by spans of another length
    while begins_at < span.begins_at:
        yield Span(
            camera_id=span.camera_id,
            pose_id=span.pose_id,
            detector=span.detector,
            begins_at=begins_at,
            expected=span.expected,
            reasons={NOT_RUNNING: span.expected},
        )
        begins_at += length


def _reasons_of(span: Span) -> dict[str, int]:
    reasons = dict.fromkeys(REASONS, 0)
    for reason, minutes in span.reasons.items():
        known = _OF_LEDGER.get(reason, reason)
        reasons[known if known in reasons else "not_ready"] += minutes
    return reasons
