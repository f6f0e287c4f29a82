"""One real Kafka for the whole session, and topics of their own for every test."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import settings

from ioc.broker import EmbeddedKafka

# A deadline of 200 ms an example says how busy the machine is, not whether a law holds.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


@dataclass(frozen=True, slots=True)
class KafkaForTests:
    """A running broker. Share it: make topics of your own (`fresh_name`), and never stop it."""

    broker: EmbeddedKafka

    @property
    def address(self) -> str:
        return self.broker.address

    async def create_topic(self, name: str, *, partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
        """Returns `name` once the topic is there and can be written to."""
        from ioc.adapters.topics import ensure_topics  # here: unit tests need no Kafka client
        from ioc.catalog.topics import TopicSpec

        await ensure_topics(self.address, [TopicSpec(name=name, partitions=partitions, config=config or {})])
        return name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that asks for the broker, so that `-m "not kafka"` leaves it out."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaForTests]:
    """A real Kafka broker, started at the first test that asks for it (about 2 s) and shared by the session."""
    from ioc.settings import load_settings

    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), jars=load_settings().kafka_jars) as broker:
        yield KafkaForTests(broker)


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """Returns names that no other test uses: `fresh_name("events")` gives `events-1f3a…`, for topics and groups."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:8]}"
