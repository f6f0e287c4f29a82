"""Strategies: bytes that were never an event, and events with something broken in them."""

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

__all__ = ["broken", "broken_json", "json_texts"]

_PIECES = [
    b"NaN", b"Infinity", b"-Infinity", b"9" * 400, b"-" + b"9" * 400, b"1e999", b"1e-999", b"0.1" + b"0" * 400,
    b'"\\ud800"', b'"\\udfff\\ud800"', b"\xed\xa0\x80", b"\xff\xfe", b"\x00", b"[" * 3_000, b'{"a":' * 3_000, b"null",
    b"true", b'""', b'"\\u0000"', b"{}", b"[]", b"\xef\xbb\xbf", b"\r\n", b"2026-02-30T25:61:61+99:99",
    b'"deleted":true,',
]  # fmt: skip
"""What has broken decoders before: not numbers, endless numbers, half surrogate pairs, nesting, signs of no text."""


@st.composite
def broken(draw: st.DrawFn, valid: bytes) -> bytes:
    """`valid` with up to three places cut, doubled or replaced by something nasty."""
    text = valid
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 8, 40])))
        text = text[:start] + draw(st.sampled_from(_PIECES) | st.binary(max_size=6)) + text[end:]
    return text


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "24781", "cam-01", "2026-11-22T08:00:00+07:00", "2026-11-22", "9999-12-31T23:59:59-23:59", "\x00", "\x1f"]
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def json_texts() -> st.SearchStrategy[bytes]:
    """Any JSON text."""
    return _VALUES.map(_dumped)


@st.composite
def broken_json(draw: st.DrawFn, valid: dict[str, Any], *, dump: Callable[[Any], bytes] | None = None) -> bytes:
    """A valid event or its data with some of their members replaced, taken away or added."""
    event = {**valid, "data": dict(valid["data"])}
    for _ in range(draw(st.integers(1, 3))):
        where = event["data"] if isinstance(event.get("data"), dict) and draw(st.booleans()) else event
        name = draw(st.sampled_from([*where, "deleted", "extra"]))
        if draw(st.booleans()):
            where.pop(name, None)
        else:
            where[name] = draw(_VALUES)
    return (dump or _dumped)(event)


def _dumped(value: Any) -> bytes:
    import json

    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):  # integers of more than 64 bits, half surrogate pairs
        return json.dumps(value).encode()
