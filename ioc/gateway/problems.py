"""What went wrong, as RFC 9457 problem JSON in the reader's language. Pure."""

from collections.abc import Mapping
from typing import Literal

import orjson

from ioc.errors import InvalidRecord

__all__ = ["PROBLEM_TYPE", "Language", "Problem", "language_of", "problem_of", "sentence"]

Language = Literal["vi", "en"]
PROBLEM_TYPE = "application/problem+json"
MAX_HEADER_CHARS = 200


class Problem(Exception):
    """Ends a request; any route of the gateway may raise it. `reason` is a stable code, the two sentences say what to
    do, `headers` go into the answer."""

    def __init__(
        self, status: int, reason: str, *, vi: str, en: str, field: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {reason}: {en}")
        self.status, self.reason, self.field = status, reason, field
        self.vi, self.en = vi, en
        self.headers: Mapping[str, str] = headers or {}

    def body(self, language: Language) -> bytes:
        """The JSON text, `detail` in `language`."""
        return orjson.dumps(
            {
                "type": "about:blank",
                "title": self.reason,
                "status": self.status,
                "detail": self.vi if language == "vi" else self.en,
                "reason": self.reason,
                "field": self.field,
                "message_vi": self.vi,
                "message_en": self.en,
            }
        )


def problem_of(error: InvalidRecord, status: int = 422) -> Problem:
    return Problem(status, error.reason, vi=error.vi, en=error.en, field=error.field)


def sentence(error: InvalidRecord, language: Language) -> str:
    return error.vi if language == "vi" else error.en


def language_of(accept_language: str) -> Language:
    """Vietnamese unless English is asked for with more weight (RFC 9110, 12.5.4)."""
    if not accept_language:
        return "vi"
    weights: dict[str, float] = {}
    for part in accept_language[:MAX_HEADER_CHARS].split(","):
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weights[name] = max(weights.get(name, 0.0), _weight(weight))
    return "en" if weights.get("en", 0.0) > weights.get("vi", 0.0) else "vi"


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=")) if text.strip() else 1.0
    except ValueError:
        return 0.0
