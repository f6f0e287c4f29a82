"""Results as JSON. Pure."""

from collections.abc import Iterable, Sequence

import orjson

from ioc.gateway.intake import Result
from ioc.gateway.problems import Language, sentence

__all__ = ["counts_of", "encode_answer", "encode_result", "status_of"]

_OUTCOMES = ("accepted", "duplicate", "rejected")
_FORBIDDEN = ("not_your_source", "not_your_type")


def status_of(result: Result) -> int:
    """The HTTP status of a request with one event."""
    if result.error is not None:
        return 403 if result.error.reason in _FORBIDDEN else 422
    return 202 if result.outcome == "accepted" else 200


def counts_of(results: Iterable[Result]) -> dict[str, int]:
    counts = dict.fromkeys(_OUTCOMES, 0)
    for result in results:
        counts[result.outcome] += 1
    return counts


def encode_answer(results: Sequence[Result], language: Language, *, is_sandbox: bool) -> bytes:
    """Returns the answer to one event or a batch: how many of each outcome, and one result for each event."""
    counts = counts_of(results)
    head = orjson.dumps({"in": len(results), **counts})
    texts = [encode_result(number, result, language, is_sandbox=is_sandbox) for number, result in enumerate(results)]
    return b"".join((head[:-1], b',"results":[', b",".join(texts), b"]}"))


def encode_result(index: int, result: Result, language: Language, *, is_sandbox: bool) -> bytes:
    """Returns one result; `index` counts the request's events from 0."""
    entry: dict[str, object] = {
        "index": index,
        "outcome": result.outcome,
        "source": result.source,
        "id": result.id,
    }
    error = result.error
    if error is not None:
        entry["reason"], entry["field"] = error.reason, error.field
        entry["message"] = sentence(error, language)
        entry["message_vi"], entry["message_en"] = error.vi, error.en
    elif is_sandbox:
        entry["topic"], entry["key"] = result.topic, result.key.decode()
    return orjson.dumps(entry)
