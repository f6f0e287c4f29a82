"""A real browser, and pictures for people to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["PICTURES", "chromium", "picture"]

PICTURES = Path(__file__).parents[2] / "out" / "e2e"
"""`make test` leaves them here."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's own. While it lives, its event loop is the thread's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
