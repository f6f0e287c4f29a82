"""Private areas of a pose are painted over before anything is stored: a window, a yard, a face of a house."""

from collections.abc import Sequence

import numpy as np

from ioc.opencv import cv2

__all__ = ["masked_jpeg"]

_QUALITY = 92  # painted stills are encoded a second time
_COLOUR = (96, 96, 96)

Polygon = Sequence[tuple[float, float]]


def masked_jpeg(jpeg: bytes, private: Sequence[Polygon]) -> bytes:
    """Returns the still with every polygon of `private` (x, y in shares, 0–1) filled with grey; as it is without any.

    The caller has checked the JPEG's size and header (`ioc.frames.inspect_jpeg`).

    Raises:
        ValueError: the still can't be decoded; it must not be stored.
    """
    if not private:
        return jpeg
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("a still that can't be decoded can't be masked")
    height, width = image.shape[:2]
    for polygon in private:
        corners = np.array([(x * width, y * height) for x, y in polygon], dtype=np.float64)
        # One pixel more on each side: the edge of a polygon must not leave a rim.
        cv2.fillPoly(image, [np.round(corners).astype(np.int32)], _COLOUR)
        cv2.polylines(image, [np.round(corners).astype(np.int32)], True, _COLOUR, 3)
    is_encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not is_encoded:
        raise ValueError("a masked still can't be encoded")
    return bytes(data.tobytes())
