"""The reports that `ioc report` wrote, over HTTP: a list, and each page. Nothing is made here, nothing else told."""

import asyncio
import re
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request, Response

from ioc.gateway.problems import language_of

__all__ = ["reports_router"]

_NAME = re.compile(r"report-(\d{4}-\d\d(?:-\d\d)?)-(vi|en)\.html")
_LISTED = 400
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_WORDS = {
    "vi": ("Báo cáo cho lãnh đạo", "Chưa có báo cáo nào: hãy chạy ioc report, hoặc bật ioc-report.timer."),
    "en": ("Reports to leaders", "There is no report yet: run ioc report, or enable ioc-report.timer."),
}


def reports_router(folder: Path) -> APIRouter:
    """Returns the routes /reports and /reports/{name} over the files of `folder`, which need not be there yet."""
    router = APIRouter(tags=["reports"])

    @router.get("/reports", summary="The reports to leaders, newest first", response_class=Response)
    async def reports(request: Request) -> Response:
        names = await asyncio.to_thread(_names, folder)
        asked = request.query_params.get("lang") or language_of(request.headers.get("accept-language", ""))
        language = "en" if asked == "en" else "vi"
        title, nothing = _WORDS[language]
        items = "".join(
            f'<li><a href="/reports/{escape(name)}">{escape(span)}</a></li>'
            for name, span, of in names
            if of == language
        )
        body = f"<ul>{items}</ul>" if items else f"<p>{nothing}</p>"
        text = (
            f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><style>body{font:18px/1.6 sans-serif;'
            f"margin:2rem;color:#000;background:#fff}}</style></head><body><h1>{title}</h1>{body}</body></html>"
        )
        return Response(text, media_type="text/html; charset=utf-8", headers=_HEADERS)

    @router.get("/reports/{name}", summary="One report, as it was written", response_class=Response)
    async def report(name: str) -> Response:
        if _NAME.fullmatch(name) is None:
            return Response(status_code=404, headers=_HEADERS)
        try:
            body = await asyncio.to_thread((folder / name).read_bytes)
        except OSError:
            return Response(status_code=404, headers=_HEADERS)
        return Response(body, media_type="text/html; charset=utf-8", headers=_HEADERS)

    return router


def _names(folder: Path) -> list[tuple[str, str, str]]:
    """(file, span, language), the newest span first."""
    try:
        found = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except OSError:
        return []
    told = [(match[0], match[1], match[2]) for match in found]
    return sorted(told, key=lambda one: one[1], reverse=True)[:_LISTED]
