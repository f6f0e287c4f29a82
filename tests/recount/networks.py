"""LGSP, channels, masts, security, meetings, documents and certificates."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from tests.recount.accepting import Fact
from tests.recount.kpis import window_bounds
from tests.recount.lifetimes import Lives, Province, Share, count_of, newest, newest_time, share_of_one, unit_of

__all__ = [
    "agencies_signing",
    "bts_down",
    "certificate",
    "channel",
    "document",
    "ipv6_probe",
    "lgsp_connection",
    "lgsp_minute",
    "meeting_points",
    "meeting_session",
    "security_incident",
    "site",
    "speed_test",
    "system_level",
]

BITS_PER_MEGABIT = 1_000_000


def lgsp_connection(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    if newest(facts, "required") is not True:
        return
    last_ok_at = newest_time(facts, "last_ok_at")
    is_recent = last_ok_at is not None and province.clock - last_ok_at <= timedelta(hours=24)
    yield share_of_one("lgsp_connected", newest(facts, "connected") is True and is_recent)


def lgsp_minute(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    calls, errors = count_of(facts, "calls"), count_of(facts, "errors")
    minute = key[2]
    assert isinstance(minute, datetime)
    yield Share(kpi="lgsp_success", at=minute, numerator=calls - errors, denominator=calls)


def channel(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    yield share_of_one("wan_channels_up", newest(facts, "up") is True, unit=unit_of(facts))


def site(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    if newest(facts, "status") != "in_service":
        return
    yield Share(kpi="bts_sites", unit=unit_of(facts), numerator=1)
    tech = newest(facts, "tech")
    if isinstance(tech, list) and "5G" in tech:
        yield Share(kpi="bts_5g", unit=unit_of(facts), numerator=1)


def bts_down(lives: Lives, province: Province) -> Iterator[Share]:
    """Sites, not alarms: a site with two open alarms `down` is down once."""
    down = {
        site
        for (site, alarm, _raised_at), facts in lives["telecom_site_alarm"].items()
        if alarm == "down" and newest(facts, "cleared_at") is None
    }
    yield Share(kpi="bts_down", numerator=len(down))


def speed_test(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    unit, tech, at = key
    if tech != "5G" or newest(facts, "down_mbps") is None:
        return
    assert isinstance(at, datetime)
    samples = 1 if newest(facts, "samples") is None else count_of(facts, "samples")
    bits = Fraction(count_of(facts, "down_mbps")) * BITS_PER_MEGABIT
    yield Share(kpi="speed_5g", at=at, unit=str(unit), numerator=bits * samples, denominator=samples)


def ipv6_probe(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    yield share_of_one("ipv6_systems", newest(facts, "reachable_v6") is True)


def security_incident(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    is_real = newest(facts, "status") in ("confirmed", "contained", "closed")
    if is_real and newest(facts, "affects_shared_system") is True:
        yield Share(kpi="security_incidents_shared", at=newest_time(facts, "detected_at"), numerator=1)


def system_level(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    yield share_of_one("systems_level_approved", newest(facts, "approved") is True)


def meeting_points(lives: Lives, province: Province) -> Iterator[Share]:
    """Sites, not tests."""
    connected = {
        site
        for (site, _session), facts in lives["meeting_site_quality"].items()
        if newest(facts, "connected") is True and province.clock - facts[-1].time <= timedelta(days=30)
    }
    yield Share(kpi="meeting_points", numerator=len(connected))


def meeting_session(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    invited, joined = count_of(facts, "sites_invited"), count_of(facts, "sites_joined")
    started_at = newest_time(facts, "started_at")
    if started_at is not None:
        yield Share(kpi="meeting_join", at=started_at, numerator=joined, denominator=invited)


def document(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    sent_at = newest_time(facts, "sent_at")
    if sent_at is not None:
        is_signed = newest(facts, "signed_digitally") is True
        has_arrived = newest(facts, "received_at") is not None
        agency = str(newest(facts, "from_agency") or "")
        yield share_of_one("document_interop", is_signed and has_arrived, at=sent_at, agency=agency)


def agencies_signing(lives: Lives, province: Province) -> Iterator[Share]:
    """Agencies: those with a signed document sent in 30 days, by all that a document or a certificate names."""
    start, end = window_bounds("r30d", province.clock)
    named: set[object] = {newest(facts, "agency_code") for facts in lives["signature_certificate"].values()}
    signing: set[object] = set()
    for facts in lives["document_exchanged"].values():
        sender, sent_at = newest(facts, "from_agency"), newest_time(facts, "sent_at")
        named |= {sender, newest(facts, "to_agency")}
        if newest(facts, "signed_digitally") is True and sent_at is not None and start <= sent_at < end:
            signing.add(sender)
    yield Share(kpi="agencies_signing", numerator=len(signing - {None}), denominator=len(named - {None}))


def certificate(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    issued_at, expires_at = newest_time(facts, "issued_at"), newest_time(facts, "expires_at")
    if issued_at is None or expires_at is None or newest(facts, "revoked") is True:
        return
    if issued_at <= province.clock < expires_at:
        yield Share(kpi="signatures_issued", agency=str(newest(facts, "agency_code") or ""), numerator=1)
