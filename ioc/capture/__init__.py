"""Cameras to frames: an image folder, a video file or an HTTP snapshot address becomes records of `ioc.camera.frames`.

`stills` holds the common shape, `pacing` the schedule, `folders`, `videos` and `snapshots` the sources, `publisher`
the way to Kafka.
"""
