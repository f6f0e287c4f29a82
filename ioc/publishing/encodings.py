"""Which encoding a table's bytes are in. Pure."""

import codecs
import re
from typing import NamedTuple

from ioc.errors import ConfigurationError

__all__ = ["Encoding", "encoding_of", "named_encoding"]

_NAMES = {"utf-8": "utf-8", "utf-16": "utf-16", "windows-1258": "cp1258"}
_TCVN3 = re.compile(rb"[A-Za-z][\xa8-\xbe\xc6-\xca\xcb\xcf\xd1]|[\xa8-\xbe][A-Za-z]")
_CP1258_TONES = re.compile(rb"[A-Za-z\xe2\xea\xf4\xe3\xf5\xfd\xc2\xca\xd4\xc3\xd5\xdd][\xcc\xd2\xde\xec\xf2]")


class Encoding(NamedTuple):
    """`codec` for Python; `name` for people; `is_assumed` where nothing in the file says it; `decomposed`: marks come
    as characters of their own and are to be composed."""

    codec: str
    name: str
    is_assumed: bool = False
    decomposed: bool = False


def named_encoding(name: str) -> Encoding:
    """Raises:
    ConfigurationError: it is none of those known.
    """
    codec = _NAMES.get(name.lower())
    if codec is None:
        raise ConfigurationError(f"--encoding: {name!r} is not one of {', '.join(_NAMES)}")
    codec = "utf-8-sig" if codec == "utf-8" else codec
    return Encoding(codec, name.lower(), decomposed=codec == "cp1258")


def encoding_of(sample: bytes) -> Encoding:
    """Returns the encoding of a file that begins with `sample` (a megabyte, say).

    Raises:
        ConfigurationError: an old Vietnamese font encoding, or no text at all.
    """
    if sample.startswith(codecs.BOM_UTF8):
        return Encoding("utf-8-sig", "utf-8")
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("utf-16", "utf-16")
    if sample.count(0) > len(sample) // 8:
        raise ConfigurationError("it is no text that can be read (UTF-16 without its mark?); save it as CSV UTF-8")
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
    torn = sum("\udc80" <= sign <= "\udcff" for sign in text)
    if torn * 4 <= sum("\x80" <= sign < "\ud800" for sign in text) or not torn:
        return Encoding("utf-8-sig", "utf-8")
    if len(_TCVN3.findall(sample)) > len(_CP1258_TONES.findall(sample)):
        raise ConfigurationError(
            "it looks like TCVN3 (ABC fonts), which has no place in data any more: convert it to Unicode (UniKey: "
            "CTRL+SHIFT+F6) and save it as CSV UTF-8; or say --encoding windows-1258 where it is that"
        )
    return Encoding("cp1258", "windows-1258", is_assumed=True, decomposed=True)
