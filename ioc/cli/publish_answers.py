"""What `ioc publish` says: refused rows as they come and a summary, or one JSON object at the end."""

import json
import shutil
import sys
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal

from ioc.publishing import Publication, RejectedRow

__all__ = ["Answer", "plain"]

_SPOOL_BYTES = 1 << 20  # of refused rows for --json; more of them wait in a temporary file
_SUMMARIES = {
    ("vi", False): "{accepted} sự kiện đã vào {where}, {rejected} dòng bị từ chối",
    ("vi", True): "{accepted} dòng hợp lệ, {rejected} dòng bị từ chối; chưa gửi gì",
    ("en", False): "{accepted} events are in {where}, {rejected} lines were refused",
    ("en", True): "{accepted} lines are valid, {rejected} are refused; nothing was sent",
}
_TABLE_SUMMARIES = {
    ("vi", True): "{accepted} sự kiện hợp lệ, {rejected} dòng bị từ chối; chưa gửi gì",
    ("en", True): "{accepted} events are valid, {rejected} rows are refused; nothing was sent",
    ("vi", False): _SUMMARIES["vi", False],
    ("en", False): "{accepted} events are in {where}, {rejected} rows were refused",
}


class Answer:
    """Collects what there is to say of one run; `where` the events went."""

    def __init__(
        self, language: Literal["vi", "en"], *, as_json: bool, is_dry: bool, is_table: bool, where: str = "Kafka"
    ) -> None:
        self._language, self._is_dry, self._is_table, self._where = language, is_dry, is_table, where
        self._spool: IO[str] | None = _new_spool() if as_json else None
        self._separator = ""

    def say(self, vi: str, en: str) -> None:
        """A remark beside the answer: how the file was read, how far an earlier run came."""
        print(plain(vi if self._language == "vi" else en), file=sys.stderr)

    def reject(self, row: RejectedRow) -> None:
        if self._spool is not None:
            entry = _entry(row) if row.headings else {"line": row.number, **_reason(row)}
            self._spool.write(self._separator + json.dumps(entry, ensure_ascii=False))
            self._separator = ", "
            return
        vi = self._language == "vi"
        error = row.error
        where = f" ({error.field})" if error.field else ""
        place = f"{'dòng' if vi else 'line' if not row.headings else 'row'} {row.number}"
        if row.sheet:
            place = f"{'trang' if vi else 'sheet'} {row.sheet}, {place}"
        if row.column:
            place += f", {'cột' if vi else 'column'} {row.column}"
        found = f" [{row.found[:80]}]" if row.column and row.found and row.found not in error.vi else ""
        print(plain(f"{place}: {error.reason}{where}: {error.vi if vi else error.en}{found}"))

    def finish(self, publication: Publication, *, failure: str = "", **more: Any) -> None:
        """Prints the counts; as JSON also the refused rows and, where the run broke off, why."""
        counts = {"accepted": publication.accepted, "rejected": publication.rejected}
        if self._spool is None:
            if publication.line_number or not failure:
                summaries = _TABLE_SUMMARIES if self._is_table else _SUMMARIES
                print(summaries[self._language, self._is_dry].format(**counts, where=self._where))
            return
        head = counts | more | ({"failure": failure} if failure else {})
        print(json.dumps(head, ensure_ascii=False)[:-1], end=', "errors": [')
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, sys.stdout)
        self._spool.close()
        print("]}")


def _new_spool() -> IO[str]:
    return SpooledTemporaryFile(max_size=_SPOOL_BYTES, mode="w+", encoding="utf-8")


def _entry(row: RejectedRow) -> dict[str, Any]:
    return {"sheet": row.sheet, "row": row.number, "column": row.column, "found": row.found, **_reason(row)}


def _reason(row: RejectedRow) -> dict[str, str]:
    error = row.error
    return {"reason": error.reason, "field": error.field, "message_vi": error.vi, "message_en": error.en}


def plain(text: str) -> str:
    """`text` without anything that a terminal would obey: parts of it come from the file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
