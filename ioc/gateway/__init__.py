"""The HTTP door for departments without Kafka: events in, one answer for each, after the broker's acknowledgement."""
