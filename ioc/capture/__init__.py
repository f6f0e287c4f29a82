"""Cameras to frames: RTSP streams, HTTP snapshot addresses, image folders and video files become `ioc.camera.frames`.

`stills` holds the common shape, `pacing` the schedule, `publisher` the way to Kafka; `folders`, `videos` and
`snapshots` are sources. Live cameras: `camera_file` says which, `live` is the source, `supervisor` starts and ends the
children that `nursery` forks, `stream_reader` is what a child does, `child_wire` how they speak; `poses`, `status`,
`heartbeats` and `checking` tell where a camera looks and how it is.
"""
