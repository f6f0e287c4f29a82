"""KPIs as `kpis/*.yaml` declare them, one a file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ioc.catalog.files import KpiFile, PartEntry
from ioc.catalog.yaml_files import read_checked
from ioc.entity_columns import EntityDefinition
from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.kpis import KpiDefinition, Part, Target
from ioc.kpis.examples import Example
from ioc.windows import grain_of

__all__ = ["read_kpis"]


def read_kpis(
    folder: Path, event_types: Mapping[str, EventType], entities: tuple[EntityDefinition, ...]
) -> tuple[tuple[KpiDefinition, ...], dict[str, tuple[Example, ...]]]:
    """Returns the KPIs of a catalogue's folder, and the worked examples of each by its id.

    Raises:
        ConfigurationError: there is none, one is malformed, or two have one metric; names the file and key.
    """
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
    spec = read_checked(path, KpiFile)
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
                "watched_by",
            }
        ),
        evidence_level=spec.evidence.level,
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
