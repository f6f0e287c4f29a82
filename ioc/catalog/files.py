"""What each file of a catalogue may hold: keys, kinds and bounds. `deploy/docs/kpi-files.md` lists them."""

from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ioc.case_terms import Moment
from ioc.catalog.sentences import KPI_ID, METRIC, PROVINCE_ID, TOPIC
from ioc.event_types import FieldType

__all__ = [
    "AgencyEntry",
    "ColumnEntry",
    "EventTypeEntry",
    "EvidenceEntry",
    "ExampleEntry",
    "FieldEntry",
    "KpiFile",
    "PartEntry",
    "PermitEntry",
    "ProvinceFile",
    "PublisherEntry",
    "SeedEntry",
    "SourcesFile",
    "TargetEntry",
    "TermEntry",
    "TermsFile",
]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProvinceFile(_File):
    province: str = Field(pattern=PROVINCE_ID)
    name_vi: str
    name_en: str
    statistical_code: int
    accept_since: date = Field(ge=date(1970, 1, 2))  # rows tell times from 1970 on
    partitions: int = Field(4, ge=1, le=64)


class FieldEntry(_File):
    type: FieldType = "string"
    enum: tuple[str | int, ...] = ()
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    vi: str = ""
    en: str = ""
    example: str | int | float | bool | tuple[str, ...] | None = None


class EventTypeEntry(_File):
    title_vi: str = ""
    title_en: str = ""
    description_vi: str = ""
    description_en: str = ""
    topic: str = Field(pattern=TOPIC)
    ce_type: str
    department: str
    partition_key: str
    kind: Literal["fact", "state", "aggregate", "snapshot"]
    entity: str = ""
    entity_key: tuple[str, ...] = ()
    time_field: str
    fact_times: tuple[str, ...] = ()
    note: str = ""
    fields: dict[str, FieldEntry]


class ColumnEntry(_File):
    newest: str = ""
    first: str = ""
    first_per: str = ""
    time_in: str = ""
    newest_is: str = ""
    period_start: str = ""
    newest_time: bool = False
    newest_source: bool = False
    of: tuple[str, ...] = ()
    where: str = ""
    prefer: str = ""
    by: str = ""
    until: str = ""


class TargetEntry(_File):
    value: float | None
    direction: Literal["higher_is_better", "lower_is_better", "within_band"]
    basis: str
    since: date | None = None
    alerts: bool = True


class EvidenceEntry(_File):
    source: str
    level: str


class SeedEntry(_File):
    province: str
    figure: str


class PartEntry(_File):
    entity: str = ""
    where: str = "True"
    numerator: str = "1"
    denominator: str = "1"
    measure: Literal["sum", "distinct", "p95"] = "sum"
    counts: Literal["both", "numerator", "denominator"] = "both"
    distinct: str = ""
    start: str = Field("", alias="from")
    end: str = Field("", alias="to")
    latest_of: tuple[str, ...] = ()
    latest_by: str = ""
    bucket_by: str = ""
    group: str = ""
    dim: str = ""
    manual: str = ""
    as_of: str = ""


class ExampleEntry(_File):
    name: str
    now: AwareDatetime
    events: tuple[dict[str, Any], ...] = ()
    expect: dict[str, dict[str, Any]] = Field(min_length=1)


class KpiFile(PartEntry):
    id: str = Field(pattern=KPI_ID)
    name_vi: str
    name_en: str
    family: str
    unit: str
    metric: str = Field(pattern=METRIC)
    kind: Literal["event", "state", "aggregate", "snapshot"]
    figure: Literal["number", "ratio", "p95"] | None = None
    parts: tuple[PartEntry, ...] = ()
    population: str = ""
    windows: tuple[str, ...] = Field(min_length=1)
    group_by: Literal["none", "admin_unit", "agency"]
    fed_by: tuple[str, ...] = Field(min_length=1)
    stale_after_s: float = Field(gt=0)
    target: TargetEntry | tuple[TargetEntry, ...]
    evidence: EvidenceEntry
    seeds: tuple[SeedEntry, ...] = ()
    watched_by: tuple[str, ...] = ()
    alert: str = ""
    note: str = ""
    examples: tuple[ExampleEntry, ...] = ()


class SourcesFile(_File):
    default_interval_s: float = Field(86_400, gt=0)
    families: dict[str, float] = {}
    sources: dict[str, float] = {}


class AgencyEntry(_File):
    name_vi: str = Field(min_length=1)
    name_en: str = ""


class TermEntry(_File):
    name_vi: str = Field(min_length=1)
    name_en: str = ""
    basis: str = Field(min_length=1, max_length=300)
    begins: Moment
    ends: Moment
    kinds: tuple[Literal["construction", "encroachment"], ...] = ("construction", "encroachment")
    working_days: int = Field(0, ge=0, le=250)
    days: int = Field(0, ge=0, le=3650)
    years: int = Field(0, ge=0, le=20)


class TermsFile(_File):
    days_off: tuple[date, ...] = ()
    terms: dict[str, TermEntry] = {}


class PublisherEntry(_File):
    title_vi: str = Field(min_length=1)
    title_en: str = ""
    sources: tuple[str, ...] = Field(min_length=1)
    types: tuple[str, ...] = ()
    contact: str = ""


class PermitEntry(_File):
    parcel_id: str
    valid_from: date
    valid_to: date
    status: Literal["valid", "suspended", "revoked", "expired"] = "valid"
    floors: int | None = Field(None, ge=0, le=200)
    outline: dict[str, Any] | None = None  # the parcel, a GeoJSON Polygon
