"""Open figures by HTTP, in an application of our own: filters, pages, CSV, provenance, entities within bounds."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ioc.kpis import KpiDefinition
from ioc.kpis.audit import Counted, Explanation, Told, Wanted
from ioc.kpis.figures import Figure
from ioc.wall.figure_audit import AUDITS_A_MINUTE
from ioc.wall.figure_store import FigureStore, Query
from ioc.wall.figure_table import COLUMNS, csv_text, figure_json
from ioc.wall.open_figures import FigureServices, figures_router
from ioc.wall.report_pages import reports_router
from tests.unit.wall.report_logs import NEXT_MORNING, catalog, logged

LOG = (
    logged("dossiers_online", "mtd", "2026-09", 1, 4),
    logged("dossiers_online", "mtd", "2026-10", 3, 4),
    logged("dossiers_online", "mtd", "2026-10", 2, 2, agency="H36.01"),
    logged("dossiers_online", "mtd", "2026-10", 1, 2, agency="H36.02", is_manual=True, is_stale=True),
    logged("smartphone_share", "now", "2026-11-21", 8, 10, admin_unit="24781"),
    logged("source_valid", "day", "2026-11-21", 5, 5, dim="=cmd()"),
)


@dataclass
class Door:
    """The routes over a store of `LOG`; `asked` what was audited."""

    api: FastAPI
    store: FigureStore
    asked: list[tuple[str, str, Wanted]] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> Any:
        return asyncio.run(self._get(path, {name.replace("_", "-"): text for name, text in headers.items()}))

    async def _get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.api)
        async with httpx.AsyncClient(transport=transport, base_url="http://figures", trust_env=False) as client:
            return await client.get(path, headers=headers)

    def figures(self, query: str) -> list[dict[str, Any]]:
        answer = self.get(f"/v1/figures?{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["figures"]
        return found


@pytest.fixture
def door() -> Iterator[Door]:
    store = FigureStore(":memory:")
    store.put(LOG, next_offset=len(LOG))
    asked: list[tuple[str, str, Wanted]] = []

    async def explain(kpi: KpiDefinition, window: str, clock_us: int, wanted: Wanted) -> Explanation:
        asked.append((kpi.id, window, wanted))
        return explanation(kpi, window)

    api = FastAPI()
    api.include_router(
        figures_router(
            FigureServices(
                catalog=catalog(),
                store=store,
                clock=lambda: NEXT_MORNING,
                explain=explain,
                is_current=lambda: (True, NEXT_MORNING),
                licence="https://example.org/licence",
            )
        )
    )
    yield Door(api, store, asked)
    store.close()


def explanation(kpi: KpiDefinition, window: str) -> Explanation:
    figure = Figure(
        definition=kpi, admin_unit="*", agency="", dim="", window=window, value=0.75, numerator=3.0, denominator=4.0,
        as_of_us=None, is_stale=False, is_manual=False,
    )  # fmt: skip
    counted = tuple(
        Counted(
            entity="dossier", entity_id=f"d-{n}", side="both", numerator=1.0, denominator=1.0, bucket="2026-10-05",
            value="", seconds=(), superseded_by="", facts=(Told("/lam-dong", "an-event", "dossier.submitted", 1),),
        )
        for n in range(4)
    )  # fmt: skip
    return Explanation(figure=figure, counted=counted, superseded=(), missing=(), adds_up=True, known=())


# ---- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 6),
        ("kpi=dossiers_online", 4),
        ("kpi=dossiers_online&unit=*&agency=", 2),
        ("agency=H36.01", 1),
        ("unit=24781", 1),
        ("window=mtd&from=2026-10-01&to=2026-10-31", 3),
        ("to=2026-09-30", 1),
        ("period=2026-11-21&window=day", 1),
        ("kpi=dossiers_online&window=ytd", 0),
    ],
)
def test_filters_narrow_the_list(door: Door, query: str, found: int) -> None:
    assert len(door.figures(query)) == found


def test_a_figure_tells_where_it_comes_from(door: Door) -> None:
    (figure,) = door.figures("agency=H36.02&lang=vi")
    assert list(figure) == list(COLUMNS), "the names are a contract"
    assert figure == {
        "kpi": "dossiers_online",
        "kpi_name": "Tỷ lệ hồ sơ tiếp nhận trực tuyến",
        "unit": "ratio",
        "window": "mtd",
        "period": "2026-10",
        "period_start": "2026-10-01",
        "period_end": "2026-10-31",
        "closed": True,
        "admin_unit": "*",
        "admin_unit_name": "Tỉnh Lâm Đồng",
        "agency": "H36.02",
        "dim": "",
        "value": 0.5,
        "numerator": 1.0,
        "denominator": 2.0,
        "as_of": "2026-11-21T10:00:00+07:00",
        "stale": True,
        "provenance": "manual",
        "rule_version": catalog().kpi("dossiers_online").rule_version,
        "written_at": "2026-11-22T06:30:00+07:00",
        "agency_name": "Sở Nội vụ",
    }
    answer = door.get("/v1/figures?limit=1", accept_language="en").json()
    assert (answer["attribution"], answer["licence"]) == (
        f"Source: {catalog().name_en}, IOC",
        "https://example.org/licence",
    )
    assert (answer["log_is_current"], answer["log_read_at"]) == (True, "2026-11-22T06:30:00+07:00")


@pytest.mark.parametrize("suffix", ["", ".csv"])
def test_pages_lead_through_all_and_none_comes_twice(door: Door, suffix: str) -> None:
    path, seen = f"/v1/figures{suffix}?limit=2", []
    for _ in range(3):
        answer = door.get(path)
        rows = list(csv.DictReader(io.StringIO(answer.text))) if suffix else answer.json()["figures"]
        seen += [(row["kpi"], row["period"], row["agency"], row["dim"]) for row in rows]
        links = answer.links
        path = links["next"]["url"] if "next" in links else ""
        assert links["license"]["url"] == "https://example.org/licence"
    assert path == ""
    assert len(seen) == len(set(seen)) == len(LOG)


def test_an_answer_that_did_not_change_is_not_sent_again(door: Door) -> None:
    first = door.get("/v1/figures?kpi=dossiers_online")
    again = door.get("/v1/figures?kpi=dossiers_online", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert door.get("/v1/figures?kpi=source_valid", if_none_match=first.headers["etag"]).status_code == 200
    door.store.put([logged("dossiers_online", "mtd", "2026-10", 4, 4)], next_offset=7)
    changed = door.get("/v1/figures?kpi=dossiers_online", if_none_match=first.headers["etag"])
    assert changed.status_code == 200
    assert {figure["value"] for figure in changed.json()["figures"] if not figure["agency"]} == {0.25, 1.0}


def test_csv_comes_by_its_name_or_when_it_is_asked_for(door: Door) -> None:
    by_name = door.get("/v1/figures.csv?kpi=dossiers_online")
    asked_for = door.get("/v1/figures?kpi=dossiers_online", accept="text/csv")
    assert by_name.text == asked_for.text
    assert by_name.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_name.text.splitlines()[0] == ",".join(COLUMNS)
    assert door.get("/v1/figures", accept="application/json, text/csv").headers["content-type"] == "application/json"


def test_csv_is_safe_in_a_spreadsheet_and_can_wear_a_mark_headings_and_a_note(door: Door) -> None:
    answer = door.get("/v1/figures.csv?kpi=source_valid&headers=vi&bom=true&note=true&lang=vi")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:4] == ["Mã chỉ số", "Chỉ số", "Đơn vị tính", "Cửa sổ"]
    assert rows[1][list(COLUMNS).index("dim")] == "'=cmd()"
    assert rows[2] == ["Nguồn: Tỉnh Lâm Đồng, IOC; https://example.org/licence"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_text_is_taken_for_a_formula_and_numbers_stay_numbers(text: str) -> None:
    kept = FigureStore(":memory:")
    kept.put([logged("source_valid", "day", "2026-11-21", -5, dim=text)], 1)
    (row,) = csv.DictReader(io.StringIO(csv_text([figure_json(found, catalog(), "vi") for found in kept.find(Query())],
                                                 headers=None, has_bom=False)))  # fmt: skip
    assert row["dim"] == f"'{text}"
    assert row["value"] == "-5.0"
    kept.close()


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/v1/figures?kpi=nothing", 404, "not_found"),
        ("/v1/figures?from=yesterday", 422, "invalid_query"),
        ("/v1/figures?limit=0", 422, "invalid_query"),
        ("/v1/figures?cursor=x", 422, "invalid_cursor"),
        ("/v1/figures?headers=fr", 422, "invalid_query"),
        ("/v1/figures/dossiers_online/day/2026-10-01", 404, "not_found"),
        ("/v1/figures/dossiers_online/mtd/2026-08", 404, "not_found"),
        ("/v1/figures/dossiers_online/mtd/2026-12/entities", 404, "not_found"),
        ("/v1/figures/dossiers_online/mtd/2026-10/entities?unit=24781", 404, "not_found"),
        ("/v1/figures/smartphone_share/now/2026-11-20/entities", 409, "not_of_the_past"),
        ("/v1/kpis/nothing", 404, "not_found"),
    ],
)
def test_a_wrong_question_is_answered_in_both_languages(door: Door, path: str, status: int, reason: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["reason"] == reason
    assert problem["message_vi"]
    assert problem["message_en"]
    assert door.asked == [], "nothing was read for it"


# ---- one figure ------------------------------------------------------------------------------------------------------


def test_a_figure_opens_to_its_sides_its_rule_and_the_entities_that_it_counts(door: Door) -> None:
    told = door.get("/v1/figures/dossiers_online/mtd/2026-10").json()
    assert (told["figure"]["numerator"], told["figure"]["denominator"]) == (3.0, 4.0)
    assert told["kpi"]["rule_version"] == told["figure"]["rule_version"]
    entities = door.get(f"{told['entities']}&limit=2").json()
    assert (entities["entities_total"], entities["agrees_with_log"], entities["adds_up"]) == (4, True, True)
    assert entities["entities"][0] == {
        "entity": "dossier",
        "id": "d-0",
        "side": "both",
        "bucket": "2026-10-05",
        "numerator": 1.0,
        "denominator": 1.0,
    }
    assert "an-event" not in json.dumps(entities), "who told of it is not for everybody"
    assert door.asked == [("dossiers_online", "mtd", Wanted())]


def test_entities_are_audited_a_few_times_a_minute_and_the_same_ones_once(door: Door) -> None:
    path = "/v1/figures/dossiers_online/mtd/2026-10/entities"
    for number in range(AUDITS_A_MINUTE):
        assert door.get(f"{path}?agency=H36.{number:02}").status_code == 200
    assert door.get(f"{path}?agency=H36.{AUDITS_A_MINUTE - 1:02}").status_code == 200, "kept"
    refused = door.get(f"{path}?agency=H36.99")
    assert (refused.status_code, refused.json()["reason"]) == (429, "too_many_audits")
    assert int(refused.headers["retry-after"]) in range(1, 62)
    assert len(door.asked) == AUDITS_A_MINUTE


def test_the_kpis_say_what_they_count_and_the_document_names_every_route(door: Door) -> None:
    told = door.get("/v1/kpis").json()["kpis"]
    assert [kpi["id"] for kpi in told] == [kpi.id for kpi in catalog().kpis]
    assert door.get("/v1/kpis/dossiers_online").json()["target"] == {"value": 0.8, "direction": "higher_is_better"}
    assert set(door.get("/v1/openapi.json").json()["paths"]) == {
        "/v1/figures",
        "/v1/figures.csv",
        "/v1/figures/{kpi}/{window}/{period}",
        "/v1/figures/{kpi}/{window}/{period}/entities",
        "/v1/kpis",
        "/v1/kpis/{kpi}",
    }


# ---- reports ---------------------------------------------------------------------------------------------------------


def test_the_written_reports_are_listed_newest_first_and_nothing_else_is_told(tmp_path: Path) -> None:
    api = FastAPI()
    api.include_router(reports_router(tmp_path / "reports"))
    door = Door(api, FigureStore(":memory:"))
    assert "Chưa có báo cáo nào" in door.get("/reports").text
    (tmp_path / "reports").mkdir()
    for name in ("report-2026-11-20-vi.html", "report-2026-11-21-vi.html", "report-2026-10-en.html", "secret.html"):
        (tmp_path / "reports" / name).write_text(f"<p>{name}</p>", encoding="utf-8")
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    assert re.findall(r'href="/reports/([^"]+)"', door.get("/reports").text) == [
        "report-2026-11-21-vi.html",
        "report-2026-11-20-vi.html",
    ]
    assert "report-2026-10-en.html" in door.get("/reports?lang=en").text
    assert door.get("/reports/report-2026-11-21-vi.html").text == "<p>report-2026-11-21-vi.html</p>"
    for path in ("secret.html", "..%2Ftoken", "report-2026-11-19-vi.html", "report-2026-11-21-vi.html.part"):
        assert door.get(f"/reports/{path}").status_code == 404, path
    door.store.close()


# ---- the store -------------------------------------------------------------------------------------------------------


def test_the_store_goes_on_where_it_stood_and_the_newest_entry_stands(tmp_path: Path) -> None:
    path = tmp_path / "state" / "open-figures.db"
    store = FigureStore(path)
    store.put(LOG, next_offset=6)
    store.close()
    again = FigureStore(path)
    assert (again.next_offset, len(again.find(Query()))) == (6, len(LOG))
    again.put([logged("dossiers_online", "mtd", "2026-10", 4, 4)], next_offset=7)
    (found,) = again.find(Query(kpi="dossiers_online", period="2026-10", admin_unit="*", agency="", dim=""))
    assert (found.logged.value, again.next_offset, len(again.find(Query()))) == (1.0, 7, len(LOG))
    again.clear()
    assert (again.next_offset, again.find(Query())) == (0, [])
    again.close()


def test_a_period_that_no_window_has_is_passed_over() -> None:
    store = FigureStore(":memory:")
    store.put([logged("dossiers_online", "mtd", "someday", 1, 2)], next_offset=1)
    assert (store.next_offset, store.find(Query())) == (1, [])
    store.close()
