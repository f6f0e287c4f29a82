"""Reads a catalogue folder. Every error is one sentence that names the file, the key and the fix."""

import hashlib
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from ioc.catalog.camera_files import CameraEntry, cameras_of
from ioc.catalog.cameras import Camera
from ioc.catalog.files import (
    ColumnEntry,
    EventTypeEntry,
    KpiFile,
    PartEntry,
    PermitEntry,
    ProvinceFile,
    PublisherEntry,
    SourcesFile,
)
from ioc.catalog.imports import ImportEntry, ImportMapping, imports_of
from ioc.catalog.model import OWN_TOPICS, Catalog
from ioc.catalog.oncall import OncallFile, plan_of
from ioc.catalog.sentences import sentence_of
from ioc.catalog.units import UnitsFile, geography_of, units_of
from ioc.entity_views import Column, EntityDefinition, Operator
from ioc.errors import ConfigurationError
from ioc.event_types import EventType, FieldSpec
from ioc.geography import Geography
from ioc.kpis import KpiDefinition, Part, Target
from ioc.kpis.examples import Example
from ioc.kpis.sources import Promises
from ioc.oncall_plan import Plan
from ioc.permits import Permit
from ioc.publishers import Publisher
from ioc.windows import grain_of

__all__ = ["load_catalog", "load_plan"]

MAX_KEEP_DAYS = 400
_PUBLISHER = r"[a-z][a-z0-9-]{1,40}"

# The same loader in C, where the package was built with it: a second less at every start.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_M = TypeVar("_M")


def load_catalog(folder: Path) -> Catalog:
    """Returns the catalogue of `folder`, with every cross-reference checked.

    Raises:
        ConfigurationError: a file is missing, malformed or contradicts another; names the file and key.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such catalogue folder; make one with `ioc init`, or set IOC_CATALOG")
    province = _read(folder / "province.yaml", TypeAdapter(ProvinceFile))
    geography = _geography(folder, province.statistical_code)
    event_types = _event_types(folder)
    entities = _entities(folder, event_types)
    kpis, examples = _kpis(folder, event_types, entities)
    publishers = _publishers(folder, province.province, event_types)
    cameras = _cameras(folder, geography)
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
    )
    try:
        catalog.engine()  # compiles every expression: a wrong one stops us here, not at the first event
        catalog.decoder()
    except ConfigurationError as error:  # it names the file within the folder
        raise ConfigurationError(f"{folder}/{error}") from None
    return catalog


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """The content of a YAML text, remembered: several parts of one process load the same catalogue. Nobody changes what
    comes back: pydantic copies it into models of its own."""
    return yaml.load(text, Loader=_SafeLoader)  # noqa: S506  (both are safe loaders)


def _read(path: Path, adapter: TypeAdapter[_M]) -> _M:
    try:
        content = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: the file is missing; copy it from the starting catalogue (`ioc init`)"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return adapter.validate_python(content if content is not None else {})
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {sentence_of(error)}") from None


def _geography(folder: Path, statistical_code: int) -> Geography:
    path = folder / "units.yaml"  # optional: without it the province has today's units, at all times
    declared = _read(path, TypeAdapter(UnitsFile)) if path.exists() else UnitsFile()
    try:
        today = () if declared.only else units_of(statistical_code)
    except ConfigurationError as error:  # it names province.yaml
        raise ConfigurationError(f"{folder}/{error}") from None
    try:
        return geography_of(declared, today)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _event_types(folder: Path) -> dict[str, EventType]:
    path = folder / "event_types.yaml"
    types: dict[str, EventType] = {}
    for number, (name, spec) in enumerate(_read(path, TypeAdapter(dict[str, EventTypeEntry])).items()):
        _check_event_type(path, name, spec, types)
        types[name] = EventType(
            number=number,
            name=name,
            ce_type=spec.ce_type,
            topic=spec.topic,
            partition_key=spec.partition_key,
            kind=spec.kind,
            entity=spec.entity,
            entity_key=spec.entity_key,
            time_field=spec.time_field,
            fact_times=spec.fact_times,
            department=spec.department,
            title_vi=spec.title_vi,
            title_en=spec.title_en,
            description_vi=spec.description_vi,
            description_en=spec.description_en,
            fields=tuple(
                FieldSpec(
                    name=field_name,
                    type=field.type,
                    enum=field.enum,
                    is_required=field.required,
                    minimum=field.minimum,
                    maximum=field.maximum,
                    vi=field.vi,
                    en=field.en,
                    example=field.example,
                )
                for field_name, field in spec.fields.items()
            ),
        )
    return types


def _check_event_type(path: Path, name: str, spec: EventTypeEntry, before: Mapping[str, EventType]) -> None:
    parts = spec.partition_key.split(":")
    own_time = {spec.time_field} - {"ce_time"}
    unknown = {*spec.entity_key, *spec.fact_times, *own_time, *parts} - spec.fields.keys()
    if unknown:
        raise ConfigurationError(
            f"{path}: {name}: {min(unknown)!r} is not one of its fields; known: {', '.join(spec.fields)}"
        )
    odd = next((part for part in parts if spec.fields[part].type in ("any", "list")), None)
    if odd is not None:
        raise ConfigurationError(f"{path}: {name}: partition_key: {odd} must not be of type any or list")
    if not spec.entity and spec.topic not in OWN_TOPICS:
        raise ConfigurationError(
            f"{path}: {name}: entity is empty, so its events would be refused; name what they tell about, like "
            f"{name.replace('.', '_')}"
        )
    twin = next((other for other in before.values() if other.ce_type == spec.ce_type), None)
    if twin is not None:
        raise ConfigurationError(f"{path}: {name}: ce_type {spec.ce_type!r} belongs to {twin.name} already")
    if spec.entity and not spec.entity_key:
        raise ConfigurationError(
            f"{path}: {name}: entity_key is empty; name the fields that tell one {spec.entity} from another"
        )
    for key in spec.entity_key:
        if not spec.fields[key].required or spec.fields[key].type in ("any", "list"):
            raise ConfigurationError(
                f"{path}: {name}: {key} is in entity_key: it must be required, and not of type any or list"
            )
    for field_name in (spec.time_field, *spec.fact_times):
        if field_name != "ce_time" and spec.fields[field_name].type not in ("time", "date_or_time"):
            raise ConfigurationError(
                f"{path}: {name}: {field_name} orders the facts: its type must be time or date_or_time"
            )


def _entities(folder: Path, event_types: Mapping[str, EventType]) -> tuple[EntityDefinition, ...]:
    path = folder / "entities.yaml"
    declared = _read(path, TypeAdapter(dict[str, dict[str, ColumnEntry | int]]))
    of_entity: dict[str, list[EventType]] = {}
    for event_type in event_types.values():
        if event_type.entity:
            of_entity.setdefault(event_type.entity, []).append(event_type)
    for name in declared:
        if name not in of_entity:
            raise ConfigurationError(f"{path}: {name}: no event type names this entity in event_types.yaml")
    return tuple(
        EntityDefinition(
            name=name,
            types=tuple(types),
            columns=tuple(
                _column(path, name, key, column)
                for key, column in declared.get(name, {}).items()
                if isinstance(column, ColumnEntry)
            ),
            keep_days=_keep_days(path, name, declared.get(name, {})),
        )
        for name, types in of_entity.items()
    )


def _keep_days(path: Path, entity: str, declared: Mapping[str, ColumnEntry | int]) -> int | None:
    numbers = {key: value for key, value in declared.items() if isinstance(value, int)}
    odd = numbers.keys() - {"keep_days"}
    if odd:
        raise ConfigurationError(f"{path}: {entity}.{min(odd)}: a column is written {{newest: FIELD}} or the like")
    days = numbers.get("keep_days")
    if days is not None and not 1 <= days <= MAX_KEEP_DAYS:
        raise ConfigurationError(f"{path}: {entity}.keep_days: {days} is not between 1 and {MAX_KEEP_DAYS}")
    return days


def _column(path: Path, entity: str, name: str, column: ColumnEntry) -> Column:
    texts: dict[Operator, str] = {
        "newest": column.newest,
        "first": column.first,
        "first_per": column.first_per,
        "time_in": column.time_in,
        "newest_is": column.newest_is,
        "period_start": column.period_start,
        "newest_time": " " if column.newest_time else "",
        "newest_source": " " if column.newest_source else "",
    }
    operators = [(operator, text.strip()) for operator, text in texts.items() if text]
    if len(operators) != 1:
        raise ConfigurationError(f"{path}: {entity}.{name}: needs exactly one of {', '.join(texts)}")
    operator, argument = operators[0]
    return Column(
        name=name,
        operator=operator,
        argument=argument,
        **column.model_dump(include={"of", "where", "prefer", "by", "until"}),
    )


def _kpis(
    folder: Path, event_types: Mapping[str, EventType], entities: tuple[EntityDefinition, ...]
) -> tuple[tuple[KpiDefinition, ...], dict[str, tuple[Example, ...]]]:
    files = sorted((folder / "kpis").glob("*.yaml"))
    if not files:
        raise ConfigurationError(f"{folder / 'kpis'}: no KPI files; copy them from the starting catalogue (`ioc init`)")
    columns = {entity.name: repr(entity.columns) for entity in entities}
    kpis: list[KpiDefinition] = []
    examples: dict[str, tuple[Example, ...]] = {}
    for path in files:
        kpi, its_examples = _kpi(path, event_types, columns)
        twin = next((other for other in kpis if other.metric == kpi.metric), None)
        if twin is not None:
            raise ConfigurationError(f"{folder / 'kpis'}: {kpi.id} and {twin.id} have the same metric {kpi.metric!r}")
        kpis.append(kpi)
        examples[kpi.id] = its_examples
    return tuple(kpis), examples


def _kpi(
    path: Path, event_types: Mapping[str, EventType], columns: Mapping[str, str]
) -> tuple[KpiDefinition, tuple[Example, ...]]:
    spec = _read(path, TypeAdapter(KpiFile))
    if spec.id != path.stem:
        raise ConfigurationError(f"{path}: id {spec.id!r} must be the file's name")
    if len(set(spec.windows)) != len(spec.windows):
        raise ConfigurationError(f"{path}: windows: one of {', '.join(spec.windows)} is named twice")
    unknown = [name for name in spec.fed_by if name not in event_types]
    if unknown:
        raise ConfigurationError(f"{path}: fed_by: {unknown[0]!r} is not in event_types.yaml")
    for window in spec.windows:
        try:
            grain_of(window)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: windows: {error}") from None
    parts = _parts(path, spec)
    form = spec.figure or ("ratio" if spec.unit == "ratio" else "number")
    if (form == "p95") != any(part.measure == "p95" for part in parts):
        raise ConfigurationError(f"{path}: figure: p95 and measure: p95 go together")
    rule = [repr(part) + columns.get(part.entity, "") for part in parts] + [spec.population, form, *spec.windows]
    targets = spec.target if isinstance(spec.target, tuple) else (spec.target,)
    definition = KpiDefinition(
        **spec.model_dump(
            include={
                "id",
                "name_vi",
                "name_en",
                "family",
                "unit",
                "metric",
                "kind",
                "population",
                "windows",
                "group_by",
                "fed_by",
                "stale_after_s",
                "note",
            }
        ),
        form=form,
        parts=parts,
        targets=tuple(Target(**target.model_dump()) for target in targets),
        rule_version=hashlib.sha256("\n".join(rule).encode()).hexdigest()[:12],
    )
    return definition, tuple(Example(**example.model_dump()) for example in spec.examples)


def _parts(path: Path, spec: KpiFile) -> tuple[Part, ...]:
    """The parts of a KPI: those under `parts`, or the one that the file itself describes."""
    own = {name: getattr(spec, name) for name in PartEntry.model_fields}
    if spec.parts and own != {name: field.default for name, field in PartEntry.model_fields.items()}:
        odd = next(name for name, field in PartEntry.model_fields.items() if own[name] != field.default)
        raise ConfigurationError(f"{path}: {odd}: write it inside `parts`, where there are any")
    parts = [part.model_dump() for part in spec.parts] or [own]
    for number, part in enumerate(parts):
        if not part["entity"]:
            raise ConfigurationError(f"{path}: entity: say whose rows are counted")
        if spec.population and part["measure"] == "distinct":
            part["counts"] = "numerator"  # the register is the denominator
        if part["group"] and (spec.group_by == "none" or spec.population):
            raise ConfigurationError(
                f"{path}: group: leave it out where group_by is none or a population gives the unit (part {number + 1})"
            )
    is_grouped = any(part["group"] for part in parts) or bool(spec.population)
    if spec.group_by != "none" and not is_grouped:
        raise ConfigurationError(f"{path}: group: names the column of group_by: needed for {spec.group_by!r}")
    return tuple(Part(**part) for part in parts)


def _promises(folder: Path, province: str) -> Promises:
    """sources.yaml may be absent: then every source has promised to tell once a day."""
    path = folder / "sources.yaml"
    if not path.exists():
        return Promises()
    spec = _read(path, TypeAdapter(SourcesFile))
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
    for name, spec in _read(path, TypeAdapter(dict[str, PublisherEntry])).items():
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


def _imports(
    folder: Path, province: str, event_types: Mapping[str, EventType], publishers: Mapping[str, Publisher]
) -> dict[str, ImportMapping]:
    """imports.yaml may be absent: then tables come with our own column names."""
    path = folder / "imports.yaml"
    if not path.exists():
        return {}
    declared = _read(path, TypeAdapter(dict[str, ImportEntry]))
    return imports_of(path, declared, province=province, event_types=event_types, publishers=publishers)


def load_plan(folder: Path, geography: Geography, cameras: Mapping[str, Camera]) -> Plan | None:
    """Returns what oncall.yaml declares; None where it is absent: then one duty recipient is told of everything.

    Raises:
        ConfigurationError: it is malformed, or a name in it leads nowhere; names the file and key.
    """
    path = folder / "oncall.yaml"
    if not path.exists():
        return None
    declared = _read(path, TypeAdapter(OncallFile))
    try:
        return plan_of(declared, folder, geography, cameras)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _cameras(folder: Path, geography: Geography) -> dict[str, Camera]:
    path = folder / "cameras.yaml"
    return cameras_of(path, _read(path, TypeAdapter(dict[str, CameraEntry])), geography)


def _permits(folder: Path) -> tuple[Permit, ...]:
    path = folder / "permits.yaml"
    declared = _read(path, TypeAdapter(dict[str, PermitEntry]))
    for permit_id, spec in declared.items():
        if spec.valid_to < spec.valid_from:
            raise ConfigurationError(
                f"{path}: {permit_id}: valid_to {spec.valid_to} is before valid_from {spec.valid_from}"
            )
    return tuple(Permit(permit_id=permit_id, **spec.model_dump()) for permit_id, spec in declared.items())
