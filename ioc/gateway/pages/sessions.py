"""Who is signed in to the departments' page. The token stays here, in memory: the browser holds a random number."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LASTS_S", "Session", "Sessions"]

LASTS_S = 1800.0
MAX_SESSIONS = 1_000  # the one that began first ends first


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`token` is asked about at every request, so that one that was revoked is worth nothing at once. `form_key` comes
    back with every form: another site can't know it."""

    token: str
    form_key: str
    ends_s: float

    def has_sent(self, form_key: str) -> bool:
        return hmac.compare_digest(form_key.encode(), self.form_key.encode())

    def __repr__(self) -> str:
        return "Session(…)"  # a token is never in a log


class Sessions:
    """Half an hour each, whatever is done in it."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, token: str) -> str:
        """Returns the number that the browser keeps: 256 random bits."""
        while len(self._sessions) >= MAX_SESSIONS:
            self._sessions.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._sessions[name] = Session(
            token=token, form_key=secrets.token_urlsafe(24), ends_s=self._monotonic() + LASTS_S
        )
        return name

    def find(self, name: str) -> Session | None:
        session = self._sessions.get(name)
        if session is not None and self._monotonic() >= session.ends_s:
            self.end(name)
            return None
        return session

    def end(self, name: str) -> None:
        self._sessions.pop(name, None)
