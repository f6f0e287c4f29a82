"""A year of building as a folder: one subfolder a pose, and what stands in each frame as JSON lines."""

import json
from collections.abc import Callable
from pathlib import Path

from ioc.errors import ConfigurationError
from ioc.simulate.site_year import FRAMES_PER_DAY, SitePose, SiteYear

__all__ = ["write_year"]


def write_year(
    year: SiteYear, out: Path, *, first_day: int, days: int, on_frame: Callable[[], None] = lambda: None
) -> int:
    """Writes the frames of `days` days from `first_day` on to out/POSE/DAY-SLOT.jpg and out/POSE/truth.jsonl.

    Each line of truth has the frame's path, its works (stage, storeys, box, plot) and what stands at the kerb. Returns
    how many frames were written.

    Raises:
        ConfigurationError: `out` can't be written, or holds pictures that this would mix with.
    """
    written = 0
    try:
        for number, pose_id in enumerate(year.pose_ids):
            folder = out / pose_id
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigurationError(f"--out {folder} is not empty; give a new folder, or empty it first")
            pose = year.pose(number)
            with (folder / "truth.jsonl").open("w", encoding="utf-8") as truth:
                for index in range(first_day * FRAMES_PER_DAY, (first_day + days) * FRAMES_PER_DAY):
                    name = f"{index // FRAMES_PER_DAY:03d}-{index % FRAMES_PER_DAY}.jpg"
                    (folder / name).write_bytes(pose.render_jpeg(index))
                    truth.write(json.dumps(_told(pose, index, name)) + "\n")
                    written += 1
                    on_frame()
    except OSError as error:
        raise ConfigurationError(f"--out {out} can't be written: {error.strerror}; give another folder") from error
    return written


def _told(pose: SitePose, index: int, name: str) -> dict[str, object]:
    day, minute = pose.moment(index)
    return {
        "path": name,
        "day": day,
        "minute": minute,
        "works": [
            {
                "work": work.work_id,
                "plot": work.plot_id,
                "stage": work.stage,
                "storeys": work.storeys,
                "box": work.box.as_list(),
                "polygon": work.plot,
                "active": work.is_active,
                "cover": work.cover,
            }
            for work in pose.truth(index)
        ],
        "kerb": [
            {"id": thing.obstacle_id, "kind": thing.kind, "box": thing.box(pose.projection).as_list()}
            for thing in pose.obstacles_at(index)
        ],
    }
