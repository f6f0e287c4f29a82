"""Open figures as rows: stable column names, and CSV that a spreadsheet opens without obeying it. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ioc.agencies import agency_named
from ioc.catalog import Catalog
from ioc.wall.figure_store import Kept
from ioc.wall.panels import Language
from ioc.windows import LOCAL_ZONE, moment_of

__all__ = ["COLUMNS", "csv_text", "figure_json"]

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "kpi": ("Mã chỉ số", "Indicator code"),
    "kpi_name": ("Chỉ số", "Indicator"),
    "unit": ("Đơn vị tính", "Unit of measure"),
    "window": ("Cửa sổ", "Window"),
    "period": ("Kỳ", "Period"),
    "period_start": ("Từ ngày", "From"),
    "period_end": ("Đến ngày", "To"),
    "closed": ("Đã chốt", "Closed"),
    "admin_unit": ("Mã đơn vị hành chính", "Administrative unit code"),
    "admin_unit_name": ("Đơn vị hành chính", "Administrative unit"),
    "agency": ("Mã cơ quan", "Agency code"),
    "dim": ("Nhóm", "Label"),
    "value": ("Giá trị", "Value"),
    "numerator": ("Tử số", "Numerator"),
    "denominator": ("Mẫu số", "Denominator"),
    "as_of": ("Tính đến", "As of"),
    "stale": ("Cũ", "Stale"),
    "provenance": ("Nguồn gốc", "Provenance"),
    "rule_version": ("Phiên bản quy tắc", "Rule version"),
    "written_at": ("Ghi lúc", "Written at"),
    "agency_name": ("Cơ quan", "Agency"),
}
"""Column → its heading in Vietnamese and English. Names and order stay: new columns come at the end."""

_OBEYED = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def figure_json(kept: Kept, catalog: Catalog, language: Language) -> dict[str, Any]:
    """Returns one figure, keys as `COLUMNS`; times in local time with their offset, None where not known."""
    one = kept.logged
    kpi = next((kpi for kpi in catalog.kpis if kpi.id == one.kpi), None)
    unit = catalog.geography.unit(one.admin_unit)
    is_vietnamese = language == "vi"
    names = {
        "kpi_name": None if kpi is None else kpi.name_vi if is_vietnamese else kpi.name_en,
        "admin_unit_name": None if unit is None else unit.name_vi if is_vietnamese else unit.name_en,
        "agency_name": None,
    }
    if one.agency:
        agency = agency_named(catalog.agencies, one.agency)
        names["agency_name"] = agency.name_vi if is_vietnamese else agency.name_en
    if one.admin_unit == "*":
        names["admin_unit_name"] = catalog.name_vi if is_vietnamese else catalog.name_en
    return {
        "kpi": one.kpi,
        "kpi_name": names["kpi_name"],
        "unit": None if kpi is None else kpi.unit,
        "window": one.window,
        "period": one.period,
        "period_start": kept.first_day.isoformat(),
        "period_end": kept.last_day.isoformat(),
        "closed": one.is_closed,
        "admin_unit": one.admin_unit,
        "admin_unit_name": names["admin_unit_name"],
        "agency": one.agency,
        "dim": one.dim,
        "value": one.value,
        "numerator": one.numerator,
        "denominator": one.denominator,
        "as_of": _local(one.as_of_us),
        "stale": one.is_stale,
        "provenance": "manual" if one.is_manual else "auto",
        "rule_version": one.rule_version,
        "written_at": _local(kept.written_us),
        "agency_name": names["agency_name"],
    }


def _local(microseconds: int | None) -> str | None:
    return None if microseconds is None else moment_of(microseconds).astimezone(LOCAL_ZONE).isoformat()


def csv_text(
    figures: Sequence[Mapping[str, Any]], *, headers: Language | None, has_bom: bool, note: str = ""
) -> str:  # fmt: skip
    """Returns RFC 4180 text. `headers` None: the columns' names. `note`: a last line, "" for none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    place = {"vi": 0, "en": 1, None: None}[headers]
    writer.writerow(name if place is None else both[place] for name, both in COLUMNS.items())
    for figure in figures:
        writer.writerow(_cell(figure[name]) for name in COLUMNS)
    if note:
        writer.writerow([_cell(note)])
    return (_BOM if has_bom else "") + out.getvalue()


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_OBEYED):
        return f"'{value}"
    return value
