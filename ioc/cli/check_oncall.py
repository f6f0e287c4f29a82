"""What `ioc check` says of an `oncall.yaml` that loads: gaps in its rosters, kinds that don't exist, names unused."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ioc.errors import ConfigurationError
from ioc.oncall_plan import Plan, Target

if TYPE_CHECKING:
    from ioc.catalog import Catalog

__all__ = ["findings"]

LOOK_AHEAD = timedelta(days=30)
_SHOWN_GAPS = 5


def findings(catalog: "Catalog", now: datetime) -> Iterator[str]:
    """Yields one sentence each, rosters looked at from `now` for 30 days.

    Raises:
        ConfigurationError: a calendar can't be understood, or names nobody known.
    """
    if catalog.oncall is None:
        return
    where = f"{catalog.folder}/oncall.yaml"
    try:
        for sentence in (*_gaps(catalog.oncall, now), *_unknown_kinds(catalog.oncall), *_unused(catalog.oncall)):
            yield f"{where}: {sentence}"
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _gaps(plan: Plan, now: datetime) -> Iterator[str]:
    from ioc.oncall.rosters import check_roster, gaps  # it reads iCalendar: only where there is a plan
    from ioc.windows import LOCAL_ZONE

    for roster in plan.rosters.values():
        check_roster(roster, plan.people, now, now + LOOK_AHEAD)
        found = gaps(roster, plan.people, now, now + LOOK_AHEAD)
        for gap in found[:_SHOWN_GAPS]:
            begins, ends = (f"{at.astimezone(LOCAL_ZONE):%Y-%m-%d %H:%M}" for at in (gap.begins_at, gap.ends_at))
            yield f"rosters.{roster.name}: nobody stands from {begins} to {ends}; the fall-back would be called"
        if len(found) > _SHOWN_GAPS:
            yield f"rosters.{roster.name}: {len(found) - _SHOWN_GAPS} more gaps within 30 days"


def _unknown_kinds(plan: Plan) -> Iterator[str]:
    from ioc.oncall.kinds import OWN_KINDS

    named = [(f"routes.{number}.kinds", route.kinds) for number, route in enumerate(plan.routes, 1)]
    named += [(f"maintenance.{number}.kinds", window.kinds) for number, window in enumerate(plan.maintenance, 1)]
    for where, patterns in named:
        for pattern in patterns:
            if not pattern.startswith("alert_") and not any(fnmatchcase(kind, pattern) for kind in OWN_KINDS):
                yield f"{where}: no incident is of kind {pattern!r}; known: {', '.join(OWN_KINDS)}, alert_*"


def _unused(plan: Plan) -> Iterator[str]:
    told = {target for policy in plan.policies.values() for level in policy.levels for target in level.targets}
    told |= {target for policy in plan.policies.values() for target in policy.fallback}
    for name in plan.rosters:
        if Target(kind="roster", name=name) not in told:
            yield f"rosters.{name}: no policy names it, so nobody on it is ever called"
    routed = {route.policy for route in plan.routes}
    for name in plan.policies:
        if name not in routed:
            yield f"policies.{name}: no route leads to it"
