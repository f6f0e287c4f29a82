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
_CHANNELS = 9
_ADVICE = "reinstall the product or set smoke_model to free, hpwren, rule or the path of a model made by its training"


class SmokeNetwork:
    """One loaded model. It may be shared by poses, not by threads; 0.6 MB, and about 10 MB while it works."""

    def __init__(self, net: "cv2.dnn.Net", source: str) -> None:
        self._net = net
        self._memory: Plane = np.empty(0, dtype=np.float32)
        self.source = source

    @classmethod
    def load(cls, path: Path) -> "SmokeNetwork":
        """Returns the network of an ONNX file, tried on a blank picture.

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
            blank = np.full((_TRIAL_CELLS[0] * CELL_PX, _TRIAL_CELLS[1] * CELL_PX, 3), 128, dtype=np.uint8)
            answer = network._forward(blank, blank, blank)
            channels = _declared_channels(data)
        except (cv2.error, IndexError) as error:
            raise ConfigurationError(f"the smoke model {path} is damaged; {_ADVICE}") from error
        if channels != _CHANNELS:  # OpenCV would run it all the same, and answer nonsense
            raise ConfigurationError(f"the smoke model {path} takes {channels} channels, not {_CHANNELS}; {_ADVICE}")
        if answer.shape != (1, 1, *_TRIAL_CELLS) or not bool(((answer >= 0) & (answer <= 1)).all()):
            raise ConfigurationError(
                f"the smoke model {path} does not answer with one probability for each {CELL_PX} pixels; {_ADVICE}"
            )
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
        height, width = now.shape[:2]
        tall, wide = height + -height % CELL_PX, width + -width % CELL_PX
        size = _CHANNELS * tall * wide
        if self._memory.size < size:  # kept: new memory of this size costs as much as the rest of the copy
            self._memory = np.empty(size, dtype=np.float32)
        planes = self._memory[:size].reshape(1, _CHANNELS, tall, wide)
        for first, picture in zip((0, 3, 6), (now, slow, fast), strict=True):
            planes[0, first : first + 3, :height, :width] = picture.transpose(2, 0, 1)
        planes[:, :, height:, :width] = planes[:, :, height - 1 : height, :width]
        planes[:, :, :, width:] = planes[:, :, :, width - 1 : width]
        self._net.setInput(planes)
        return np.asarray(self._net.forward(), dtype=np.float32)


def _declared_channels(onnx: bytes) -> int | None:
    """Returns the second dimension of the model's first input, None where it is left open.

    ONNX is protobuf: ModelProto.graph (7) .input (11) .type (2) .tensor_type (1) .shape (2) .dim (1) .dim_value (1).
    """
    message = onnx
    for field in (7, 11, 2, 1, 2):
        message = _members(message, field)[0]
    sizes = _members(_members(message, 1)[1], 1)
    return int.from_bytes(sizes[0], "little") if sizes else None


def _members(message: bytes, wanted: int) -> list[bytes]:
    """Returns the values of one field of a protobuf message; a number as little-endian bytes. IndexError if cut off."""
    found, at = [], 0

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            value |= (message[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if message[at - 1] < 128:
                return value

    while at < len(message):
        tag = number()
        match tag & 7:
            case 0:
                value = number().to_bytes(10, "little")
            case 2:
                size = number()
                value, at = message[at : at + size], at + size
            case kind:
                size = {1: 8, 5: 4}.get(kind, len(message) + 1)
                value, at = message[at : at + size], at + size
        if at > len(message):
            raise IndexError("a protobuf message ends too early")
        if tag >> 3 == wanted:
            found.append(value)
    return found
