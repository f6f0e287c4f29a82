"""Which stills of the evidence store belong to which incident: an empty object for each, named by its time.

`cases/<incident>/<time>-<sha256>`: written once, never changed, so several workers and a restart can't disagree, and a
listing is the case. Stills without any such name are let go after some days (`sweep`).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import obstore
from obstore.exceptions import BaseError

from ioc.adapters.evidence import EvidenceStore, first_line, object_digest, passing_mark
from ioc.errors import TransientError

__all__ = ["CaseStill", "CaseStills", "Swept"]

_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_PASSING = "passing/"
_NAME = re.compile(r"(\d{8}T\d{9})-([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CaseStill:
    """One still of an incident: when it was taken, and the hash of its bytes."""

    at: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep let go, or would have: incidents, stills, and the bytes of these."""

    cases: int
    stills: int
    size_bytes: int = 0


class CaseStills:
    """Safe to share between threads; every method blocks and raises TransientError where the store is away."""

    def __init__(self, evidence: EvidenceStore) -> None:
        self._evidence = evidence
        self._store = evidence.objects

    def add(self, incident_id: str, at: datetime, sha256: str) -> None:
        """Says that a still belongs to an incident; saying it again changes nothing."""
        moment = at.astimezone(UTC)
        name = f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03}-{sha256}"
        try:
            obstore.put(self._store, f"cases/{_checked(incident_id)}/{name}", b"", use_multipart=False)
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't note a still: {first_line(error)}") from error

    def of(self, incident_id: str) -> tuple[CaseStill, ...]:
        """Returns the stills of an incident, oldest first."""
        found = []
        for name in self._names(f"cases/{_checked(incident_id)}/"):
            match = _NAME.fullmatch(name.rsplit("/", 1)[-1])
            if match is not None:
                at = datetime.strptime(match[1] + "000", "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
                found.append(CaseStill(at, match[2]))
        return tuple(sorted(found, key=lambda still: (still.at, still.sha256)))

    def incidents(self) -> tuple[str, ...]:
        """Returns the ids of the incidents that have stills."""
        return tuple(sorted({name.split("/")[1] for name in self._names("cases/")}))

    def sweep(
        self,
        expired: Iterable[str],
        *,
        now: datetime,
        loose: timedelta,
        passing: timedelta | None = None,
        named: Collection[str] = (),
        is_dry: bool = False,
    ) -> Swept:
        """Forgets the incidents of `expired`, then deletes stills that no incident has and that are older than `loose`.

        A still is noted after it is stored, so one that is younger than `loose` may be about to be: it stays. `named`
        are hashes that somebody else needs. `is_dry`: only says what would go. `passing`: the same for frames that only
        passed through the store; None: as `loose`.
        """
        gone = {incident_id for incident_id in expired if _ID.fullmatch(incident_id)}
        noted = list(self._names("cases/"))
        kept = {name.rsplit("-", 1)[-1] for name in noted if name.split("/")[1] not in gone} | set(named)
        marks = {name.rsplit("/", 1)[-1] for name in self._names(_PASSING)}
        loosened = {}
        for name, modified, size_bytes in self._listed("sha256/"):
            digest = object_digest(name)
            lasts = loose if passing is None or digest not in marks else passing
            if digest not in kept and modified < now - lasts:
                loosened[name] = size_bytes
        if not is_dry:
            self._delete([name for name in noted if name.split("/")[1] in gone])
            self._delete(list(loosened))
            self._delete([passing_mark(digest) for name in loosened if (digest := object_digest(name)) in marks])
        return Swept(len(gone), len(loosened), sum(loosened.values()))

    def _names(self, prefix: str) -> Iterator[str]:
        return (name for name, _, _ in self._listed(prefix))

    def _listed(self, prefix: str) -> Iterator[tuple[str, datetime, int]]:
        try:
            for chunk in obstore.list(self._store, prefix=prefix, chunk_size=1000):
                for entry in chunk:
                    yield entry["path"], entry["last_modified"], entry["size"]
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't be listed: {first_line(error)}") from error

    def _delete(self, names: list[str]) -> None:
        try:
            for first in range(0, len(names), 1000):
                obstore.delete(self._store, names[first : first + 1000])
        except FileNotFoundError:
            pass  # another sweep was here
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't let stills go: {first_line(error)}") from error


def _checked(incident_id: str) -> str:
    if not _ID.fullmatch(incident_id) or incident_id.strip(".") == "":
        raise ValueError(f"no incident id: {incident_id[:80]!r}")
    return incident_id
