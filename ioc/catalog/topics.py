"""What a Kafka topic of ours must look like: data of the catalogue, without Kafka."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ioc.errors import ConfigurationError

__all__ = ["TopicSpec"]

# Kafka's own rule for topic names.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic: its name, partition count, Kafka topic settings (`cleanup.policy`, …) and wished replication.

    Raises:
        ConfigurationError: Kafka would refuse the name, or a count is below 1.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication: int = 1

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in {".", ".."}:
            raise ConfigurationError(
                f"topic {self.name!r}: Kafka takes 1 to 249 letters, digits, dots, dashes and underscores"
            )
        if self.partitions < 1 or self.replication < 1:
            raise ConfigurationError(
                f"topic {self.name}: partitions ({self.partitions}) and replication ({self.replication}) start at 1"
            )
