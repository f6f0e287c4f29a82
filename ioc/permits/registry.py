"""The register of building permits: the newest version of each, and those before it. Pure.

Departments publish `permit.construction` when a permit is issued, changed or withdrawn; the catalogue's permits.yaml
stands in until they do. A version told later wins; one that comes late finds its place in the history.
"""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from shapely import Polygon

__all__ = ["Permit", "PermitRegistry", "PermitStatus", "Version"]

PermitStatus = Literal["valid", "suspended", "revoked", "expired"]

_FROM_CATALOGUE = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_VERSIONS = 50  # a permit changes a few times in its life; more is a publisher gone wild


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A construction permit of one parcel; both dates count as valid days, in local time.

    `floors` is None where the permit does not limit them; `outline` is the parcel in WGS 84 (longitude, latitude).
    """

    permit_id: str
    parcel_id: str
    valid_from: date
    valid_to: date
    status: PermitStatus = "valid"
    floors: int | None = None
    outline: Polygon | None = None

    def is_valid_on(self, on: date) -> bool:
        return self.status == "valid" and self.valid_from <= on <= self.valid_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A permit as it was told at a moment; `permit` is None where it was taken back."""

    told_at: datetime
    permit: Permit | None


class PermitRegistry:
    """Permits by number and by parcel. The order in which versions come does not matter."""

    def __init__(self, declared: Iterable[Permit] = ()) -> None:
        self._versions: dict[str, list[Version]] = {}
        self._by_parcel: dict[str, set[str]] = {}
        for permit in declared:
            self.put(permit.permit_id, permit, _FROM_CATALOGUE)

    def put(self, permit_id: str, permit: Permit | None, told_at: datetime) -> frozenset[str]:
        """Takes a version (None: taken back) and returns the parcels whose permits now stand otherwise.

        The same version again, or an older one, changes nothing that counts.
        """
        versions = self._versions.setdefault(permit_id, [])
        before = versions[-1].permit if versions else None
        version = Version(told_at=told_at, permit=permit)
        if version in versions:
            return frozenset()
        insort(versions, version, key=lambda known: known.told_at)
        del versions[:-_KEPT_VERSIONS]
        after = versions[-1].permit
        if after == before:
            return frozenset()
        if before is not None:
            self._by_parcel[before.parcel_id].discard(permit_id)
        if after is not None:
            self._by_parcel.setdefault(after.parcel_id, set()).add(permit_id)
        return frozenset(one.parcel_id for one in (before, after) if one is not None and one.parcel_id)

    def of_parcel(self, parcel_id: str) -> tuple[Permit, ...]:
        """Returns the permits of a parcel as they stand now, by number; none for a parcel without a name."""
        numbers = sorted(self._by_parcel.get(parcel_id, ())) if parcel_id else []
        found = (self._versions[number][-1].permit for number in numbers)
        return tuple(permit for permit in found if permit is not None)

    def history(self, permit_id: str) -> tuple[Version, ...]:
        """Returns what was told of a permit, oldest first; at most the newest 50 versions."""
        return tuple(self._versions.get(permit_id, ()))

    def doubles(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Returns the parcels that have two permits valid on a same day, with their numbers: a person should look."""
        found = []
        for parcel_id in sorted(self._by_parcel):
            valid = [permit for permit in self.of_parcel(parcel_id) if permit.status == "valid"]
            if any(a.valid_from <= b.valid_to and b.valid_from <= a.valid_to for a, b in _pairs(valid)):
                found.append((parcel_id, tuple(permit.permit_id for permit in valid)))
        return tuple(found)

    def __len__(self) -> int:
        return sum(versions[-1].permit is not None for versions in self._versions.values())


def _pairs(permits: list[Permit]) -> Iterable[tuple[Permit, Permit]]:
    return ((a, b) for index, a in enumerate(permits) for b in permits[index + 1 :])
