"""Building permits, the zones of a picture in which building is watched, and the judgement that joins them. Pure."""

from ioc.permits.judging import RULES, Judgement, Rule, Work, judge
from ioc.permits.reading import permit_of_event, read_outline
from ioc.permits.registry import Permit, PermitRegistry, PermitStatus, Version
from ioc.permits.zones import PUBLIC_KINDS, ZONE_KINDS, ZONE_WORDS, Zone, point_in_polygon

__all__ = [
    "PUBLIC_KINDS",
    "RULES",
    "ZONE_KINDS",
    "ZONE_WORDS",
    "Judgement",
    "Permit",
    "PermitRegistry",
    "PermitStatus",
    "Rule",
    "Version",
    "Work",
    "Zone",
    "judge",
    "permit_of_event",
    "point_in_polygon",
    "read_outline",
]
