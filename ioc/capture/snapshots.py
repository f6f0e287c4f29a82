"""An HTTP(S) snapshot address as one camera, polled at the pacer's rate.

The answer is hostile until proven otherwise: no redirects, no cookies, no compression, no proxy from the environment,
a cap on bytes while they stream, one deadline for everything. Neither logs nor errors show the address's credentials.
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import aiohttp

from ioc.capture.pacing import Pacer
from ioc.capture.stills import CapturedStill, Tally, check_id
from ioc.clock import Clock
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.frames import MAX_FRAME_BYTES

__all__ = ["SnapshotAddress", "SnapshotSource", "parse_address"]

DEFAULT_TIMEOUT_S = 10.0  # a 4K still over a slow radio link takes some seconds
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAddress:
    """`url` without credentials; `shown` also without the query, where cameras often put a password."""

    url: str
    shown: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"SnapshotAddress({self.shown})"

    @property
    def authorization(self) -> dict[str, str]:
        """The header of HTTP Basic (RFC 7617, in UTF-8); empty where the address names no user."""
        if not self.user:
            return {}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


def parse_address(url: str) -> SnapshotAddress:
    """Returns the parts of `url`.

    Raises:
        ConfigurationError: not http or https, or no host; never shows the address, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.scheme.lower() in ("rtsp", "rtsps"):
        raise ConfigurationError(
            "for an RTSP camera use: ioc capture rtsp; a snapshot address is of the form http://HOST/snapshot.jpg"
        )
    if parts.scheme.lower() not in ("http", "https") or not host or any(ord(c) <= 32 for c in url):
        raise ConfigurationError("the snapshot address must be of the form http://HOST[:PORT]/PATH or https://…")
    where = f"[{host}]" if ":" in host else host
    where += f":{port}" if port else ""
    shown = urlunsplit((parts.scheme, where, parts.path, "…" if parts.query else "", ""))
    return SnapshotAddress(
        url=urlunsplit((parts.scheme, where, parts.path, parts.query, "")),
        shown=shown,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


class SnapshotSource:
    """One camera behind an address that answers with a JPEG of the present moment.

    `captured_at` is the clock at the moment the answer began to arrive. What goes wrong is counted by reason, and the
    camera is asked again at its next moment; only the caller ends this.
    """

    total: int | None = None
    warnings: tuple[str, ...] = ()

    def __init__(
        self,
        address: SnapshotAddress,
        *,
        camera_id: str,
        pose_id: str,
        clock: Clock,
        pacer: Pacer,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        tally: Tally | None = None,
    ) -> None:
        self._address, self._clock, self._pacer = address, clock, pacer
        self._camera_id, self._pose_id = check_id(camera_id, "--camera"), check_id(pose_id, "--pose")
        self._timeout_s = timeout_s
        self.tally = Tally([camera_id]) if tally is None else tally

    async def stills(self) -> AsyncGenerator[CapturedStill, None]:
        async with self._session() as session, aclosing(self._pacer.slots()) as slots:
            async for slot in slots:
                if slot.is_missed:
                    self.tally.of(self._camera_id).skipped += 1
                    continue
                try:
                    captured_at, jpeg = await self._fetch(session)
                except InvalidRecord as error:
                    self.tally.reject(self._camera_id, error.reason, error.en)
                    continue
                yield CapturedStill(
                    camera_id=self._camera_id,
                    pose_id=self._pose_id,
                    jpeg=jpeg,
                    captured_at=captured_at,
                    sequence=slot.step,
                )

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a JPEG does not compress, a bomb does
            headers={"Accept": "image/jpeg", "Accept-Encoding": "identity", **self._address.authorization},
            trust_env=False,
        )

    async def _fetch(self, session: aiohttp.ClientSession) -> tuple[datetime, bytes]:
        """(when the answer came, its bytes). Raises InvalidRecord with the reason; never shows credentials."""
        try:
            async with session.get(self._address.url, allow_redirects=False) as answer:
                captured_at = self._clock()
                self._check_status(answer.status)
                jpeg = await self._body(answer)
        except TimeoutError:
            raise self._refusal("timeout", f"did not answer completely within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The library's own sentences may hold the address, so only their kind is shown.
            raise self._refusal("unreachable", f"gave no whole answer ({type(error).__name__})") from None
        return captured_at, jpeg

    def _check_status(self, status: int) -> None:
        if 300 <= status < 400:
            raise self._refusal("redirect", f"redirects ({status}), which is not followed: give the final address")
        if status in (401, 403):
            raise self._refusal("unauthorized", f"wants another user or password ({status})")
        if status != 200:
            raise self._refusal("http_status", f"answered with status {status}")

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        if (answer.content_length or 0) > MAX_FRAME_BYTES:
            raise self._too_large()
        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_FRAME_BYTES:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> InvalidRecord:
        return self._refusal("frame_too_large", f"sends more than {MAX_FRAME_BYTES} bytes: lower its picture's quality")

    def _refusal(self, reason: str, what: str) -> InvalidRecord:
        sentence = f"{self._address.shown} {what}"
        return InvalidRecord(reason, field="snapshot", vi=sentence, en=sentence)
