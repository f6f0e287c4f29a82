"""The report as a browser shows and prints it: nothing cut, nothing wider than the paper, legible without colour."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ioc.wall.panels import Language
from ioc.wall.report import Report, report_html
from ioc.wall.report.happenings import history_of
from ioc.wall.report.periods import windows_of
from tests.e2e.looking import PICTURES, chromium
from tests.unit.wall.report_logs import DAY, NEXT_MORNING, catalog, logged, made

A4_PX = {"width": 794, "height": 1123}

CUT = """() => [...document.querySelectorAll('th, td, li, h1, h2, h3, p')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.textContent.trim().slice(0, 60))"""
PALE = """() => [...document.querySelectorAll('body *')].filter(e => e.children.length === 0 && e.textContent.trim())
  .map(e => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3).map(Number))
  .filter(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b > 90).length"""


@pytest.fixture(scope="module")
def report() -> Report:
    """Every KPI with a figure, an older one, and units where it has them; long names and every mark."""
    found, units = [], [unit.code for unit in catalog().geography.in_force(DAY.last)]
    for number, kpi in enumerate(catalog().kpis):
        for window in windows_of(kpi.windows, DAY):
            now, before = DAY.period(window), DAY.compared(window)
            assert now is not None
            assert before is not None
            is_over = now.last_day <= DAY.period("day").last_day  # type: ignore[union-attr]
            denominator = None if kpi.form == "number" else 18_234
            marks = {"is_stale": number % 5 == 0, "is_manual": number % 3 == 0, "is_closed": is_over}
            found.append(logged(kpi.id, window, before.name, 17_900, denominator))
            found.append(logged(kpi.id, window, now.name, 17_000 - number, denominator, **marks))
            if kpi.group_by == "admin_unit":
                found += [
                    logged(kpi.id, window, now.name, 3 + place % 4, 7, admin_unit=code)
                    for place, code in enumerate(units)
                ]
    found.append(logged("lgsp_success", "day", "2026-11-21", 1, 18_234))
    found.append(logged("source_valid", "day", "2026-11-19", 4, 4, dim="/lam-dong/onestop/" + "mot-cua-dien-tu-" * 6))
    opened = DAY.start + timedelta(hours=3)
    incident = {
        "incident_id": "a", "kind": "alert_dossiers_on_time_of_every_agency", "severity": "critical", "state": "open",
        "place_vi": "Phường Xuân Hương - Đà Lạt, hướng 214°, cách camera 3,2 km", "opened_at": opened.isoformat(),
        "first_notified_at": (opened + timedelta(seconds=9)).isoformat(),
    }  # fmt: skip
    return made(*found, history=history_of([incident, incident | {"is_exercise": True}], DAY, limit=1000))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("language", ["vi", "en"])
def test_nothing_of_the_report_is_cut_and_it_prints_on_a4(
    report: Report, browser: Browser, language: Language, tmp_path: Path
) -> None:
    page_file = tmp_path / f"{language}.html"
    page_file.write_text(report_html(report, catalog(), language), encoding="utf-8")
    asked: list[str] = []
    page = browser.new_page(viewport=A4_PX)  # type: ignore[arg-type]  # a dict of two numbers is what it takes
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"report-{language}.png")
    assert page.evaluate(CUT) == []
    assert page.evaluate(PALE) == 0, "dark on white, also for a printer without colour"
    page.emulate_media(media="print")
    assert page.evaluate(CUT) == []
    printed = page.pdf(path=PICTURES / f"report-{language}.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert asked == [page_file.as_uri()], "one file, and nothing from outside"
    page.close()


def test_the_report_was_made_the_morning_after(report: Report) -> None:
    assert report.made_at == NEXT_MORNING
    assert {row.verdict for row in report.rows} >= {"met", "missed", "no_target"}
