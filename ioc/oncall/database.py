"""The on-call database's engine: SQLite or PostgreSQL by its URL, its tables brought up to date at the start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ioc.errors import ConfigurationError

__all__ = ["NEWEST_SCHEMA", "open_engine", "sqlite_url", "writing"]

NEWEST_SCHEMA = "0002"
LOCK_WAIT_MS = 5000  # another connection's write takes milliseconds; a backup may take seconds
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_120_211  # any number that is ours: two processes must not upgrade at once


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, whose SQLite transactions take the write lock at their beginning."""
    return engine.execution_options(ioc_write=True)


async def open_engine(url: str) -> AsyncEngine:
    """Returns an engine whose database has every table of this program; an older one is upgraded in place.

    Raises:
        ConfigurationError: the database can't be reached or written, or a newer program wrote it.
    """
    try:
        parsed = make_url(url)
        engine = create_async_engine(parsed, **_options(parsed.get_backend_name()))
    except (ArgumentError, ImportError) as error:
        raise ConfigurationError(f"the on-call database address is not usable: {error}") from None
    where = parsed.render_as_string(hide_password=True)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite:
        _prepare_sqlite(engine, Path(parsed.database or ""))
    try:
        async with writing(engine).begin() as connection:
            await connection.run_sync(_upgrade)
    except (DBAPIError, OSError) as error:
        await engine.dispose()
        hint = "the folder IOC_STATE, its rights and free space" if is_sqlite else "IOC_ONCALL_DATABASE and its server"
        raise ConfigurationError(
            f"{where}: the on-call database can't be opened for writing ({getattr(error, 'orig', error)}); check {hint}"
        ) from None
    except ConfigurationError as error:
        await engine.dispose()
        raise ConfigurationError(f"{where}: {error}") from None
    return engine


def _options(backend: str) -> Mapping[str, Any]:
    # A connection that the server's restart cut is noticed before it is used.
    return {} if backend == "sqlite" else {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}


def _prepare_sqlite(engine: AsyncEngine, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path.parent}: can't be made ({error.strerror}); set IOC_STATE") from None

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own begins too late
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: the Kafka offset is committed after this transaction, so it must survive a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A write takes its lock at once: one that reads first and then finds another writer can't wait, it fails.
        is_write = connection.get_execution_options().get("ioc_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _upgrade(connection: Connection) -> None:
    """Brings the tables to the newest version, in the transaction of `connection`: all of it or nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    at = _version(connection)
    if at == NEWEST_SCHEMA:
        return
    if at not in (None, "1", "0001"):
        raise ConfigurationError(
            f"the on-call database is of version {at}, this program knows up to {NEWEST_SCHEMA}; "
            "install the program that wrote it, or keep the file aside and start a new one"
        )
    from alembic import command  # slow to import, and needed once in a database's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if at == "1":  # made by the programs before migrations: it is what 0001 makes
        connection.execute(sa.text("DELETE FROM service_mark WHERE name = 'schema'"))
        command.stamp(config, "0001")
    command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables:
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if "service_mark" in tables:
        return connection.execute(sa.text("SELECT value FROM service_mark WHERE name = 'schema'")).scalar()
    return None
