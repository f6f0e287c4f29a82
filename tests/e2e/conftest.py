"""What all that is looked at in a browser shares."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.looking import chromium


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Ended with its test: while it lives, its event loop is the thread's."""
    with chromium() as opened:
        yield opened
