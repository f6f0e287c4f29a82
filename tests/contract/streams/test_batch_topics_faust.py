"""What batch topics override in Faust: an upgrade that moves it must fail here, and say what to do meanwhile."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from faust.topics import Topic
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage

from ioc.errors import ConfigurationError
from streams.apps import FAUST_VERSION, _check_faust, build_shard_app
from streams.batch_topics import BatchApp, BatchTopic, _BatchConsumer, _BatchMessage, _CommittedThread

WAY_OUT = (
    "Faust has changed under streams/batch_topics.py. Compare every method that it overrides with Faust's new one, run "
    "tests/integration/test_batch_agents.py, then change FAUST_VERSION. Until then set IOC_AGENT=stock: it uses public "
    "names only, with the same figures."
)


def test_the_pinned_version_of_faust_is_the_one_that_batch_topics_were_made_for() -> None:
    assert version("faust-streaming") == FAUST_VERSION, WAY_OUT


@pytest.mark.parametrize(
    ("ours", "theirs", "name", "parameters"),
    [
        (_BatchConsumer, driver.Consumer, "_drain_messages", "self, fetcher"),
        (_BatchConsumer, driver.Consumer, "_new_offset", "self, tp"),
        (_BatchConsumer, driver.Consumer, "_filter_tps_with_pending_acks", "self, topics"),
        (_BatchConsumer, driver.Consumer, "perform_seek", "self"),
        (_BatchConsumer, driver.Consumer, "_seek", "self, partition, offset"),
        (_BatchConsumer, driver.Consumer, "on_partitions_revoked", "self, revoked"),
        (_BatchConsumer, driver.Consumer, "on_buffer_full", "self, tp"),
        (_BatchConsumer, driver.Consumer, "on_buffer_drop", "self, tp"),
        (_BatchConsumer, driver.Consumer, "_new_consumer_thread", "self"),
        (_CommittedThread, driver.AIOKafkaConsumerThread, "_create_worker_consumer", "self, transport"),
        (
            _CommittedThread,
            driver.AIOKafkaConsumerThread,
            "_fetch_records",
            "self, consumer, active_partitions, timeout, max_records",
        ),
        (_BatchMessage, ConsumerMessage, "on_final_ack", "self, consumer"),
        (BatchTopic, Topic, "_compile_decode", "self"),
        (BatchApp, faust.App, "_new_transport", "self"),
    ],
    ids=lambda value: value if isinstance(value, str) and "self" not in value else "",
)
def test_every_overridden_method_is_still_there_and_takes_the_same(
    ours: type[Any], theirs: type[Any], name: str, parameters: str
) -> None:
    original, own = getattr(theirs, name, None), ours.__dict__.get(name)
    assert original is not None, f"{theirs.__name__}.{name} is gone. {WAY_OUT}"
    assert own is not None, f"{ours.__name__}.{name} overrides nothing any more: take it out of this table"
    assert ", ".join(inspect.signature(original).parameters) == parameters, WAY_OUT
    assert ", ".join(inspect.signature(own).parameters) == parameters, f"{ours.__name__}.{name} takes something else"
    assert inspect.iscoroutinefunction(original) == inspect.iscoroutinefunction(own), WAY_OUT


def test_the_table_above_names_every_override() -> None:
    pairs: list[tuple[type[Any], type[Any]]] = [
        (_BatchConsumer, driver.Consumer),
        (_CommittedThread, driver.AIOKafkaConsumerThread),
        (BatchTopic, Topic),
        (BatchApp, faust.App),
    ]
    overridden = {
        name
        for ours, theirs in pairs
        for name, member in vars(ours).items()
        if inspect.isfunction(member) and hasattr(theirs, name) and not name.startswith("__")
    }
    (mark,) = test_every_overridden_method_is_still_there_and_takes_the_same.pytestmark  # type: ignore[attr-defined]
    assert overridden == {name for _, _, name, _ in mark.args[1]} - {"on_final_ack"}


def test_what_batch_topics_use_of_faust_and_aiokafka_without_overriding_it_is_still_there(tmp_path: Any) -> None:
    app = build_shard_app("batch", "unit", "127.0.0.1:1", tmp_path / "faust")
    consumer: Any = app.consumer
    names = ("_read_offset", "_committed_offset", "_acked", "_acked_index", "_buffered_partitions", "_thread")
    try:
        assert [name for name in names if not hasattr(consumer, name)] == [], WAY_OUT
        assert list(inspect.signature(consumer._wait_next_records).parameters) == ["timeout"], WAY_OUT
        source = inspect.getsource(AIOKafkaConsumer.__init__)
        assert "self._isolation_level = isolation_level" in source, WAY_OUT
        assert "self._subscription" in source, WAY_OUT
    finally:
        consumer._thread.thread_loop.close()  # made, and never run


def test_another_version_of_faust_stops_the_worker_with_the_way_out_in_the_message() -> None:
    with pytest.raises(ConfigurationError, match=r"faust-streaming 0\.16\.0 .* IOC_AGENT=stock"):
        _check_faust("0.16.0")


def test_the_stock_agent_starts_without_the_module_that_an_upgrade_may_break() -> None:
    code = (
        "import sys; sys.modules['streams.batch_topics'] = None\n"
        "from pathlib import Path\n"
        "import streams.events_to_entities, streams.detections_to_incidents\n"
        "from streams.apps import build_shard_app\n"
        "print(type(build_shard_app('stock', 'unit', '127.0.0.1:1', Path('nowhere'))).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "StockApp\n", done.stderr
