"""Small pictures for lists: a night's inbox must not cost a phone fifty full frames."""

import asyncio
from collections import OrderedDict

from ioc.adapters.evidence import EvidenceStore

__all__ = ["SmallPictures"]

WIDTH_PX = 320
QUALITY = 75
KEPT = 200  # some 15 KiB each


class SmallPictures:
    """Made once, one at a time, and kept in memory."""

    def __init__(self, evidence: EvidenceStore) -> None:
        self._evidence = evidence
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._making = asyncio.Semaphore(1)

    async def get(self, reference: str) -> bytes:
        """The picture of an evidence reference, 320 pixels wide; as it is where it can't be made smaller.

        Raises what `EvidenceStore.get` raises.
        """
        async with self._making:
            known = self._kept.get(reference)
            made = known if known is not None else await asyncio.to_thread(self._made, reference)
        self._kept[reference] = made
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    async def whole(self, reference: str) -> bytes:
        """The picture as it was taken."""
        return await asyncio.to_thread(self._evidence.get, reference)

    def _made(self, reference: str) -> bytes:
        return _small(self._evidence.get(reference))


def _small(jpeg: bytes) -> bytes:
    import numpy as np

    from ioc.opencv import cv2  # heavy, and only pages with pictures need it

    data = np.frombuffer(jpeg, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2)
        if image is None or image.shape[1] <= WIDTH_PX:
            return jpeg
        size = (WIDTH_PX, max(1, round(image.shape[0] * WIDTH_PX / image.shape[1])))
        is_made, small = cv2.imencode(
            ".jpg", cv2.resize(image, size, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
    except cv2.error:
        return jpeg
    return bytes(small.tobytes()) if is_made else jpeg
