"""The gateway's parts, without Kafka."""
