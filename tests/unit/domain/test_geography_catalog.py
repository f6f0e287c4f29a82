"""The starting catalogue, and that every mistake in a catalogue is a sentence that names the file and the key."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from ioc.catalog import load_catalog
from ioc.catalog.topics import TopicSpec
from ioc.errors import ConfigurationError
from ioc.geography import Geography, Unit
from tests.unit.domain.making import catalog, copy_of_catalog

STARTING = Path(catalog().folder)


# ---- geography -----------------------------------------------------------------------------------------------------


def unit(code: str, valid_from: date | None = None, valid_to: date | None = None) -> Unit:
    return Unit(code=code, name_vi=f"Xã {code}", name_en=f"{code} commune", valid_from=valid_from, valid_to=valid_to)


def test_the_units_in_force_are_those_of_the_day() -> None:
    old, new, always = (
        unit("1", valid_to=date(2025, 6, 30)),
        unit("2", valid_from=date(2025, 7, 1)),
        unit("3"),
    )
    geography = Geography([old, new, always])
    assert geography.in_force(date(2025, 6, 30)) == (old, always)
    assert geography.in_force(date(2025, 7, 1)) == (new, always)
    assert len(geography) == 3
    assert "2" in geography
    assert "9" not in geography
    assert geography.unit("9") is None


def test_the_starting_province_has_the_124_communes_of_today_by_statistical_code() -> None:
    geography = catalog().geography
    assert len(geography.in_force(date(2026, 11, 22))) == len(geography) == 124
    assert len(geography.in_force(date(2000, 1, 1))) == 124  # what is typed in today carries today's codes
    assert all(len(item.code) == 5 and item.code.isdecimal() for item in geography.units())
    named = geography.unit("24781")
    assert named is not None
    assert named.name_vi
    assert named.name_en.endswith(("ward", "commune", "special zone"))


# ---- the starting catalogue ----------------------------------------------------------------------------------------


def test_the_starting_catalogue_is_lam_dong_with_37_active_cameras() -> None:
    found = catalog()
    assert (found.province, found.accept_since) == ("lam-dong", date(2000, 1, 1))
    assert list(found.cameras) == [f"cam-{number:02}" for number in range(1, 38)]
    assert all(camera.is_active and camera.admin_unit in found.geography for camera in found.cameras.values())
    assert len(found.registers()["cameras"]) == 37


def test_the_figures_of_the_starting_catalogue_say_what_feeds_them() -> None:
    assert len(catalog().kpis) >= 60
    assert all(kpi.fed_by and kpi.metric.startswith("ioc_") for kpi in catalog().kpis)


def test_topics_of_one_entity_have_one_partition_count_and_every_topic_is_declared_once() -> None:
    topics = {topic.name: topic for topic in catalog().topics()}
    assert len(topics) == len(catalog().topics())
    assert {topics[name].partitions for name in catalog().department_topics()} == {catalog().partitions}
    assert {event_type.topic for event_type in catalog().event_types.values()} <= set(topics)
    own = {"ioc.camera.frames", "ioc.camera.detections", "ioc.coverage.cameras", "ioc.incidents"}
    own |= {"ioc.incident.actions", "ioc.dead-letters"}
    assert own | {"ioc.kpi.partials", "ioc.kpi.values"} <= set(topics)
    assert not own & set(catalog().department_topics())


def test_a_rule_has_a_version_that_changes_with_the_rule_and_not_with_its_name(tmp_path: Path) -> None:
    renamed = broken_copy(tmp_path / "a", "kpis/dossiers_online.yaml", "Dossiers submitted online", "Online dossiers")
    changed = broken_copy(tmp_path / "b", "kpis/dossiers_online.yaml", '"online"', '"postal"')
    before = catalog().kpi("dossiers_online").rule_version
    assert load_catalog(renamed).kpi("dossiers_online").rule_version == before
    assert load_catalog(changed).kpi("dossiers_online").rule_version != before


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "đơn", "x" * 250])
def test_kafka_would_refuse_such_a_topic(name: str) -> None:
    with pytest.raises(ConfigurationError, match="Kafka takes 1 to 249 letters"):
        TopicSpec(name=name, partitions=1)


# ---- one mistake at a time -----------------------------------------------------------------------------------------


def small_copy(folder: Path) -> Path:
    """A copy of the starting catalogue with the KPIs that are spoilt below only."""
    return copy_of_catalog(folder, lambda path: path.stem in ("dossiers_online", "camera_online"))


def broken_copy(folder: Path, file: str, old: str, new: str) -> Path:
    """A small copy of the starting catalogue in which `old` is `new`, once."""
    small_copy(folder)
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} holds no {old!r} any more"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


KPI = "kpis/dossiers_online.yaml"
TYPES, ENTITIES, CAMERAS = "event_types.yaml", "entities.yaml", "cameras.yaml"
RESOLVED = 'where: status == "resolved"'
IS_UP = "network_channel_state.is_up"
POLYGON = "cam-02.poses.p0.zones.cam-02-plot-1.polygon"
ONLINE = 'channel == "online"'
KPI_METRIC = "metric: ioc_dossiers_online_ratio"
KPI_CLOCK = "now: 2026-11-22T08:00:00+07:00"
OF_REPORT, REPORT_KEY = "entity: report\n", "partition_key: report_id"

MISTAKES: dict[str, list[tuple[str, str, str, str]]] = {  # by file: right, wrong, the key named, what is said
    "province.yaml": [
        ("statistical_code: 68", "statistical_code: 99", "statistical_code", "34 provinces"),
        ("partitions: 4", "partitions: 0", "partitions", "greater than or equal to 1"),
        ("province: lam-dong", "province: Lâm Đồng", "province", "small letters without marks"),
        ("accept_since: 2000-01-01", "accept_since: soon", "accept_since", "date"),
        ("name_vi:", "name:", "name_vi", "required"),
        ("name_vi:", "colour: red\nname_vi:", "colour", "not permitted"),
        ("name_vi:", "name_vi: [", "not valid YAML", "parsing"),
    ],
    TYPES: [
        ("topic: ioc.citizen.reports", "topic: citizen reports", "report.submitted.topic", "like ioc.water.samples"),
        (OF_REPORT, OF_REPORT.replace("report", "''"), "report.submitted", "entity is empty"),
        (REPORT_KEY, "partition_key: geo", "report.submitted", "partition_key: geo must not be of type any"),
        (
            REPORT_KEY,
            "partition_key: ce_time",
            "report.submitted",
            "'ce_time' is not one of its fields; known: report_id",
        ),
        ("entity_key: [report_id]", "entity_key: [ce_time]", "report.submitted", "'ce_time' is not one of its fields"),
        ("fact_times: [submitted_at]", "fact_times: [ce_time]", "report.submitted", "'ce_time'"),
        ("report_id: {type: string", "report_id: {type: text", "report.submitted.fields.report_id.type", "'text'"),
        ("entity_key: [report_id]", "entity_key: [report]", "report.submitted", "'report' is not one of its fields"),
        ("fact_times: [submitted_at]", "fact_times: [sent_at]", "report.submitted", "'sent_at'"),
    ],
    ENTITIES: [
        ("dossier:\n", "dosier:\n", "dosier", "no event type names this entity"),
        ("newest: agency_code", "newest: agency", "dossier.agency", "stores a field 'agency'; known: dossier_id, "),
        ("of: [dossier.submitted]", "of: [dossier.sent]", "dossier.agency", "no event type of this entity; known"),
        (RESOLVED, RESOLVED.replace("status", "stat"), "dossier.resolved_at", "no value named 'stat'; known"),
        ("until: resolved_at", "until: resolved", "dossier.supplement", "must name an earlier column"),
        ("{newest: up}", "{newest: up, first: up}", IS_UP, "exactly one of"),
        ("{newest: up}", "passed", IS_UP, "is written {newest: FIELD}"),
        ("{newest: up}", "1", IS_UP, "is written {newest: FIELD}"),
        ("keep_days: 400", "keep_days: soon", "lgsp_service_call.keep_days", "a number of days"),
        ("{newest: up}", "{of: [network.channel_state]}", IS_UP, "exactly one of"),
    ],
    KPI: [
        ("id: dossiers_online", "id: dossiers", "id 'dossiers'", "must be the file's name"),
        ("fed_by: [dossier.submitted]", "fed_by: [dossier.sent]", "fed_by", "not in event_types.yaml"),
        ("windows: [mtd, ytd]", "windows: [mtd, weekly]", "windows", "use now, 5m, 1h"),
        ("windows: [mtd, ytd]", "windows: []", "windows", "at least 1"),
        (KPI_METRIC, "metric: Dossiers", "metric", "begins with ioc_"),
        ("entity: dossier", "entity: dosier", "dossiers_online", "entity 'dosier' is not in entities.yaml"),
        (ONLINE, 'channel = "online"', "numerator", "is not an expression"),
        (ONLINE, 'chanel == "online"', "numerator", "no value named 'chanel'; known"),
        (ONLINE, "open('/etc/passwd')", "numerator", "is not allowed"),
        ("numerator: channel ==", "where: true\nnumerator: channel ==", "where", "valid string"),
        ("bucket_by: submitted_at", "bucket_by: submitted", "bucket_by", "no column 'submitted'"),
        ("bucket_by: submitted_at\n", "", "bucket_by", "a column that holds a time"),
        ("group: agency\n", "group: agencies\n", "group", "no column 'agencies'"),
        ("group_by: agency", "group_by: district", "group_by", "'agency'"),
        (KPI_CLOCK, KPI_CLOCK.removesuffix("+07:00"), "examples.0.now", "the time with its offset"),
        (KPI_CLOCK, "now: 2026-11-22", "examples.0.now", "the time with its offset"),
        ("stale_after_s: 86400", "stale_after_s: 0", "stale_after_s", "greater than 0"),
        ("direction: higher_is_better", "direction: up", "target.direction", "higher_is_better"),
    ],
    "kpis/camera_online.yaml": [("population: cameras", "population: drones", "camera_online", "known: cameras")],
    CAMERAS: [
        ("cam-01:", '"cam:01":', "cam:01", "must not hold a colon"),
        ('"24846"', '"99999"', "cam-01.admin_unit", "not a unit of the province"),
        ('"24846"', "24846", "cam-01.admin_unit", "valid string"),
        ("[0.455, 0.850]", "[4.55, 0.850]", POLYGON, "between 0 and 1"),
    ],
    "permits.yaml": [
        ("valid_to: 2027-01-14", "valid_to: soon", "GPXD-2026-0117.valid_to", "date"),
        ("floors: 3", "status: maybe", "GPXD-2026-0117.status", "'revoked'"),
        ("valid_to: 2027-01-14", "valid_to: 2025-01-14", "GPXD-2026-0117", "valid_to 2025-01-14 is before valid_from"),
        ("floors: 3", "floors: -1", "GPXD-2026-0117.floors", "greater than or equal to 0"),
        (
            "floors: 3",
            "outline: {type: Polygon, coordinates: [[[11.94, 108.44], [11.94, 108.45], [11.95, 108.45]]]}",
            "GPXD-2026-0117",
            "outline has latitude before longitude",
        ),
        (
            "floors: 3",
            "outline: {type: Polygon, coordinates: [[[108.1, 11], [108.2, 11.1], [108.2, 11], [108.1, 11.1]]]}",
            "GPXD-2026-0117",
            "outline crosses itself",
        ),
    ],
}


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "says"),
    [
        pytest.param(file, *mistake, id=f"{file}: {mistake[1] or 'left out'}")
        for file, mistakes in MISTAKES.items()
        for mistake in mistakes
    ],
)
def test_a_mistake_is_a_sentence_that_names_file_and_key(
    tmp_path: Path, file: str, old: str, new: str, key: str, says: str
) -> None:
    folder = broken_copy(tmp_path / "lam-dong", file, old, new)
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(folder)
    sentence = str(refused.value)
    assert sentence.startswith(f"{folder}/{file}: ")
    assert key in sentence
    assert says in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("file", ["province.yaml", TYPES, ENTITIES, CAMERAS, "permits.yaml"])
@pytest.mark.parametrize(
    ("ruin", "says"),
    [
        pytest.param(lambda path: path.unlink(), "missing", id="missing"),
        pytest.param(lambda path: path.write_text("- a\n- b\n"), "dictionary", id="a list"),
        pytest.param(lambda path: path.write_bytes(b"name: \xff\xfe"), "not valid YAML", id="no UTF-8"),
        pytest.param(lambda path: path.write_text("a: {b: [}"), "not valid YAML", id="no YAML"),
    ],
)
def test_a_ruined_file_is_named(tmp_path: Path, file: str, ruin: Callable[[Path], None], says: str) -> None:
    folder = small_copy(tmp_path / "lam-dong")
    ruin(folder / file)
    with pytest.raises(ConfigurationError, match=rf"{file}: .*{says}"):
        load_catalog(folder)


def test_a_folder_that_is_not_there_and_one_without_figures_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such catalogue folder"):
        load_catalog(tmp_path / "nowhere")
    folder = small_copy(tmp_path / "lam-dong")
    shutil.rmtree(folder / "kpis")
    with pytest.raises(ConfigurationError, match="kpis: no KPI files"):
        load_catalog(folder)


def test_yaml_can_not_make_objects(tmp_path: Path) -> None:
    folder = broken_copy(tmp_path / "lam-dong", "permits.yaml", "floors: 3", "floors: !!python/name:os.system")
    with pytest.raises(ConfigurationError, match=r"permits\.yaml: not valid YAML"):
        load_catalog(folder)


def test_a_camera_may_be_taken_out_of_the_register(tmp_path: Path) -> None:
    folder = broken_copy(tmp_path / "lam-dong", CAMERAS, "cam-01:\n", "cam-01:\n  active: false\n")
    found = load_catalog(folder)
    assert not found.cameras["cam-01"].is_active
    assert len(found.registers()["cameras"]) == 36


def test_every_file_of_the_starting_catalogue_is_read(tmp_path: Path) -> None:
    """No file lies there unused: each of them is asked for above, or is a KPI."""
    read = {"province.yaml", TYPES, ENTITIES, CAMERAS, "permits.yaml", "sources.yaml"}
    read |= {"publishers.yaml", "imports.yaml", "oncall.yaml", "report_services.yaml", "agencies.yaml", "terms.yaml"}
    assert {path.name for path in STARTING.glob("*.yaml")} == read
    assert {path.stem for path in (STARTING / "kpis").glob("*.yaml")} == {kpi.id for kpi in catalog().kpis}
    assert all(isinstance(yaml.safe_load((STARTING / name).read_text(encoding="utf-8")), dict) for name in read)
