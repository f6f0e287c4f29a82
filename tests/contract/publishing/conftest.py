"""Commands of these tests run at a fixed time, on a catalogue that loads quickly."""

from pathlib import Path

import pytest

from tests.unit.domain.making import copy_of_catalog


@pytest.fixture(scope="session")
def quick_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starting catalogue with one KPI."""
    return copy_of_catalog(tmp_path_factory.mktemp("quick") / "catalog", lambda path: path.stem == "dossier_satisfied")


@pytest.fixture(autouse=True)
def _environment(quick_catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOC_NOW", "2026-11-22T08:00:00+07:00")
    monkeypatch.setenv("IOC_CATALOG", str(quick_catalog))
