"""Channels, cameras and the minutes of the LGSP: states and sums told again and again."""

from datetime import UTC, datetime, timedelta

from tests.recount.accepting import HANOI
from tests.recount.scribe import MILLISECOND, UNITS, Scribe, near
from tests.recount.subjects import instants

__all__ = ["camera", "channel", "lgsp_minute"]


def channel(scribe: Scribe) -> None:
    rng = scribe.rng
    channel_id = scribe.entity_id("TSLCD")
    home = rng.choice([*UNITS, None])
    for at in instants(scribe, rng.choice([1, 2, 4, 9, 20]), 3):
        data: dict[str, object] = {"channel_id": channel_id, "up": scribe.chance(0.7)}
        if home is not None or scribe.chance(0.1):
            scribe.maybe(data, "admin_unit", rng.choice(UNITS) if scribe.chance(0.1) else home, absent=0.3)
        scribe.maybe(data, "level", rng.choice(["province", "commune"]))
        scribe.maybe(data, "latency_ms", rng.choice([1, 2.5, 40]))
        scribe.maybe(data, "loss_pct", rng.choice([0, 0.25]))
        if not scribe.chance(0.05):
            data["at"] = scribe.stamp(at)
        if scribe.chance(0.05):
            data["deleted"] = True
            data["admin_unit"] = None
        ce_time = at if "at" not in data else near(scribe, at)
        scribe.write(
            ("network_channel_state", channel_id),
            channel_id,
            "vn.ioc.network.channel_state.v1",
            "ioc.network.channels",
            data,
            ce_time,
        )


def camera(scribe: Scribe, camera_id: str) -> None:
    rng = scribe.rng
    entity = ("camera_heartbeat", camera_id)
    for _ in range(rng.choice([1, 3, 10, 30])):
        # Quarters of a second are exact in binary, so that 120 means 120.
        at = scribe.clock - timedelta(milliseconds=250 * rng.randrange(-60 * 4, 600 * 4))
        age_s: float = rng.choice([0, 1, 3.5, 30, 119, 120, 121, 600])
        if scribe.chance(0.4):
            age_s = max(0.0, 120 - (scribe.clock - at).total_seconds() + rng.choice([0, 0, 0.25, -0.25]))
            age_s = int(age_s) if age_s == int(age_s) else age_s
        data: dict[str, object] = {"camera_id": camera_id, "online": scribe.chance(0.85), "last_frame_age_s": age_s}
        scribe.maybe(data, "fps", rng.choice([1, 12.5, 25]))
        scribe.maybe(data, "blurred", scribe.chance(0.3))
        scribe.maybe(data, "occluded", scribe.chance(0.3))
        if not scribe.chance(0.04):
            data["at"] = scribe.stamp(at)
        if scribe.chance(0.03):
            data["deleted"] = True
        ce_time = at if "at" not in data else near(scribe, at)
        scribe.write(entity, camera_id, "vn.ioc.camera.heartbeat.v1", "ioc.camera.health", data, ce_time)


def _a_minute(scribe: Scribe) -> datetime:
    """Returns a minute, most often one at an edge of the 5m, 1h or day window."""
    rng = scribe.rng
    running = scribe.clock.replace(second=0, microsecond=0)
    midnight = scribe.clock.astimezone(HANOI).replace(hour=0, minute=0, second=0, microsecond=0)
    kind = rng.random()
    if kind < 0.35:
        minute = running - timedelta(minutes=rng.randrange(-1, 9))
    elif kind < 0.60:
        minute = running - timedelta(minutes=rng.randrange(56, 65))
    elif kind < 0.75:
        minute = midnight + timedelta(minutes=rng.randrange(-2, 3))
    elif kind < 0.85:
        minute = running + timedelta(minutes=rng.randrange(1, 16))
    else:
        minute = running - timedelta(minutes=rng.randrange(2 * 1440))
    if scribe.chance(0.08):
        minute += rng.choice([timedelta(seconds=30), timedelta(seconds=59, milliseconds=999), -MILLISECOND])
    return scribe.capped(minute)


def lgsp_minute(scribe: Scribe) -> None:
    rng = scribe.rng
    service_id, consumer = f"svc-{rng.randrange(40)}", rng.choice(["dvcqg", "motcua", "thuế", "bhxh"])
    minute = _a_minute(scribe)
    entity = ("lgsp_service_call", service_id, consumer, minute.astimezone(UTC).isoformat())
    # Every fact of one minute has the same time: the greater id, then the source, tells which is the newest.
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        calls = rng.randrange(500)
        data: dict[str, object] = {
            "service_id": service_id,
            "consumer": consumer,
            "window_start": scribe.stamp(minute),
            "calls": calls,
            "errors": rng.choice([0, 0, calls // 20, calls]),
        }
        scribe.maybe(data, "provider", "sở")
        scribe.maybe(data, "p95_ms", rng.choice([20, 87.5]))
        if scribe.chance(0.05):
            data["deleted"] = True
        scribe.write(entity, service_id, "vn.ioc.lgsp.service_call.v1", "ioc.lgsp.calls", data, near(scribe, minute))
