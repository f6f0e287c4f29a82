"""The sixty KPIs, written down a second time from the catalogue: metric, form, grouping, windows; and the windows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.recount.accepting import HANOI

__all__ = ["KPIS", "Feed", "Kpi", "window_bounds"]


@dataclass(frozen=True, slots=True)
class Kpi:
    """`form`: ratio (also a weighted mean), count (also a sum) or p95. `group_by`: admin_unit, agency or none."""

    metric: str
    form: str
    group_by: str
    windows_text: str
    dim: bool = False

    @property
    def windows(self) -> tuple[str, ...]:
        return tuple(self.windows_text.split(" "))


@dataclass(frozen=True, slots=True)
class Feed:
    """The types of the facts that feed a KPI (none named: all, of the figures about sources), and how old their newest
    may be before its figures are stale."""

    types: tuple[str, ...]
    stale_after: timedelta


KPIS = {
    "camera_online": Kpi("ioc_camera_online_ratio", "ratio", "admin_unit", "now"),
    "smoke_alert_confirm": Kpi("ioc_smoke_alert_confirm_ratio", "ratio", "admin_unit", "r7d"),
    "smoke_detection_latency": Kpi("ioc_smoke_detection_latency_seconds", "p95", "none", "day r7d"),
    "construction_candidates": Kpi("ioc_construction_candidates", "count", "admin_unit", "day r30d"),
    "reports_received": Kpi("ioc_reports_received", "count", "admin_unit", "day mtd"),
    "reports_answered": Kpi("ioc_reports_answered_ratio", "ratio", "admin_unit", "r30d"),
    "reports_on_time": Kpi("ioc_reports_on_time_ratio", "ratio", "admin_unit", "r30d"),
    "report_on_site": Kpi("ioc_report_on_site_seconds", "p95", "admin_unit", "r7d"),
    "dossiers_online": Kpi("ioc_dossiers_online_ratio", "ratio", "agency", "mtd ytd"),
    "dossiers_fully_online": Kpi("ioc_dossiers_fully_online_ratio", "ratio", "agency", "mtd ytd"),
    "services_online": Kpi("ioc_services_online", "count", "agency", "now"),
    "dossiers_digitised": Kpi("ioc_dossiers_digitised_ratio", "ratio", "agency", "mtd"),
    "dossiers_on_time": Kpi("ioc_dossiers_on_time_ratio", "ratio", "agency", "mtd ytd"),
    "online_payment": Kpi("ioc_online_payment_ratio", "ratio", "agency", "mtd"),
    "lgsp_connected": Kpi("ioc_lgsp_connected_ratio", "ratio", "none", "now"),
    "lgsp_success": Kpi("ioc_lgsp_success_ratio", "ratio", "none", "5m 1h day"),
    "document_interop": Kpi("ioc_document_interop_ratio", "ratio", "agency", "mtd"),
    "wan_channels_up": Kpi("ioc_wan_channels_up_ratio", "ratio", "admin_unit", "now"),
    "bts_sites": Kpi("ioc_bts_sites", "count", "admin_unit", "now"),
    "bts_5g": Kpi("ioc_bts_5g", "count", "admin_unit", "now"),
    "bts_down": Kpi("ioc_bts_down", "count", "none", "now"),
    "village_mobile": Kpi("ioc_village_mobile_ratio", "ratio", "admin_unit", "now"),
    "speed_5g": Kpi("ioc_speed_5g_bits_per_second", "ratio", "admin_unit", "r7d"),
    "fibre_households": Kpi("ioc_fibre_households_ratio", "ratio", "admin_unit", "now"),
    "fibre_communes": Kpi("ioc_fibre_communes_ratio", "ratio", "none", "now"),
    "smartphone_share": Kpi("ioc_smartphone_share_ratio", "ratio", "admin_unit", "now"),
    "ipv6_systems": Kpi("ioc_ipv6_systems_ratio", "ratio", "none", "now"),
    "security_incidents_shared": Kpi("ioc_security_incidents_shared", "count", "none", "ytd"),
    "systems_level_approved": Kpi("ioc_systems_level_approved_ratio", "ratio", "none", "now"),
    "meeting_points": Kpi("ioc_meeting_points", "count", "none", "now"),
    "meeting_join": Kpi("ioc_meeting_join_ratio", "ratio", "none", "mtd"),
    "signatures_issued": Kpi("ioc_signatures_issued", "count", "agency", "now"),
    "agencies_signing": Kpi("ioc_agencies_signing_ratio", "ratio", "none", "r30d"),
    "eid_activated": Kpi("ioc_eid_activated", "count", "admin_unit", "now"),
    "schools_cashless": Kpi("ioc_schools_cashless_ratio", "ratio", "none", "now"),
    "cashless_adults": Kpi("ioc_cashless_adults_ratio", "ratio", "admin_unit", "now"),
    "supermarkets_cashless": Kpi("ioc_supermarkets_cashless_ratio", "ratio", "none", "now"),
    "einvoice_smes": Kpi("ioc_einvoice_smes_ratio", "ratio", "admin_unit", "now"),
    "ocop_products_listed": Kpi("ioc_ocop_products_listed", "count", "admin_unit", "now"),
    "marketplace_orders": Kpi("ioc_marketplace_orders", "count", "none", "ytd"),
    "postal_communes": Kpi("ioc_postal_communes_ratio", "ratio", "none", "now"),
    "postal_on_time": Kpi("ioc_postal_on_time_ratio", "ratio", "none", "mtd", dim=True),
    "teams_communes": Kpi("ioc_teams_communes_ratio", "ratio", "none", "now"),
    "loudspeaker_communes": Kpi("ioc_loudspeaker_communes_ratio", "ratio", "none", "now"),
    "urgent_bulletin_reach": Kpi("ioc_urgent_bulletin_reach_ratio", "ratio", "none", "r30d"),
    "broadcast_households": Kpi("ioc_broadcast_households_ratio", "ratio", "admin_unit", "now"),
    "press_items": Kpi("ioc_press_items", "count", "none", "day ytd"),
    "ehr_coverage": Kpi("ioc_ehr_coverage_ratio", "ratio", "admin_unit", "now"),
    "clinics_cccd": Kpi("ioc_clinics_cccd_ratio", "ratio", "admin_unit", "now"),
    "disaster_alert_relay": Kpi("ioc_disaster_alert_relay_seconds", "p95", "none", "r90d"),
    "rescue_dispatch": Kpi("ioc_rescue_dispatch_seconds", "p95", "none", "r90d"),
    "violations_fined": Kpi("ioc_violations_fined", "count", "none", "mtd ytd", dim=True),
    "tourism_guests": Kpi("ioc_tourism_guests", "count", "admin_unit", "day mtd"),
    "ioc_centres": Kpi("ioc_ioc_centres", "count", "none", "now"),
    "source_alive": Kpi("ioc_source_alive_ratio", "ratio", "none", "now"),
    "source_valid": Kpi("ioc_source_valid_ratio", "ratio", "none", "1h day", dim=True),
    "source_complete": Kpi("ioc_source_complete_ratio", "ratio", "none", "mtd"),
    "source_clean": Kpi("ioc_source_clean_ratio", "ratio", "none", "day", dim=True),
    "manual_share": Kpi("ioc_manual_share_ratio", "ratio", "none", "now"),
    "alert_ack_time": Kpi("ioc_alert_ack_time_seconds", "p95", "none", "r7d", dim=True),
}


def window_bounds(window: str, clock: datetime) -> tuple[datetime, datetime]:
    """Returns the first instant inside the window, and the first after it. `now` has none: it holds everything."""
    local = clock.astimezone(HANOI)
    minute = local.replace(second=0, microsecond=0)
    if window in ("5m", "1h"):
        return minute - timedelta(minutes=5 if window == "5m" else 60), minute + timedelta(minutes=1)
    day = minute.replace(hour=0, minute=0)
    if window == "day":
        return day, day + timedelta(days=1)
    if window == "mtd":
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    if window == "ytd":
        return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
    if window in ("r7d", "r30d", "r90d"):
        return day - timedelta(days=int(window[1:-1]) - 1), day + timedelta(days=1)
    raise ValueError(window)
