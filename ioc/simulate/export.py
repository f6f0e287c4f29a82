"""Scenes as a folder: one subfolder a camera, and a manifest with the true boxes that `ioc evaluate` reads."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ioc.detections import Box
from ioc.errors import ConfigurationError, PermanentError
from ioc.frames import INLINE_LIMIT_BYTES
from ioc.simulate.scenes import Scene, SceneSpec

__all__ = ["FRAME_INTERVAL_S", "label_of", "render_within_limit", "true_box", "write_scenes"]

FRAME_INTERVAL_S = 60  # what one frame of a scene stands for
_COLUMNS = ("path", "label", "sequence", "site", "frame", "order", "bbox", "interval_s")


def write_scenes(
    specs: Mapping[str, SceneSpec], out: Path, *, frames: int, on_frame: Callable[[], None] = lambda: None
) -> int:
    """Writes `frames` pictures of each camera to out/CAMERA/000.jpg … and out/manifest.csv; returns how many in all.

    The label of a row is that of its whole sequence; `bbox` is empty while there is nothing to see yet.

    Raises:
        ConfigurationError: `out` can't be written, or holds pictures that this would mix with.
    """
    rows: list[tuple[object, ...]] = []
    try:
        for camera_id, spec in specs.items():
            folder = out / camera_id
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigurationError(f"--out {folder} is not empty; give a new folder, or empty it first")
            scene = Scene(spec)
            for index in range(frames):
                name = f"{index:03d}.jpg"
                (folder / name).write_bytes(scene.render_jpeg(index))
                box = true_box(scene, index)
                bbox = json.dumps([box.as_list()]) if box is not None else ""
                site = f"simulated-{camera_id}"
                sequence = f"{camera_id}-{spec.seed}"
                rows.append(
                    (f"{camera_id}/{name}", label_of(spec), sequence, site, index, "native", bbox, FRAME_INTERVAL_S)
                )
                on_frame()
        with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([_COLUMNS, *rows])
    except OSError as error:
        raise ConfigurationError(f"--out {out} can't be written: {error.strerror}; give another folder") from error
    return len(rows)


def label_of(spec: SceneSpec) -> str:
    """`smoke`, `construction` or `none`; a scene with both counts as smoke."""
    return "smoke" if spec.plume else "construction" if spec.building else "none"


def true_box(scene: Scene, index: int) -> Box | None:
    """The box of what the scene's label names."""
    return scene.plume_box(index) if scene.spec.plume else scene.building_box(index)


def render_within_limit(scene: Scene, index: int, camera_id: str) -> bytes:
    """Returns frame `index` as a JPEG that fits into a Kafka record.

    Raises:
        PermanentError: it is over 256 KiB. A simulated frame is never worth a claim check: ask for a smaller picture.
    """
    jpeg = scene.render_jpeg(index)
    if len(jpeg) > INLINE_LIMIT_BYTES:
        raise PermanentError(
            f"{camera_id}: frame {index} of {scene.spec.width}×{scene.spec.height} is {len(jpeg) // 1024} KiB, "
            f"over the {INLINE_LIMIT_BYTES // 1024} KiB of a record; give a smaller --size"
        )
    return jpeg
