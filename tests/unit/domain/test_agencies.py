"""Agencies are called by name; one that the catalogue does not know by its code, never by nothing."""

from pathlib import Path

import pytest

from ioc.agencies import Agency, agency_named
from ioc.catalog import load_catalog
from ioc.kpis.figures import OTHER
from ioc.settings import Settings
from ioc.simulate.publishers import AGENCIES

KNOWN = {"H36.01": Agency(code="H36.01", name_vi="Văn phòng", name_en="Office")}


@pytest.mark.parametrize(
    ("code", "name_vi", "name_en"),
    [
        ("H36.01", "Văn phòng", "Office"),
        ("H36.99", "H36.99", "H36.99"),
        (OTHER, "Các cơ quan khác", "Other agencies"),
    ],
)
def test_an_agency_is_called_by_its_name_else_by_its_code(code: str, name_vi: str, name_en: str) -> None:
    found = agency_named(KNOWN, code)
    assert (found.code, found.name_vi, found.name_en) == (code, name_vi, name_en)


def test_every_agency_of_the_simulated_province_has_a_name_of_its_own() -> None:
    catalog = load_catalog(Path(Settings.model_fields["catalog"].get_default()))
    assert set(AGENCIES) <= set(catalog.agencies)
    for language in ("name_vi", "name_en"):
        names = [getattr(agency, language) for agency in catalog.agencies.values()]
        assert len(names) == len(set(names))
