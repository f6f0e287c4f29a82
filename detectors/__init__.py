"""Pixels to detections, for one camera pose at a time: no Kafka, no network, no clock."""
