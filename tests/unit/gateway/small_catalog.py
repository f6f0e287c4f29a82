"""A catalogue that the doors' tests load quickly."""

from dataclasses import replace
from functools import cache

from ioc.catalog import Catalog
from tests.unit.domain.making import catalog

__all__ = ["small_catalog"]


@cache
def small_catalog() -> Catalog:
    """The starting catalogue with the event types that these doors need: a decoder of them is there at once."""
    families = ("disaster", "citizen", "health")
    types = {name: kind for name, kind in catalog().event_types.items() if kind.family in families}
    return replace(catalog(), event_types=types)
