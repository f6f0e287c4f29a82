"""Events judged on the department's own machine, before anything is sent, with the centre's own reason codes."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from ioc.errors import InvalidRecord
from ioc.sdk.envelopes import type_parts
from ioc.sdk.learned import LearnedType
from ioc.sdk.results import LinkTrouble
from ioc.windows import microseconds_of

__all__ = ["CatalogueChecks", "Checks", "GatewayChecks", "Get"]

logger = logging.getLogger(__name__)

Kind = Literal["catalogue", "gateway", "none"]
Get = Callable[[str, str], Awaitable[tuple[int, str, bytes]]]
"""From (path, ETag of the copy at hand or "") to (status, ETag, body). Raises LinkTrouble."""

_ABOUT_THE_CLOCK = ("time_in_future",)
_ASK_TIMEOUT_S = 2.0  # a judge is worth no longer wait: the gateway judges too
_FRESH_S = 600.0  # a new version of the catalogue is known after ten minutes
_UNKNOWN_S = 60.0


class Checks(Protocol):
    """A judge, as far as there is one."""

    province: str | None

    @property
    def kind(self) -> Kind: ...

    async def learn(self, type_name: str) -> None:
        """Makes ready to judge events of this type, if it can."""

    def check(self, type_name: str, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        """Raises InvalidRecord for an event that the centre would refuse.

        `is_clock_sure`: whether `now` was compared with the gateway's; what only the clock speaks against goes on its
        way otherwise: a machine an hour behind must not refuse what is right.
        """


class CatalogueChecks:
    """The judge of the catalogue in `folder`. Raises ConfigurationError where that is not as it must be."""

    kind: Kind = "catalogue"

    def __init__(self, folder: Path) -> None:
        from ioc.catalog import load_catalog  # here: who has no catalogue needs none of its libraries
        from ioc.publishing import EventJudge

        catalog = load_catalog(folder)
        self.province: str | None = catalog.province
        self.judge = EventJudge(catalog)

    async def learn(self, type_name: str) -> None:
        return

    def check(self, type_name: str, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        with _forgiving(is_clock_sure):
            self.judge.judge(body, microseconds_of(now))


class GatewayChecks:
    """The judge that the gateway's schemas make, one for each type that is published.

    Args:
        get: asks the gateway.
        cache: folder that keeps the schemas for a start without a link; None keeps none.
    """

    def __init__(self, get: Get, cache: Path | None, province: str | None) -> None:
        self._get, self._cache, self.province = get, cache, province
        self._types: dict[str, LearnedType] = {}
        self._etags: dict[str, str] = {}
        self._ask_again_s: dict[str, float] = {}

    @property
    def kind(self) -> Kind:
        return "gateway" if self._types else "none"

    async def learn(self, type_name: str) -> None:
        name, _ = type_parts(type_name)
        now_s = asyncio.get_running_loop().time()
        if now_s < self._ask_again_s.get(name, 0.0):
            return
        if name not in self._ask_again_s:
            await asyncio.to_thread(self._read_copy, name)
        self._ask_again_s[name] = now_s + _UNKNOWN_S
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                status, etag, body = await self._get(f"v1/types/{name}", self._etags.get(name, ""))
        except (LinkTrouble, TimeoutError):
            return
        if status == 304 or (status == 200 and self._take(name, etag, body)):
            self._ask_again_s[name] = now_s + _FRESH_S
        if status == 200 and name in self._types:
            await asyncio.to_thread(self._keep_copy, name, etag, body)

    def check(self, type_name: str, body: bytes, now: datetime, *, is_clock_sure: bool) -> None:
        name, ce_type = type_parts(type_name)
        learned = self._types.get(name)
        if learned is not None and learned.ce_type == ce_type:
            with _forgiving(is_clock_sure):
                learned.check(body, microseconds_of(now))

    def _take(self, name: str, etag: str, body: bytes) -> bool:
        try:
            self._types[name] = LearnedType(msgspec.json.decode(body))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            logger.warning("the gateway's schema of %s is not understood (%s); it judges alone", name, error)
            return False
        self._etags[name] = etag
        return True

    def _copy(self, name: str) -> Path | None:
        return None if self._cache is None or not name.replace(".", "").isidentifier() else self._cache / f"{name}.json"

    def _read_copy(self, name: str) -> None:
        path = self._copy(name)
        try:
            kept = json.loads(path.read_text(encoding="utf-8")) if path is not None else None
            if kept is not None:
                self._take(name, str(kept["etag"]), json.dumps(kept["schema"]).encode())
        except (OSError, ValueError, KeyError, TypeError):
            return  # none, or damaged: the next answer replaces it

    def _keep_copy(self, name: str, etag: str, body: bytes) -> None:
        path = self._copy(name)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_bytes(b'{"etag":' + json.dumps(etag).encode() + b',"schema":' + body + b"}")
            os.replace(new, path)
        except OSError as error:
            logger.warning("the schema of %s can't be kept: %s", name, error)


@contextmanager
def _forgiving(is_clock_sure: bool) -> Iterator[None]:
    """Lets go of what only an unsure clock speaks against."""
    try:
        yield
    except InvalidRecord as error:
        if is_clock_sure or error.reason not in _ABOUT_THE_CLOCK:
            raise
