"""Incidents, stores and channels for the tests of on-call."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from ioc.detections import Box
from ioc.incidents import INCIDENT_TYPE, Incident, Sighting
from ioc.oncall.channels import Receipt
from ioc.oncall.delivery import Outlet
from ioc.oncall.delivery_notices import notice_outlet
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import Notice
from ioc.oncall.store import Store, open_store, sqlite_url
from ioc.places.ellipse import Ellipse

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"only for tests, known to all, 32").decode()
DIGEST = "ab" * 32

SMOKE = Incident(
    incident_id="smoke-0001",
    kind="smoke",
    state="open",
    severity="critical",
    revision=2,
    camera_id="lang-biang-1",
    pose_id="north",
    admin_unit="24846",
    place_vi="Chòi canh Lang Biang",
    place_en="Lang Biang watchtower",
    lon=108.4415,
    lat=12.0453,
    azimuth_deg=15.0,
    box=Box(0.5, 0.4, 0.1, 0.1),
    first_frame_at=NOW - timedelta(seconds=90),
    opened_at=NOW - timedelta(seconds=5),
    last_seen_at=NOW - timedelta(seconds=5),
    peak_score=0.82,
    detections=5,
    evidence=f"evidence://sha256/{DIGEST}",
    evidence_sha256=DIGEST,
    runbook="/runbooks/smoke",
    cues=("dark_channel", "saturation"),
)


def sighting(camera_id: str, azimuth_deg: float | None, **changes: Any) -> Sighting:
    known = Sighting(
        camera_id=camera_id,
        pose_id="north",
        azimuth_deg=azimuth_deg,
        azimuth_sd_deg=None if azimuth_deg is None else 1.0,
        box=SMOKE.box,
        first_frame_at=SMOKE.first_frame_at,
        last_seen_at=SMOKE.last_seen_at,
        peak_score=0.8,
        evidence=SMOKE.evidence,
        evidence_sha256=DIGEST,
    )
    return replace(known, **changes)


LOCATED: dict[str, Any] = {
    "lon": 108.45,
    "lat": 12.06,
    "located_by": "crossing",
    "uncertainty_m": 270.0,
    "ellipse": Ellipse(semi_major_m=270.0, semi_minor_m=90.0, azimuth_deg=40.0),
    "sightings": (sighting("lang-biang-1", 15.0), sighting("robin", 300.0)),
}
"""What an incident has more once two cameras see it."""


def incident(**changes: Any) -> Incident:
    return replace(SMOKE, **changes)


def record(of: Incident, ce_type: str = INCIDENT_TYPE) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The value and headers of a Kafka record."""
    headers = [("ce_id", f"{of.incident_id}:{of.revision}".encode()), ("ce_type", ce_type.encode())]
    return orjson.dumps(of.as_json()), headers


def unit_names(code: str) -> tuple[str, str]:
    return {"24846": ("Phường Lang Biang", "Lang Biang ward")}.get(code, ("", ""))


_EMPTY: list[bytes] = []


async def _empty_database() -> bytes:
    """A new database, made once: the migrations take a tenth of a second."""
    if not _EMPTY:
        with TemporaryDirectory() as folder:
            store = await open_store(sqlite_url(Path(folder) / "oncall.db"))
            await store.close()
            _EMPTY.append((Path(folder) / "oncall.db").read_bytes())
    return _EMPTY[0]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    if not (folder / "oncall.db").exists():
        (folder / "oncall.db").write_bytes(await _empty_database())
    store = await open_store(sqlite_url(folder / "oncall.db"))
    try:
        yield store
    finally:
        await store.close()


class MovingClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(slots=True)
class ScriptedChannel:
    """Raises the scripted errors one after the other, then takes everything."""

    errors: list[Exception] = field(default_factory=list)
    name: str = "scripted"
    keys: list[str] = field(default_factory=list)
    taken: list[Notice] = field(default_factory=list)

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        self.keys.append(idempotency_key)
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(notice)
        return Receipt(reference="taken")


def outlet_of(
    channel: ScriptedChannel, store: Store, clock: MovingClock, metrics: OncallMetrics | None = None
) -> Outlet:
    return notice_outlet(
        channel,
        store=store,
        metrics=metrics or OncallMetrics(CollectorRegistry()),
        public_url="http://oncall.test",
        unit_names=unit_names,
        clock=clock,
        facts_clock=clock,
        on_sent=lambda: None,
        chance=lambda: 1.0,
    )
