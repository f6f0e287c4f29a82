"""oncall.yaml: what is wrong with one is a sentence that names file and key; one that breaks later does no harm."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ioc.catalog import Catalog, load_catalog
from ioc.catalog.loader import load_plan
from ioc.cli.check_oncall import findings
from ioc.errors import ConfigurationError
from ioc.geography import Geography, Unit
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import CONFIG_BROKEN
from ioc.oncall.lifecycle import Dismiss
from ioc.oncall.plan_alarm import plan_alarm, plan_trouble
from ioc.oncall.plans import PlanKeeper
from ioc.oncall_plan import Plan, duty_plan
from ioc.settings import Settings
from tests.unit.oncall.making import NOW, MovingClock, opened
from tests.unit.oncall.plans import OPERATOR

STARTING = Path(Settings.model_fields["catalog"].get_default())
GEOGRAPHY = Geography([Unit(code="24778", name_vi="Lâm Viên", name_en="Lâm Viên", valid_from=None, valid_to=None)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(STARTING / "oncall.yaml", tmp_path)
    shutil.copytree(STARTING / "rosters", tmp_path / "rosters")
    return tmp_path


def load(folder: Path) -> Plan:
    plan = load_plan(folder, GEOGRAPHY, {})
    assert plan is not None
    return plan


def change(folder: Path, text: str) -> None:
    """Puts the keys of a YAML text in place of the starting file's."""
    path = folder / "oncall.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in yaml.safe_load(text).items():
        content[key] = content[key] | value if key == "rosters" else value
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(STARTING)


def test_starting_file_is_sound_and_has_no_gaps(catalog: Catalog) -> None:
    assert catalog.oncall is not None
    assert list(findings(catalog, NOW)) == []
    assert list(findings(catalog, NOW + timedelta(days=200))) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("routes: [{policy: nobody}]", r"routes\.1\.policy: 'nobody' is not in policies; known: everyday, fire"),
        ("routes: [{kinds: [smoke], policy: fire}]", r"routes\.1: the last route must match everything"),
        ("routes: [{policy: fire}, {policy: everyday}]", r"routes\.2: is never reached: route 1 matches everything"),
        ('routes: [{units: ["99999"], policy: fire}, {policy: fire}]', r"routes\.1\.units: '99999' is not a unit"),
        (
            'policies: {fire: {levels: [{to: ["person:lan"]}], fallback: ["person:lan"]}}',
            "acknowledge_within: .*required",
        ),
        (
            'policies: {fire: {levels: [{to: ["person:x"], acknowledge_within: 2m}], fallback: ["person:lan"]}}',
            r"policies\.fire\.levels\.1\.to: 'x' is not in people",
        ),
        (
            'policies: {fire: {levels: [{to: [lan], acknowledge_within: 2m}], fallback: ["person:lan"]}}',
            r"policies\.fire\.levels\.1\.to: 'lan' must be roster:NAME or person:NAME",
        ),
        (
            'policies: {fire: {levels: [{to: ["person:lan"], acknowledge_within: 2m}], fallback: ["roster:centre"]}}',
            r"policies\.fire\.fallback: names no person",
        ),
        (
            'policies: {fire: {levels: [{to: ["person:lan"], acknowledge_within: 2}], fallback: ["person:lan"]}}',
            r"acknowledge_within: .*like 90s, 2m, 12h or 7d",
        ),
        ("rosters: {centre: {}}", r"rosters\.centre: needs either rotation or calendar"),
        (
            "rosters: {forest: {calendar: rosters/gone.ics}}",
            r"rosters\.forest\.calendar: the calendar rosters/gone\.ics can't be read",
        ),
        ("rosters: {forest: {calendar: ../../etc/passwd}}", "lies outside the catalogue"),
        (
            "rosters: {forest: {calendar: rosters/forest.ics, holidays: [rosters/holidays.ics]}}",
            "holidays and on_holidays go together",
        ),
        (
            "rosters: {forest: {calendar: rosters/forest.ics, overrides: ["
            "{from: 2026-12-01T07:00:00+07:00, to: 2026-12-02T07:00:00+07:00, person: lan},"
            "{from: 2026-12-01T19:00:00+07:00, to: 2026-12-03T07:00:00+07:00, person: minh}]}}",
            r"rosters\.forest\.overrides: those of lan and minh overlap at 2026-12-01T",
        ),
        ('quiet_hours: [{severities: [critical], from: "22:00", to: "06:00"}]', r"quiet_hours\.0\.severities\.0"),
        ('quiet_hours: [{severities: [info], from: "24:00", to: "06:00"}]', r'like "06:30"'),
        (
            "maintenance: [{from: 2026-12-01T07:00:00+07:00, to: 2026-12-02T07:00:00+07:00, reason: x}]",
            "a window over everything silences all",
        ),
        (
            "people: {lan: {name: Lan, channels: [{channel: email}]}}",
            r"people\.lan\.channels\.1: email needs an address",
        ),
        ("people: {Lan Anh: {name: Lan, channels: [{channel: console}]}}", "small letters without marks"),
        ("people: {lan: {name: Lan, channels: []}}", r"people\.lan\.channels"),
        ("pager: 1", "pager"),
    ],
)
def test_mistake_is_a_sentence_with_file_and_key(folder: Path, text: str, says: str) -> None:
    change(folder, text)
    with pytest.raises(ConfigurationError, match=rf"oncall\.yaml: .*{says}"):
        load(folder)


def test_unquoted_hours_are_what_they_look_like(folder: Path) -> None:
    change(folder, "quiet_hours: [{severities: [info], from: 22:00, to: 06:30}]")
    (quiet,) = load(folder).quiet_hours
    assert (quiet.hours.begins.hour, quiet.hours.ends.hour, quiet.hours.ends.minute) == (22, 6, 30)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "rosters: {late: {rotation: {people: [lan], from: 2026-11-25T07:00:00+07:00, every: 7d}}}",
            "rosters.late: nobody stands from 2026-11-22 08:30 to 2026-11-25 07:00",
        ),
        (
            "routes: [{kinds: [smok], policy: fire}, {policy: everyday}]",
            "routes.1.kinds: no incident is of kind 'smok'",
        ),
        ("routes: [{policy: fire}]", "policies.everyday: no route leads to it"),
        (
            "rosters: {spare: {rotation: {people: [lan], from: 2026-01-25T07:00:00+07:00, every: 7d}}}",
            "rosters.spare: no policy names it",
        ),
    ],
)
def test_check_warns_of_what_loads_and_is_not_right(catalog: Catalog, folder: Path, text: str, says: str) -> None:
    change(folder, text)
    found = list(findings(replace(catalog, oncall=load(folder)), NOW))
    assert any(says in sentence for sentence in found), found


async def test_roster_file_that_vanishes_or_breaks_leaves_the_last_good_plan(folder: Path) -> None:
    clock = MovingClock()
    good = load(folder)
    keeper = PlanKeeper(good, load=lambda: load(folder), clock=clock)
    assert await keeper.refresh() is False
    calendar = folder / "rosters" / "forest.ics"
    text = calendar.read_text(encoding="utf-8")
    calendar.unlink()
    assert await keeper.refresh() is True
    assert "rosters/forest.ics can't be read" in keeper.trouble
    assert keeper() == good
    calendar.write_text(text.replace("SUMMARY:hoa", "SUMMARY:somebody"), encoding="utf-8")
    assert await keeper.refresh() is True
    assert "names nobody: 'somebody'" in keeper.trouble
    (folder / "oncall.yaml").write_text("people: [", encoding="utf-8")
    assert await keeper.refresh() is True
    assert "not valid YAML" in keeper.trouble
    shutil.copy(STARTING / "oncall.yaml", folder)
    calendar.write_text(text, encoding="utf-8")
    assert await keeper.refresh() is True
    assert (keeper(), keeper.trouble) == (good, "")


async def test_broken_plan_is_an_incident_until_it_is_whole_again(tmp_path: Path) -> None:
    clock = MovingClock()
    keeper = PlanKeeper(duty_plan(("console",), "duty"), clock=clock)
    async with opened(tmp_path) as store:
        told: list[datetime] = []
        desk = Desk(store, keeper, clock=clock, wake=lambda: told.append(clock()))
        alarm = plan_alarm(desk)

        async def say(text: str) -> str:
            """The incident's state once on-call has looked, a minute later each time."""
            clock.advance(minutes=1)
            await alarm.say(plan_trouble(text, clock()))
            (row,) = await store.newest(limit=5)
            assert row.incident_id == CONFIG_BROKEN
            return row.life.state

        assert [await say("oncall.yaml: broken") for _ in range(3)] == ["open"] * 3
        assert told == [NOW + timedelta(minutes=1)]
        (row,) = await store.newest(limit=5)
        assert row.payload["extra"]["description_vi"] == "oncall.yaml: broken"
        assert await say("") == "resolved"
        assert await say("oncall.yaml: gone") == "open"
        await store.act(CONFIG_BROKEN, Dismiss(verdict="unsure"), OPERATOR, keeper(), clock())
        assert await say("oncall.yaml: gone") == "dismissed", "whoever closed it has decided to live with it"
        assert await say("") == "dismissed"
        assert await say("oncall.yaml: gone") == "open", "it was whole in between"
