"""Reading a whole topic of a real broker, from its beginning to its present end."""

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition


async def records_of(address: str, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
        found: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    finally:
        await consumer.stop()
    return found
