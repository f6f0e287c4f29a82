"""Which chain an incident goes to, and which addresses its levels mean right now. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from ioc.incidents import Severity
from ioc.oncall.rosters import standing
from ioc.oncall_plan import ALL, Address, Hours, Person, Plan, Policy, Route, Target
from ioc.windows import LOCAL_ZONE

__all__ = ["Call", "Facts", "Recipient", "call", "is_among", "policy_of", "recipients_of", "span_end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules ask about an incident."""

    kind: str
    severity: Severity
    unit: str = ""
    camera_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person at one address. `spare` are the person's further addresses, in their order, for when this fails."""

    person_id: str
    name: str
    language: Literal["vi", "en"]
    address: Address
    spare: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Whom to tell. `is_nobody_on_roster`: nobody of the level stood anywhere, so these are the policy's fall-back."""

    recipients: tuple[Recipient, ...]
    is_nobody_on_roster: bool = False


def policy_of(plan: Plan, facts: Facts, at: datetime) -> Policy:
    """The policy of the first route that matches at `at`; the last route matches everything."""
    route = next((route for route in plan.routes if _matches(route, facts, at)), plan.routes[-1])
    return plan.policies[route.policy]


def call(plan: Plan, policy: Policy, targets: Iterable[Target], at: datetime) -> Call:
    """Whom `targets` mean at `at`, each person once; the policy's fall-back where nobody stands."""
    found = recipients_of(plan, targets, at)
    if found:
        return Call(recipients=found)
    return Call(recipients=recipients_of(plan, policy.fallback, at), is_nobody_on_roster=True)


def recipients_of(plan: Plan, targets: Iterable[Target], at: datetime) -> tuple[Recipient, ...]:
    """The addresses of the people that `targets` mean at `at`, each person once, in order."""
    ids: dict[str, None] = {}
    for target in targets:
        names: Sequence[str] = (
            (target.name,) if target.kind == "person" else standing(plan.rosters[target.name], plan.people, at)
        )
        ids |= dict.fromkeys(names)
    return tuple(recipient for person_id in ids for recipient in _recipients(plan.people[person_id]))


def _recipients(person: Person) -> tuple[Recipient, ...]:
    chosen = person.addresses if person.is_told_everywhere else person.addresses[:1]
    return tuple(
        Recipient(
            person_id=person.person_id,
            name=person.name,
            language=person.language,
            address=address,
            spare=() if person.is_told_everywhere else person.addresses[1:],
        )
        for address in chosen
    )


def is_among(value: str, patterns: Sequence[str]) -> bool:
    """Whether `patterns` ask for nothing, or one of them (`*` for any part) is `value`."""
    return not patterns or any(pattern == ALL or fnmatchcase(value, pattern) for pattern in patterns)


def span_end(hours: Hours, at: datetime) -> datetime | None:
    """When the span of `hours` that holds `at` ends; None where `at` lies in none. A day's span may end tomorrow."""
    local = at.astimezone(LOCAL_ZONE)
    for days_back in (0, 1):
        day = (local - timedelta(days=days_back)).date()
        if day.weekday() not in hours.days:
            continue
        begins = datetime.combine(day, hours.begins, LOCAL_ZONE)
        ends = datetime.combine(day, hours.ends, LOCAL_ZONE)
        if ends <= begins:
            ends += timedelta(days=1)
        if begins <= local < ends:
            return ends.astimezone(at.tzinfo)
    return None


def _matches(route: Route, facts: Facts, at: datetime) -> bool:
    return (
        is_among(facts.kind, route.kinds)
        and (not route.severities or facts.severity in route.severities)
        and is_among(facts.unit, route.units)
        and (route.hours is None or span_end(route.hours, at) is not None)
    )
