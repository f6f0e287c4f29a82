"""OpenCV, imported with its pixel cap already set.

OpenCV reads the cap once, at import: without it a 48 KB PNG of 20,000 × 20,000 pixels took 2.3 GB and 6 s to decode.
Import `cv2` from here and nowhere else.
"""

import os

MAX_IMAGE_PIXELS = 40_000_000  # an 8K frame is 33 million
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_IMAGE_PIXELS)

import cv2  # noqa: E402  (the environment has to come first)

cv2.setNumThreads(1)  # parallelism is ours: one thread a camera pose, not a pool inside each call

__all__ = ["MAX_IMAGE_PIXELS", "cv2"]
