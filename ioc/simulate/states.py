"""What stands rather than happens: data channels, the integration platform, cameras. Each reports itself again and
again; the figures of the wall's live lines come from here."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from ioc.simulate.lives import Step

__all__ = ["CHANNELS", "SERVICES", "ProvinceStates"]

CHANNELS = 184  # Hòa Bình 2022: 33 of province and district, 151 of communes
_COMMUNE_CHANNELS = 151
_DOWN_SHARE = 0.01
SERVICES: tuple[tuple[str, str, int], ...] = (
    ("csdldc-xacthuc", "Bộ Công an", 220),
    ("lltp-capphieu", "Bộ Tư pháp", 18),
    ("hotich-dangky", "Bộ Tư pháp", 45),
    ("dkkd-tracuu", "Bộ Tài chính", 60),
    ("datdai-giaodich", "Bộ Nông nghiệp và Môi trường", 35),
    ("bhxh-tracuu", "BHXH Việt Nam", 90),
)
"""Services of the LGSP: id, provider, calls a minute and consumer."""
_CONSUMERS = ("motcua", "ioc")
_SYSTEMS = tuple(f"sys-{n:02d}" for n in range(1, 21))
_SILENT_SYSTEM = "sys-17"  # required, and not connected


class ProvinceStates:
    """The reporters of one province. Each method returns the next report of one of them, as of `at`."""

    def __init__(self, rng: Random, units: Sequence[str], cameras: Sequence[str]) -> None:
        communes = list(units[:_COMMUNE_CHANNELS])
        self._channels = [(f"tslcd-x-{unit}", "commune", unit) for unit in communes]
        centre = communes[0]
        self._channels += [(f"tslcd-t-{n:02d}", "province", centre) for n in range(1, CHANNELS - len(communes) + 1)]
        down = rng.sample(range(CHANNELS), max(1, round(CHANNELS * _DOWN_SHARE)))
        self._down = {self._channels[n][0] for n in down}
        self._cameras = list(cameras)
        self._offline = {self._cameras[rng.randrange(len(self._cameras))]} if len(self._cameras) > 20 else set()
        self.channel_count, self.camera_count = CHANNELS, len(self._cameras)
        self.call_count, self.connection_count = len(SERVICES) * len(_CONSUMERS), len(_SYSTEMS)

    def channel(self, rng: Random, number: int, at: datetime) -> Step:
        """A channel that is down comes back after some five reports; another falls now and then: some 1 % is down."""
        channel_id, level, unit = self._channels[number]
        if channel_id in self._down:
            if rng.random() < 0.2:
                self._down.discard(channel_id)
        elif rng.random() < 0.002:
            self._down.add(channel_id)
        is_up = channel_id not in self._down
        data: dict[str, object] = {
            "channel_id": channel_id,
            "level": level,
            "admin_unit": unit,
            "up": is_up,
            "latency_ms": round(rng.gauss(9, 2), 1) if is_up else None,
            "loss_pct": round(max(0.0, rng.gauss(0.05, 0.1)), 2) if is_up else 100.0,
            "bandwidth_mbps": 20 if level == "commune" else 100,
        }
        return Step(event="network.channel_state", at=at, time_field="at", data=data, system="tslcd")

    def heartbeat(self, rng: Random, number: int, at: datetime) -> Step:
        camera_id = self._cameras[number]
        is_online = camera_id not in self._offline
        data: dict[str, object] = {
            "camera_id": camera_id,
            "online": is_online,
            "fps": 25.0 if is_online else 0.0,
            "last_frame_age_s": round(rng.uniform(0.1, 9.0), 1) if is_online else round(rng.uniform(400, 900), 1),
            "blurred": rng.random() < 0.01,
            "occluded": False,
        }
        return Step(event="camera.heartbeat", at=at, time_field="at", data=data, system="nvr")

    def call(self, rng: Random, number: int, at: datetime) -> Step:
        """The whole minute before `at` of one service and consumer."""
        service_id, provider, per_minute = SERVICES[number // len(_CONSUMERS)]
        calls = max(0, round(rng.gauss(per_minute, per_minute**0.5)))
        errors = sum(rng.random() < 0.004 for _ in range(calls))
        data: dict[str, object] = {
            "service_id": service_id,
            "provider": provider,
            "consumer": _CONSUMERS[number % len(_CONSUMERS)],
            "calls": calls,
            "errors": errors,
            "p95_ms": round(rng.uniform(180, 900)),
        }
        data["window_start"] = _utc(at.replace(second=0, microsecond=0) - timedelta(minutes=1))
        return Step(event="lgsp.service_call", at=at, time_field="", data=data, system="monitor")

    def connection(self, rng: Random, number: int, at: datetime) -> Step:
        system_id = _SYSTEMS[number]
        is_connected = system_id != _SILENT_SYSTEM
        age = timedelta(minutes=rng.uniform(0, 20)) if is_connected else timedelta(hours=40)
        data: dict[str, object] = {
            "system_id": system_id,
            "owner": "ministry" if number < 8 else "province",
            "connected": is_connected,
            "required": number < 16 or not is_connected,
        }
        data["last_ok_at"] = _utc(at - age)
        return Step(event="lgsp.connection", at=at, time_field="", data=data, system="monitor")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
