"""Figures of the starting catalogue, recounted by the sentences of semantics.md."""

from dataclasses import replace

import pytest

from ioc.errors import ConfigurationError
from ioc.events import Event
from ioc.kpis import KEPT_MINUTES, Aggregates, Contribution, KpiDefinition, KpiEngine
from tests.unit.domain.making import (
    NOW_US,
    all_figures,
    at,
    calls,
    catalog,
    channel,
    dossier,
    engine,
    event,
    figure,
    heartbeat,
    report,
    report_status,
    row_of,
    shown,
    status,
    us,
)

NO_VALUE = (None, 0.0, 0.0)
"""A zero denominator exports no value, and 0 as denominator."""


# ---- dossiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resolved", "due", "pause", "value"),
    [
        pytest.param("21T08:00", "21T08:00", None, 1.0, id="at the due instant"),
        pytest.param("21T08:00:00.000001", "21T08:00", None, 0.0, id="a microsecond late"),
        pytest.param("21T10:00", "21T08:00", ("20T09:00", "20T11:00"), 1.0, id="late by the time spent in supplement"),
        pytest.param("21T10:00:01", "21T08:00", ("20T09:00", "20T11:00"), 0.0, id="late by a second more"),
        pytest.param("21T08:00", None, None, 0.0, id="without a due date"),
        pytest.param("21T08:00", None, ("20T09:00", "20T11:00"), 0.0, id="without a due date, with a pause"),
    ],
)
def test_a_dossier_is_on_time_by_its_due_date_and_its_supplement(
    resolved: str, due: str | None, pause: tuple[str, str] | None, value: float
) -> None:
    facts = [dossier(due_at=None if due is None else at(due)), status("resolved", resolved)]
    if pause:
        facts += [status("supplement", pause[0]), status("in_process", pause[1])]
    assert figure(facts, "dossiers_on_time", "mtd") == (value, value, 1.0)


def test_an_extension_does_not_move_the_due_date() -> None:
    extended = status("in_process", "20T10:00", due_at=at("25T17:00"), reason="thẩm định lại")
    facts = [dossier(due_at=at("20T17:00")), extended, status("resolved", "21T08:00")]
    assert figure(facts, "dossiers_on_time", "mtd") == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("name", ["returned", "rejected", "withdrawn", "received", "in_process", "supplement"])
def test_only_resolved_counts_as_resolved(name: str) -> None:
    assert figure([dossier(), status(name, "21T08:00")], "dossiers_on_time", "mtd") == NO_VALUE


def test_a_reopened_dossier_stays_resolved_in_the_bucket_of_its_first_resolution() -> None:
    first = [dossier(submitted="2026-10-20T08:00"), status("resolved", "2026-10-30T08:00")]
    again = [*first, status("in_process", "10T08:00"), status("resolved", "20T08:00")]
    for facts in (first, again):
        assert figure(facts, "dossiers_on_time", "mtd") == NO_VALUE
        assert figure(facts, "dossiers_on_time", "ytd") == (0.0, 0.0, 1.0)


def test_a_correction_stays_in_the_bucket_of_bucket_by() -> None:
    in_october = dossier(submitted="2026-10-30T08:00", channel="counter")
    corrected = event(
        "dossier.submitted",
        {"dossier_id": "D1", "service_level": "full", "channel": "online", "submitted_at": at("2026-10-30T08:00")},
        event_id="corrected",
        time="15T08:00",
    )
    assert figure([in_october, corrected], "dossiers_online", "mtd") == NO_VALUE
    assert figure([in_october, corrected], "dossiers_online", "ytd") == (1.0, 1.0, 1.0)
    assert figure([corrected, in_october], "dossiers_online", "ytd") == (1.0, 1.0, 1.0)


def test_a_correction_of_the_bucket_itself_moves_the_dossier() -> None:
    facts = [dossier(submitted="2026-10-30T08:00"), dossier(submitted="15T08:00", event_id="corrected")]
    assert figure(facts, "dossiers_online", "mtd") == (1.0, 1.0, 1.0)
    assert figure(facts, "dossiers_online", "ytd") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("service_level", "channel_", "result", "value"),
    [
        ("full", "online", "online", 1.0),
        ("full", "online", "postal", 1.0),
        ("full", "online", "counter", 0.0),
        ("full", "online", None, 0.0),
        ("partial", "online", "online", 0.0),
        ("full", "counter", "online", 0.0),
    ],
)
def test_fully_online_is_service_submission_and_result(
    service_level: str, channel_: str, result: str | None, value: float
) -> None:
    facts = [
        dossier(service_level=service_level, channel=channel_),
        status("resolved", "21T08:00", result_channel=result),
    ]
    assert figure(facts, "dossiers_fully_online", "mtd") == (value, value, 1.0)


# ---- groups --------------------------------------------------------------------------------------------------------


def test_a_status_whose_dossier_has_not_come_counts_in_the_total_and_moves_to_its_group() -> None:
    resolved = status("resolved", "21T08:00")
    alone = shown(all_figures([resolved]))
    assert alone["dossiers_on_time", "*", "", "mtd"] == (0.0, 0.0, 1.0)
    assert {key for key in alone if key[0] == "dossiers_on_time" and key[2]} == set()
    joined = shown(all_figures([resolved, dossier(agency_code="H14.01", due_at=at("21T08:00"))]))
    assert joined["dossiers_on_time", "*", "", "mtd"] == (1.0, 1.0, 1.0)
    assert joined["dossiers_on_time", "*", "H14.01", "mtd"] == (1.0, 1.0, 1.0)


def test_a_corrected_agency_takes_the_dossier_with_it_and_the_total_stays() -> None:
    facts = [dossier(agency_code="H14.01"), dossier(agency_code="H14.02", submitted="20T09:00")]
    found = shown(all_figures(facts))
    assert found["dossiers_online", "*", "H14.02", "mtd"] == (1.0, 1.0, 1.0)
    assert found.get(("dossiers_online", "*", "H14.01", "mtd"), NO_VALUE) == NO_VALUE
    assert found["dossiers_online", "*", "", "mtd"] == (1.0, 1.0, 1.0)


def test_a_units_series_has_no_agency_and_an_agencys_series_has_no_unit() -> None:
    found = shown(all_figures([dossier(agency_code="H14.01", admin_unit="24781"), report(ward_code="24781")]))
    assert found["reports_received", "24781", "", "mtd"] == (1.0, 1.0, None)
    assert ("dossiers_online", "*", "H14.01", "mtd") in found
    assert all(unit == "*" or agency == "" for _, unit, agency, _ in found)


def test_every_total_is_there_before_the_first_event() -> None:
    found = shown(all_figures([]))
    assert set(found) >= {(kpi.id, "*", "", window) for kpi in catalog().kpis for window in kpi.windows}
    assert found["dossiers_online", "*", "", "mtd"] == NO_VALUE
    assert found["reports_received", "*", "", "mtd"] == (0.0, 0.0, None), "a count has no denominator"
    assert found["wan_channels_up", "*", "", "now"] == NO_VALUE
    assert found["camera_online", "*", "", "now"] == (0.0, 0.0, 37.0)


# ---- reports -------------------------------------------------------------------------------------------------------


def test_a_report_gets_no_time_for_waiting_and_an_extension_counts_as_late() -> None:
    extended = report_status("extended", "20T10:00", due_at=at("25T17:00"), reason="chờ vật tư")
    facts = [report(due_at=at("20T17:00")), extended, report_status("resolved", "21T08:00")]
    assert figure(facts, "reports_on_time", "r30d") == (0.0, 0.0, 1.0)
    on_time = [report(due_at=at("21T08:00"), ward_code="24781"), report_status("resolved", "21T08:00")]
    assert figure(on_time, "reports_on_time", "r30d") == (1.0, 1.0, 1.0)
    assert figure(on_time, "reports_on_time", "r30d", unit="24781") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("resolved", "is_in"),
    [("2026-10-24T00:00", True), ("2026-10-23T23:59:59.999999", False), ("22T08:10", True)],
)
def test_thirty_days_are_local_days_with_today(resolved: str, is_in: bool) -> None:
    facts = [report(submitted="2026-10-01T08:00"), report_status("resolved", resolved)]
    assert figure(facts, "reports_on_time", "r30d") == ((0.0, 0.0, 1.0) if is_in else NO_VALUE)


@pytest.mark.parametrize(
    ("submitted", "today"),
    [("22T00:00", 1.0), ("21T23:59:59.999999", 0.0), ("08:10", 1.0), ("08:15", 1.0)],
)
def test_today_begins_at_local_midnight_and_a_fact_ten_minutes_ahead_counts_at_once(
    submitted: str, today: float
) -> None:
    assert figure([report(submitted=submitted)], "reports_received", "day") == (today, today, None)


def test_a_closed_month_is_left_behind_at_local_midnight_without_any_event() -> None:
    facts = [report(submitted="20T08:00")]
    assert figure(facts, "reports_received", "mtd", clock="2026-11-30T23:59:59") == (1.0, 1.0, None)
    assert figure(facts, "reports_received", "mtd", clock="2026-12-01T00:00") == (0.0, 0.0, None)


# ---- states --------------------------------------------------------------------------------------------------------


def test_registered_channels_are_all_ever_told_and_up_by_their_newest_fact() -> None:
    facts = [
        channel("2026-01-01T08:00", channel_id="C1", admin_unit="24781"),
        channel("06:00", channel_id="C2", up=False),
        channel("07:00", channel_id="C2"),
        channel("06:00", channel_id="C3"),
        channel("07:00", channel_id="C3", up=False),
    ]
    for order in (facts, facts[::-1]):
        assert figure(order, "wan_channels_up", "now") == (2 / 3, 2.0, 3.0)
        assert figure(order, "wan_channels_up", "now", unit="24781") == (1.0, 1.0, 1.0)


def test_a_channel_with_a_tombstone_is_registered_no_more_until_it_is_told_again() -> None:
    gone = [channel("06:00"), channel("07:00", deleted=True, event_id="gone")]
    assert figure(gone, "wan_channels_up", "now") == NO_VALUE
    assert figure([*gone, channel("07:30")], "wan_channels_up", "now") == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("heard", "online"),
    [
        pytest.param({"when": "07:58"}, 1.0, id="heard 120 s ago"),
        pytest.param({"when": "07:57:59.999999"}, 0.0, id="a microsecond longer ago"),
        pytest.param({"when": "07:59", "age_s": 60}, 1.0, id="60 s ago with a frame of 60 s"),
        pytest.param({"when": "07:59", "age_s": 60.5}, 0.0, id="half a second older"),
        pytest.param({"when": "08:00", "age_s": 121}, 0.0, id="an old frame"),
        pytest.param({"when": "08:10", "age_s": 700}, 1.0, id="a heartbeat ahead of the clock"),
        pytest.param({"when": "08:00", "online": False}, 0.0, id="says that it is off"),
        pytest.param({"when": "08:00", "blurred": True, "occluded": True}, 1.0, id="blurred and occluded"),
    ],
)
def test_a_camera_is_online_by_the_age_of_its_frame(heard: dict[str, object], online: float) -> None:
    found = shown(all_figures([heartbeat(**heard)]))  # type: ignore[arg-type]  # a table of its arguments
    assert found["camera_online", "*", "", "now"] == (online / 37, online, 37.0)
    unit = catalog().cameras["cam-01"].admin_unit
    in_unit = sum(camera.admin_unit == unit for camera in catalog().cameras.values())
    assert found["camera_online", unit, "", "now"] == (online / in_unit, online, in_unit)


def test_only_the_newest_heartbeat_speaks() -> None:
    facts = [heartbeat("07:59"), heartbeat("07:59:30", online=False), heartbeat("07:59", camera_id="cam-02")]
    for order in (facts, facts[::-1]):
        assert figure(order, "camera_online", "now") == (1 / 37, 1.0, 37.0)


def test_the_denominator_is_the_register_also_after_a_tombstone() -> None:
    facts = [heartbeat("07:59"), heartbeat("07:59:30", deleted=True)]
    assert figure(facts, "camera_online", "now") == (0.0, 0.0, 37.0)


def test_a_camera_that_is_not_active_counts_nowhere() -> None:
    units = {"cam-01": "24846"}
    small = KpiEngine(catalog().entities, [catalog().kpi("camera_online")], {"cameras": units}, catalog().geography)
    for camera_id, count in (("cam-01", 1), ("cam-02", 0)):
        row = row_of(heartbeat("07:59", camera_id=camera_id))
        assert len(small.contributions("camera_heartbeat", camera_id, row, NOW_US)) == count


# ---- calls through the exchange --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window_start", "five_minutes", "hour"),
    [
        ("08:00", 10.0, 10.0),
        ("07:55", 10.0, 10.0),
        ("07:54", 0.0, 10.0),
        ("07:00", 0.0, 10.0),
        ("06:59", 0.0, 0.0),
    ],
)
def test_sliding_windows_reach_from_whole_minutes_through_the_running_one(
    window_start: str, five_minutes: float, hour: float
) -> None:
    found = shown(all_figures([calls(window_start, 10, 1)], clock="08:00:59"))
    assert found["lgsp_success", "*", "", "5m"][2] == five_minutes
    assert found["lgsp_success", "*", "", "1h"][2] == hour
    assert found["lgsp_success", "*", "", "day"] == (0.9, 9.0, 10.0)


def test_calls_are_summed_not_averaged_and_a_minute_without_calls_exports_nothing() -> None:
    facts = [calls("07:58", 1, 1), calls("07:59", 99, 0)]
    assert figure(facts, "lgsp_success", "5m") == (0.99, 99.0, 100.0)
    assert figure([calls("07:59", 0)], "lgsp_success", "5m") == NO_VALUE


def test_minute_cells_end_and_a_fact_that_comes_after_that_counts_in_its_day_only() -> None:
    aggregates = Aggregates(engine())
    contributions = contributions_of(calls("06:00", 10))
    aggregates.expire(us("06:00") + KEPT_MINUTES * 60_000_000)
    aggregates.add(contributions)
    aggregates.settle()
    assert {key.grain for key in aggregates.take_changed()} == {"minute", "day"}, "the last minute that is kept"
    (gone,) = aggregates.expire(us("06:01") + KEPT_MINUTES * 60_000_000)
    assert (gone.kpi, gone.grain, gone.bucket) == ("lgsp_success", "minute", us("06:00") // 60_000_000)
    aggregates.retract(contributions)
    aggregates.add(contributions_of(calls("06:00", 30, 3)))
    aggregates.settle()
    changed = aggregates.take_changed()
    assert {key.grain: tuple(cell) for key, cell in changed.items()} == {"day": (27, 30, 0)}


def contributions_of(item: Event) -> list[Contribution]:
    return engine().contributions(item.type.entity, item.entity_id, row_of(item), NOW_US)


# ---- provenance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "is_stale"), [("07:15", False), ("07:15:00.000001", True), ("07:00", False), ("06:59", False)]
)
def test_a_figure_is_stale_when_its_newest_fact_is_older_than_promised(clock: str, is_stale: bool) -> None:
    (found,) = (f for f in all_figures([channel("07:00")], clock) if f.definition.id == "wan_channels_up")
    assert found.definition.stale_after_s == 900
    assert found.is_stale is is_stale
    assert found.as_of_us == min(us("07:00"), us(clock)), "never ahead of the clock"


def test_a_figure_without_any_fact_is_stale() -> None:
    assert all(found.is_stale and found.as_of_us is None for found in all_figures([]))


# ---- definitions ---------------------------------------------------------------------------------------------------


def changed_kpi(**changes: object) -> KpiDefinition:
    kpi = catalog().kpi("dossiers_online")
    if "population" in changes:
        return replace(kpi, **changes)  # type: ignore[arg-type]  # names of its fields
    return replace(kpi, parts=(replace(kpi.parts[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entity": "dosier"}, "entity 'dosier' is not in entities.yaml"),
        ({"numerator": "chanel is None"}, "numerator: in 'chanel is None': no value named 'chanel'"),
        ({"where": "="}, "where: '=' is not an expression"),
        ({"bucket_by": "nothing"}, "bucket_by: no column 'nothing' in entity dossier"),
        ({"bucket_by": ""}, "need `bucket_by`"),
        ({"group": "nothing"}, "group: no column 'nothing'"),
        ({"population": "nobody"}, "no register named 'nobody'; known: cameras, communes"),
    ],
)
def test_a_wrong_kpi_is_a_sentence_with_its_file_and_key(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^kpis/dossiers_online\.yaml: ") as refused:
        KpiEngine(catalog().entities, [changed_kpi(**changes)], {"cameras": {}}, catalog().geography)
    assert sentence in str(refused.value)


def test_an_entity_that_no_figure_looks_at_adds_nothing() -> None:
    assert contributions_of(event("permit.construction", {"permit_id": "P1"})) == []
