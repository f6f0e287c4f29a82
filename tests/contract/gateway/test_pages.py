"""The departments' page: who may see what, what it says, and what no form from elsewhere can do."""

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi import APIRouter

from ioc.adapters.figures import FigureReader
from ioc.dead_letters import DeadLetter, RetryMark, StoredLetter, encode_dead_letter
from ioc.errors import InvalidRecord, TransientError
from ioc.gateway import pages
from ioc.gateway.pages.sessions import LASTS_S
from ioc.gateway.pages.style import STYLE
from ioc.gateway.pages.words import WORDS, age, percent
from ioc.gateway.rejects import KEPT_BYTES, KEPT_OF_SOURCE, MAX_SOURCES, RejectedEvent, Rejects
from tests.contract.gateway.asking import Answer, ask
from tests.contract.gateway.doors import CITIZENS, HEALTH, Doors
from tests.unit.domain.making import NOW, catalog
from tests.unit.gateway.small_catalog import small_catalog

HOST = "ioc.example"
DEFINITIONS = {kpi.id: kpi for kpi in catalog().kpis}
FIGURES = """\
ioc_source_valid_ratio{admin_unit="*",agency="",window="day",dim="/lam-dong/health"} 0.5
ioc_source_clean_ratio{admin_unit="*",agency="",window="day",dim="/lam-dong/health/his"} 1.0
ioc_source_valid_ratio{admin_unit="*",agency="",window="day",dim="/lam-dong/citizen"} 0.25
"""


class Browser:
    """Somebody at the page, with cookies and the key of the last form seen."""

    def __init__(self, tmp_path: Path, *, text: str | None = FIGURES) -> None:
        self.doors = Doors(tmp_path)
        self.now_s = 0.0
        self.text = text
        self.rejects = Rejects(small_catalog().publishers)
        services = replace(self.doors.services, rejects=self.rejects)
        reader = FigureReader(self._fetch, DEFINITIONS, clock=lambda: NOW, monotonic=lambda: self.now_s)
        self.router: APIRouter = pages.router(services, figures=reader, monotonic=lambda: self.now_s)
        self.cookie, self.key = "", ""

    async def _fetch(self) -> str:
        if self.text is None:
            raise ConnectionRefusedError(111, "refused")
        return self.text

    def get(self, path: str = "/self", **headers: str) -> Answer:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        sent = {"origin": f"https://{HOST}", "content-type": "application/x-www-form-urlencoded", **headers}
        return self._ask("POST", path, urlencode(fields).encode(), sent)

    def sign_in(self, token: str = HEALTH) -> "Browser":
        answer = self.post("/self/sign-in", {"token": token})
        assert answer.status == 303, answer.body.decode()
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.get()
        return self

    def send(self, text: str, path: str = "/self/resend", **fields: str) -> Answer:
        return self.post(path, {"key": self.key, "event": text, **fields})

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        told = {"host": HOST, **({"cookie": self.cookie} if self.cookie else {}), **headers}
        answer = ask(self.router, method, path, body=body, headers=told)
        found = re.search(r'name="key" value="([^"]+)"', answer.body.decode())
        self.key = found.group(1) if found else self.key
        return answer


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


def rejected(**changes: object) -> RejectedEvent:
    values: dict[str, object] = {
        "at": NOW - timedelta(minutes=5), "source": "/lam-dong/health", "type": "vn.ioc.health.coverage.v1",
        "id": "e1", "error": InvalidRecord("bad_time", field="at", vi="at sai giờ.", en="at is no time"),
        "event_ref": "gateway/so-y-te/1", "original": b'{"id":"e1"}',
    }  # fmt: skip
    return RejectedEvent(**{**values, **changes})  # type: ignore[arg-type]  # a table of changes


def text_of(answer: Answer) -> str:
    return html.unescape(answer.body.decode())


def valid_event(**changes: object) -> str:
    return json.dumps(
        {
            "specversion": "1.0", "id": "e1", "source": "/lam-dong/health", "time": "2026-11-20T08:00:00+07:00",
            "type": "vn.ioc.health.coverage.v1",
            "data": {"admin_unit": "24781", "population": 10, "as_of": "2026-11-20T08:00:00+07:00"},
            **changes,
        }
    )  # fmt: skip


# ---- coming and going ------------------------------------------------------------------------------------------------


def test_a_stranger_sees_the_form_to_sign_in_and_nothing_else(browser: Browser) -> None:
    browser.rejects.add("so-y-te", rejected())
    for path in ("/self", "/self/sources/lam-dong/health"):
        answer = browser.get(path)
        assert "Đăng nhập" in text_of(answer)
        assert "bad_time" not in text_of(answer)


def test_a_token_opens_the_departments_own_page(browser: Browser) -> None:
    assert "Sở Y tế" in text_of(browser.sign_in().get())


def test_the_cookie_holds_no_token_and_scripts_and_other_sites_never_get_it(browser: Browser) -> None:
    answer = browser.post("/self/sign-in", {"token": HEALTH})
    cookie = answer.headers["set-cookie"]
    assert HEALTH not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/self", f"Max-Age={int(LASTS_S)}"} <= set(cookie.split("; "))
    assert HEALTH not in answer.headers["location"]


@pytest.mark.parametrize("token", ["", "wrong", "x" * 300, "đ", "a\r\nb"])
def test_a_wrong_token_is_told_so_in_words(browser: Browser, token: str) -> None:
    answer = browser.post("/self/sign-in", {"token": token})
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert "không đúng hoặc đã hết hiệu lực" in text_of(answer)
    assert answer.body.decode().count('<input id="token"') == 1


def test_a_session_ends_by_itself_after_half_an_hour(browser: Browser) -> None:
    browser.sign_in()
    browser.now_s = LASTS_S - 1
    assert browser.get().status == 200
    browser.now_s = LASTS_S
    answer = browser.get()
    assert answer.status == 401
    assert "Phiên đã kết thúc" in text_of(answer)


def test_a_token_that_was_revoked_is_worth_nothing_at_once(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.sign_in()
    monkeypatch.setattr("tests.contract.gateway.doors._NAMES", {})
    assert browser.get().status == 401


def test_signing_out_ends_the_session_on_this_side_too(browser: Browser) -> None:
    browser.sign_in()
    assert browser.post("/self/sign-out", {"key": browser.key}).status == 303
    assert browser.get().status == 401  # the browser shows the old cookie


@pytest.mark.parametrize("path", ["/self/judge", "/self/resend", "/self/sign-in", "/self/sign-out"])
def test_a_forms_address_opened_by_hand_leads_home(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert (answer.status, answer.headers["location"]) == (303, "/self?lang=vi")


# ---- other sites -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "null"}, id="an origin that hides"),
        pytest.param({"origin": f"https://{HOST}.evil.example"}, id="an origin that begins alike"),
    ],
)
def test_a_form_from_another_site_does_nothing(browser: Browser, headers: dict[str, str]) -> None:
    browser.sign_in()
    answer = browser.post("/self/resend", {"key": browser.key, "event": valid_event()}, **headers)
    assert answer.status == 403
    assert browser.post("/self/sign-in", {"token": HEALTH}, **headers).status == 403
    assert browser.doors.carrier.records == []


@pytest.mark.parametrize("key", ["", "guessed", "đ"])
def test_a_form_without_the_sessions_key_does_nothing(browser: Browser, key: str) -> None:
    browser.sign_in()
    assert browser.post("/self/resend", {"key": key, "event": valid_event()}).status == 403
    assert browser.doors.carrier.records == []


@pytest.mark.parametrize("path", ["/self", "/self/style.css", "/self/sign-in", "/self/sources/lam-dong/health"])
def test_every_answer_forbids_scripts_frames_and_outside_addresses(browser: Browser, path: str) -> None:
    headers = browser.sign_in().get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_nothing_on_the_page_is_a_script_or_comes_from_elsewhere(browser: Browser) -> None:
    browser.rejects.add("so-y-te", rejected())
    page = browser.sign_in().get().body.decode()
    assert not re.search(r"<script|style=|onclick|javascript:", page)
    assert all(link.startswith(("/self", "#")) for link in re.findall(r'(?:href|src|action)="([^"]*)"', page))


def test_what_a_department_sent_is_shown_as_text_never_as_markup(browser: Browser) -> None:
    evil = "<script>alert(1)</script>\"'&"
    error = InvalidRecord("bad_id", field=evil, vi=evil, en=evil)
    original = json.dumps({"id": f"</textarea>{evil}"}).encode()
    browser.rejects.add("so-y-te", rejected(id=evil, type=evil, error=error, original=original))
    page = browser.sign_in().get().body.decode()
    assert "<script" not in page
    assert page.count("</textarea>") == page.count("<textarea"), "nothing sent has closed the field that it is in"
    answer = browser.send(evil, "/self/judge")
    assert "<script" not in answer.body.decode()


# ---- whose page ------------------------------------------------------------------------------------------------------


def test_a_department_sees_its_own_sources_and_rejects_alone(browser: Browser) -> None:
    browser.rejects.add("so-y-te", rejected())
    page = text_of(browser.sign_in(CITIZENS).get())
    assert "/lam-dong/citizen" in page
    assert "/lam-dong/health" not in page
    assert "bad_time" not in page
    assert browser.get("/self/sources/lam-dong/health").status == 404


def test_sources_below_an_own_one_are_shown_once_they_were_heard(browser: Browser) -> None:
    assert "/lam-dong/health/his" in text_of(browser.sign_in().get())


# ---- quality ---------------------------------------------------------------------------------------------------------


def test_a_score_below_its_target_says_so_in_words_with_what_to_fix(browser: Browser) -> None:
    browser.rejects.add("so-y-te", rejected())
    page = text_of(browser.sign_in().get("/self/sources/lam-dong/health"))
    assert "chưa đạt" in page
    assert "50\u00a0%" in page
    assert "mục tiêu ≥\u00a099\u00a0%" in page
    assert "Lý do nhiều nhất: bad_time (1 lần)" in page


def test_without_figures_it_says_so_and_shows_no_hundred_per_cent(tmp_path: Path) -> None:
    page = text_of(Browser(tmp_path, text=None).sign_in().get())
    assert "Chưa có số liệu chất lượng" in page
    assert "Chưa có số liệu của: <a" in page
    assert "100\u00a0%" not in page


def test_figures_that_can_no_longer_be_read_are_shown_with_their_age(tmp_path: Path) -> None:
    browser = Browser(tmp_path).sign_in()
    browser.text, browser.now_s = None, 60.0
    page = text_of(browser.get())
    assert "Số liệu chất lượng đọc lúc 08:00:00 22/11/2026, cũ" in page
    assert "50\u00a0%" in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "100\u00a0%"), (0.9999, "99,9\u00a0%"), (0.5, "50\u00a0%"), (0.0, "0\u00a0%"), (0.29, "29\u00a0%")],
)
def test_a_share_is_never_rounded_up_to_a_whole(value: float, shown: str) -> None:
    assert percent(value, "vi") == shown


@pytest.mark.parametrize(
    ("elapsed", "told"), [(30, "dưới một phút"), (61, "1 phút"), (7199, "119 phút"), (7200, "2 giờ")]
)
def test_an_age_is_told_in_words(elapsed: int, told: str) -> None:
    assert age(timedelta(seconds=elapsed), "vi") == told


# ---- rejects ---------------------------------------------------------------------------------------------------------


def test_a_reject_tells_time_reason_sentence_field_and_original(browser: Browser) -> None:
    browser.rejects.add("so-y-te", rejected())
    page = text_of(browser.sign_in().get())
    for part in ("07:55:00 22/11/2026", "bad_time", "at sai giờ.", "gateway/so-y-te/1", '"id": "e1"', "bị từ chối"):
        assert part in page
    page = text_of(browser.get("/self?lang=en"))
    assert "at is no time" in page
    assert "at sai giờ." not in page


@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [
        pytest.param("", "", "vi", id="nothing asked"),
        pytest.param("", "en-GB,en;q=0.9", "en", id="the browser's"),
        pytest.param("?lang=vi", "en", "vi", id="the link's before the browser's"),
        pytest.param("?lang=xx", "", "vi", id="an unknown one"),
    ],
)
def test_the_page_speaks_both_languages(browser: Browser, query: str, accepts: str, language: str) -> None:
    answer = browser.get(f"/self{query}", **({"accept-language": accepts} if accepts else {}))
    assert f'<html lang="{language}">' in answer.body.decode()


def test_both_languages_have_all_the_words() -> None:
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    for name, text in WORDS["vi"].items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", WORDS["en"][name])), name


# ---- one event -------------------------------------------------------------------------------------------------------


def test_trying_an_event_sends_nothing(browser: Browser) -> None:
    answer = browser.sign_in().send(valid_event(), "/self/judge")
    assert answer.status == 200
    assert "Hợp lệ. Chưa gửi gì" in text_of(answer)
    assert browser.doors.carrier.records == []


def test_sending_an_event_puts_it_into_kafka_once(browser: Browser) -> None:
    browser.sign_in()
    assert "Đã nhận: sự kiện đã nằm trong hệ thống" in text_of(browser.send(valid_event()))
    assert "Đã nhận từ trước" in text_of(browser.send(valid_event()))
    assert [record.topic for record in browser.doors.carrier.records] == ["ioc.health.coverage"]
    assert browser.doors.charged == 2


@pytest.mark.parametrize("path", ["/self/judge", "/self/resend"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "bad_json", id="empty"),
        pytest.param("{", "bad_json", id="half a JSON"),
        pytest.param("[" * 5_000, "bad_json", id="deep"),
        pytest.param(valid_event(source="/lam-dong/citizen"), "foreign_source", id="another family's source"),
    ],
)
def test_an_event_that_is_refused_is_explained_and_kept_in_the_form(
    browser: Browser, path: str, text: str, reason: str
) -> None:
    answer = browser.sign_in().send(text, path)
    assert answer.status == 422
    assert reason in text_of(answer)
    assert text in text_of(answer)
    assert browser.doors.carrier.records == []


def test_when_kafka_is_away_the_page_says_that_nothing_was_stored(browser: Browser) -> None:
    browser.sign_in()
    browser.doors.carrier.error = TransientError("away")
    answer = browser.send(valid_event())
    assert answer.status == 503
    assert "chưa lưu gì" in text_of(answer)


def test_too_many_at_once_are_told_to_wait(browser: Browser) -> None:
    browser.sign_in()
    browser.doors.is_too_fast = True
    assert browser.send(valid_event()).status == 429


# ---- what was refused, kept ------------------------------------------------------------------------------------------


def letter(**changes: object) -> StoredLetter:
    values: dict[str, object] = {
        "error": InvalidRecord("bad_time", field="at", vi="v", en="e"), "source": "/lam-dong/health",
        "topic": "ioc.health.coverage", "partition": 1, "offset": 7, "index": 0, "at": NOW, "key": None, "headers": (),
        "original": b'{"id":"k1","type":"t"}',
    }  # fmt: skip
    _, value, _ = encode_dead_letter(DeadLetter(**{**values, **changes}), province="lam-dong")  # type: ignore[arg-type]
    stored = StoredLetter.decode(value)
    assert stored is not None
    return stored


@pytest.fixture
def rejects() -> Rejects:
    return Rejects(catalog().publishers)


def test_a_letter_of_kafka_belongs_to_every_department_that_owns_its_source(rejects: Rejects) -> None:
    rejects.take(letter(source="/lam-dong/media"))
    assert [len(rejects.newest(name)) for name in ("so-khcn", "so-vhttdl", "so-y-te")] == [1, 1, 0]


def test_a_letter_of_the_gateway_belongs_to_who_sent_it(rejects: Rejects) -> None:
    rejects.take(letter(source="/lam-dong/media", partition=-1, ref="gateway/so-khcn/1"))
    assert [len(rejects.newest(name)) for name in ("so-khcn", "so-vhttdl")] == [1, 0]


def test_what_the_gateway_told_at_once_and_its_letter_are_one(rejects: Rejects) -> None:
    rejects.add("so-y-te", rejected())
    rejects.take(letter(partition=-1, ref="gateway/so-y-te/1"))
    assert len(rejects.newest("so-y-te")) == 1
    assert rejects.reasons("so-y-te", "/lam-dong/health", since=NOW.date()) == [("bad_time", 1)]


def test_an_event_in_binary_mode_is_shown_as_one_text_that_can_be_sent(rejects: Rejects) -> None:
    headers = (("ce_type", b"vn.t"), ("ce_id", b"7"), ("ce_source", b"/lam-dong/health"))
    rejects.take(letter(headers=headers, original=b'{"a":1}'))
    (event,) = rejects.newest("so-y-te")
    assert json.loads(event.original) == {"type": "vn.t", "source": "/lam-dong/health", "id": "7", "data": {"a": 1}}
    assert (event.id, event.type) == ("7", "vn.t")


def test_of_a_batched_record_the_refused_event_is_shown(rejects: Rejects) -> None:
    rejects.take(letter(index=1, original=b'[{"id":"a"},{"id":"b"}]'))
    assert rejects.newest("so-y-te")[0].id == "b"


def test_what_was_sent_again_or_came_in_after_all_is_known(rejects: Rejects) -> None:
    rejects.take(letter())
    rejects.take(letter(offset=8, original=b'{"id":"k2"}'))
    again_at = NOW + timedelta(minutes=1)
    rejects.mark(RetryMark(letter="ioc.health.coverage/1/7/0", at=again_at, sent_to="ioc.health.coverage/1/9"))
    rejects.accepted("so-y-te", "/lam-dong/health", "k2", again_at)
    rejects.accepted("so-y-te", "/lam-dong/health", "never refused", again_at)
    assert [rejects.sent_again_at("so-y-te", event) for event in rejects.newest("so-y-te")] == [again_at, again_at]


def test_an_event_that_came_in_before_it_was_refused_is_not_mended(rejects: Rejects) -> None:
    rejects.take(letter())
    rejects.accepted("so-y-te", "/lam-dong/health", "k1", NOW)
    rejects.take(letter(offset=8, at=NOW + timedelta(hours=1)))
    assert rejects.sent_again_at("so-y-te", rejects.newest("so-y-te")[0]) is None


def test_reasons_are_counted_by_day_and_the_newest_are_kept(rejects: Rejects) -> None:
    for number in range(KEPT_OF_SOURCE + 10):
        rejects.take(letter(offset=number))
    rejects.take(letter(offset=999, at=NOW - timedelta(days=2)))
    assert len(rejects.newest("so-y-te", 999)) == KEPT_OF_SOURCE
    today, older = NOW.date(), NOW.date() - timedelta(days=3)
    assert rejects.reasons("so-y-te", "/lam-dong/health", since=today) == [("bad_time", KEPT_OF_SOURCE + 10)]
    assert rejects.reasons("so-y-te", "/lam-dong/health", since=older) == [("bad_time", KEPT_OF_SOURCE + 11)]


def test_sources_that_somebody_invents_take_no_more_memory(rejects: Rejects) -> None:
    for number in range(MAX_SOURCES + 5):
        rejects.take(letter(offset=number, source=f"/lam-dong/health/x{number}"))
    assert len(rejects.sources("so-y-te")) == MAX_SOURCES


def test_a_large_original_is_kept_in_part_and_can_not_be_mended_here(browser: Browser) -> None:
    browser.rejects.take(letter(original=b'{"id":"' + b"x" * 10_000))
    (event,) = browser.rejects.newest("so-y-te")
    assert (len(event.original), event.is_cut) == (KEPT_BYTES, True)
    assert "chỉ hiện phần đầu" in text_of(browser.sign_in().get())


def test_it_says_from_when_the_list_is_complete(browser: Browser) -> None:
    assert "danh sách có thể còn thiếu" in text_of(browser.sign_in().get())
    browser.rejects.since = datetime(2026, 11, 15, 1, tzinfo=UTC)
    assert "Tính từ 08:00:00 15/11/2026" in text_of(browser.get())


# ---- colours ---------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 : 1."""
    block = re.findall(r":root \{([^}]*)\}", STYLE)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
    for name in ("text", "soft", "good", "bad", "none", "link"):
        for ground in ("ground", "card"):
            light, dark = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)
