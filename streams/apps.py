"""How our Faust apps are made. One app (and consumer group) for each role; none of them declares topics or tables."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import faust

from ioc.adapters.kafka_access import faust_arguments
from ioc.errors import ConfigurationError
from streams.batches import AgentName, ShardApp

if TYPE_CHECKING:
    from streams.batch_topics import BatchApp

__all__ = ["FAUST_VERSION", "build_batch_app", "build_frames_app", "build_shard_app", "quiet_faust"]

FAUST_VERSION = "0.15.3"  # whose private methods streams/batch_topics.py overrides


def build_shard_app(agent: AgentName, app_id: str, broker: str, folder: Path) -> ShardApp:
    """Returns the app that feeds shards, as the setting `agent` says; starts nothing."""
    if agent == "batch":
        return build_batch_app(app_id, broker, folder)
    from streams.stock_topics import StockApp

    return StockApp(
        app_id,
        **_settings(broker, folder),
        stream_buffer_maxsize=1_000,  # Faust's 4,096 records of 256 KiB would be a gigabyte
        broker_max_poll_records=500,
    )


def build_batch_app(app_id: str, broker: str, folder: Path) -> "BatchApp":
    """Returns an app for batch topics; starts nothing. Faust makes `folder`, whose parent must exist."""
    _check_faust(version("faust-streaming"))
    # Here, not above: what it overrides may be gone after an upgrade of Faust, and the stock agent must still start.
    from streams.batch_topics import BatchApp

    return BatchApp(app_id, **_settings(broker, folder), consumer_max_fetch_size=2 * 1024 * 1024)


def build_frames_app(app_id: str, broker: str, folder: Path) -> faust.App:
    """Returns a stock app for few, large records; starts nothing."""
    return faust.App(
        app_id,
        **_settings(broker, folder),
        stream_buffer_maxsize=64,  # stills are 200 KB each
        consumer_max_fetch_size=4 * 1024 * 1024,
        broker_max_poll_records=64,
    )


def _check_faust(installed: str) -> None:
    """Raises:
    ConfigurationError: batch topics override private methods of Faust and were made for another version.
    """
    if installed != FAUST_VERSION:
        raise ConfigurationError(
            f"faust-streaming {installed} is installed, and batch topics were made for {FAUST_VERSION}: install that "
            f"version, or set IOC_AGENT=stock until they are made for this one (slower, with the same figures)"
        )


def _settings(broker: str, folder: Path) -> dict[str, Any]:
    return {
        "broker": [f"kafka://{quote(address.strip(), safe=':.[]')}" for address in broker.split(",")],
        **faust_arguments(broker),
        "autodiscover": False,
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,  # topics come from the catalogue, before anything starts
        "topic_partitions": 1,
        "processing_guarantee": "at_least_once",  # measured: exactly_once loses and duplicates after kill -9
        "consumer_auto_offset_reset": "earliest",
        "broker_commit_interval": 0.5,
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 2.0,
        "broker_request_timeout": 40.0,
        "stream_wait_empty": True,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "store": "memory://",
        "datadir": folder,
        "Monitor": _SilentMonitor,
    }


class _SilentMonitor(faust.Monitor):
    """Faust's monitor keeps histories of every message; ours are the pipeline metrics."""

    def on_message_in(self, *args: Any, **kwargs: Any) -> None:
        pass

    def on_stream_event_in(self, *args: Any, **kwargs: Any) -> None:
        pass

    def on_stream_event_out(self, *args: Any, **kwargs: Any) -> None:
        pass

    def on_message_out(self, *args: Any, **kwargs: Any) -> None:
        pass


def quiet_faust(level: int = logging.WARNING) -> None:
    """Lowers the loggers of Faust and its parts to `level`: their information is about themselves."""
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(level)
