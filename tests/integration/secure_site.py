"""One secure broker with the starting catalogue's topics, users and rights."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ioc.adapters.acls import DOCTOR_TOPIC, ROLES, AclReport, apply_acls
from ioc.adapters.kafka_access import KafkaAddress
from ioc.adapters.topics import ensure_topics
from ioc.broker import EmbeddedKafka
from ioc.broker.secure import SecureSite, provide_site
from ioc.catalog import Catalog, load_catalog
from ioc.settings import load_settings

__all__ = ["SecureKafka", "secure_kafka"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureKafka:
    """A running secure broker; `first` is what setting its rights for the first time did."""

    broker: EmbeddedKafka
    site: SecureSite
    catalog: Catalog
    first: AclReport

    @property
    def servers(self) -> str:
        return f"{self.broker.host}:{self.broker.port}"

    def as_user(self, user: str) -> KafkaAddress:
        return self.site.address(self.servers, user)

    def settings(self, user: str) -> dict[str, str]:
        """The variables that let `user` in."""
        return {
            "IOC_BROKER": self.servers,
            "IOC_KAFKA_USER": user,
            "IOC_KAFKA_PASSWORD_FILE": str(self.site.password_file(user)),
            "IOC_KAFKA_CA": str(self.site.certificates.ca),
        }


@contextlib.contextmanager
def secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """A broker of its own, since the session's shared one speaks in clear text."""
    settings = load_settings()
    catalog = load_catalog(settings.catalog)
    site = provide_site(folder / "secure", host="127.0.0.1", users=(*ROLES, *catalog.publishers))

    async def prepare() -> AclReport:
        await ensure_topics(broker.address, [*catalog.topics(), DOCTOR_TOPIC])
        return await apply_acls(broker.address, catalog)

    with EmbeddedKafka(folder / "kafka", jars=settings.kafka_jars, secure=site) as broker:
        yield SecureKafka(broker=broker, site=site, catalog=catalog, first=asyncio.run(prepare()))
