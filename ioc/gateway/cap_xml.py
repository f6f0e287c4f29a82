"""XML from strangers to a small tree: no document type, so no entities; bounded size, depth and count. Pure.

Python's own expat does the reading. A document type declaration is refused where it begins, before expat has read an
entity, a reference to a file or an address; without one XML has nothing that expands or fetches.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from ioc.errors import InvalidRecord

__all__ = ["MAX_XML_BYTES", "Element", "parse_xml"]

MAX_XML_BYTES = (
    1024 * 1024
)  # attached pictures (derefUri) and a signature may be in it; an alert itself takes 2 to 20 kB
MAX_DEPTH = 16  # CAP nests 4 deep, a signature within it 8
MAX_ELEMENTS = 20_000
_SEPARATOR = "\x1f"  # between namespace and name; no XML text can hold it


@dataclass(slots=True, kw_only=True)
class Element:
    """One element: what it is called, its own text without surrounding blanks, its children in order, and its line."""

    namespace: str
    name: str
    line: int
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """The children of this name in the element's own namespace, in order."""
        return [child for child in self.children if child.name == name and child.namespace == self.namespace]

    def first(self, name: str) -> "Element | None":
        return next(iter(self.all(name)), None)


def parse_xml(body: bytes) -> Element:
    """Returns the root of the document `body`, in any encoding that expat knows.

    Raises:
        InvalidRecord: `too_large`, or `bad_xml` with the line: not well-formed, a document type, too deep, too many.
    """
    if len(body) > MAX_XML_BYTES:
        raise InvalidRecord(
            "too_large",
            field="alert",
            vi=f"Tài liệu {len(body)} byte vượt giới hạn {MAX_XML_BYTES} byte; "
            "bỏ tệp đính kèm (derefUri), chỉ gửi uri.",
            en=f"a document of {len(body)} bytes is over the limit of {MAX_XML_BYTES}; "
            "leave attachments (derefUri) out and give their uri",
        )
    return _Builder().build(body)


class _Builder:
    """Takes expat's calls. One document each."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0
        self._root: Element | None = None

    def build(self, body: bytes) -> Element:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            raise _bad(error.lineno, "không đúng cú pháp XML", f"not well-formed XML ({_said(error)})") from None
        except (ValueError, LookupError) as error:  # an encoding of several bytes a character, or none at all
            said = str(error)[:80]
            raise _bad(
                1, "bảng mã không đọc được, hãy dùng UTF-8", f"unreadable encoding ({said}), use UTF-8"
            ) from None
        if self._root is None:
            raise _bad(1, "không có phần tử nào", "there is no element in it")
        return self._root

    def _doctype(self, *_: object) -> None:
        raise _bad(
            self._parser.CurrentLineNumber,
            "có khai báo <!DOCTYPE>, không được nhận; hãy bỏ nó và mọi <!ENTITY>",
            "a <!DOCTYPE> is not taken; leave it out, and every <!ENTITY> with it",
        )

    def _start(self, qualified: str, _attributes: object) -> None:
        line = self._parser.CurrentLineNumber
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise _bad(
                line,
                f"lồng quá {MAX_DEPTH} tầng hoặc quá {MAX_ELEMENTS} phần tử",
                f"nested deeper than {MAX_DEPTH}, or more than {MAX_ELEMENTS} elements",
            )
        namespace, _, name = qualified.rpartition(_SEPARATOR)
        element = Element(namespace=namespace, name=name, line=line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop()).strip()

    def _characters(self, text: str) -> None:
        self._texts[-1].append(text)


def _said(error: expat.ExpatError) -> str:
    return expat.ErrorString(error.code) or str(error.code)


def _bad(line: int, vi: str, en: str) -> InvalidRecord:
    return InvalidRecord("bad_xml", field="alert", vi=f"Dòng {line}: {vi}.", en=f"line {line}: {en}")
