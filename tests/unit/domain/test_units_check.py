"""`ioc check` counts the units of the day, and says which cameras lie in a unit that is no more."""

from datetime import date
from pathlib import Path

from ioc.cli.check import examine
from tests.unit.domain.making import copy_of_catalog

UNITS = """
units:
  "24700": {name_vi: Xã Cũ, to: 2025-06-30, successors: ["24781"]}
  "24846": {to: 2027-12-31, successors: ["24781"]}
"""


def test_former_units_are_not_counted_and_cameras_of_an_ended_unit_are_named(tmp_path: Path) -> None:
    folder = copy_of_catalog(
        tmp_path / "catalog", lambda path: path.stem.startswith(("reports_", "source_", "camera_"))
    )
    (folder / "units.yaml").write_text(UNITS, encoding="utf-8")
    now, later = examine(folder, date(2026, 11, 22)), examine(folder, date(2028, 1, 1))
    assert now.units == 124
    assert not any("admin_unit" in warning or "units.yaml" in warning for warning in now.warnings)
    assert later.units == examine(folder).units == 123
    assert later.series < now.series
    assert "cam-01.admin_unit: 24846 is not in force on 2028-01-01; 24781 took over from it" in later.warnings[0]
