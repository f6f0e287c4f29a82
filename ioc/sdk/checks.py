"""Events judged on the department's own machine, before anything is sent, with the centre's own reason codes."""

from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from ioc.errors import InvalidRecord
from ioc.windows import microseconds_of

__all__ = ["CatalogueChecks", "Checks", "open_checks"]

_ABOUT_THE_CLOCK = ("time_in_future",)


class Checks(Protocol):
    """A judge, or nobody."""

    kind: Literal["catalogue", "gateway", "none"]
    province: str | None

    def check(self, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        """Raises InvalidRecord for an event that the centre would refuse.

        `is_clock_sure`: whether `now` was compared with the gateway's; what only the clock speaks against goes on its
        way otherwise: a machine an hour behind must not refuse what is right.
        """


class _NoChecks:
    kind: Literal["catalogue", "gateway", "none"] = "none"

    def __init__(self, province: str | None) -> None:
        self.province = province

    def check(self, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        return


class CatalogueChecks:
    """The judge of the catalogue in `folder`. Raises ConfigurationError where that is not as it must be."""

    kind: Literal["catalogue", "gateway", "none"] = "catalogue"

    def __init__(self, folder: Path) -> None:
        from ioc.catalog import load_catalog  # here: who has no catalogue needs none of its libraries
        from ioc.publishing import EventJudge

        catalog = load_catalog(folder)
        self.province: str | None = catalog.province
        self.judge = EventJudge(catalog)

    def check(self, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        try:
            self.judge.judge(body, microseconds_of(now))
        except InvalidRecord as error:
            if is_clock_sure or error.reason not in _ABOUT_THE_CLOCK:
                raise


def open_checks(catalog: Path | None, province: str | None) -> Checks:
    """Returns the judge of the catalogue in the folder `catalog`; nobody where there is none.

    Raises:
        ConfigurationError: the catalogue is not as it must be.
    """
    return _NoChecks(province) if catalog is None else CatalogueChecks(catalog)
