"""A plan for the tests of on-call: two shifts, a chief, a director; a fire chain and an everyday one."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from ioc.oncall.lifecycle import Actor
from ioc.oncall_plan import (
    Address,
    Hours,
    Level,
    Override,
    Person,
    Plan,
    Policy,
    QuietHours,
    Roster,
    Rotation,
    Route,
    Target,
)

BEGAN = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)  # 07:00 in Vietnam


def person(person_id: str, *channels: str, **changes: Any) -> Person:
    addresses = tuple(
        Address(channel=channel, address=f"{person_id}@{channel}.example") for channel in channels or ("telegram",)
    )
    return replace(Person(person_id=person_id, name=person_id.title(), addresses=addresses), **changes)


def target(text: str) -> Target:
    kind, name = text.split(":")
    return Target(kind="roster" if kind == "roster" else "person", name=name)


def policy(name: str, *levels: tuple[str, float | None], repeat: int = 0, fallback: str = "person:director") -> Policy:
    """`levels`: (targets with a comma between, minutes to acknowledge)."""
    return Policy(
        name=name,
        levels=tuple(
            Level(
                targets=tuple(target(text) for text in texts.split(",")),
                acknowledge_within=None if minutes is None else timedelta(minutes=minutes),
            )
            for texts, minutes in levels
        ),
        repeat=repeat,
        fallback=(target(fallback),),
    )


PEOPLE = {
    each.person_id: each
    for each in (person("lan", "telegram", "email"), person("minh"), person("chief"), person("director"))
}
CENTRE = Roster(name="centre", rotation=Rotation(people=("lan", "minh"), begins_at=BEGAN, every=timedelta(hours=12)))
PLAN = Plan(
    people=PEOPLE,
    rosters={"centre": CENTRE},
    policies={
        "fire": policy("fire", ("roster:centre", 2), ("person:chief", 3), repeat=1),
        "everyday": policy("everyday", ("roster:centre", 15)),
    },
    routes=(Route(severities=("critical",), policy="fire"), Route(policy="everyday")),
    quiet_hours=(QuietHours(severities=("info", "warning"), hours=Hours(begins=time(22), ends=time(6))),),
    cooldown={"warning": timedelta(minutes=10)},
)
OPERATOR = Actor(actor_id="lan", name="Lan", role="operator", door="web")
OTHER = Actor(actor_id="minh", name="Minh", role="operator", door="link")
VIEWER = Actor(actor_id="guest", name="Khách", role="viewer", door="web")

__all__ = [
    "BEGAN",
    "CENTRE",
    "OPERATOR",
    "OTHER",
    "PEOPLE",
    "PLAN",
    "VIEWER",
    "Override",
    "person",
    "policy",
    "target",
]
