"""A PostgreSQL of its own for the tests; the benchmark of on-call starts the same."""

from ioc.cli.bench_postgres import postgres_cluster

__all__ = ["postgres_cluster"]
