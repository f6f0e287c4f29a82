"""A small network that tells, cell by cell, whether what changed in the picture is smoke. Run by OpenCV alone.

It is shown three pictures of one pose: the frame, the slow background and the fast one (`background.py`), and learnt
from their differences. The weights, their data cards and their licences lie in `models/`; how they were trained is in
deploy/training/smoke.
"""

from pathlib import Path

import numpy as np

from detectors.base import BgrImage
from detectors.preprocess import Plane
from ioc.errors import ConfigurationError
from ioc.opencv import cv2

__all__ = ["CELL_PX", "MODELS", "WORKING_WIDTH_PX", "SmokeNetwork"]

WORKING_WIDTH_PX = 640
"""The width for which the network was trained: half of 1280, so that a JPEG decoder can give it nearly for nothing."""

CELL_PX = 16
"""One answer for each square of so many pixels."""

MODELS = Path(__file__).parent / "models"
"""Where the shipped weights lie: smoke-free.onnx, smoke-hpwren.onnx."""

_TRIAL_CELLS = (3, 5)
_ADVICE = "reinstall the product or set smoke_model to free, hpwren, rule or the path of a model made by its training"


class SmokeNetwork:
    """One loaded model. It may be shared by poses, not by threads; 0.6 MB, and about 10 MB while it works."""

    def __init__(self, net: "cv2.dnn.Net", source: str) -> None:
        self._net = net
        self.source = source

    @classmethod
    def load(cls, path: Path) -> "SmokeNetwork":
        """Returns the network of the ONNX file, tried on small pictures.

        Raises:
            ConfigurationError: the file is missing, can't be read as a model, or takes or answers another shape.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the smoke model {path} can't be read ({error.strerror}); {_ADVICE}") from error
        try:
            # The classic engine: on networks as small as this it is a tenth faster than OpenCV 5's new one.
            net = cv2.dnn.readNetFromONNX(np.frombuffer(data, dtype=np.uint8), cv2.dnn.ENGINE_CLASSIC)
            network = cls(net, str(path))
            answers = [network._forward(*pictures) for pictures in _trial_pictures()]
        except cv2.error as error:
            raise ConfigurationError(
                f"the smoke model {path} is damaged or does not take 1 × 9 × height × width; {_ADVICE}"
            ) from error
        if any(a.shape != (1, 1, *_TRIAL_CELLS) or not bool(((a >= 0) & (a <= 1)).all()) for a in answers):
            raise ConfigurationError(
                f"the smoke model {path} does not answer with one probability for each {CELL_PX} pixels; {_ADVICE}"
            )
        if any(np.array_equal(answers[0], answer) for answer in answers[1:]):
            raise ConfigurationError(f"the smoke model {path} does not look at all three pictures; {_ADVICE}")
        return network

    def probabilities(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        """Returns the probability of smoke, 0–1, of each cell of 16 × 16 pixels: rows × columns.

        All three pictures are H × W × 3, uint8, BGR, W about WORKING_WIDTH_PX. Where a side is no multiple of 16, the
        last cells reach over the picture's edge, whose pixels are repeated: rows = ⌈H / 16⌉, columns = ⌈W / 16⌉.

        Raises:
            ValueError: the pictures are not of one size.
        """
        if not now.shape == slow.shape == fast.shape:
            raise ValueError(f"pictures of different sizes: {now.shape}, {slow.shape}, {fast.shape}")
        answer: Plane = self._forward(now, slow, fast)[0, 0].copy()
        return answer

    def _forward(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        pictures = [_padded(picture) for picture in (now, slow, fast)]
        height, width = pictures[0].shape[:2]
        # Three pictures of three planes lie in memory as one of nine.
        blob = np.asarray(cv2.dnn.blobFromImages(pictures)).reshape(1, 9, height, width)
        self._net.setInput(blob)
        return np.asarray(self._net.forward(), dtype=np.float32)


def _trial_pictures() -> list[list[BgrImage]]:
    """Three blank pictures, then the same with a grey spot on one of them. OpenCV does not check a model's shape."""
    blank = np.full((_TRIAL_CELLS[0] * CELL_PX, _TRIAL_CELLS[1] * CELL_PX, 3), 100, dtype=np.uint8)
    spotted = blank.copy()
    spotted[12:36, 24:56] = 160
    return [[blank] * 3, *([spotted if n == which else blank for n in range(3)] for which in range(3))]


def _padded(picture: BgrImage) -> BgrImage:
    below, right = -picture.shape[0] % CELL_PX, -picture.shape[1] % CELL_PX
    if not below and not right:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE), dtype=np.uint8)
