"""What all the fast tests share."""

import gc


def pytest_collection_finish() -> None:
    """What was imported and loaded stays to the end: looking through it again and again was a sixth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
