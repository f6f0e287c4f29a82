import re

import pytest

from ioc.incidents import Incident
from ioc.oncall.pages import SECURITY_HEADERS, STYLE, inbox_page, runbook_page
from ioc.oncall.web import runbook_markdown
from tests.unit.oncall.making import DIGEST, incident

SCRIPT = '<script>alert("x")</script>"\'><img src=x onerror=alert(1)>'


def page(*incidents: Incident) -> str:
    return inbox_page([(one, True) for one in incidents], language="vi", page=0, has_more=False)


def test_inbox_shows_state_place_since_picture_and_runbook() -> None:
    html = page(incident())
    for part in (
        'class="open"',
        "đang mở",
        "Chòi canh Lang Biang",
        "08:28:30 22/11/2026",
        f'src="/evidence/{DIGEST}"',
        'href="/runbooks/smoke?lang=vi"',
        'href="geo:12.04530,108.44150"',
        'name="viewport"',
    ):
        assert part in html


@pytest.mark.parametrize(
    "field", ["place_vi", "place_en", "camera_id", "runbook", "evidence", "incident_id", "pose_id"]
)
def test_script_in_any_field_is_escaped_or_left_out(field: str) -> None:
    html = page(incident(**{"place_vi": "" if field in ("place_en", "camera_id") else "p", field: SCRIPT}))
    assert "<script" not in html
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", html)
    assert not re.search(r"<img(?! src=\"/evidence/[0-9a-f]{64}\")", html)


def test_page_names_no_outside_address_and_no_script() -> None:
    html = page(incident()) + STYLE + runbook_page("smoke", runbook_markdown("smoke") or "", language="vi")
    assert not re.search(r"https?://|//[a-z]|<script|@import|url\(|style=", html)


def test_content_policy_lets_nothing_in_from_outside() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_inbox_in_english_has_english_words_only() -> None:
    html = inbox_page([(incident(), False)], language="en", page=1, has_more=True)
    assert 'lang="en"' in html
    assert "Lang Biang watchtower" in html
    assert "not sent" in html
    assert "lang=en&amp;page=2" in html


def test_empty_inbox_says_so() -> None:
    assert "Chưa có sự cố nào." in page()


def test_runbook_shows_the_asked_language_first() -> None:
    text = runbook_markdown("smoke") or ""
    vi, en = (runbook_page("smoke", text, language=language) for language in ("vi", "en"))
    assert vi.index("Xem ảnh") < vi.index("Look at the picture")
    assert en.index("Look at the picture") < en.index("Xem ảnh")


def test_runbook_markdown_becomes_a_list_and_raw_html_is_escaped() -> None:
    html = runbook_page("smoke", "# T\n\n1. **a**\n\n<script>x</script>\n\n[l](javascript:x)", language="vi")
    assert "<ol>" in html
    assert "<script" not in html
    assert 'href="javascript' not in html
