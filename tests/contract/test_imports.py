"""Importing the product starts nothing: no thread, no child, no event loop, no logging set up."""

import re
import subprocess
import sys
from pathlib import Path

_LOOK = """
import importlib, logging, pkgutil, sys, threading
import asyncio
for package in ("ioc", "streams", "detectors"):
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + "."):
        if found.name != "ioc.__main__":
            importlib.import_module(found.name)
assert threading.active_count() == 1, threading.enumerate()
assert not logging.getLogger().handlers, logging.getLogger().handlers
assert asyncio._get_running_loop() is None
import psutil
assert not psutil.Process().children(), psutil.Process().children()
assert not psutil.Process().net_connections(), psutil.Process().net_connections()
"""


def test_importing_every_module_starts_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_pixel_cap_is_set_before_opencv_is_imported() -> None:
    look = "import os; import detectors.preprocess; print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) <= 50_000_000


def test_nothing_imports_opencv_but_through_the_door_that_sets_the_cap() -> None:
    root = Path(__file__).parents[2]
    guilty = [
        str(path.relative_to(root))
        for package in ("ioc", "streams", "detectors")
        for path in (root / package).rglob("*.py")
        if path.name != "opencv.py"
        and re.search(r"^\s*(import cv2|from cv2)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert guilty == []
