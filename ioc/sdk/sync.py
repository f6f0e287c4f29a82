"""The publisher's client for programs without asyncio: the same, on an event loop of its own in a thread."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from ioc.sdk.publisher import AsyncPublisher, Draft
from ioc.sdk.results import Refused, Result, Status

__all__ = ["Publisher"]

_T = TypeVar("_T")


class Publisher:
    """`AsyncPublisher` without `await`; any thread may call it. Takes the same arguments.

    Example::

        with Publisher(url, token, source="/lam-dong/onestop/motcua", spool="spool") as p:
            print(p.publish("dossier.submitted", {"dossier_id": "H36-1", ...}, id="H36-1-submitted").outcome)
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._wrap(AsyncPublisher(*arguments, **options))

    @classmethod
    def over_kafka(cls, *arguments: Any, **options: Any) -> "Publisher":
        """As `AsyncPublisher.over_kafka`."""
        publisher = cls.__new__(cls)
        publisher._wrap(AsyncPublisher.over_kafka(*arguments, **options))
        return publisher

    def _wrap(self, publisher: AsyncPublisher) -> None:
        self._publisher = publisher

    def __enter__(self) -> "Publisher":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ioc-sdk", daemon=True)
        self._thread.start()
        try:
            self._run(self._publisher.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._publisher.__aexit__(kind, error, trace))
        finally:
            self._stop()

    def publish(
        self,
        type: str,  # CloudEvents' own word
        data: Mapping[str, object],
        *,
        id: str | None = None,
        time: datetime | str | None = None,
        source: str | None = None,
    ) -> Result:
        """As `AsyncPublisher.publish`."""
        return self._run(self._publisher.publish(type, data, id=id, time=time, source=source))

    def publish_all(self, drafts: Iterable[Draft]) -> list[Result]:
        """As `AsyncPublisher.publish_all`."""
        return self._run(self._publisher.publish_all(drafts))

    def flush(self, timeout_s: float | None = None) -> int:
        """As `AsyncPublisher.flush`."""
        return self._run(self._publisher.flush(timeout_s))

    def rejected(self) -> list[Refused]:
        """As `AsyncPublisher.rejected`."""
        return self._run(self._publisher.rejected())

    def forget_rejected(self, numbers: Sequence[int]) -> None:
        """As `AsyncPublisher.forget_rejected`."""
        self._run(self._publisher.forget_rejected(numbers))

    @property
    def pending(self) -> int:
        """How many events wait for an answer."""
        return self._publisher.pending

    @property
    def status(self) -> Status:
        """As `AsyncPublisher.status`."""
        return self._publisher.status

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
