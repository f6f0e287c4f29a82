"""Publishers: the departments, and what each of them may tell. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ioc.errors import InvalidRecord
from ioc.event_types import EventType

__all__ = ["Publisher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A department as the catalogue declares it.

    `sources`: it may publish as these CloudEvents sources and as whatever lies below one. `types`: names of event
    types, `*` for any part of one; empty: all that its sources' families have.
    """

    name: str
    title_vi: str
    title_en: str
    sources: tuple[str, ...]
    types: tuple[str, ...] = ()
    contact: str = ""

    def owns(self, source: str) -> bool:
        """Whether `source` is one of its own or lies below one."""
        return any(source == own or source.startswith(f"{own}/") for own in self.sources)

    def may_tell(self, type_name: str) -> bool:
        return not self.types or any(fnmatchcase(type_name, pattern) for pattern in self.types)

    def own_types(self, event_types: Mapping[str, EventType]) -> tuple[EventType, ...]:
        """The event types that it may publish, in the catalogue's order."""
        families = {source.split("/")[2] for source in self.sources}
        return tuple(
            event_type
            for event_type in event_types.values()
            if event_type.entity and event_type.family in families and self.may_tell(event_type.name)
        )

    def refusal(self, source: str, type_name: str) -> InvalidRecord | None:
        """Returns why it may not publish an event of this source and type; None where it may."""
        if not self.owns(source):
            return InvalidRecord(
                "not_your_source",
                field="source",
                vi=f"Nguồn {source[:100]!r} không thuộc {self.title_vi}; mã truy cập này chỉ dùng cho {self._own()}.",
                en=f"source {source[:100]!r} is not one of {self.title_en}: this token is for {self._own()}",
            )
        if not self.may_tell(type_name):
            return InvalidRecord(
                "not_your_type",
                field="type",
                vi=f"{self.title_vi} không được gửi loại sự kiện {type_name}; được gửi: {', '.join(self.types)}.",
                en=f"{self.title_en} may not publish {type_name}; it may publish {', '.join(self.types)}",
            )
        return None

    def _own(self) -> str:
        return ", ".join(self.sources)
