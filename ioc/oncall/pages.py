"""The pages that people see: the inbox and the runbooks. Pure: data in, HTML out, everything escaped.

No script, no outside address; the style sheet is a resource of its own, so that the content policy can be strict.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal
from urllib.parse import urlencode

from markdown_it import MarkdownIt

from ioc.incidents import Incident
from ioc.oncall.notices import evidence_sha256, kind_words, local_time, map_link, runbook_url

__all__ = ["SECURITY_HEADERS", "STYLE", "Language", "Seen", "inbox_page", "runbook_page"]

Language = Literal["vi", "en"]
Seen = tuple[Incident, bool]
"""An incident, and whether a channel has taken its alert."""

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

STYLE = """
:root { color-scheme: light dark; --line: #8886; --open: #c62828; --calm: #607d8b; --done: #2e7d32; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: .75rem 1rem 3rem; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; flex-wrap: wrap; }
h1 { font-size: 1.35rem; margin: .25rem 0; } h2 { font-size: 1.1rem; margin: 0 0 .25rem; }
a { color: LinkText; } nav a { display: inline-block; padding: .5rem .25rem; }
article { border: 1px solid var(--line); border-left: 6px solid var(--calm); border-radius: 8px; margin: .75rem 0;
  padding: .75rem; }
article.open { border-left-color: var(--open); } article.resolved, article.dismissed { border-left-color: var(--done); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: .25rem 0; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; border-radius: 4px; }
.tag { font-size: .85rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; white-space: nowrap; }
.action { display: inline-block; padding: .6rem 1rem; border: 1px solid var(--line); border-radius: 8px;
  margin-top: .4rem; text-decoration: none; }
li { margin: .35rem 0; } hr { margin: 2rem 0; border: 0; border-top: 1px solid var(--line); }
"""

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "vi": {
        "title": "Hộp sự cố",
        "none": "Chưa có sự cố nào.",
        "where": "Ở đâu",
        "since": "Từ lúc",
        "sure": "Độ tin",
        "map": "Bản đồ",
        "told": "Báo động",
        "told_yes": "đã gửi",
        "told_no": "chưa gửi",
        "runbook": "Việc cần làm",
        "picture": "Ảnh bằng chứng",
        "older": "Cũ hơn",
        "newer": "Mới hơn",
        "other": "English",
        "inbox": "Hộp sự cố",
        "candidate": "theo dõi",
        "open": "đang mở",
        "acknowledged": "đã nhận",
        "resolved": "đã xử lý",
        "dismissed": "đã bỏ qua",
    },
    "en": {
        "title": "Incident inbox",
        "none": "No incidents yet.",
        "where": "Where",
        "since": "Since",
        "sure": "How sure",
        "map": "Map",
        "told": "Alert",
        "told_yes": "sent",
        "told_no": "not sent",
        "runbook": "What to do",
        "picture": "Picture",
        "older": "Older",
        "newer": "Newer",
        "other": "Tiếng Việt",
        "inbox": "Inbox",
        "candidate": "watching",
        "open": "open",
        "acknowledged": "acknowledged",
        "resolved": "resolved",
        "dismissed": "dismissed",
    },
}
REFRESH_S = 15


def inbox_page(seen: Sequence[Seen], *, language: Language, page: int, has_more: bool) -> str:
    """Returns the inbox as HTML; `page` counts from 0."""
    words = _WORDS[language]
    cards = "\n".join(_card(incident, is_told, language) for incident, is_told in seen)
    body = (
        f"<header><h1>{words['title']}</h1><nav>{_link('/', _other(language), words['other'])}</nav></header>\n"
        f"<main>{cards or '<p>' + words['none'] + '</p>'}</main>\n"
        f"<nav>{_pager(language, page, has_more)}</nav>"
    )
    return _page(words["title"], body, language, is_live=page == 0)


def runbook_page(kind: str, markdown: str, *, language: Language) -> str:
    """Returns a runbook as HTML, the asked language first: the file holds Vietnamese, a rule, then English.

    Its markdown is ours, and raw HTML in it is escaped all the same.
    """
    words = _WORDS[language]
    parts = markdown.split("\n---\n")
    ordered = parts if language == "vi" else parts[::-1]
    content = MarkdownIt("commonmark", {"html": False}).render("\n---\n".join(ordered))
    title = kind_words(kind)[0 if language == "vi" else 1]
    head = f"<header><nav>{_link('/', language, '← ' + words['inbox'])}</nav></header>"
    return _page(title, f"{head}\n<main>{content}</main>", language, is_live=False)


def _card(incident: Incident, is_told: bool, language: Language) -> str:
    words = _WORDS[language]
    place = (incident.place_en if language == "en" else incident.place_vi) or incident.place_vi or incident.camera_id
    facts = [
        (words["where"], escape(place)),
        (words["since"], local_time(incident.first_frame_at)),
        (words["sure"], _sure(incident, language)),
        (words["told"], words["told_yes"] if is_told else words["told_no"]),
    ]
    geo = map_link(incident)
    if geo:
        facts.append((words["map"], f'<a href="{escape(geo)}">{escape(geo.removeprefix("geo:"))}</a>'))
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    title = escape(kind_words(incident.kind)[0 if language == "vi" else 1])
    runbook = escape(_with_language(runbook_url(incident, ""), language))
    return (
        f'<article class="{incident.state}"><h2>{title} <span class="tag">{words[incident.state]}</span></h2>'
        f"<dl>{rows}</dl>{_picture(incident, words)}"
        f'<a class="action" href="{runbook}">{words["runbook"]}</a></article>'
    )


def _sure(incident: Incident, language: Language) -> str:
    score = f"{incident.peak_score:.2f} ({incident.detections})"
    return score.replace(".", ",") if language == "vi" else score


def _picture(incident: Incident, words: Mapping[str, str]) -> str:
    sha256 = evidence_sha256(incident)
    if not sha256:
        return ""
    source = f"/evidence/{sha256}"
    return f'<a href="{source}"><img src="{source}" alt="{words["picture"]}" loading="lazy"></a><br>'


def _pager(language: Language, page: int, has_more: bool) -> str:
    words = _WORDS[language]
    newer = _link("/", language, "← " + words["newer"], page=page - 1) if page > 0 else ""
    older = _link("/", language, words["older"] + " →", page=page + 1) if has_more else ""
    return newer + " " + older


def _other(language: Language) -> Language:
    return "en" if language == "vi" else "vi"


def _link(path: str, language: Language, text: str, *, page: int = 0) -> str:
    query = {"lang": language} | ({"page": str(page)} if page else {})
    return f'<a href="{escape(path + "?" + urlencode(query))}">{escape(text)}</a>'


def _with_language(url: str, language: Language) -> str:
    return f"{url}?lang={language}" if url.startswith("/") else url


def _page(title: str, body: str, language: Language, *, is_live: bool) -> str:
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_S}">' if is_live else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'{refresh}<title>{escape(title)}</title><link rel="stylesheet" href="/style.css"></head>\n'
        f"<body>{body}</body></html>\n"
    )
