"""The HTTP door as a department meets it: is it there, is it ready, does it take the token, what time has it."""

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from ioc.adapters.doctor_kafka import judged_skew
from ioc.clock import Clock
from ioc.doctor import Finding, finding

__all__ = ["probe_gateway"]

_TIMEOUT_S = 4.0
_MAX_ANSWER_BYTES = 65_536


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is for one address."""

    def redirect_request(self, *_: object) -> None:
        return None


def probe_gateway(url: str, token: str, clock: Clock, *, timeout_s: float = _TIMEOUT_S) -> tuple[Finding, ...]:
    """Returns what was found at `url` (https://host[:port], without /v1); "" for no token. Blocks for some seconds."""
    base = url.rstrip("/")
    try:
        status, headers, body = _get(f"{base}/readyz", "", timeout_s)
        ours = clock().timestamp()
        if status not in (200, 503):
            return (finding("gateway_other", url=base, answer=status),)
        found = [_ready(status, body), *_clock(headers, ours)]
        if token:
            found.append(_token(base, *_get(f"{base}/v1/types", token, timeout_s)))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return (finding("gateway_unreachable", url=base, said=_why(error)),)
    return tuple(found)


def _get(url: str, token: str, timeout_s: float) -> tuple[int, Mapping[str, str], str]:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("http:// or https:// is missing")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # looked at above
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return answer.status, dict(answer.headers), answer.read(_MAX_ANSWER_BYTES).decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read(_MAX_ANSWER_BYTES).decode(errors="replace")


def _ready(status: int, body: str) -> Finding:
    return finding("gateway_ready") if status == 200 else finding("gateway_unavailable", said=_said(body))


def _clock(headers: Mapping[str, str], ours: float) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(headers.get("Date", headers.get("date", ""))).timestamp()
    except ValueError:
        return []
    return [judged_skew(ours - theirs, than_vi="cổng HTTP", than_en="the gateway")]


def _token(base: str, status: int, headers: Mapping[str, str], body: str) -> Finding:
    if status == 401:
        return finding("gateway_token_unknown")
    if status == 403:
        return finding("gateway_forbidden", said=_said(body))
    if status == 429:
        return finding("gateway_busy", retry_s=headers.get("Retry-After", headers.get("retry-after", "?")))
    if status == 503:
        return finding("gateway_unavailable", said=_said(body))
    return finding("gateway") if status == 200 else finding("gateway_other", url=f"{base}/v1/types", answer=status)


def _said(body: str) -> str:
    """The problem's own sentences, or the beginning of whatever it was."""
    try:
        problem = json.loads(body)
        return f"{problem['message_vi']} / {problem['message_en']}"
    except (ValueError, KeyError, TypeError):
        return "".join(c for c in body[:200] if c.isprintable())


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"TLS: {reason.verify_message}"
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)
