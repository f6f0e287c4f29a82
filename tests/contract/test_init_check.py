"""`ioc init` writes a catalogue that stands; `ioc check` says what is in one, or the first thing wrong with it."""

import json
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pytest
import typer
import yaml
from click.testing import Result
from typer.testing import CliRunner

from ioc.catalog import load_catalog
from ioc.cli import check as check_command
from ioc.cli import init as init_command
from ioc.cli.check import examine
from ioc.cli.check_figures import example_problems, series_within_bound
from ioc.cli.init import find_place, write_catalog
from ioc.errors import ConfigurationError
from ioc.settings import Settings

STARTING = Path(Settings.model_fields["catalog"].get_default())
CAMERA_KPIS = ["camera_connected", "camera_online"]


SEVERAL = (
    *CAMERA_KPIS,
    *("dossiers_online", "dossiers_on_time", "dossiers_digitised", "wan_channels_up"),
    *("source_valid", "source_alive", "source_complete"),
)
"""KPIs of every kind. All of them take half a second to read, which is much for fifty tests."""


def copied(folder: Path, kpis: Iterable[str]) -> Path:
    """A copy of the starting catalogue with these KPIs only."""
    shutil.copytree(STARTING, folder, ignore=lambda where, names: names if where.endswith("/kpis") else [])
    for kpi in kpis:
        shutil.copy(STARTING / "kpis" / f"{kpi}.yaml", folder / "kpis")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return copied(tmp_path / "small", CAMERA_KPIS)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return copied(tmp_path_factory.mktemp("shipped") / "several", SEVERAL)


def ioc(*arguments: object) -> Result:
    app = typer.Typer()
    init_command.register(app)
    check_command.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# ---- which province --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "slug", "code", "name_vi", "name_en"),
    [
        ("lam-dong", "lam-dong", 68, "Tỉnh Lâm Đồng", "Lâm Đồng province"),
        ("Lâm Đồng", "lam-dong", 68, "Tỉnh Lâm Đồng", "Lâm Đồng province"),
        ("Tỉnh Lâm Đồng", "lam-dong", 68, "Tỉnh Lâm Đồng", "Lâm Đồng province"),
        ("LAM_DONG", "lam-dong", 68, "Tỉnh Lâm Đồng", "Lâm Đồng province"),
        ("68", "lam-dong", 68, "Tỉnh Lâm Đồng", "Lâm Đồng province"),
        ("01", "ha-noi", 1, "Thành phố Hà Nội", "Hà Nội city"),
        ("TP. Hồ Chí Minh", "ho-chi-minh", 79, "Thành phố Hồ Chí Minh", "Hồ Chí Minh city"),
        ("huế", "hue", 46, "Thành phố Huế", "Huế city"),
        ("Đắk Lắk", "dak-lak", 66, "Tỉnh Đắk Lắk", "Đắk Lắk province"),
    ],
)
def test_a_province_is_known_by_any_spelling_and_by_its_code(
    text: str, slug: str, code: int, name_vi: str, name_en: str
) -> None:
    place = find_place(text)
    assert (place.slug, place.code, place.name_vi, place.name_en) == (slug, code, name_vi, name_en)


def test_with_a_code_a_name_of_ones_own_will_do() -> None:
    place = find_place("da-lat", 68, name_vi="Phố núi", name_en="The hill town")
    assert (place.slug, place.code, place.name_vi, place.name_en) == ("da-lat", 68, "Phố núi", "The hill town")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("lamdon", None, "did you mean lam-dong"),
        ("đắk nông", None, "not one of the 34 provinces of today"),
        ("69", None, "not one of the 34 provinces of today"),
        ("nowhere", 69, "--code 69: not one of the 34"),
        ("lam-dong", 1, "--code 1 is Thành phố Hà Nội, not lam-dong"),
        ("!!", 68, "makes no province id"),
        ("1st", 68, "makes no province id"),
    ],
)
def test_a_province_that_is_none_is_a_sentence(text: str, code: int | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        find_place(text, code)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[2J"])
def test_a_name_that_is_not_one_line_is_a_sentence(name: str) -> None:
    with pytest.raises(ConfigurationError, match="--name-en must be a name on one line"):
        find_place("lam-dong", name_en=name)


# ---- the folder ------------------------------------------------------------------------------------------------------


def test_the_shipped_provinces_catalogue_is_copied_with_its_cameras(tmp_path: Path) -> None:
    written = write_catalog(find_place("lam-dong"), tmp_path / "new")
    files = [path for pattern in ("*.yaml", "*.ics", "published/*.json") for path in STARTING.rglob(pattern)]
    assert set(written) == {path.relative_to(STARTING).as_posix() for path in files}
    for name in written:
        copied, shipped = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path / "new", STARTING))
        assert copied == shipped or name == "province.yaml"
    assert load_catalog(tmp_path / "new").cameras == load_catalog(STARTING).cameras


@pytest.mark.parametrize("text", ["thanh-hoa", "ha-noi"])
def test_another_provinces_catalogue_has_its_communes_and_no_cameras_yet(
    text: str, several: Path, tmp_path: Path
) -> None:
    place = find_place(text)
    write_catalog(place, tmp_path, source=several)
    found = load_catalog(tmp_path)
    assert (found.province, found.name_vi, found.name_en) == (place.slug, place.name_vi, place.name_en)
    assert (found.cameras, found.permits) == ({}, ())
    assert "24781" not in found.geography
    assert found.kpis == load_catalog(several).kpis
    shipped = yaml.safe_load((STARTING / "province.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load((tmp_path / "province.yaml").read_text(encoding="utf-8"))
    assert own.keys() == shipped.keys()
    assert own["statistical_code"] == place.code
    assert "Lâm Đồng" not in (tmp_path / "province.yaml").read_text(encoding="utf-8")


def test_the_examples_become_a_camera_and_a_permit_when_the_sign_before_them_is_taken_away(
    several: Path, tmp_path: Path
) -> None:
    write_catalog(find_place("thanh-hoa"), tmp_path, source=several)
    for name, first in (("cameras.yaml", "# cam-01"), ("permits.yaml", "# GPXD")):
        head, example = (tmp_path / name).read_text(encoding="utf-8").split(first)
        example = (first + example).replace("\n# ", "\n").removeprefix("# ")
        (tmp_path / name).write_text(head + example, encoding="utf-8")
    report = examine(tmp_path)
    assert (report.cameras, report.zones, report.permits) == (1, 1, 1)
    assert not [warning for warning in report.warnings if "cameras.yaml" in warning or "permits.yaml" in warning]


@pytest.mark.parametrize("text", ["thanh-hoa", "ha-noi"])
def test_the_worked_examples_hold_in_another_province_too(text: str, several: Path, tmp_path: Path) -> None:
    """Its communes, their number and its sources differ; what rests on the shipped cameras is left out."""
    write_catalog(find_place(text), tmp_path, source=several)
    catalog = load_catalog(tmp_path)
    assert [name for name, examples in catalog.examples.items() if not examples] == CAMERA_KPIS
    assert list(example_problems(catalog)) == []
    assert "/lam-dong/" not in "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.yaml"))


def test_a_province_of_another_name_on_the_same_ground_keeps_cameras_and_examples(
    several: Path, tmp_path: Path
) -> None:
    write_catalog(find_place("da-lat", 68), tmp_path, source=several)
    found, shipped = load_catalog(tmp_path), load_catalog(several)
    assert found.cameras == shipped.cameras
    assert {kpi: len(examples) for kpi, examples in found.examples.items()} == {
        kpi: len(examples) for kpi, examples in shipped.examples.items()
    }


@pytest.mark.parametrize("name", ["Huế: #1", "'\"", "null", "x" * 300])
def test_any_name_survives_the_file(name: str, small: Path, tmp_path: Path) -> None:
    write_catalog(find_place("hue", name_vi=name, name_en=name), tmp_path / "new", source=small)
    found = yaml.safe_load((tmp_path / "new" / "province.yaml").read_text(encoding="utf-8"))
    assert (found["name_vi"], found["name_en"]) == (name, name)


def test_a_folder_in_use_is_left_alone_unless_forced(several: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not empty; give another --dir, or --force"):
        write_catalog(find_place("hue"), tmp_path, source=several)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "province.yaml").write_text("old", encoding="utf-8")
    write_catalog(find_place("ca-mau"), tmp_path, is_forced=True, source=several)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert load_catalog(tmp_path).province == "ca-mau"


def test_the_shipped_catalogue_is_never_written_over() -> None:
    with pytest.raises(ConfigurationError, match="that the product ships"):
        write_catalog(find_place("hue"), STARTING, is_forced=True)


def test_a_folder_that_is_a_file_is_a_sentence(several: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_catalog(find_place("hue"), tmp_path / "file", source=several)


def test_init_prints_what_to_do_next(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    result = ioc("init", "Huế", "--dir", folder)
    assert result.exit_code == 0
    for step in (f"export IOC_CATALOG='{folder}'", "ioc check", "ioc topics apply"):
        assert step in result.stdout


def test_init_answers_a_program(tmp_path: Path) -> None:
    answer = json.loads(ioc("init", "38", "--dir", tmp_path, "--json").stdout)
    assert (answer["province"], answer["statistical_code"]) == ("thanh-hoa", 38)
    assert "province.yaml" in answer["files"]


# ---- check -----------------------------------------------------------------------------------------------------------


def test_a_sound_catalogue_is_summed_up() -> None:
    report = examine(STARTING)
    assert (report.province, report.units, report.cameras) == ("lam-dong", 124, 37)
    assert report.kpis >= 60
    assert report.examples > 4 * report.kpis
    assert (report.zones, report.cameras_without_zones, report.cameras_without_coordinates) == (1, 36, 0)
    assert report.topics == len(load_catalog(STARTING).topics())
    assert 1_000 < report.series < 50_000


def test_check_exits_0_with_a_summary_and_json_says_the_same(small: Path) -> None:
    result = ioc("check", "--catalog", small)
    assert result.exit_code == 0
    assert "37 cameras (36 without zones, 0 without coordinates)" in result.stdout
    answer = json.loads(ioc("check", "--catalog", small, "--json").stdout)
    assert (answer["ok"], answer["cameras"], answer["event_types"], answer["kpis"]) == (True, 37, 57, 2)


def test_check_reads_the_catalogue_of_the_settings(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_CATALOG", str(small))
    assert json.loads(ioc("check", "--json").stdout)["folder"] == str(small)


def test_each_expectation_of_an_example_that_is_not_met_is_a_problem(small: Path) -> None:
    path = small / "kpis" / "camera_online.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("0/37", "3/37"), encoding="utf-8")
    wrong = text.count("0/37")
    result = ioc("check", "--catalog", small)
    assert result.exit_code == 2
    assert f"{wrong} expectations of worked examples are not met" in result.stderr
    assert result.stderr.count("camera_online.yaml: example ") == wrong
    answer = json.loads(ioc("check", "--catalog", small, "--json").stdout)
    assert (answer["ok"], len(answer["problems"])) == (False, wrong)
    assert "expected 3/37, found value 0.0, numerator 0.0, denominator 37.0" in answer["problem"]


def test_an_example_that_can_not_be_run_is_a_problem_and_the_others_are_still_run(small: Path) -> None:
    path = small / "kpis" / "camera_online.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("camera.heartbeat, camera_id: cam-02", "camera.heart, camera_id: cam-02", 1))
    problems = json.loads(ioc("check", "--catalog", small, "--json").stdout)["problems"]
    assert [problem for problem in problems if "type 'camera.heart' is not in event_types.yaml" in problem] == problems


def test_what_nobody_reads_feeds_or_tells_is_a_warning(small: Path) -> None:
    path = small / "kpis" / "camera_online.yaml"
    text, _ = path.read_text(encoding="utf-8").split("examples:")
    assert "fed_by: [camera.heartbeat]" in text
    path.write_text(text.replace("fed_by: [camera.heartbeat]", "fed_by: [camera.frame]"), encoding="utf-8")
    warnings = examine(small).warnings
    for told in (
        "camera_online.yaml: has no worked examples",
        "camera_online.yaml: fed_by: camera.heartbeat is read and not named",
        "entities.yaml: dossier: no KPI reads agency, channel,",
    ):
        assert any(told in warning for warning in warnings), (told, warnings)


@pytest.mark.parametrize(
    ("window", "days", "is_refused"), [("r30d", 30, True), ("r30d", 31, False), ("ytd", 366, True)]
)
def test_rows_must_outlive_the_windows_that_count_them(small: Path, window: str, days: int, is_refused: bool) -> None:
    shutil.copy(STARTING / "kpis" / "dossiers_on_time.yaml", small / "kpis")
    kpi = small / "kpis" / "dossiers_on_time.yaml"
    head, _ = kpi.read_text(encoding="utf-8").split("examples:")
    kpi.write_text(re.sub(r"^windows: .*$", f"windows: [{window}]", head, flags=re.M), encoding="utf-8")
    changed("entities.yaml", "\ndossier:\n", f"\ndossier:\n  keep_days: {days}\n")(small)
    if is_refused:
        with pytest.raises(
            ConfigurationError, match=rf"dossier\.keep_days: {days} is not longer than the window {window}"
        ):
            examine(small)
    else:
        assert examine(small).kpis == 3


def test_the_bound_of_the_series_is_no_less_than_what_really_comes(small: Path) -> None:
    """Two KPIs over all 37 cameras, which stand in six units: every figure with all of its companions."""
    catalog = load_catalog(small)
    figures = catalog.example_runner().figures(catalog.examples["camera_online"][0], "here")
    told = [(figure.value, figure.numerator, figure.denominator, 0, 0, 0) for figure in figures]
    samples = sum(part is not None for parts in told for part in parts)
    bound = series_within_bound(catalog, date.max) - len(catalog.kpis) - len(catalog.geography) - 1
    assert samples == bound


def changed(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def added(name: str, text: str) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return add


def two_zones_of_one_name(folder: Path) -> None:
    zone = "{kind: residential, polygon: [[0, 0], [1, 0], [1, 1]]}"
    (folder / "cameras.yaml").write_text(
        f"cam-01:\n  name_vi: A\n  poses:\n    p0:\n      zones:\n        z: {zone}\n        z: {zone}\n",
        encoding="utf-8",
    )


def every_kpi_by_day(folder: Path) -> None:
    for path in (folder / "kpis").glob("dossiers_*.yaml"):
        text = path.read_text(encoding="utf-8")
        windows = ", ".join(f"r{days}d" for days in range(1, 41))
        path.write_text(re.sub(r"^windows: .*$", f"windows: [{windows}]", text, flags=re.M), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(
            two_zones_of_one_name,
            r"cameras\.yaml: z: written twice under cam-01\.poses\.p0\.zones \(again in line 7\)",
            id="two zones of a pose with one id",
        ),
        pytest.param(
            added("cameras.yaml", "cam-01: {name_vi: B}\n"), r"cameras\.yaml: cam-01: written twice", id="camera twice"
        ),
        pytest.param(
            added("capture.yaml", "cameras: {cam-99: {url: 'rtsp://10.1.2.3/live'}}\n"),
            r"capture\.yaml: cameras\.cam-99: is not in cameras\.yaml",
            id="a stream of a camera that nobody registered",
        ),
        pytest.param(
            added("capture.yaml", "cameras:\n  cam-01: {url: 'rtsp://a/b'}\n  cam-01: {url: 'rtsp://a/c'}\n"),
            r"capture\.yaml, line 3: 'cam-01' stands twice",
            id="two streams of one camera",
        ),
        pytest.param(
            changed("kpis/camera_online.yaml", "ioc_camera_online_ratio", "ioc_wan_channels_up_ratio"),
            r"kpis: wan_channels_up and camera_online have the same metric",
            id="a metric of two KPIs",
        ),
        pytest.param(
            changed("event_types.yaml", "vn.ioc.report.rated.v1", "vn.ioc.report.submitted.v1"),
            r"event_types\.yaml: report\.rated: ce_type .* belongs to report\.submitted",
            id="a CloudEvents type of two event types",
        ),
        pytest.param(
            changed("event_types.yaml", "partition_key: parcel_id", "partition_key: parcelid"),
            r"event_types\.yaml: permit\.construction: 'parcelid' is not one of its fields",
            id="a key that is no field",
        ),
        pytest.param(every_kpi_by_day, r"kpis: .* a province may have 50,000; .*dossiers_", id="too many series"),
        pytest.param(
            changed("cameras.yaml", '"24846"', '"99999"'), r"cameras\.yaml: cam-01\.admin_unit", id="an unknown unit"
        ),
        pytest.param(
            changed("kpis/camera_online.yaml", "numerator: is_online", "numerator: is_onlin"),
            r"kpis/camera_online\.yaml: numerator",
            id="an expression of no column",
        ),
        pytest.param(added("province.yaml", "a: [\n"), r"province\.yaml: not valid YAML", id="torn YAML"),
        pytest.param(
            lambda folder: (folder / "permits.yaml").unlink(), r"permits\.yaml: the file is missing", id="gone"
        ),
        pytest.param(shutil.rmtree, r"no such catalogue folder; make one with `ioc init`", id="no folder"),
        pytest.param(added("permits.yaml", "x: " + "[" * 5000), r"permits\.yaml", id="deep nesting"),
        pytest.param(lambda folder: (folder / "a.yaml").mkdir(), r"a\.yaml can't be read", id="a folder for a file"),
    ],
)
def test_the_first_problem_is_a_sentence_with_file_and_key(
    damage: Callable[[Path], None], says: str, several: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(several, folder)
    damage(folder)
    with pytest.raises(ConfigurationError, match=says):
        examine(folder)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("IOC_FLUSH_S", "soon", "flush_s"),
        ("IOC_NOW", "soon", "IOC_NOW"),
        ("IOC_CONFIG", "/nowhere", "no such settings"),
    ],
)
def test_a_wrong_setting_is_a_problem_too(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    result = ioc("check", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"]) == (2, False)
    assert says in answer["problem"]
    assert isinstance(ioc("check").exception, ConfigurationError)  # which the command line turns into exit code 2


@pytest.mark.parametrize(
    ("every", "has_zones", "is_told"), [("0", True, True), ("14400", True, False), ("0", False, False)]
)
def test_zones_whose_days_would_pass_in_minutes_are_a_warning(
    small: Path, every: str, has_zones: bool, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOC_CONSTRUCTION_EVERY_S", every)
    if not has_zones:
        cameras = yaml.safe_load((small / "cameras.yaml").read_text(encoding="utf-8"))
        for pose in (pose for camera in cameras.values() for pose in camera.get("poses", {}).values()):
            pose.pop("zones", None)
        (small / "cameras.yaml").write_text(yaml.safe_dump(cameras), encoding="utf-8")
    answer = ioc("check", "--catalog", small)
    assert answer.exit_code == 0
    assert ("warning: setting construction_every_s is 0" in answer.stdout) is is_told
    assert ("set construction_every_s = 14400" in answer.stdout) is is_told


def test_what_is_odd_and_harmless_is_a_warning(small: Path) -> None:
    folder = small
    before = examine(folder).warnings
    (folder / "kpis" / "new.yml").touch()
    (folder / "camera.yaml").touch()
    permits = "\n".join(f"P{n}: {{parcel_id: x, valid_from: 2026-01-01, valid_to: 2026-12-31}}" for n in range(8))
    (folder / "permits.yaml").write_text(permits, encoding="utf-8")
    unseen, double, stray, misnamed = (told for told in examine(folder).warnings if told not in before)
    assert "8 of 8 permits (P0, P1, P2, P3, P4 …)" in unseen
    assert "permits.yaml: P0, P1, P2, P3, P4, P5, P6, P7: more than one permit is valid for parcel x" in double
    assert "camera.yaml: is not read" in stray
    assert "new.yml: is not read; name it new.yaml" in misnamed
