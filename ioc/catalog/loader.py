"""Reads a catalogue folder. Every error is one sentence that names the file, the key and the fix."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from ioc.agencies import Agency
from ioc.case_terms import Term, TermRules
from ioc.catalog.camera_files import CameraEntry, cameras_of
from ioc.catalog.cameras import Camera
from ioc.catalog.entity_files import entities_of
from ioc.catalog.event_type_files import event_types_of
from ioc.catalog.files import (
    AgencyEntry,
    ColumnEntry,
    EventTypeEntry,
    PermitEntry,
    ProvinceFile,
    PublisherEntry,
    SourcesFile,
    TermEntry,
    TermsFile,
)
from ioc.catalog.imports import ImportEntry, ImportMapping, imports_of
from ioc.catalog.kpi_files import read_kpis
from ioc.catalog.model import OWN_TOPICS, Catalog
from ioc.catalog.oncall import OncallFile, plan_of
from ioc.catalog.units import UnitsFile, geography_of, units_of
from ioc.catalog.yaml_files import read_checked
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.event_types import EventType
from ioc.geography import Geography
from ioc.kpis.sources import Promises
from ioc.oncall_plan import Plan
from ioc.permits import Permit, read_outline
from ioc.publishers import Publisher

__all__ = ["load_catalog", "load_plan"]

_PUBLISHER = r"[a-z][a-z0-9-]{1,40}"
_TERM = r"[a-z][a-z0-9_]{0,30}"


def load_catalog(folder: Path) -> Catalog:
    """Returns the catalogue of `folder`, with every cross-reference checked.

    Raises:
        ConfigurationError: a file is missing, malformed or contradicts another; names the file and key.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such catalogue folder; make one with `ioc init`, or set IOC_CATALOG")
    province = read_checked(folder / "province.yaml", ProvinceFile)
    geography = _geography(folder, province.statistical_code)
    types_path, entities_path = folder / "event_types.yaml", folder / "entities.yaml"
    event_types = event_types_of(types_path, read_checked(types_path, dict[str, EventTypeEntry]))
    columns = read_checked(entities_path, dict[str, dict[str, ColumnEntry | int]])
    entities = entities_of(entities_path, columns, event_types)
    kpis, examples = read_kpis(folder, event_types, entities)
    publishers = _publishers(folder, province.province, event_types)
    agencies = _agencies(folder)
    cameras = _cameras(folder, geography, agencies)
    catalog = Catalog(
        folder=str(folder),
        province=province.province,
        name_vi=province.name_vi,
        name_en=province.name_en,
        accept_since=province.accept_since,
        partitions=province.partitions,
        geography=geography,
        event_types=event_types,
        entities=entities,
        kpis=kpis,
        examples=examples,
        cameras=cameras,
        permits=_permits(folder),
        promises=_promises(folder, province.province),
        publishers=publishers,
        oncall=load_plan(folder, geography, cameras),
        imports=_imports(folder, province.province, event_types, publishers),
        agencies=agencies,
        term_rules=_term_rules(folder),
    )
    try:
        catalog.engine()  # compiles every expression: a wrong one stops us here, not at the first event
        catalog.decoder()
    except ConfigurationError as error:  # it names the file within the folder
        raise ConfigurationError(f"{folder}/{error}") from None
    return catalog


def _geography(folder: Path, statistical_code: int) -> Geography:
    path = folder / "units.yaml"  # optional: without it the province has today's units, at all times
    declared = read_checked(path, UnitsFile) if path.exists() else UnitsFile()
    try:
        today = () if declared.only else units_of(statistical_code)
    except ConfigurationError as error:  # it names province.yaml
        raise ConfigurationError(f"{folder}/{error}") from None
    try:
        return geography_of(declared, today)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _promises(folder: Path, province: str) -> Promises:
    """sources.yaml may be absent: then every source has promised to tell once a day."""
    path = folder / "sources.yaml"
    if not path.exists():
        return Promises()
    spec = read_checked(path, SourcesFile)
    for source, seconds in (*spec.sources.items(), *spec.families.items()):
        if seconds <= 0:
            raise ConfigurationError(f"{path}: {source}: {seconds:g} is no interval; give seconds above 0")
    for source in spec.sources:
        if not source.startswith(f"/{province}/"):
            raise ConfigurationError(f"{path}: sources.{source}: a source begins with /{province}/")
    return Promises(
        default_us=round(spec.default_interval_s * 1e6),
        by_source={source: round(seconds * 1e6) for source, seconds in spec.sources.items()},
        by_family={family: round(seconds * 1e6) for family, seconds in spec.families.items()},
    )


def _publishers(folder: Path, province: str, event_types: Mapping[str, EventType]) -> dict[str, Publisher]:
    """publishers.yaml may be absent: then departments publish on Kafka only, by its own rights."""
    path = folder / "publishers.yaml"
    if not path.exists():
        return {}
    publishers: dict[str, Publisher] = {}
    families = {event_type.family for event_type in event_types.values() if event_type.topic not in OWN_TOPICS}
    for name, spec in read_checked(path, dict[str, PublisherEntry]).items():
        if not re.fullmatch(_PUBLISHER, name):
            raise ConfigurationError(f"{path}: {name!r}: a publisher's name is small letters, digits and hyphens")
        for source in spec.sources:
            if source.startswith("/") or source.split("/")[0] not in families:
                raise ConfigurationError(
                    f"{path}: {name}.sources: {source!r} must begin with a family, without the province: one of "
                    f"{', '.join(sorted(families))}"
                )
        publisher = Publisher(
            name=name,
            title_vi=spec.title_vi,
            title_en=spec.title_en or spec.title_vi,
            sources=tuple(f"/{province}/{source.rstrip('/')}" for source in spec.sources),
            types=spec.types,
            contact=spec.contact,
        )
        own = [event_type.name for event_type in publisher.own_types(event_types)]
        odd = next((wanted for wanted in spec.types if not any(fnmatchcase(each, wanted) for each in own)), None)
        if odd is not None:
            raise ConfigurationError(f"{path}: {name}.types: {odd!r} is no event type of its sources' families")
        publishers[name] = publisher
    return publishers


def _agencies(folder: Path) -> dict[str, Agency]:
    """agencies.yaml may be absent: then agencies are called by their codes."""
    path = folder / "agencies.yaml"
    if not path.exists():
        return {}
    declared = read_checked(path, dict[str, AgencyEntry])
    return {
        code: Agency(code=code, name_vi=spec.name_vi, name_en=spec.name_en or spec.name_vi)
        for code, spec in declared.items()
    }


def _imports(
    folder: Path, province: str, event_types: Mapping[str, EventType], publishers: Mapping[str, Publisher]
) -> dict[str, ImportMapping]:
    """imports.yaml may be absent: then tables come with our own column names."""
    path = folder / "imports.yaml"
    if not path.exists():
        return {}
    declared = read_checked(path, dict[str, ImportEntry])
    return imports_of(path, declared, province=province, event_types=event_types, publishers=publishers)


def load_plan(folder: Path, geography: Geography, cameras: Mapping[str, Camera]) -> Plan | None:
    """Returns what oncall.yaml declares; None where it is absent: then one duty recipient is told of everything.

    Raises:
        ConfigurationError: it is malformed, or a name in it leads nowhere; names the file and key.
    """
    path = folder / "oncall.yaml"
    if not path.exists():
        return None
    declared = read_checked(path, OncallFile)
    try:
        return plan_of(declared, folder, geography, cameras)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _cameras(folder: Path, geography: Geography, agencies: Mapping[str, Agency]) -> dict[str, Camera]:
    path = folder / "cameras.yaml"
    return cameras_of(path, read_checked(path, dict[str, CameraEntry]), geography, agencies)


def _permits(folder: Path) -> tuple[Permit, ...]:
    path = folder / "permits.yaml"
    return tuple(
        _permit(f"{path}: {key}", key, spec) for key, spec in read_checked(path, dict[str, PermitEntry]).items()
    )


def _term_rules(folder: Path) -> TermRules:
    """terms.yaml may be absent: then no terms are counted."""
    path = folder / "terms.yaml"
    if not path.exists():
        return TermRules()
    declared = read_checked(path, TermsFile)
    terms = tuple(_term(f"{path}: terms.{name}", name, spec) for name, spec in declared.terms.items())
    return TermRules(terms=terms, days_off=frozenset(declared.days_off))


def _term(where: str, name: str, spec: TermEntry) -> Term:
    if not re.fullmatch(_TERM, name):
        raise ConfigurationError(f"{where}: a term's name is small letters, digits and underscores")
    if sum(length > 0 for length in (spec.working_days, spec.days, spec.years)) != 1:
        raise ConfigurationError(f"{where}: needs exactly one of working_days, days and years, above 0")
    if spec.begins == spec.ends:
        raise ConfigurationError(f"{where}: begins and ends are both {spec.begins!r}; a term goes from one to another")
    return Term(name=name, **{**spec.model_dump(), "name_en": spec.name_en or spec.name_vi})


def _permit(where: str, permit_id: str, spec: PermitEntry) -> Permit:
    if spec.valid_to < spec.valid_from:
        raise ConfigurationError(f"{where}: valid_to {spec.valid_to} is before valid_from {spec.valid_from}")
    try:
        outline = None if spec.outline is None else read_outline(spec.outline, field="outline")
    except InvalidRecord as error:
        raise ConfigurationError(f"{where}: {error.en}") from None
    return Permit(permit_id=permit_id, outline=outline, **spec.model_dump(exclude={"outline"}))
