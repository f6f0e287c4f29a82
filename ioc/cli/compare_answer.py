"""The answer of `ioc detectors compare`: alerts by what became of them and by what people know of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from detectors.evaluation.comparing import OUTCOMES, Alert, Comparison, Outcome
from ioc.adapters.evidence import EvidenceStore
from ioc.cli.compare_truth import TRUTHS, Truth, TruthOf
from ioc.errors import InvalidRecord, TransientError

__all__ = ["Compared", "Pictures", "print_compared"]

_MOST_LINES = 40


@dataclass(slots=True, kw_only=True)
class Pictures:
    """The frames with which alerts began, by name, as JPEG; kept only where somebody wants to look at them."""

    is_wanted: bool
    jpegs: dict[str, bytes] = field(default_factory=dict)

    def keep(self, name: str, jpeg: bytes) -> str:
        """Returns `name`."""
        if self.is_wanted:
            self.jpegs[name] = jpeg
        return name

    def fetch(self, references: Iterable[str], evidence: EvidenceStore) -> None:
        """Gets what is still in the store."""
        for reference in references if self.is_wanted else ():
            try:
                self.jpegs[reference] = evidence.get(reference)
            except (InvalidRecord, TransientError):
                continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`alerts` with what is known of each, lost ones first. `frames`, `poses` and times are None where only a list was
    read; `left_out` counts pictures that are gone or can't be decoded."""

    live: str
    shadow: str
    alerts: tuple[tuple[Alert, Truth], ...]
    frames: int | None = None
    poses: int | None = None
    live_ms: float | None = None
    shadow_ms: float | None = None
    left_out: int = 0

    @classmethod
    def of(
        cls,
        alerts: Sequence[Alert],
        truth: TruthOf,
        *,
        live: str,
        shadow: str,
        comparison: Comparison | None = None,
        left_out: int = 0,
    ) -> "Compared":
        order: tuple[Outcome, ...] = ("lost", "gained", "kept")
        known = sorted(((alert, truth(alert)) for alert in alerts), key=lambda one: order.index(one[0].outcome))
        if comparison is None:
            return cls(live=live, shadow=shadow, alerts=tuple(known), left_out=left_out)
        frames = comparison.frames
        return cls(
            live=live,
            shadow=shadow,
            alerts=tuple(known),
            frames=frames,
            poses=comparison.poses,
            live_ms=round(1000 * comparison.live_s / max(1, frames), 1),
            shadow_ms=round(1000 * comparison.shadow_s / max(1, frames), 1),
            left_out=left_out,
        )

    @property
    def counts(self) -> Mapping[tuple[Outcome, Truth], int]:
        return Counter((alert.outcome, truth) for alert, truth in self.alerts)

    @property
    def lost_real(self) -> int:
        return self.counts.get(("lost", "real"), 0)

    def as_json(self) -> dict[str, Any]:
        counts = self.counts
        return {
            "live": self.live,
            "shadow": self.shadow,
            "frames": self.frames,
            "poses": self.poses,
            "left_out": self.left_out,
            "live_ms_per_frame": self.live_ms,
            "shadow_ms_per_frame": self.shadow_ms,
            "counts": {outcome: {truth: counts.get((outcome, truth), 0) for truth in TRUTHS} for outcome in OUTCOMES},
            "alerts": [_alert_json(alert, truth) for alert, truth in self.alerts],
        }


def _alert_json(alert: Alert, truth: Truth) -> dict[str, Any]:
    return {
        "pose": alert.pose,
        "outcome": alert.outcome,
        "truth": truth,
        "began_at": alert.began_at.isoformat(),
        "live_at": None if alert.live_at is None else alert.live_at.isoformat(),
        "shadow_at": None if alert.shadow_at is None else alert.shadow_at.isoformat(),
        "bbox": alert.box.as_list(),
        "score": round(alert.score, 4),
        "frame": alert.frame,
    }


def print_compared(compared: Compared) -> None:
    """For eyes: the counts, and what is lost and gained line by line."""
    console = Console(soft_wrap=True, highlight=False)
    table = Table(title=f"live {compared.live} → shadow {compared.shadow}")
    table.add_column("alerts")
    for truth in TRUTHS:
        table.add_column(truth, justify="right")
    counts = compared.counts
    for outcome in OUTCOMES:
        table.add_row(outcome, *(str(counts.get((outcome, truth), 0)) for truth in TRUTHS))
    console.print(table)
    if compared.frames is not None:
        console.print(
            f"{compared.frames} frames of {compared.poses} poses, {compared.left_out} left out; "
            f"{compared.live_ms} ms a frame live, {compared.shadow_ms} ms shadow"
        )
    others = [(alert, truth) for alert, truth in compared.alerts if alert.outcome != "kept"]
    for alert, truth in others[:_MOST_LINES]:
        line = f"{alert.outcome} ({truth}): {alert.pose} {alert.began_at:%Y-%m-%d %H:%M:%S} {alert.frame}"
        console.print(line, markup=False)
    if len(others) > _MOST_LINES:
        console.print(f"… and {len(others) - _MOST_LINES} more; --json or --report shows all")
