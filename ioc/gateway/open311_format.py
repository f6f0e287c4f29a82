"""GeoReport v2 in its two formats. Pure.

Source: Open311 GeoReport v2. Every answer is a list or an object of plain values; the XML has one element a key and, in
a list, one element an item, named as below.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape

import orjson

__all__ = ["MEDIA_TYPES", "Format", "render"]

Format = Literal["json", "xml"]
MEDIA_TYPES: Mapping[Format, str] = {"json": "application/json", "xml": "text/xml; charset=utf-8"}
_ITEMS = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "endpoints": "endpoint",
    "formats": "format",
    "errors": "error",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(root: str, content: Sequence[Mapping[str, Any]] | Mapping[str, Any], format: Format) -> bytes:
    """Returns the JSON text of `content`, or the XML document whose root is `root`."""
    if format == "json":
        return orjson.dumps(content)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + _element(root, content).encode()


def _element(name: str, value: object) -> str:
    if value is None:
        return f"<{name}/>"
    if isinstance(value, Mapping):
        inner = "".join(_element(key, part) for key, part in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        inner = "".join(_element(_ITEMS[name], part) for part in value)
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = escape(_NOT_XML.sub("\ufffd", str(value)))
    return f"<{name}>{inner}</{name}>"
