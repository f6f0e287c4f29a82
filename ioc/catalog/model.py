"""The catalogue in memory: everything that a province declares, checked and joined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ioc.agencies import Agency
from ioc.canary import ANSWERS_TOPIC, BEATS_TOPIC
from ioc.case_terms import TermRules
from ioc.catalog.cameras import Camera
from ioc.catalog.imports import ImportMapping
from ioc.catalog.topics import TopicSpec
from ioc.coverage_facts import COVERAGE_TOPIC
from ioc.dead_letters import DEAD_LETTERS_TOPIC, RETRIED_TOPIC
from ioc.entity_columns import EntityDefinition
from ioc.events import EventDecoder, EventType
from ioc.geography import Geography
from ioc.kpis import KpiDefinition, KpiEngine
from ioc.kpis.examples import Example, ExampleRunner
from ioc.kpis.sources import Promises
from ioc.oncall_plan import Plan
from ioc.permits import Permit
from ioc.publishers import Publisher
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["ENTITY_ROWS_TOPIC", "INCIDENT_ROWS_TOPIC", "PARTIALS_TOPIC", "VALUES_TOPIC", "Catalog"]

PARTIALS_TOPIC = "ioc.kpi.partials"
VALUES_TOPIC = "ioc.kpi.values"
ENTITY_ROWS_TOPIC = "ioc.state.entities"
INCIDENT_ROWS_TOPIC = "ioc.state.incidents"
OWN_TOPICS = (
    "ioc.camera.frames",
    "ioc.camera.detections",
    "ioc.incidents",
    "ioc.incident.actions",
    COVERAGE_TOPIC,
    DEAD_LETTERS_TOPIC,
)
"""Topics that the product itself writes; every other topic of the catalogue is a department's."""

COUNTED_TOPICS = ("ioc.incidents", "ioc.incident.actions", COVERAGE_TOPIC)
"""Those of them that figures count."""
_DAY_MS = 86_400_000
_COMPACT = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.3",
    "max.message.bytes": "2097152",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A province's declarations. `folder` names where they were read, for errors."""

    folder: str
    province: str
    name_vi: str
    name_en: str
    accept_since: date
    partitions: int
    geography: Geography
    event_types: Mapping[str, EventType]
    entities: tuple[EntityDefinition, ...]
    kpis: tuple[KpiDefinition, ...]
    examples: Mapping[str, tuple[Example, ...]]
    cameras: Mapping[str, Camera]
    permits: tuple[Permit, ...]
    promises: Promises
    publishers: Mapping[str, Publisher]
    oncall: Plan | None = None
    imports: Mapping[str, ImportMapping]
    agencies: Mapping[str, Agency] = field(default_factory=dict)
    term_rules: TermRules = field(default_factory=TermRules)

    def department_topics(self) -> tuple[str, ...]:
        """The topics that departments publish on, in the order of the catalogue."""
        names = dict.fromkeys(event_type.topic for event_type in self.event_types.values())
        return tuple(name for name in names if name not in OWN_TOPICS)

    def entity_topics(self) -> tuple[str, ...]:
        """The topics whose events become entity rows: the departments', and the centre's own."""
        return (*self.department_topics(), *COUNTED_TOPICS)

    def topics(self) -> tuple[TopicSpec, ...]:
        """Every topic that must exist before anything starts."""
        month = {"retention.ms": str(30 * _DAY_MS)}
        year = {"retention.ms": str(400 * _DAY_MS)}
        departments = [
            TopicSpec(name=name, partitions=self.partitions, config=year) for name in self.department_topics()
        ]
        minutes = {"retention.ms": str(15 * 60_000), "segment.ms": str(5 * 60_000)}
        own = [
            TopicSpec(
                name=name,
                # What several cameras see of one fire is one incident: one shard sees them all (decision 0019).
                partitions=1 if name == "ioc.camera.detections" else self.partitions,
                config=minutes if name == "ioc.camera.frames" else month,
            )
            for name in OWN_TOPICS
        ]
        state = [
            TopicSpec(name=PARTIALS_TOPIC, partitions=1, config=_COMPACT),
            TopicSpec(name=VALUES_TOPIC, partitions=1, config=_COMPACT | year | {"cleanup.policy": "compact,delete"}),
            TopicSpec(name=ENTITY_ROWS_TOPIC, partitions=self.partitions, config=_COMPACT),
            TopicSpec(name=INCIDENT_ROWS_TOPIC, partitions=self.partitions, config=_COMPACT),
            # Twice as long as the dead letters themselves: a mark outlives what it marks.
            TopicSpec(
                name=RETRIED_TOPIC,
                partitions=1,
                config=_COMPACT | {"cleanup.policy": "compact,delete", "retention.ms": str(60 * _DAY_MS)},
            ),
        ]
        canary = [
            TopicSpec(name=BEATS_TOPIC, partitions=self.partitions, config=minutes),
            TopicSpec(name=ANSWERS_TOPIC, partitions=1, config=minutes),
        ]
        return (*departments, *own, *state, *canary)

    def registers(self) -> dict[str, dict[str, str]]:
        """The registers that serve as denominators: entity id to administrative unit."""
        return {"cameras": {c.camera_id: c.admin_unit for c in self.cameras.values() if c.is_active}}

    def engine(self) -> KpiEngine:
        return KpiEngine(self.entities, self.kpis, self.registers(), self.geography)

    def decoder(self) -> EventDecoder:
        """A decoder of the departments' topics."""
        since = datetime(self.accept_since.year, self.accept_since.month, self.accept_since.day, tzinfo=LOCAL_ZONE)
        return EventDecoder(
            self.event_types.values(),
            province=self.province,
            accept_since_us=microseconds_of(since),
            units=self.geography.bounds_us(),
            cameras=self.cameras.keys(),
            kept_keys=frozenset(asking.name for entity in self.entities for asking in entity.types_asking_for_keys()),
        )

    def example_runner(self) -> ExampleRunner:
        return ExampleRunner(
            self.engine(),
            self.decoder(),
            event_types=self.event_types,
            province=self.province,
            promises=self.promises,
        )

    def kpi(self, kpi_id: str) -> KpiDefinition:
        return next(kpi for kpi in self.kpis if kpi.id == kpi_id)
