"""What agencies are called. Their codes are known by the events that name them; names are the catalogue's. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ioc.kpis.figures import OTHER

__all__ = ["Agency", "agency_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An office with an electronic identification code, like H36.01."""

    code: str
    name_vi: str
    name_en: str


_REST = Agency(code=OTHER, name_vi="Các cơ quan khác", name_en="Other agencies")


def agency_named(agencies: Mapping[str, Agency], code: str) -> Agency:
    """Returns the agency; one that the catalogue does not know is called by its code."""
    return agencies.get(code) or (_REST if code == OTHER else Agency(code=code, name_vi=code, name_en=code))
