"""What a shard's log says of the shard itself: its place in its input, and the counters that go with it."""

import msgspec

__all__ = ["OUTCOMES", "Outcomes", "ShardMarker", "copied"]

OUTCOMES = ("in", "accepted", "duplicate", "rejected", "rerouted")
Outcomes = dict[str, dict[str, int]]
"""By topic, then by outcome. `in` = accepted + duplicate + rejected; a rerouted event counts where it arrives."""


class ShardMarker(msgspec.Struct, array_like=True):
    """`next_offsets` by topic; `newest`: the newest fact's time in µs by event type; `epoch` counts the owners."""

    epoch: int
    next_offsets: dict[str, int]
    outcomes: Outcomes
    newest: dict[str, int]


def copied(outcomes: Outcomes) -> Outcomes:
    return {topic: dict(counts) for topic, counts in outcomes.items()}
