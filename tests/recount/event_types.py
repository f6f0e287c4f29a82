"""The event types, written down a second time from the KPI catalogue: topics, keys, fields and what each may hold."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["EVENT_TYPES", "FAMILIES", "EventType", "Field"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a field holds.

    `kind`: text, flag, number, amount (a number, not below 0), whole, count (a whole number, not below 0), `1-5`,
    time (with its offset), day, moment (a day or a time), unit (a commune), camera, list, any; or the allowed texts
    with bars between them.
    `is_own_time`: it says when the fact was; a due date, the end of a term or the day that figures are about does not.
    """

    kind: str
    is_required: bool
    is_own_time: bool


@dataclass(frozen=True, slots=True)
class EventType:
    topic: str
    entity: str
    key: tuple[str, ...]
    time_field: str  # "ce_time": the CloudEvents time
    fields: Mapping[str, Field]
    is_state: bool

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.is_required)


def _field(text: str) -> tuple[str, Field]:
    marked, _, kind = text.partition(":")
    return marked.rstrip("!@"), Field(kind or "text", "!" in marked, "@" in marked)


def _type(head: str, fields: str) -> EventType:
    topic, entity, key, time_field = head.split(" ")
    known = dict(_field(text) for text in fields.split(" "))
    return EventType(topic, entity, tuple(key.split(",")), time_field, known, entity in _STATES)


_STATES = {
    "camera_heartbeat",
    "permit_construction",
    "procedure_registered",
    "lgsp_connection",
    "network_channel_state",
    "telecom_site",
    "telecom_fibre_route",
    "ipv6_probe",
    "soc_system_level",
    "signature_certificate",
    "cashless_facility",
    "marketplace_product",
    "postal_point",
    "community_team",
    "loudspeaker_heartbeat",
    "education_facility",
}
"""The entities of kind `state`: of each only the newest is kept."""

# topic, entity, its key, the time that orders its facts; then the fields: `!` required, `@` the fact's own time
_TYPES = {
    "camera.heartbeat": _type(
        "ioc.camera.health camera_heartbeat camera_id at",
        "camera_id!:camera at@:time online!:flag fps:amount last_frame_age_s!:amount blurred:flag occluded:flag",
    ),
    "permit.construction": _type(
        "ioc.construction.permits permit_construction permit_id ce_time",
        "permit_id! parcel_id polygon:any floors:count valid_from:moment valid_to:moment status",
    ),
    "report.submitted": _type(
        "ioc.citizen.reports report report_id ce_time",
        "report_id! channel service_code submitted_at!@:time geo:any ward_code:unit media_ref reporter_hash "
        "due_at:time",
    ),
    "report.status_changed": _type(
        "ioc.citizen.reports report report_id at",
        "report_id! status!:accepted|rejected|assigned|on_site|reported|resolved|reopened|extended at!@:time "
        "agency_code due_at:time reason",
    ),
    "report.rated": _type(
        "ioc.citizen.reports report report_id at",
        "report_id! rating:satisfied|accept|unsatisfied at@:time",
    ),
    "dossier.submitted": _type(
        "ioc.onestop.dossiers dossier dossier_id ce_time",
        "dossier_id! procedure_code service_level!:full|partial|info channel!:online|counter|postal "
        "submitted_at!@:time agency_code admin_unit:unit fee_due_vnd:amount due_at:time",
    ),
    "dossier.status_changed": _type(
        "ioc.onestop.dossiers dossier dossier_id at",
        "dossier_id! status!:received|supplement|in_process|resolved|returned|rejected|withdrawn at!@:time "
        "result_channel:online|postal|counter due_at:time reason",
    ),
    "dossier.digitised": _type(
        "ioc.onestop.dossiers dossier dossier_id at",
        "dossier_id! components_total!:count components_digitised!:count result_digital_signed:flag "
        "reused_components:count at@:time",
    ),
    "dossier.paid": _type(
        "ioc.onestop.payments dossier dossier_id at",
        "dossier_id! method!:online|cash|transfer amount_vnd:amount at@:time status!:success|failed|refunded",
    ),
    "dossier.rated": _type(
        "ioc.onestop.dossiers dossier dossier_id at",
        "dossier_id! score:1-5 at@:time",
    ),
    "procedure.registered": _type(
        "ioc.onestop.catalogue procedure_registered procedure_code ce_time",
        "procedure_code! service_level published_at:time due_publish_at:time active:flag",
    ),
    "lgsp.service_call": _type(
        "ioc.lgsp.calls lgsp_service_call service_id,consumer,window_start window_start",
        "service_id! provider consumer! window_start!@:time calls!:count errors!:count p95_ms:amount",
    ),
    "lgsp.connection": _type(
        "ioc.lgsp.connections lgsp_connection system_id ce_time",
        "system_id! owner:ministry|province connected!:flag last_ok_at:time required!:flag",
    ),
    "network.channel_state": _type(
        "ioc.network.channels network_channel_state channel_id at",
        "channel_id! level:province|commune admin_unit:unit at@:time up!:flag latency_ms:amount "
        "loss_pct:amount bandwidth_mbps:amount",
    ),
    "telecom.site": _type(
        "ioc.telecom.inventory telecom_site site_id ce_time",
        "site_id! operator geo:any admin_unit:unit tech!:list cells:count shared:flag commissioned_at:time "
        "status!:planned|in_service|out_of_service",
    ),
    "telecom.site_alarm": _type(
        "ioc.telecom.alarms telecom_site_alarm site_id,alarm,raised_at ce_time",
        "site_id! alarm!:down|power|transmission|degraded raised_at!@:time cleared_at:time "
        "cells_affected:count subscribers_est:count",
    ),
    "telecom.speed_test": _type(
        "ioc.telecom.quality telecom_speed_test admin_unit,tech,at at",
        "admin_unit!:unit tech! at!@:time down_mbps:amount up_mbps:amount latency_ms:amount samples:count",
    ),
    "telecom.fibre_route": _type(
        "ioc.telecom.inventory telecom_fibre_route route_id at",
        "route_id! operator length_km:amount undergrounded:flag tidied:flag at@:time",
    ),
    "ipv6.probe": _type(
        "ioc.network.ipv6 ipv6_probe system_id at",
        "system_id! at!@:time aaaa:flag reachable_v6!:flag mode:dual|v6only|none",
    ),
    "soc.incident": _type(
        "ioc.soc.incidents soc_incident incident_id ce_time",
        "incident_id! system_id level:1-5 category detected_at!@:time contained_at:time closed_at:time "
        "status!:new|confirmed|contained|closed|false_positive affects_shared_system:flag",
    ),
    "soc.system_level": _type(
        "ioc.soc.systems soc_system_level system_id ce_time",
        "system_id! level:1-5 approved:flag approved_at:time owner next_audit_due:moment",
    ),
    "soc.endpoint_report": _type(
        "ioc.soc.posture soc_endpoint_report agency_code,at at",
        "agency_code! at!@:time endpoints:count protected:count shares_to_national_centre:flag",
    ),
    "soc.spam_report": _type(
        "ioc.soc.spam soc_spam_report report_id at",
        "report_id! kind:call|sms|email at@:time verified:flag action_at:time",
    ),
    "meeting.session": _type(
        "ioc.meeting.sessions meeting_session session_id ce_time",
        "session_id! level:2-3 started_at!@:time ended_at:time sites_invited!:count sites_joined:count organiser",
    ),
    "meeting.site_quality": _type(
        "ioc.meeting.quality meeting_site_quality site_id,session_id at",
        "site_id! session_id! at@:time connected:flag loss_pct:amount jitter_ms:amount resolution",
    ),
    "document.exchanged": _type(
        "ioc.eoffice.documents document_exchanged document_id ce_time",
        "document_id! from_agency to_agency sent_at@:time received_at:time signed_digitally:flag urgent:flag "
        "due_at:time done_at:time level",
    ),
    "signature.certificate": _type(
        "ioc.identity.certificates signature_certificate certificate_id ce_time",
        "certificate_id! holder_kind:org|person agency_code issued_at!@:time expires_at!:time revoked:flag",
    ),
    "identity.activated": _type(
        "ioc.identity.activations identity_activated admin_unit,date ce_time",
        "admin_unit!:unit date!:day level1:count level2:count cumulative:count",
    ),
    "cashless.facility": _type(
        "ioc.cashless.facilities cashless_facility facility_id as_of",
        "facility_id! kind!:school|clinic|supermarket|market_stall|welfare accepts_cashless!:flag as_of@:moment",
    ),
    "cashless.transactions": _type(
        "ioc.cashless.transactions cashless_transactions admin_unit,date,method ce_time",
        "admin_unit!:unit date!:day method!:qr|card|transfer|mobile_money count:count value_vnd:amount "
        "active_accounts_15plus:count",
    ),
    "einvoice.sme": _type(
        "ioc.economy.einvoice einvoice_sme admin_unit,as_of as_of",
        "admin_unit!:unit as_of!@:moment smes_active:count smes_einvoice:count",
    ),
    "marketplace.product": _type(
        "ioc.commerce.products marketplace_product product_id ce_time",
        "product_id! marketplace ocop_stars:count seller_id_hash admin_unit:unit listed_at:time status",
    ),
    "marketplace.order": _type(
        "ioc.commerce.orders marketplace_order order_id ce_time",
        "order_id! marketplace product_id placed_at!@:time delivered_at:time cancelled_at:time value_vnd:amount",
    ),
    "postal.point": _type(
        "ioc.postal.points postal_point point_id as_of",
        "point_id! admin_unit:unit staffed:flag services:list digital_address_code as_of@:moment",
    ),
    "postal.item": _type(
        "ioc.postal.quality postal_item item_id ce_time",
        "item_id! operator! class accepted_at@:time delivered_at:time promised_at!:time result_return_for_dossier:flag",
    ),
    "community.team": _type(
        "ioc.community.teams community_team team_id as_of",
        "team_id! level:commune|village admin_unit:unit members:count active:flag as_of@:moment",
    ),
    "community.activity": _type(
        "ioc.community.activities community_activity team_id,at at",
        "team_id! at!@:time people_helped:count topic:dvc|payment|vneid|safety",
    ),
    "loudspeaker.heartbeat": _type(
        "ioc.media.loudspeakers loudspeaker_heartbeat cluster_id at",
        "cluster_id! admin_unit!:unit tech:ip|fm at@:time online:flag volume_pct:amount",
    ),
    "loudspeaker.bulletin": _type(
        "ioc.media.bulletins loudspeaker_bulletin bulletin_id ce_time",
        "bulletin_id! issued_by kind:routine|urgent issued_at@:time target_clusters:count "
        "played_clusters:count first_played_at:time",
    ),
    "press.output": _type(
        "ioc.media.press press_output outlet_id,date ce_time",
        "outlet_id! date!:day items:count views:count languages:list",
    ),
    "socialnet.bad_info": _type(
        "ioc.media.badinfo socialnet_bad_info case_id ce_time",
        "case_id! detected_at@:time platform category handled_at:time status",
    ),
    "health.coverage": _type(
        "ioc.health.coverage health_coverage admin_unit,as_of as_of",
        "admin_unit!:unit as_of!@:moment population:count ehr_holders:count facilities:count facilities_cccd:count",
    ),
    "health.visit": _type(
        "ioc.health.visits health_visit facility_id,hour ce_time",
        "facility_id! hour!:time visits:count checkin_cccd:count checkin_card:count cashless_paid:count",
    ),
    "education.facility": _type(
        "ioc.education.facilities education_facility facility_id as_of",
        "facility_id! cashless_tuition!:flag internet:flag transcript_digital:flag as_of@:moment",
    ),
    "disaster.reading": _type(
        "ioc.disaster.readings disaster_reading station_id,at at",
        "station_id! kind:rain|level|wind|fire_danger at!@:time value:number unit geo:any",
    ),
    "disaster.alert": _type(
        "ioc.disaster.alerts disaster_alert identifier ce_time",
        "identifier! sender sent@:time msgType event severity urgency certainty area:any expires:time references:any",
    ),
    "disaster.incident": _type(
        "ioc.disaster.incidents disaster_incident incident_id ce_time",
        "incident_id! kind:forest_fire|flood|landslide|rescue reported_at@:time dispatched_at:time "
        "on_site_at:time closed_at:time geo:any source:camera|citizen|114",
    ),
    "violation.recorded": _type(
        "ioc.violations.cases violation_recorded case_id ce_time",
        "case_id! field:construction|urban_order|culture|information|forest detected_at!@:time "
        "source:camera|citizen|patrol decision_at:time fine_vnd:amount executed_at:time geo:any",
    ),
    "tourism.stay": _type(
        "ioc.tourism.stays tourism_stay admin_unit,date ce_time",
        "admin_unit!:unit date!:day guests:count foreign_guests:count rooms:count rooms_occupied:count",
    ),
    "indicator.reported": _type(
        "ioc.indicators.reported indicator_reported indicator_id,period,admin_unit as_of",
        "indicator_id! period! as_of@:moment admin_unit!:unit value:number numerator:number "
        "denominator:number method:auto|manual reporter_role document_ref supersedes",
    ),
    "incident.changed": _type(
        "ioc.incidents incident incident_id ce_time",
        "incident_id! kind state:candidate|open|acknowledged|resolved|dismissed severity camera_id pose_id "
        "admin_unit:unit first_frame_at:time opened_at:time last_seen_at:time peak_score:amount geo:any "
        "uncertainty_m:amount evidence:any permit_rule runbook",
    ),
    "incident.action": _type(
        "ioc.incident.actions incident incident_id at",
        "incident_id! "
        "action:notified|acknowledged|escalated|assigned|snoozed|verdict|resolved|dismissed|reopened "
        "at@:time actor_role level:whole verdict:true_positive|false_positive|other_smoke|unsure rule_id "
        "kpi_id channel exercise:flag",
    ),
    "disaster.alert_acknowledged": _type(
        "ioc.disaster.alerts disaster_alert identifier at",
        "identifier! admin_unit:unit at@:time",
    ),
}
EVENT_TYPES = {f"vn.ioc.{name}.v1": event_type for name, event_type in _TYPES.items()}

# A source is /PROVINCE/FAMILY[/…]; the family is the second word of the topics that it may publish on.
FAMILIES = frozenset(event_type.topic.split(".")[1] for event_type in EVENT_TYPES.values())
