"""The report's model: what stands first, against what it is compared, what is provisional, who ranks where."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from ioc.cli import build_cli
from ioc.errors import ConfigurationError
from ioc.kpis import Promises, Target
from ioc.kpis.log_records import encode_value, place_of
from ioc.wall.panels import Language
from ioc.wall.report import Report, Span, build_report, report_html, report_json
from ioc.wall.report.happenings import History, history_of
from ioc.wall.report.model import Row, is_wanted, wanted_places
from ioc.wall.report.numbers import amount, difference, duration, number, period_text
from ioc.wall.report.ranking import rank_units
from ioc.wall.report.records import Entry, Ledger, decode_record
from ioc.wall.report.sources import silences_of
from ioc.wall.report.words import WORDS
from tests.unit.wall.report_logs import DAY, NEXT_MORNING, catalog, logged, made

OCTOBER = Span.month(2026, 10)


def row(report: Report, kpi: str, window: str) -> Row:
    return next(row for row in report.rows if (row.kpi.id, row.window) == (kpi, window))


# ---- periods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "window", "period", "before", "year_before"),
    [
        (DAY, "day", "2026-11-21", "2026-11-20", "2025-11-21"),
        (DAY, "now", "2026-11-21", "2026-11-20", "2025-11-21"),
        (DAY, "r30d", "2026-11-21", "2026-11-20", "2025-11-21"),
        (DAY, "mtd", "2026-11", "2026-10", "2025-11"),
        (DAY, "qtd", "2026-Q4", "2026-Q3", "2025-Q4"),
        (DAY, "ytd", "2026", "2025", "2025"),
        (OCTOBER, "mtd", "2026-10", "2026-09", "2025-10"),
        (OCTOBER, "now", "2026-10-31", "2026-09-30", "2025-10-31"),
        (OCTOBER, "r30d", "2026-10-31", "2026-09-30", "2025-10-31"),
        (Span.day(date(2028, 2, 29)), "day", "2028-02-29", "2028-02-28", "2027-02-28"),
        (Span.month(2026, 1), "mtd", "2026-01", "2025-12", "2025-01"),
    ],
)
def test_a_span_names_its_period_the_one_before_and_that_of_a_year_before(
    span: Span, window: str, period: str, before: str, year_before: str
) -> None:
    found = (span.period(window), span.compared(window), span.year_before().period(window))
    assert [one.name if one else None for one in found] == [period, before, year_before]


def test_every_place_that_a_report_reads_is_asked_of_the_log() -> None:
    places = wanted_places(catalog(), DAY)
    for place in [("camera_online", "now", "2026-11-21"), ("dossiers_online", "mtd", "2025-11")]:
        assert is_wanted(place, places)
    assert is_wanted(("source_valid", "day", "2026-03-01"), places), "to know when a source was heard last"
    assert not is_wanted(("dossiers_online", "mtd", "2026-08"), places)
    assert {kpi for kpi, _, _ in places} == {kpi.id for kpi in catalog().kpis}


# ---- the log ---------------------------------------------------------------------------------------------------------


def test_a_record_is_read_as_the_figures_role_writes_it() -> None:
    entry = logged("dossiers_online", "mtd", "2026-10", 3, 4, is_manual=True, agency="H36.01")
    key, value, _ = encode_value(entry.logged, province="lam-dong", written_at=NEXT_MORNING)
    assert decode_record(key, value) == entry
    assert place_of(key) == entry.logged.place


def test_the_newest_record_stands_and_a_corrected_figure_says_what_it_was() -> None:
    running = logged("dossiers_online", "mtd", "2026-10", 1, 4, is_closed=False)
    first, same, last = (logged("dossiers_online", "mtd", "2026-10", n, 4) for n in (2, 2, 3))
    ledger = Ledger([running, first])
    place = first.logged.place
    assert ledger.total(place) == first, "a running total that is closed is no correction"
    ledger.take(same)
    assert ledger.total(place) == same
    ledger.take(last)
    found = ledger.total(place)
    assert found is not None
    assert (found.logged, found.corrected_from) == (last.logged, first.logged)


# ---- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before", "verdict", "change", "is_first"),
    [
        pytest.param((90, 100), (95, 100), "missed", "worse", True, id="missed and worse"),
        pytest.param((90, 100), (80, 100), "missed", "better", False, id="missed but better"),
        pytest.param((90, 100), (180, 200), "missed", "same", False, id="missed as before"),
        pytest.param((90, 100), None, "missed", "unknown", False, id="missed, nothing to compare with"),
        pytest.param((99, 100), (100, 100), "met", "worse", False, id="met though worse"),
        pytest.param((98, 100), None, "met", "unknown", False, id="on the target is met"),
        pytest.param((0, 0), (9, 10), "no_figure", "unknown", False, id="nothing to divide by is no miss"),
    ],
)
def test_first_comes_what_missed_its_target_and_got_worse(
    now: tuple[int, int], before: tuple[int, int] | None, verdict: str, change: str, is_first: bool
) -> None:
    entries = [logged("dossiers_on_time", "mtd", "2026-10", *now)]
    entries += [logged("dossiers_on_time", "mtd", "2026-09", *before)] if before else []
    report = made(*entries, span=OCTOBER)
    found = row(report, "dossiers_on_time", "mtd")
    assert (found.verdict, found.before.state, found in report.attention) == (verdict, change, is_first)
    assert found.kpi.watched_by == ("TT phục vụ hành chính công", "Lãnh đạo UBND tỉnh")


def test_lower_is_better_where_the_target_says_so() -> None:
    before, now = (logged("task_overdue", "now", f"2026-11-{day}", n) for day, n in ((20, 3), (21, 5)))
    found = row(made(before, now), "task_overdue", "now")
    assert (found.verdict, found.before.state, found.before.difference) == ("missed", "worse", 2)


def test_the_target_is_the_one_in_force_on_the_last_day() -> None:
    kpi = catalog().kpi("dossiers_on_time")
    target = kpi.target(date(2026, 1, 1))
    assert target is not None
    later = Target(value=0.5, direction="higher_is_better", basis="decree", since=date(2026, 10, 31))
    changed = replace(catalog(), kpis=(replace(kpi, targets=(target, later)),))
    for month, verdict in ((9, "missed"), (10, "met")):
        ledger = Ledger([logged("dossiers_on_time", "mtd", f"2026-{month:02}", 60, 100)])
        span = Span.month(2026, month)
        report = build_report(changed, ledger, span, made_at=NEXT_MORNING, history=History())
        assert row(report, "dossiers_on_time", "mtd").verdict == verdict


@pytest.mark.parametrize(
    ("entry", "made_at", "provisional"),
    [
        pytest.param(logged("lgsp_success", "day", "2026-11-21", 9, 10), NEXT_MORNING, False, id="closed"),
        pytest.param(
            logged("lgsp_success", "day", "2026-11-21", 9, 10, is_closed=False),
            NEXT_MORNING,
            True,
            id="nobody closed it",
        ),
        pytest.param(
            logged("lgsp_success", "day", "2026-11-21", 9, 10, is_closed=False),
            NEXT_MORNING - timedelta(hours=7),
            True,
            id="the day runs",
        ),
    ],
)
def test_a_figure_that_is_not_closed_is_provisional(entry: Entry, made_at: datetime, provisional: bool) -> None:
    report = made(entry, made_at=made_at)
    assert row(report, "lgsp_success", "day").is_provisional is provisional
    assert report.is_provisional is (made_at < DAY.end)


def test_a_count_of_a_running_period_is_neither_missed_nor_compared() -> None:
    entries = [logged("marketplace_orders", "ytd", year, n) for year, n in (("2025", 11_000), ("2026", 900))]
    found = row(made(entries[0], replace_closed(entries[1])), "marketplace_orders", "ytd")
    assert (found.verdict, found.before.state) == ("running", "not_comparable")


def replace_closed(entry: Entry) -> Entry:
    return replace(entry, logged=replace(entry.logged, is_closed=False))


def test_another_rule_is_told_beside_the_change() -> None:
    before = logged("dossiers_online", "mtd", "2026-09", 8, 10, rule_version="older")
    found = row(
        made(before, logged("dossiers_online", "mtd", "2026-10", 7, 10), span=OCTOBER), "dossiers_online", "mtd"
    )
    assert found.before.has_other_rule


@pytest.mark.parametrize(
    ("on_time", "explained", "left"),
    [
        ((80, 100), (5, 100), 0.15),
        ((80, 100), (20, 100), 0.0),
        ((80, 100), (5, 99), None),
        ((90, 100), (20, 100), None),
    ],
)
def test_what_is_late_without_a_reason_is_what_the_two_leave(
    on_time: tuple[int, int], explained: tuple[int, int], left: float | None
) -> None:
    report = made(
        logged("dossiers_on_time", "mtd", "2026-10", *on_time),
        logged("dossiers_late_explained", "mtd", "2026-10", *explained),
        span=OCTOBER,
    )
    (found,) = [late for late in report.late if (late.explained.kpi.id, late.explained.window) == (
        "dossiers_late_explained", "mtd")]  # fmt: skip
    assert found.unexplained == (None if left is None else pytest.approx(left))


# ---- units -----------------------------------------------------------------------------------------------------------


def units(*shares: tuple[str, int, int]) -> dict[str, Entry]:
    return {code: logged("dossiers_online", "mtd", "2026-10", n, d, agency=code) for code, n, d in shares}


def test_equal_units_share_a_rank_and_few_cases_are_marked() -> None:
    entries = units(("a", 50, 50), ("b", 4, 4), ("c", 45, 50), ("d", 40, 50), ("e", 0, 0))
    ranking = rank_units(entries, period="2026-10", direction="higher_is_better")
    assert ranking is not None
    assert [(rank.place, [m.code for m in rank.members]) for rank in ranking.best] == [(1, ["a", "b"]), (3, ["c"])]
    assert [(rank.place, [m.code for m in rank.members]) for rank in ranking.worst] == [(4, ["d"])]
    assert [member.has_few_cases for member in ranking.best[0].members] == [False, True]
    assert (ranking.units, ranking.without_value) == (4, ("e",))


def test_all_equal_has_no_worst_and_one_unit_no_rank() -> None:
    same = rank_units(units(("a", 5, 5), ("b", 6, 6)), period="p", direction="higher_is_better")
    assert same is not None
    assert same.worst == ()
    assert rank_units(units(("a", 5, 5), ("b", 0, 0)), period="p", direction="higher_is_better") is None


def test_a_running_month_ranks_the_units_of_the_one_before_and_says_so() -> None:
    total = replace_closed(logged("dossiers_online", "mtd", "2026-11", 9, 10))
    found = row(made(total, *units(("H36.01", 9, 10), ("H36.02", 5, 10)).values()), "dossiers_online", "mtd")
    assert found.ranking is not None
    assert found.ranking.period == "2026-10"


# ---- sources, incidents ----------------------------------------------------------------------------------------------


def heard(source: str, day: int, events: int = 5) -> Entry:
    return logged("source_valid", "day", f"2026-11-{day}", events, events, dim=source)


def test_a_source_is_silent_once_it_is_late_by_its_own_promise() -> None:
    promises = Promises(
        default_us=86_400_000_000, by_source={"/p/x/registered": 60_000_000}, by_family={"slow": 3 * 86_400_000_000}
    )
    ledger = Ledger(
        [
            logged("source_valid", "day", "2026-11-21", 5, 5),
            heard("/p/x/there", 21),
            heard("/p/x/gone", 20),
            heard("/p/x/gone", 21, events=0),
            heard("/p/slow/late", 18),
            heard("/p/slow/in-time", 19),
            heard("/p/x/tomorrow", 22),
        ]
    )
    found = silences_of(ledger, promises, DAY)
    assert found.is_known
    assert [(one.source, one.last_heard) for one in found.silent] == [
        ("/p/x/registered", None),
        ("/p/slow/late", date(2026, 11, 18)),
        ("/p/x/gone", date(2026, 11, 20)),
    ]
    assert not silences_of(Ledger([heard("/p/x/there", 20)]), promises, DAY).is_known


def incident(name: str, **changes: object) -> dict[str, object]:
    told = {"incident_id": name, "kind": "smoke", "severity": "critical", "state": "closed", "place_vi": "Đồi Mộng Mơ"}
    opened = "2026-11-21T01:00:00+00:00"
    times = {"opened_at": opened, "first_notified_at": "2026-11-21T01:00:20+00:00"}
    return told | times | changes


def test_incidents_of_the_span_are_told_by_kind_and_exercises_apart() -> None:
    answer = [
        incident("a", acknowledged_at="2026-11-21T01:05:00+00:00", closed_at="2026-11-21T02:00:00+00:00"),
        incident("b", state="open", acknowledged_at=None),
        incident("drill", is_exercise=True),
        incident("candidate", state="candidate", opened_at=None),
        incident("the day before", opened_at="2026-11-20T16:59:59+00:00"),
        incident("the day after", opened_at="2026-11-21T17:00:00+00:00"),
    ]
    found = history_of(answer, DAY, limit=1000)
    (smoke,) = found.kinds
    assert (smoke.incidents, smoke.still_open) == (2, 1)
    assert (smoke.noticed.known, smoke.noticed.median_s) == (2, 20)
    assert (smoke.acknowledged.known, smoke.acknowledged.longest_s) == (1, 300)
    assert (smoke.resolved.known, smoke.resolved.median_s) == (1, 3600)
    assert [kind.incidents for kind in found.exercises] == [1]
    assert [happening.incident_id for happening in found.slowest] == ["b", "a"]
    assert not found.is_cut


def test_what_on_call_does_not_tell_is_not_told_as_not_yet() -> None:
    history = history_of([incident("a")], DAY, limit=1000)
    assert history.untold == {"acknowledged", "resolved"}
    text = report_html(made(history=history), catalog(), "vi")
    assert 'id="untold"' in text
    assert f"<td>{WORDS['vi']['not_yet']}</td>" not in text
    assert history_of([incident("a", acknowledged_at=None, closed_at=None)], DAY, limit=1000).untold == set()
    assert history_of([], DAY, limit=1000).untold == set(), "nobody was asked"


def test_a_list_that_on_call_cut_off_is_said_to_be_cut() -> None:
    assert history_of([incident("a"), incident("b")], DAY, limit=2).is_cut
    assert not history_of([incident("a"), incident("b", opened_at="2026-11-20T00:00:00+00:00")], DAY, limit=2).is_cut


# ---- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (1234.5, "vi", "1.234,5"),
        (1234.5, "en", "1,234.5"),
        (-0.04, "vi", "0"),
        (-3.0, "en", "−3"),
        (1000, "vi", "1.000"),
    ],
)
def test_numbers_are_written_as_people_of_the_language_do(value: float, language: Language, text: str) -> None:
    assert number(value, language) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.985, "ratio", "98,5 %"),
        (0.99996, "ratio", "99,996 %"),
        (1.0, "ratio", "100 %"),
        (0.0001, "ratio", "0,01 %"),
        (7_200.0, "seconds", "2 giờ"),
        (90.0, "seconds", "90 s"),
        (2e8, "megabits_per_second", "200 Mbit/s"),
        (1_500.0, "kilometres", "1,5 km"),
        (12_696.0, "orders", "12.696 đơn hàng"),
        (None, "ratio", "—"),
    ],
)
def test_an_amount_is_told_in_its_unit_and_never_rounded_to_all_or_nothing(
    value: float | None, unit: str, text: str
) -> None:
    assert amount(value, unit, "vi", "đơn hàng").replace("\N{NO-BREAK SPACE}", " ") == text


def test_differences_of_shares_are_points_and_periods_read_as_in_the_language() -> None:
    assert difference(-0.013, "ratio", "vi").replace("\N{NO-BREAK SPACE}", " ") == "−1,3 điểm %"
    assert difference(36.0, "seconds", "en").replace("\N{NO-BREAK SPACE}", " ") == "+36 s"
    assert [period_text(name, "vi") for name in ("2026-11-21", "2026-11", "2026-Q4", "2026")] == [
        "21/11/2026", "11/2026", "quý 4/2026", "2026",
    ]  # fmt: skip
    assert duration(None, "vi") == "—"


# ---- the page --------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The ids, the rows by KPI, the addresses and the tags of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.kpis: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        self.kpis += [found["data-kpi"] or ""] if "data-kpi" in found else []
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "br", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_what_of_the_cameras_was_looked_at_stands_under_the_cameras() -> None:
    report = made(
        logged("camera_coverage", "day", "2026-11-21", 98, 100), logged("camera_unseen", "day", "2026-11-21", 2)
    )
    shown = {row.kpi.id: row.figure.value for row in report.cameras if row.figure is not None}
    assert shown == {"camera_coverage": 0.98, "camera_unseen": 2}


@pytest.fixture(scope="module")
def full() -> Report:
    return made(
        logged("dossiers_on_time", "mtd", "2026-10", 90, 100),
        logged("dossiers_on_time", "mtd", "2026-11", 85, 100, is_closed=False, is_manual=True, is_stale=True),
        *units(("H36.01", 9, 10), ("H36.02", 5, 10)).values(),
        logged("smartphone_share", "now", "2026-11-21", 80, 100, is_manual=True),
        logged("lgsp_success", "day", "2026-11-21", 900, 1000),
        logged("lgsp_success", "day", "2026-11-21", 800, 1000),
        heard("/lam-dong/<b>", 19),
        logged("source_valid", "day", "2026-11-21", 5, 5),
        history=history_of([incident("a", place_vi="<script>x</script>")], DAY, limit=1000),
    )


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_page_tells_every_figure_in_its_language_and_asks_nobody_outside(full: Report, language: Language) -> None:
    text = report_html(full, catalog(), language)
    page = Page(text)
    assert page.open == []
    assert {kpi.id for kpi in catalog().kpis} <= set(page.kpis), "a new KPI is told with no further edit"
    assert {"attention", "incidents", "cameras", "late", "ranks", "silent"} <= page.ids
    assert (page.addresses, "script" in page.tags, "://" in text) == ([], False, False)
    assert f'<html lang="{language}">' in text
    words = WORDS[language]
    for name in ("m_provisional", "m_stale", "m_manual", "v_missed", "c_worse", "exercises_none", "how_to_read"):
        assert words[name].replace("'", "&#39;") in text, name
    assert "&lt;b&gt;" in text
    assert re.search(words["m_corrected"].split("{", maxsplit=1)[0] + "90.%", text.replace("\N{NO-BREAK SPACE}", " "))
    assert "21/11/2026" in text if language == "vi" else "2026-11-21" in text


def test_the_page_says_when_on_call_could_not_be_read_and_when_the_day_runs() -> None:
    report = made(made_at=datetime(2026, 11, 21, 5, tzinfo=UTC), history=History(trouble="HTTP 503"))
    page = Page(report_html(report, catalog(), "vi"))
    assert {"oncall-trouble", "open", "silent-unknown"} <= page.ids
    assert "incidents" not in page.ids
    assert report_json(report)["incidents"]["trouble"] == "HTTP 503"


def test_both_languages_have_every_word_and_the_same_places_to_fill() -> None:
    for name, text in WORDS["vi"].items():
        assert text
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", WORDS["en"][name]), name


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--day", "2026-11-23"], "has not begun"),
        (["--day", "yesterday"], "write 2026-11-21"),
        (["--month", "2026-13"], "write 2026-11-21 or 2026-10"),
        (["--day", "2026-11-20", "--month", "2026-10"], "leave the other out"),
        (["--lang", "fr"], "write vi or en"),
        (["--lang", "all"], "name a folder"),
    ],
)
def test_a_wrong_question_is_answered_with_what_to_write(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOC_NOW", "2026-11-22T08:00:00+07:00")
    done = CliRunner().invoke(build_cli(), ["report", *arguments])
    assert isinstance(done.exception, ConfigurationError)
    assert sentence in str(done.exception)
