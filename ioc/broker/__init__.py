"""Embedded Apache Kafka for the demo, the tests and a small site: real Kafka, from pip alone."""

from ioc.broker.embedded import EmbeddedKafka

__all__ = ["EmbeddedKafka"]
