"""Department events become entity rows: the agent of the role `events`."""

from collections.abc import Callable
from pathlib import Path

from ioc.canary import BEATS_TOPIC
from ioc.catalog import Catalog
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.clock import Clock
from ioc.partitioning import partitioner
from streams.apps import build_shard_app
from streams.batch_role import BatchRole
from streams.batches import AgentName
from streams.entity_shard import EntityShard
from streams.metrics import PipelineMetrics
from streams.row_stores import MemoryRows, RowStore
from streams.shard_keeper import ShardKeeper

__all__ = ["APP_ID", "EventsRole"]

APP_ID = "ioc-events"


class EventsRole(BatchRole):
    """The app, its agent and its shards. Building it starts nothing.

    Another `app_id` with another `state_topic` reads the same events again from the beginning, beside the first.
    """

    def __init__(
        self,
        *,
        broker: str,
        catalog: Catalog,
        clock: Clock,
        flush_s: float,
        metrics: PipelineMetrics,
        folder: Path,
        agent: AgentName = "batch",
        make_store: Callable[[int], RowStore] = lambda partition: MemoryRows(),
        app_id: str = APP_ID,
        state_topic: str = ENTITY_ROWS_TOPIC,
    ) -> None:
        app = build_shard_app(agent, app_id, broker, folder)
        engine, decoder = catalog.engine(), catalog.decoder()
        partitions_of = partitioner(catalog.partitions)
        self.keeper: ShardKeeper[EntityShard] = ShardKeeper(
            app,
            broker=broker,
            state_topic=state_topic,
            make_shard=lambda partition: EntityShard(
                partition, catalog=catalog, engine=engine, decoder=decoder, partitions_of=partitions_of
            ),
            clock=clock,
            flush_s=flush_s,
            metrics=metrics,
            stage="events",
            make_store=make_store,
        )
        super().__init__(app, self.keeper)
        app.feed((*catalog.entity_topics(), BEATS_TOPIC), self.keeper)

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Durable counts of the shards that this worker owns, by topic and outcome."""
        totals: dict[str, dict[str, int]] = {}
        for shard in self.keeper.shards():
            for topic, counts in shard.committed_outcomes.items():
                total = totals.setdefault(topic, dict.fromkeys(counts, 0))
                for outcome, count in counts.items():
                    total[outcome] += count
        return totals
