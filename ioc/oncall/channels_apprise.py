"""Notices through apprise: SMS gateways, Zalo bots and the many more that it knows.

Its address holds tokens, so it is a secret. Apprise does not retry here: the outbox does.
"""

import asyncio
from collections.abc import Callable

from ioc.errors import PermanentError, TransientError
from ioc.oncall.channels import Receipt
from ioc.oncall.channels_threads import in_daemon_thread
from ioc.oncall.notices import Digest, Message, Notice
from ioc.oncall.secrets import Resolve

__all__ = ["AppriseChannel"]

TIMEOUT_S = 30.0
_Answer = tuple[bool, str]


class AppriseChannel:
    """One message a try, in a thread that is left behind when it hangs; no second one for that address meanwhile."""

    name = "apprise"

    def __init__(self, *, resolve: Resolve, hide: Callable[[str], str] = str, timeout_s: float = TIMEOUT_S) -> None:
        self._resolve = resolve
        self._hide = hide
        self._timeout_s = timeout_s
        self._running: dict[str, asyncio.Future[_Answer]] = {}

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        return await self._notify(notice)

    async def send_digest(self, digest: Digest, *, idempotency_key: str) -> Receipt:
        return await self._notify(digest)

    async def _notify(self, message: Message) -> Receipt:
        url = self._resolve(message.to.address)
        before = self._running.get(url)
        if before is not None and not before.done():
            raise TransientError("apprise has not come back from the try before this one")
        future = in_daemon_thread(
            lambda: _notify(url, message.subject, message.text), name="apprise", expected=(Exception,)
        )
        self._running[url] = future
        done, _ = await asyncio.wait({future}, timeout=self._timeout_s)
        if not done:
            raise TransientError(f"apprise did not come back in {self._timeout_s:.0f} s")
        del self._running[url]
        error = future.exception()
        if isinstance(error, PermanentError):
            raise error
        if error is not None:
            raise TransientError(f"apprise failed: {type(error).__name__}")
        is_taken, said = future.result()
        if not is_taken:
            raise TransientError(f"apprise: {self._hide(said)}"[:300])
        return Receipt(reference="taken by apprise's service")


def _notify(url: str, title: str, body: str) -> _Answer:
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    # Nothing of ours on its disk, no picture or address of apprise's in our messages.
    asset = AppriseAsset(
        app_id="IOC",
        app_desc="IOC",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        storage_mode=PersistentStoreMode.MEMORY,
        http_redirects=False,
        service_timeout=TIMEOUT_S - 5,
    )
    service = Apprise(asset=asset)
    if not service.add(url):
        raise PermanentError("apprise does not understand the address of this person")
    said: list[str] = []
    result = service.notify(
        body=body.partition("\n")[2] or body,
        title=title,
        log_callback=lambda entry, _: said.append(str(entry.message)),
    )
    return bool(result), "; ".join(said[-3:]) or "the service did not take it"
