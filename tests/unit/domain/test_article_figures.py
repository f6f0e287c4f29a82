"""The articles' own figures come out of the KPIs, over the communes of their province and day."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ioc.catalog import Catalog
from ioc.catalog.units import UnitsFile, geography_of
from ioc.kpis import Figure
from ioc.kpis.examples import Example
from tests.unit.domain.making import catalog

FIXTURE = Path(__file__).parents[2] / "fixtures" / "units" / "cao-bang.yaml"
LAST_OF_161 = "2025-06-30T23:59:59.999999+07:00"
FIRST_OF_56 = "2025-07-01T00:00:00+07:00"
BEFORE = "2025-06-20T08:00:00+07:00"


@cache
def cao_bang() -> Catalog:
    """The starting catalogue in Cao Bằng: its communes of before and after 2025-07-01, and no cameras yet."""
    declared = UnitsFile.model_validate(yaml.safe_load(FIXTURE.read_text(encoding="utf-8")))
    return replace(catalog(), province="cao-bang", geography=geography_of(declared, ()), cameras={})


def communes() -> list[str]:
    return [unit.code for unit in cao_bang().geography.in_force(datetime.fromisoformat(BEFORE).date())]


def total(
    kpi_id: str, events: Iterator[Mapping[str, Any]], now: str
) -> tuple[float | None, float | None, float | None]:
    """Value, numerator and denominator of the province in the window `now`."""
    example = Example(name="the article", now=datetime.fromisoformat(now), events=tuple(events), expect={})
    (found,) = [f for f in figures(example) if (f.definition.id, f.admin_unit, f.window) == (kpi_id, "*", "now")]
    return found.value, found.numerator, found.denominator


def figures(example: Example) -> list[Figure]:
    return cao_bang().example_runner().figures(example, example.name)


def stations(tech_ip: int = 136) -> Iterator[Mapping[str, Any]]:
    """One in each of the first 136 communes."""
    for number, unit in enumerate(communes()[:136]):
        yield {
            "type": "loudspeaker.heartbeat",
            "cluster_id": f"cluster-{number}",
            "admin_unit": unit,
            "tech": "ip" if number < tech_ip else "fm",
            "at": datetime.fromisoformat(BEFORE),
        }


def test_136_of_161_communes_have_a_loudspeaker_station_which_is_84_5_per_cent() -> None:
    value, numerator, denominator = total("loudspeaker_communes", stations(), LAST_OF_161)
    assert (numerator, denominator) == (136, 161)
    assert value == pytest.approx(0.845, abs=0.0005)


def test_one_microsecond_later_the_same_stations_are_counted_over_the_56_communes_that_took_over() -> None:
    """Each commune of today was merged from two or three: those with the 136 stations became 47."""
    assert total("loudspeaker_communes", stations(), FIRST_OF_56) == (47 / 56, 47, 56)


def test_106_of_the_136_stations_are_ip_based() -> None:
    assert total("loudspeaker_ip", stations(tech_ip=106), LAST_OF_161) == (106 / 136, 106, 136)


def schools(told_by_education: int) -> Iterator[Mapping[str, Any]]:
    """929 schools, of which so many are in the register of education and the others in that of cashless facilities."""
    for number in range(929):
        if number < told_by_education:
            yield {"type": "education.facility", "facility_id": f"school-{number}", "cashless_tuition": True}
        else:
            body = {"facility_id": f"school-{number}", "kind": "school", "accepts_cashless": True}
            yield {"type": "cashless.facility"} | body


@pytest.mark.parametrize("told_by_education", [929, 400, 0])
def test_all_929_schools_are_cashless(told_by_education: int) -> None:
    assert total("schools_cashless", schools(told_by_education), LAST_OF_161) == (1, 929, 929)


def test_all_17_national_systems_are_connected_through_lgsp() -> None:
    systems = (
        {
            "type": "lgsp.connection",
            "system_id": f"system-{number}",
            "connected": True,
            "required": True,
            "last_ok_at": datetime.fromisoformat("2025-06-30T20:00:00+07:00"),
        }
        for number in range(17)
    )
    assert total("lgsp_connected", systems, LAST_OF_161) == (1, 17, 17)


def test_all_531_health_facilities_accept_the_citizen_id() -> None:
    """161 communes: 48 with four facilities, the others with three."""
    told = (
        {
            "type": "health.coverage",
            "admin_unit": unit,
            "as_of": datetime.fromisoformat(BEFORE),
            "facilities": 4 if number < 48 else 3,
            "facilities_cccd": 4 if number < 48 else 3,
        }
        for number, unit in enumerate(communes())
    )
    assert total("clinics_cccd", told, LAST_OF_161) == (1, 531, 531)
