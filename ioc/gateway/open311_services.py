"""What citizens may report about: `report_services.yaml` of the catalogue."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ioc.catalog import Catalog
from ioc.catalog.yaml_files import read_checked
from ioc.errors import ConfigurationError
from ioc.gateway.problems import Language

__all__ = ["REPORT_TYPE", "ReportService", "load_report_services"]

REPORT_TYPE = "report.submitted"
_FILE = "report_services.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportService:
    """One kind of report, by its `service_code`."""

    code: str
    name_vi: str
    name_en: str
    description_vi: str = ""
    description_en: str = ""
    keywords: tuple[str, ...] = ()

    def name(self, language: Language) -> str:
        return self.name_vi if language == "vi" else self.name_en

    def description(self, language: Language) -> str:
        return (self.description_vi if language == "vi" else self.description_en) or self.name(language)


_OTHER = ReportService(code="other", name_vi="Khác", name_en="Other")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name_vi: str
    name_en: str
    description_vi: str = ""
    description_en: str = ""
    keywords: tuple[str, ...] = ()


def load_report_services(catalog: Catalog) -> tuple[ReportService, ...]:
    """Returns the services of the catalogue's file; without one those that `service_code` of report.submitted is
    restricted to, or a single one for everything.

    Raises:
        ConfigurationError: the file is malformed, or names a code that the event type does not take.
    """
    path = Path(catalog.folder) / _FILE
    event_type = catalog.event_types.get(REPORT_TYPE)
    fields = event_type.fields if event_type is not None else ()
    allowed = next((tuple(map(str, field.enum)) for field in fields if field.name == "service_code" and field.enum), ())
    if not path.exists():
        return tuple(ReportService(code=code, name_vi=code, name_en=code) for code in allowed) or (_OTHER,)
    entries = read_checked(path, dict[str, _Entry])
    services = tuple(ReportService(code=code, **entry.model_dump()) for code, entry in entries.items())
    odd = [service.code for service in services if allowed and service.code not in allowed]
    if odd:
        raise ConfigurationError(
            f"{path}: {odd[0]}: service_code of {REPORT_TYPE} in event_types.yaml does not take it; add it there, or "
            f"take it away here"
        )
    return services
