"""Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, several signatures for rotation.

The algorithm of the `standardwebhooks` package, with the time as an argument (the package reads the clock itself); a
test holds the two equal.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ioc.errors import ConfigurationError, PermanentError

__all__ = ["TOLERANCE", "SigningKey", "sign", "verify"]

TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64  # as the specification asks


class SigningKey:
    """The shared secret, kept out of every representation, log and error."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_text(cls, text: str, *, where: str) -> "SigningKey":
        """From `whsec_` and base64; `where` names the setting in the error, which never shows the secret."""
        body = text.strip().removeprefix(_PREFIX)
        try:
            key = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
            raise ConfigurationError(
                f"{where}: the webhook secret must be whsec_ and the base64 of {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} "
                "random bytes; make one with: echo whsec_$(head -c 32 /dev/urandom | base64)"
            )
        return cls(key)

    def signature(self, message_id: str, timestamp: str, body: bytes) -> str:
        to_sign = message_id.encode() + b"." + timestamp.encode() + b"." + body
        return "v1," + base64.b64encode(hmac.new(self._key, to_sign, hashlib.sha256).digest()).decode()

    def __repr__(self) -> str:
        return "SigningKey(…)"


def sign(key: SigningKey, *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Returns the three headers of the request."""
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": key.signature(message_id, timestamp, body),
    }


def verify(key: SigningKey, headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """Returns the message id of a genuine request. `headers` are looked up in lower case.

    Raises:
        PermanentError: a header is missing, the time is more than 5 minutes off, or no signature fits.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id and timestamp and signatures):
        raise PermanentError("a webhook header is missing")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
        raise PermanentError("webhook-timestamp is not a number of seconds")
    if abs(now - datetime.fromtimestamp(int(timestamp), tz=UTC)) > TOLERANCE:
        raise PermanentError("webhook-timestamp is more than 5 minutes off")
    expected = key.signature(message_id, timestamp, body).encode()
    if not any(hmac.compare_digest(expected, given.encode()) for given in signatures.split(" ")):
        raise PermanentError("no signature fits")
    return message_id
