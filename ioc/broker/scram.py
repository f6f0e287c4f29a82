"""Proving a password without sending it: the client's side of SCRAM, from RFC 5802 and RFC 7677. Pure."""

import base64
import hashlib
import hmac
import re

__all__ = ["HASHES", "ScramClient", "ScramRefused", "salted"]

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

_SERVER_FIRST = re.compile(r"r=([^,]+),s=([A-Za-z0-9+/=]+),i=([0-9]{1,7})(,.*)?")


class ScramRefused(ValueError):
    """What the server said is not SCRAM, or it does not know the password either."""


def salted(mechanism: str, password: str, salt: bytes, iterations: int) -> bytes:
    """Returns what a server keeps in place of the password (RFC 5802: SaltedPassword)."""
    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode(), salt, iterations)


class ScramClient:
    """One login. `first`, then `final` with the server's answer, then `check` with its last word."""

    def __init__(self, mechanism: str, user: str, password: str, *, nonce: str) -> None:
        self._hash, self._mechanism, self._password, self._nonce = HASHES[mechanism], mechanism, password, nonce
        self._first_bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        return f"n,,{self._first_bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """Raises:
        ScramRefused: the answer is no answer to `first`.
        """
        text = server_first.decode(errors="replace")
        found = _SERVER_FIRST.fullmatch(text)
        if found is None or not found[1].startswith(self._nonce):
            raise ScramRefused("the server's first answer is not SCRAM's")
        key = salted(self._mechanism, self._password, base64.b64decode(found[2]), int(found[3]))
        without_proof = f"c=biws,r={found[1]}"
        told = f"{self._first_bare},{text},{without_proof}".encode()
        client_key = self._hmac(key, b"Client Key")
        signature = self._hmac(hashlib.new(self._hash, client_key).digest(), told)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = self._hmac(self._hmac(key, b"Server Key"), told)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """Raises:
        ScramRefused: the server does not prove that it knows the password: it is another one than it claims.
        """
        wanted = b"v=" + base64.b64encode(self._server_signature)
        if not hmac.compare_digest(server_final.split(b",")[0], wanted):
            raise ScramRefused("the server could not prove that it knows the password")

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)
