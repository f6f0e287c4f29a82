"""Private areas of a pose are painted over before anything is stored: a window, a yard, a face of a house."""

from collections.abc import Mapping, Sequence

import numpy as np

from ioc.catalog.cameras import Camera
from ioc.errors import InvalidRecord
from ioc.frames import inspect_jpeg
from ioc.opencv import cv2

__all__ = ["Privacy", "masked_jpeg"]

_QUALITY = 92  # painted stills are encoded a second time
_COLOUR = (96, 96, 96)

Polygon = Sequence[tuple[float, float]]


class Privacy:
    """The private areas of a catalogue's poses (masks of kind `private`). A pose that is not declared has none.

    Safe to share between threads.
    """

    def __init__(self, cameras: Mapping[str, Camera] = {}) -> None:
        self._areas = {
            (camera_id, pose_id): areas
            for camera_id, camera in cameras.items()
            for pose_id, pose in camera.poses.items()
            if (areas := tuple(mask.polygon for mask in pose.masks if mask.kind == "private"))
        }

    def covers(self, camera_id: str, pose_id: str) -> bool:
        """Whether anything of this pose is private."""
        return (camera_id, pose_id) in self._areas

    def masked(self, camera_id: str, pose_id: str, jpeg: bytes) -> bytes:
        """Returns the still as it may be kept; raises what `masked_jpeg` raises."""
        return masked_jpeg(jpeg, self._areas.get((camera_id, pose_id), ()))


def masked_jpeg(jpeg: bytes, private: Sequence[Polygon]) -> bytes:
    """Returns the still with every polygon of `private` (x, y in shares, 0–1) filled with grey; as it is without any.

    What the camera wrote beside the pixels (EXIF, with its small preview) is gone from a painted still.

    Raises:
        InvalidRecord: it is no JPEG of ours (`inspect_jpeg`), or `undecodable_jpeg`: it must not be stored.
    """
    if not private:
        return jpeg
    inspect_jpeg(jpeg)
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise _unmasked("the still can't be decoded")
    height, width = image.shape[:2]
    for polygon in private:
        corners = np.array([(x * width, y * height) for x, y in polygon], dtype=np.float64)
        # One pixel more on each side: the edge of a polygon must not leave a rim.
        cv2.fillPoly(image, [np.round(corners).astype(np.int32)], _COLOUR)
        cv2.polylines(image, [np.round(corners).astype(np.int32)], True, _COLOUR, 3)
    is_encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not is_encoded:
        raise _unmasked("the masked still can't be encoded")
    return bytes(data.tobytes())


def _unmasked(why: str) -> InvalidRecord:
    return InvalidRecord(
        "undecodable_jpeg",
        field="value",
        vi="Góc camera có vùng riêng tư mà ảnh không che được (dữ liệu hỏng), nên không được lưu.",
        en=f"the pose has a private area and {why}, so it can't be masked and is not kept",
    )
