"""What is kept in registers: masts, systems, procedures, certificates, shops, schools, teams, loudspeakers."""

from datetime import datetime, timedelta

from tests.recount.scribe import AGENCIES, MILLISECOND, UNITS, Scribe
from tests.recount.subjects import A_DAY, tell

__all__ = [
    "cashless_facility",
    "certificate",
    "fibre_route",
    "ipv6_probe",
    "lgsp_connection",
    "loudspeaker",
    "mast",
    "permit",
    "postal_point",
    "procedure",
    "product",
    "school",
    "system_level",
    "team",
]

EDGES = (timedelta(), timedelta(), MILLISECOND, -MILLISECOND)


def _flag(scribe: Scribe, probability: float = 0.7) -> bool:
    return scribe.chance(probability)


def mast(scribe: Scribe) -> None:
    """A site and, now and then, its alarms."""
    rng, site = scribe.rng, scribe.entity_id("BTS")

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {
            "tech": rng.choice([["4G"], ["4G", "5G"], ["5G"], ["2G", "3G", "4G"], [], ["5g"]]),
            "status": rng.choice(["in_service", "in_service", "in_service", "planned", "out_of_service"]),
        }
        scribe.maybe(data, "admin_unit", rng.choice(UNITS), absent=0.25)
        scribe.maybe(data, "operator", rng.choice(["Viettel", "VNPT", "MobiFone"]), absent=0.4)
        scribe.maybe(data, "cells", rng.randrange(9), absent=0.5)
        return data

    if scribe.chance(0.7):
        tell(scribe, "telecom.site", {"site_id": site}, body)
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        _alarm(scribe, site)


def _alarm(scribe: Scribe, site: str) -> None:
    rng, raised_at = scribe.rng, scribe.moment(20)

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        if scribe.chance(0.4):
            cleared_at = min(raised_at + timedelta(minutes=rng.randrange(600)), scribe.clock)
            scribe.maybe(data, "cleared_at", scribe.stamp(cleared_at), absent=0.2)
        scribe.maybe(data, "cells_affected", rng.randrange(9), absent=0.4)
        return data

    identity = {"site_id": site, "alarm": rng.choice(["down", "down", "down", "power"]), "raised_at": raised_at}
    tell(scribe, "telecom.site_alarm", identity, body, days=20)


def fibre_route(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"undergrounded": _flag(scribe)}
        scribe.maybe(data, "length_km", scribe.rng.choice([0, 1.5, 12]))
        return data

    tell(scribe, "telecom.fibre_route", {"route_id": scribe.entity_id("R")}, body)


def procedure(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "service_level", scribe.rng.choice(["full", "partial", "info"]), absent=0.3)
        scribe.maybe(data, "active", _flag(scribe), absent=0.3)
        return data

    tell(scribe, "procedure.registered", {"procedure_code": scribe.entity_id("1.00")}, body)


def lgsp_connection(scribe: Scribe) -> None:
    rng = scribe.rng

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"connected": _flag(scribe, 0.8), "required": _flag(scribe, 0.8)}
        age = timedelta(hours=24) + rng.choice(EDGES) if scribe.chance(0.4) else timedelta(hours=rng.randrange(60))
        scribe.maybe(data, "last_ok_at", scribe.stamp(scribe.clock - age), absent=0.2)
        scribe.maybe(data, "owner", rng.choice(["ministry", "province"]))
        return data

    tell(scribe, "lgsp.connection", {"system_id": scribe.entity_id("NDXP")}, body, days=5)


def ipv6_probe(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"reachable_v6": _flag(scribe)}
        scribe.maybe(data, "mode", scribe.rng.choice(["dual", "v6only", "none"]))
        return data

    tell(scribe, "ipv6.probe", {"system_id": scribe.entity_id("web")}, body)


def system_level(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "approved", _flag(scribe), absent=0.4)
        scribe.maybe(data, "level", scribe.rng.randrange(1, 6), absent=0.3)
        return data

    tell(scribe, "soc.system_level", {"system_id": scribe.entity_id("HT")}, body)


def certificate(scribe: Scribe) -> None:
    rng = scribe.rng
    agency = rng.choice([*AGENCIES, None])

    def body(at: datetime) -> dict[str, object]:
        issued_at = scribe.moment(400)
        expires_at = issued_at + timedelta(days=rng.choice([30, 365, 1095]))
        if scribe.chance(0.2):
            expires_at = scribe.clock + rng.choice(EDGES)
        if scribe.chance(0.1):
            issued_at = min(scribe.clock + rng.choice([timedelta(), MILLISECOND]), expires_at)
        data: dict[str, object] = {"issued_at": scribe.stamp(issued_at), "expires_at": scribe.stamp(expires_at)}
        if agency is not None:
            scribe.maybe(data, "agency_code", rng.choice(AGENCIES) if scribe.chance(0.1) else agency, absent=0.2)
        scribe.maybe(data, "revoked", _flag(scribe, 0.2), absent=0.5)
        scribe.maybe(data, "holder_kind", rng.choice(["org", "person"]))
        return data

    tell(scribe, "signature.certificate", {"certificate_id": scribe.entity_id("CTS")}, body)


def cashless_facility(scribe: Scribe) -> None:
    kinds = ["school", "school", "supermarket", "market_stall", "clinic", "welfare"]
    kind = scribe.rng.choice(kinds)

    def body(at: datetime) -> dict[str, object]:
        now = scribe.rng.choice(kinds) if scribe.chance(0.1) else kind
        return {"kind": now, "accepts_cashless": _flag(scribe)}

    tell(scribe, "cashless.facility", {"facility_id": scribe.entity_id("CS")}, body)


def school(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"cashless_tuition": _flag(scribe)}
        scribe.maybe(data, "internet", _flag(scribe))
        return data

    # A cashless facility may have the same id, and is another school.
    tell(scribe, "education.facility", {"facility_id": scribe.entity_id("CS")}, body)


def product(scribe: Scribe) -> None:
    rng = scribe.rng

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "status", rng.choice(["active", "active", "Active", "hidden"]), absent=0.3)
        scribe.maybe(data, "admin_unit", rng.choice(UNITS), absent=0.3)
        scribe.maybe(data, "ocop_stars", rng.randrange(3, 6), absent=0.3)
        return data

    tell(scribe, "marketplace.product", {"product_id": scribe.entity_id("SP")}, body)


def _served(scribe: Scribe, flag: str, extra: str) -> dict[str, object]:
    data: dict[str, object] = {}
    scribe.maybe(data, "admin_unit", scribe.commune(), absent=0.25)
    scribe.maybe(data, flag, _flag(scribe), absent=0.25)
    scribe.maybe(data, extra, ["mail"] if extra == "services" else 7, absent=0.5)
    return data


def postal_point(scribe: Scribe) -> None:
    identity = {"point_id": scribe.entity_id("BC")}
    tell(scribe, "postal.point", identity, lambda at: _served(scribe, "staffed", "services"))


def team(scribe: Scribe) -> None:
    identity = {"team_id": scribe.entity_id("TCN")}
    tell(scribe, "community.team", identity, lambda at: _served(scribe, "active", "members"))
    for _ in range(scribe.rng.choice([0, 0, 1, 2])):
        at = scribe.moment(30)
        activity = {**identity, "at": at}
        tell(scribe, "community.activity", activity, lambda at: {"people_helped": scribe.rng.randrange(40)}, most=2)


def loudspeaker(scribe: Scribe) -> None:
    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"admin_unit": scribe.commune()}
        scribe.maybe(data, "online", _flag(scribe), absent=0.2)
        return data

    tell(scribe, "loudspeaker.heartbeat", {"cluster_id": scribe.entity_id("L")}, body, days=3)


def permit(scribe: Scribe) -> None:
    permit_id, parcel = scribe.entity_id("GPXD"), scribe.entity_id("P")

    def body(at: datetime) -> dict[str, object]:
        end = (scribe.clock + 300 * A_DAY).date().isoformat()
        return {"parcel_id": parcel, "floors": scribe.rng.randrange(6), "valid_to": end}

    tell(scribe, "permit.construction", {"permit_id": permit_id}, body, partition_key=parcel)
