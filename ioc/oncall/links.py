"""Links that let somebody acknowledge without signing in: signed, for one incident, one person, one action, for a time.

A token is `kid.payload.mac`, both base64url: the payload `[incident, person, action, end in Unix seconds]` as JSON, the
mac HMAC-SHA256 over `kid.payload` with the key `kid`. Whoever holds a message may press its link: so much a link is.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from ioc.errors import ConfigurationError

__all__ = ["ACKNOWLEDGE", "LIFETIME", "BadLink", "Link", "LinkKeys", "open_link_keys"]

ACKNOWLEDGE = "acknowledge"
LIFETIME = timedelta(hours=48)  # a notice may be delivered a day late, and is still worth a day
ROTATE_AFTER = timedelta(days=30)
KEY_BYTES = 32
FILE_NAME = "oncall-link-keys.json"
MAX_TOKEN_CHARS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a genuine token says."""

    incident_id: str
    person_id: str
    action: str
    expires_at: datetime


class BadLink(Exception):
    """`reason`: forged (no key of ours signed it, or it is no token), or expired."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LinkKeys:
    """Signs with the active key, and knows those before it while their links live."""

    __slots__ = ("_active", "_keys")

    def __init__(self, keys: Mapping[str, bytes], active: str) -> None:
        self._keys = dict(keys)
        self._active = active

    def token(self, incident_id: str, person_id: str, *, queued_at: datetime, action: str = ACKNOWLEDGE) -> str:
        """The same for every try of one notice: its end follows from when the notice was queued."""
        end_s = int((queued_at + LIFETIME).timestamp())
        payload = _text(orjson.dumps([incident_id, person_id, action, end_s]))
        signed = f"{self._active}.{payload}"
        return f"{signed}.{_text(self._mac(self._active, signed))}"

    def read(self, token: str, now: datetime) -> Link:
        """Returns what a token says.

        Raises:
            BadLink: forged or expired. What is forged is told before what is expired.
        """
        kid, _, rest = token.partition(".")
        payload, _, mac = rest.partition(".")
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or kid not in self._keys:
            raise BadLink("forged")
        if not hmac.compare_digest(_text(self._mac(kid, f"{kid}.{payload}")), mac):
            raise BadLink("forged")
        try:
            incident_id, person_id, action, end_s = orjson.loads(_data(payload))
        except (ValueError, binascii.Error):  # signed by us and yet no token: another program's
            raise BadLink("forged") from None
        expires_at = datetime.fromtimestamp(end_s, tz=UTC)
        if now >= expires_at:
            raise BadLink("expired")
        return Link(incident_id=incident_id, person_id=person_id, action=action, expires_at=expires_at)

    def _mac(self, kid: str, signed: str) -> bytes:
        return hmac.new(self._keys[kid], signed.encode(), hashlib.sha256).digest()

    def __repr__(self) -> str:
        return f"LinkKeys({', '.join(self._keys)})"


def open_link_keys(folder: Path, now: datetime) -> LinkKeys:
    """Reads the keys of the state folder, makes the first, and a new one every 30 days; forgets dead ones.

    Two processes with a folder each need the same file, or one refuses the other's links.

    Raises:
        ConfigurationError: the file is broken, or can't be written.
    """
    path = folder / FILE_NAME
    kept = {kid: entry for kid, entry in _read(path).items() if now - entry[0] < ROTATE_AFTER + LIFETIME}
    active = max(kept, key=lambda kid: kept[kid][0], default="")
    if not active or now - kept[active][0] >= ROTATE_AFTER:
        active = f"k{secrets.token_hex(4)}"
        kept[active] = (now, secrets.token_bytes(KEY_BYTES))
        _write(path, kept)
    return LinkKeys({kid: key for kid, (_, key) in kept.items()}, active)


def _read(path: Path) -> dict[str, tuple[datetime, bytes]]:
    try:
        os.chmod(path, 0o600)
        found = json.loads(path.read_text(encoding="ascii"))
        return {
            kid: (datetime.fromisoformat(entry["made_at"]), bytes.fromhex(entry["key"])) for kid, entry in found.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{path}: the keys of the acknowledge links can't be read ({type(error).__name__}); put the file back, or "
            "remove it: links that are on their way are refused then"
        ) from None


def _write(path: Path, keys: Mapping[str, tuple[datetime, bytes]]) -> None:
    text = json.dumps({kid: {"made_at": made_at.isoformat(), "key": key.hex()} for kid, (made_at, key) in keys.items()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}")  # mode 600
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(text)
        os.replace(name, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: can't be written ({error.strerror}); check IOC_STATE and its rights"
        ) from None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
