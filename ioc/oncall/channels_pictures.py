"""The picture in a message: small, with the box drawn. A phone on a mountain has little bandwidth."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from ioc.adapters.evidence import EvidenceStore
from ioc.detections import Box
from ioc.errors import InvalidRecord, TransientError
from ioc.oncall.notices import Notice, evidence_sha256

__all__ = ["LONGEST_SIDE", "Picture", "Pictures", "boxed_jpeg", "no_picture"]

logger = logging.getLogger(__name__)

LONGEST_SIDE = 960
QUALITY = 80  # of 100: smoke keeps its edges, and 960 px are about 100 KB
KEPT = 16  # one incident goes to several people
_RED = (0, 0, 255)  # BGR

Picture = Callable[[Notice], Awaitable[bytes | None]]
"""The picture of a notice, None where there is none."""


class Pictures:
    """Makes and keeps the few that are being sent. A picture that can't be had never holds up a message."""

    def __init__(self, evidence: EvidenceStore) -> None:
        self._evidence = evidence
        self._kept: OrderedDict[tuple[str, Box], bytes] = OrderedDict()

    async def of(self, notice: Notice) -> bytes | None:
        """The JPEG, None where the incident has none or it can't be read."""
        sha256, box = evidence_sha256(notice.incident), notice.incident.box
        if not sha256:
            return None
        known = self._kept.get((sha256, box))
        if known is not None:
            return known
        try:
            jpeg = await asyncio.to_thread(self._made, notice.incident.evidence, box)
        except (InvalidRecord, TransientError, ValueError) as error:
            logger.warning("a notice goes without its picture: %s", error)
            return None
        self._kept[(sha256, box)] = jpeg
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return jpeg

    def _made(self, reference: str, box: Box) -> bytes:
        return boxed_jpeg(self._evidence.get(reference), box)


async def no_picture(_: Notice) -> bytes | None:
    return None


def boxed_jpeg(jpeg: bytes, box: Box) -> bytes:
    """Returns `jpeg` at most 960 px long, with `box` drawn in red.

    Raises:
        ValueError: it is no picture that OpenCV reads.
    """
    import numpy as np

    from ioc.opencv import cv2  # heavy: only who sends pictures pays for it

    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"the picture can't be decoded: {error.code}") from None
    if picture is None:
        raise ValueError("the picture can't be decoded")
    scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
    if scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    left, top = int((box.cx - box.w / 2) * width), int((box.cy - box.h / 2) * height)
    right, bottom = int((box.cx + box.w / 2) * width), int((box.cy + box.h / 2) * height)
    cv2.rectangle(picture, (left, top), (right, bottom), _RED, max(2, width // 320))
    is_made, small = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not is_made:
        raise ValueError("the picture can't be encoded")
    return small.tobytes()
