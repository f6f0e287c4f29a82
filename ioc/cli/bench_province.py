"""A province-year of department events, seeded, pre-encoded, and an independent count of what its figures must be.

Day by day, as a province works: the events of one dossier lie days apart, with everybody else's between them. Every
thousandth event comes twice; some are refused. Calls on the integration platform fill up to the wanted number.
The count adds up what was made, by the words of the catalogue; it shares no code with the engine.
"""

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from ioc.cli.bench_publishing import Record

__all__ = ["YEAR_END", "Expected", "Province"]

YEAR_END = datetime(2026, 12, 31, 16, 50, tzinfo=UTC)  # ten minutes before the local year ends
_LAST_DAY = date(2026, 12, 31)
_DAYS = 365
_FULL_YEAR = 5_000_000
_DUPLICATE_EVERY = 1_000
_REFUSED_EVERY = 20_000
_LATEST_S = 23 * 3600  # of a day: nothing lies ahead of the clock on the last one

_ONESTOP, _PAYMENTS, _REPORTS = "ioc.onestop.dossiers", "ioc.onestop.payments", "ioc.citizen.reports"
_SPEC, _JSON = ("ce_specversion", b"1.0"), ("content-type", b"application/json")


@dataclass(slots=True)
class Expected:
    """What the figures of the whole province must be at the year's end: numerator and denominator by KPI and window.

    `first_day_of` numbers the first day of each window.
    """

    first_day_of: dict[str, int]
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    figures: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, kpi: str, window: str, numerator: float, denominator: float = 0) -> None:
        total = self.figures.setdefault((kpi, window), [0.0, 0.0])
        total[0] += numerator
        total[1] += denominator

    def add_day(self, kpi: str, day: int, windows: tuple[str, ...], numerator: float, denominator: float = 0) -> None:
        """Adds to those of `windows` in which the local day lies."""
        for window in windows:
            if day >= self.first_day_of[window]:
                self.add(kpi, window, numerator, denominator)


class Province:
    """`count` events of the 365 days up to `last_day`. `expected` is right once `records` has been read to its end.

    A clean province repeats nothing, and sends nothing that must be refused.
    """

    def __init__(
        self,
        count: int,
        *,
        units: list[str],
        cameras: list[str],
        last_day: date = _LAST_DAY,
        is_clean: bool = False,
        seed: int = 4,
    ) -> None:
        first_day = last_day - timedelta(days=_DAYS - 1)
        self.count = count
        self.expected = Expected(
            first_day_of={
                "ytd": max(0, (last_day.replace(month=1, day=1) - first_day).days),
                "mtd": (last_day.replace(day=1) - first_day).days,
                "r30d": _DAYS - 30,
                "day": _DAYS - 1,
            }
        )
        self._is_clean = is_clean
        self._units, self._cameras = units, cameras
        self._random = random.Random(seed)  # noqa: S311  (reproducible, not secret)
        self._share = count / _FULL_YEAR
        self._made = 0
        self._clock = [f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}+07:00".encode() for s in range(86_400)]
        self._days = [(first_day + timedelta(days=day)).isoformat().encode() for day in range(_DAYS)]
        self._channel_states: dict[bytes, tuple[bytes, bytes, bool]] = {}

    def records(self) -> Iterator[Record]:
        for day in range(_DAYS):
            yield from self._dossiers(day)
            yield from self._reports(day)
            yield from self._channels(day)
            yield from self._heartbeats(day)
            yield from self._orders(day)
            yield from self._guests(day)
            yield from self._calls(day, self.count * (day + 1) // _DAYS)
        self._count_states()

    # ---- one family after the other --------------------------------------------------------------------------------

    def _dossiers(self, day: int) -> Iterator[Record]:
        """Five events each: submitted, digitised and paid at once, in work on day 2, resolved on day 3 to 10."""
        daily = self._daily(1_370)
        for number in range(daily * day, daily * (day + 1)):
            yield from self._dossier_begins(number, day)
        for begun in range(max(0, day - 10), day):
            for number in range(daily * begun, daily * (begun + 1)):
                if day == begun + 2:
                    yield from self._status(number, day, b"in_process", b"")
                if day == begun + _resolved_after(number):
                    yield from self._resolved(number, begun, day)

    def _dossier_begins(self, number: int, day: int) -> Iterator[Record]:
        second = number * 37 % 30_000 + 25_000
        at, key, agency = self._at(day, second), b"H36-26%08d" % number, number % 25
        is_online, is_full = number % 5 != 0, number % 3 == 0
        has_due = number % 50 != 0
        due = b',"due_at":"%b"' % self._at(min(day + 7, _DAYS - 1), second) if has_due and day + 7 < _DAYS else b""
        body = (
            b'{"dossier_id":"%b","procedure_code":"1.%06d","service_level":"%b","channel":"%b","submitted_at":"%b",'
            b'"agency_code":"H36.%02d","admin_unit":"%b","fee_due_vnd":%d%b}'
        ) % (
            key,
            number % 900,
            b"full" if is_full else b"partial",
            b"online" if is_online else b"counter",
            at,
            agency,
            self._unit(number),
            50_000 if number % 4 else 0,
            due,
        )
        yield from self._emit(_ONESTOP, "dossier.submitted", b"/lam-dong/onestop/motcua", key, body, at)
        total, digitised = number % 4, number % 4 - (number % 10 == 0)
        digital = max(digitised, 0)
        later = self._at(day, second + 600)
        body = b'{"dossier_id":"%b","components_total":%d,"components_digitised":%d,"at":"%b"}' % (
            key,
            total,
            digital,
            later,
        )
        yield from self._emit(_ONESTOP, "dossier.digitised", b"/lam-dong/onestop/motcua", key, body, later)
        is_paid_online = number % 7 != 0
        body = b'{"dossier_id":"%b","method":"%b","amount_vnd":50000,"at":"%b","status":"success"}' % (
            key,
            b"online" if is_paid_online else b"cash",
            later,
        )
        yield from self._emit(_PAYMENTS, "dossier.paid", b"/lam-dong/onestop/payments", key, body, later)
        expected, has_fee = self.expected, number % 4 != 0
        expected.add_day("dossiers_online", day, ("mtd", "ytd"), is_online, 1)
        expected.add_day("dossiers_digitised", day, ("mtd",), total > 0 and digital == total, 1)
        expected.add_day("online_payment", day, ("mtd",), has_fee and is_paid_online, has_fee)

    def _status(self, number: int, day: int, status: bytes, extra: bytes) -> Iterator[Record]:
        at, key = self._at(day, number * 37 % 30_000 + 25_000), b"H36-26%08d" % number
        body = b'{"dossier_id":"%b","status":"%b","at":"%b"%b}' % (key, status, at, extra)
        yield from self._emit(_ONESTOP, "dossier.status_changed", b"/lam-dong/onestop/motcua", key, body, at)

    def _resolved(self, number: int, begun: int, day: int) -> Iterator[Record]:
        channel = (b"online", b"postal", b"counter")[number % 3 if number % 2 else 2]
        yield from self._status(number, day, b"resolved", b',"result_channel":"%b"' % channel)
        has_due = number % 50 != 0 and begun + 7 < _DAYS
        is_full = number % 3 == 0 and number % 5 != 0 and channel != b"counter"
        self.expected.add_day("dossiers_on_time", day, ("mtd", "ytd"), has_due and day <= begun + 7, 1)
        self.expected.add_day("dossiers_fully_online", day, ("mtd", "ytd"), is_full, 1)

    def _reports(self, day: int) -> Iterator[Record]:
        """Three events each: submitted, accepted on the same day, resolved one to four days later."""
        daily = self._daily(160)
        for number in range(daily * day, daily * (day + 1)):
            second, key = number * 41 % 50_000 + 20_000, b"PA-26%07d" % number
            at = self._at(day, second)
            due = self._at(day + 2, second) if day + 2 < _DAYS else b""
            body = (
                b'{"report_id":"%b","channel":"app","service_code":"road","submitted_at":"%b","ward_code":"%b"%b}'
                % (
                    key,
                    at,
                    self._unit(number),
                    b',"due_at":"%b"' % due if due else b"",
                )
            )
            yield from self._emit(_REPORTS, "report.submitted", b"/lam-dong/citizen/1022", key, body, at)
            yield from self._report_status(key, day, second + 900, b"accepted")
            self.expected.add_day("reports_received", day, ("day", "mtd"), 1)
            is_answered = day + 1 + number % 4 < _DAYS
            self.expected.add_day("reports_answered", day, ("r30d",), is_answered, 1)
        for begun in range(max(0, day - 4), day):
            for number in range(daily * begun, daily * (begun + 1)):
                if day == begun + 1 + number % 4:
                    yield from self._report_status(
                        b"PA-26%07d" % number, day, number * 41 % 50_000 + 20_000, b"resolved"
                    )
                    is_in_time = day <= begun + 2 and begun + 2 < _DAYS
                    self.expected.add_day("reports_on_time", day, ("r30d",), is_in_time, 1)

    def _report_status(self, key: bytes, day: int, second: int, status: bytes) -> Iterator[Record]:
        at = self._at(day, second)
        body = b'{"report_id":"%b","status":"%b","at":"%b","agency_code":"H36.01"}' % (key, status, at)
        yield from self._emit(_REPORTS, "report.status_changed", b"/lam-dong/citizen/1022", key, body, at)

    def _channels(self, day: int) -> Iterator[Record]:
        for turn in range(self._daily(1_500)):
            key, at = b"TSLCD-%03d" % (turn % 250), self._at(day, 50 * turn % _LATEST_S)
            is_up = self._random.random() < 0.97
            body = b'{"channel_id":"%b","level":"commune","admin_unit":"%b","at":"%b","up":%b,"latency_ms":12}' % (
                key,
                self._unit(turn % 250),
                at,
                b"true" if is_up else b"false",
            )
            told = yield from self._emit(
                "ioc.network.channels", "network.channel_state", b"/lam-dong/network/vnpt", key, body, at
            )
            fact = (at, told, is_up)
            self._channel_states[key] = max(fact, self._channel_states.get(key, fact))

    def _heartbeats(self, day: int) -> Iterator[Record]:
        for turn in range(self._daily(1_480)):
            key, at = self._cameras[turn % len(self._cameras)].encode(), self._at(day, 55 * turn % _LATEST_S)
            body = b'{"camera_id":"%b","at":"%b","online":true,"fps":15,"last_frame_age_s":2.5}' % (key, at)
            yield from self._emit("ioc.camera.health", "camera.heartbeat", b"/lam-dong/camera/nvr", key, body, at)

    def _orders(self, day: int) -> Iterator[Record]:
        for turn in range(self._daily(900)):
            at, key = self._at(day, 85 * turn % _LATEST_S), b"OD-%03d-%06d" % (day, turn)
            body = b'{"order_id":"%b","marketplace":"postmart","placed_at":"%b","value_vnd":250000}' % (key, at)
            yield from self._emit(
                "ioc.commerce.orders", "marketplace.order", b"/lam-dong/commerce/postmart", key, body, at
            )
            self.expected.add_day("marketplace_orders", day, ("ytd",), 1)

    def _guests(self, day: int) -> Iterator[Record]:
        for unit in self._units[: self._daily(len(self._units))]:
            key, guests = unit.encode(), self._random.randrange(500)
            body = b'{"admin_unit":"%b","date":"%b","guests":%d}' % (key, self._days[day], guests)
            at = self._at(day, 72_000)
            yield from self._emit("ioc.tourism.stays", "tourism.stay", b"/lam-dong/tourism/stays", key, body, at)
            self.expected.add_day("tourism_guests", day, ("day", "mtd"), guests)

    def _calls(self, day: int, until: int) -> Iterator[Record]:
        """Calls on the integration platform by the minute: as many as are missing until `until` events in all."""
        turn = 0
        while self._made < until:
            minute, service = divmod(turn, 20)
            at, key = self._at(day, minute * 60), b"svc-%02d" % service
            calls = self._random.randrange(1, 200)
            errors = calls // 90
            body = (
                b'{"service_id":"%b","provider":"province","consumer":"motcua","window_start":"%b","calls":%d,'
                b'"errors":%d,"p95_ms":120}'
            ) % (key, at, calls, errors)
            yield from self._emit("ioc.lgsp.calls", "lgsp.service_call", b"/lam-dong/lgsp/axis", key, body, at)
            self.expected.add_day("lgsp_success", day, ("day",), calls - errors, calls)
            turn += 1

    # ---- what they share -------------------------------------------------------------------------------------------

    def _emit(
        self, topic: str, kind: str, source: bytes, key: bytes, body: bytes, at: bytes
    ) -> Generator[Record, None, bytes]:
        """Yields the event, now and then twice, and before it now and then a twin that must be refused."""
        self._made += 1
        number = self._made
        event_id = b"%010d" % number
        headers = [
            _SPEC,
            ("ce_id", event_id),
            ("ce_source", source),
            ("ce_type", _ce_type(kind)),
            ("ce_time", at),
            _JSON,
        ]
        yield topic, key, body, headers
        self.expected.accepted += 1
        if self._is_clean:
            return event_id
        if number % _DUPLICATE_EVERY == 0:
            self._made += 1
            self.expected.duplicate += 1
            yield topic, key, body, headers
        if number % _REFUSED_EVERY == 7:
            self._made += 1
            self.expected.rejected += 1
            yield topic, key, body, [*headers[:2], ("ce_source", b"/lam-dong/elsewhere"), *headers[3:]]
        return event_id

    def _count_states(self) -> None:
        self.expected.add("camera_online", "now", 0, len(self._cameras))  # the last heartbeats are an hour old
        channels = self._channel_states.values()
        self.expected.add("wan_channels_up", "now", sum(is_up for _, _, is_up in channels), len(channels))

    def _daily(self, of_a_full_year: int) -> int:
        return max(1, round(of_a_full_year * self._share))

    def _at(self, day: int, second: int) -> bytes:
        return self._days[day] + self._clock[second % _LATEST_S]

    def _unit(self, number: int) -> bytes:
        return self._units[number % len(self._units)].encode()


def _resolved_after(number: int) -> int:
    """Days from submission to resolution: 3 to 10."""
    return 3 + number % 8


def _ce_type(kind: str, known: dict[str, bytes] = {}) -> bytes:  # noqa: B006  (a cache: five million calls)
    found = known.get(kind)
    if found is None:
        found = known[kind] = f"vn.ioc.{kind}.v1".encode()
    return found
