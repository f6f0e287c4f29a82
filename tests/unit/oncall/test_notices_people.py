from dataclasses import replace
from datetime import timedelta

import pytest

from ioc.errors import ConfigurationError
from ioc.oncall.alerts import own_incident
from ioc.oncall.channels_email import mail_server
from ioc.oncall.notices import Addressee, Circumstances, Digest, Notice, compose, digest_key, webhook_body
from ioc.oncall.notices_mail import mail_of
from ioc.oncall.secrets import Secrets
from ioc.oncall.web import runbook_markdown
from tests.unit.oncall.making import NOW, SMOKE, unit_names

ACK = "https://x/a/token"
EN = Addressee(person_id="lan", name="Lan", language="en", address="lan@x.example")
VI = replace(EN, language="vi")


def notice(to: Addressee = VI, of: object = SMOKE, **about: object) -> Notice:
    return compose(
        of,  # type: ignore[arg-type]
        queued_at=NOW,
        public_url="https://x",
        unit_names=unit_names,
        to=to,
        about=Circumstances(**about),  # type: ignore[arg-type]
        acknowledge_url=ACK,
    )


@pytest.mark.parametrize(
    ("about", "vi", "en"),
    [
        ({"purpose": "escalated", "level": 2}, "CHƯA AI NHẬN", "Nobody has it yet"),
        ({"purpose": "escalated", "level": 2}, "Cấp báo: 2", "Level of escalation: 2"),
        ({"purpose": "reopened"}, "MỞ LẠI", "Open again"),
        ({"purpose": "assigned"}, "GIAO CHO BẠN", "Assigned to you"),
        ({"is_exercise": True}, "[DIỄN TẬP] [KHẨN CẤP]", "[EXERCISE] [CRITICAL]"),
        ({"is_exercise": True}, "Đây là DIỄN TẬP", "This is an EXERCISE"),
        ({"is_nobody_on_roster": True}, "KHÔNG CÓ AI TRONG LỊCH TRỰC", "NOBODY IS ON THE ROSTER"),
        ({"is_fallback": True, "level": 5}, "bạn là người cuối cùng", "you are the last resort"),
        ({"told": ("Lan", "Minh\nX")}, "Những người được báo: Lan, Minh X", "All who are told: Lan, Minh X"),
        (
            {"purpose": "acknowledged", "by": "Minh", "eta_at": NOW},
            "Người nhận: Minh, dự kiến đến lúc 08:30:00",
            "Who has it: Minh, there by 08:30:00",
        ),
        (
            {"purpose": "resolved", "by": "Minh", "verdict": "false_positive"},
            "Người đóng: Minh (báo nhầm)",
            "Closed by: Minh (a false alarm)",
        ),
    ],
)
def test_notice_says_why_it_comes_in_the_readers_language(about: dict[str, object], vi: str, en: str) -> None:
    assert vi in notice(VI, **about).text
    assert en in notice(EN, **about).text
    assert vi not in notice(EN, **about).text


def test_link_comes_second_so_that_a_cut_sms_keeps_it_and_journals_never_get_it() -> None:
    told = notice()
    assert told.text.split("\n")[1] == f"Nhận việc (bấm và xác nhận): {ACK}"
    assert ACK not in told.message_vi + told.message_en
    assert ACK not in notice(purpose="resolved", by="Minh").text


def test_incident_that_no_camera_saw_says_what_is_wrong_instead_of_how_sure() -> None:
    alert = own_incident(
        incident_id="alert-1",
        kind="alert_worker_down",
        severity="critical",
        title_vi="Máy xử lý đã dừng",
        title_en="The worker is down",
        began_at=NOW,
        seen_at=NOW,
        extra={"description_vi": "Không trả lời 5 phút", "description_en": "No answer for 5 minutes"},
    )
    assert notice(VI, alert).message_vi.split("\n") == [
        "[KHẨN CẤP] MÁY XỬ LÝ ĐÃ DỪNG",
        "Từ lúc: 08:30:00 22/11/2026 (giờ Việt Nam)",
        "Mô tả: Không trả lời 5 phút",
        "Mã sự cố: alert-1",
    ]
    assert notice(EN, alert).subject == "[CRITICAL] The worker is down"


def test_webhook_of_a_person_tells_the_circumstances() -> None:
    body = webhook_body(notice(EN, purpose="escalated", level=3, told=("Lan", "Minh")))
    assert body["type"] == "incident.escalated"
    data = body["data"]
    assert isinstance(data, dict)
    assert data["notice"] | {"told": 0} == {
        "person": "lan",
        "language": "en",
        "level": 3,
        "told": 0,
        "nobody_on_roster": False,
        "exercise": False,
        "by": "",
        "acknowledge_url": ACK,
        "open_url": "https://x/incidents/smoke-0001",
    }


def test_digest_names_the_gravest_first_and_news_last_and_counts_the_rest() -> None:
    calm = replace(SMOKE, severity="info", place_vi="Nơi yên")
    notices = (notice(VI, SMOKE, purpose="resolved", by="Minh"), *[notice(VI, calm)] * 23, notice(VI, SMOKE))
    digest = Digest(notices=notices, open_url="https://x/")
    lines = digest.text.split("\n")
    assert lines[0].startswith("25 tin cùng lúc. Trước hết: [KHẨN CẤP]")
    assert lines[1].startswith("1. [KHẨN CẤP]")
    assert lines[-2:] == ["… và 5 tin nữa trong hộp sự cố.", "Hộp sự cố: https://x/"]
    assert "ĐÃ XONG" not in digest.text


def test_digest_has_one_key_whatever_the_order() -> None:
    assert digest_key(["a", "b"]) == digest_key(["b", "a"]) != digest_key(["a"])


def test_mail_is_the_same_on_every_try_and_headers_take_no_line_break() -> None:
    hostile = replace(SMOKE, place_vi="x\r\nBcc: all@example.vn", place_en="")
    first, second = (
        mail_of(notice(VI, hostile), sender="ioc@x.example", to="lan@x.example", key="msg_1") for _ in range(2)
    )
    assert first["Bcc"] is None
    assert (first["Message-ID"], first["Date"]) == ("<msg_1@x.example>", "Sun, 22 Nov 2026 01:30:00 +0000")
    assert {name: first[name] for name in first} == {name: second[name] for name in second} | {
        "Content-Type": first["Content-Type"]
    }
    html = first.get_body(("html",))
    assert html is not None
    assert f'href="{ACK}"' in html.get_content()


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("mail.example.vn:25", "ioc@x.example"),
        ("http://mail.example.vn", "ioc@x.example"),
        ("smtp://user:geheim@mail.example.vn", "ioc@x.example"),
        ("smtp://mail.example.vn:99999", "ioc@x.example"),
        ("smtp://mail.example.vn", "no address"),
    ],
)
def test_unusable_mail_server_is_a_sentence_without_the_password(url: str, sender: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mail_server(url, sender, Secrets({}))
    assert "geheim" not in str(caught.value)


def test_mail_server_takes_user_and_password_from_the_secrets_and_shows_neither() -> None:
    server = mail_server(
        "smtp+starttls://m.example", "ioc@x.example", Secrets({"SMTP_USER": "u", "SMTP_PASSWORD": "p"})
    )
    assert (server.port, server.user, server.password) == (587, "u", "p")
    assert repr(server) == "MailServer(smtp+starttls://m.example:587)"


def test_channel_down_has_a_runbook_in_both_languages() -> None:
    text = runbook_markdown("channel_down")
    assert text is not None
    assert "việc cần làm" in text.split("\n---\n")[0]
    assert "what to do" in text.split("\n---\n")[1]


def test_expired_eta_is_shown_as_given() -> None:
    assert "09:00:00" in notice(VI, purpose="acknowledged", by="M", eta_at=NOW + timedelta(minutes=30)).text
