"""Kafka's default partitioner, where the streams look for it."""

from ioc.partitioning import partitioner

__all__ = ["partitioner"]
