"""A notice as a mail: text, and HTML that needs nothing from outside. Pure."""

import hashlib
import re
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from ioc.oncall.notices import Digest, Message, Notice

__all__ = ["mail_of"]

_LINK = re.compile(r"(?:https?://|geo:)[^\s<>\"']+")
_FONT = "font:16px/1.5 system-ui,sans-serif"
_BUTTON = "display:inline-block;padding:14px 28px;background:#c62828;color:#fff;text-decoration:none;border-radius:8px"
_PICTURE = "picture"


def mail_of(message: Message, *, sender: str, to: str, key: str, jpeg: bytes | None = None) -> EmailMessage:
    """Returns the mail. The same on every try: its id follows from the idempotency key, its date from the queue's.

    Mails about one incident refer to one id that no mail has, so that mail programs show them as one thread.
    """
    domain = sender.rsplit("@", 1)[-1].rstrip("> ") or "ioc.invalid"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, message.subject
    mail["Date"] = format_datetime(message.queued_at)
    mail["Message-ID"] = f"<{key}@{domain}>"
    if isinstance(message, Notice):
        thread = hashlib.sha256(message.incident.incident_id.encode()).hexdigest()[:32]
        mail["References"] = mail["In-Reply-To"] = f"<incident.{thread}@{domain}>"
        if message.incident.severity == "critical" and message.is_calling:
            mail["X-Priority"] = "1"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(_html(message, has_picture=jpeg is not None), subtype="html")
    if jpeg is not None:
        html = mail.get_payload()[-1]  # type: ignore[index]  # the alternative that was just added
        html.add_related(jpeg, "image", "jpeg", cid=f"<{_PICTURE}>", filename="incident.jpg")  # type: ignore[union-attr]
    return mail


def _html(message: Message, *, has_picture: bool) -> str:
    picture = f'<p><img src="cid:{_PICTURE}" alt="" style="max-width:100%"></p>' if has_picture else ""
    return (
        f'<!doctype html><html lang="{message.to.language}"><body style="{_FONT};max-width:40rem">'
        f"<h2>{escape(message.subject)}</h2>{_buttons(message)}{picture}{_rows(message)}</body></html>"
    )


def _buttons(message: Message) -> str:
    is_english = message.to.language == "en"
    if isinstance(message, Digest):
        words = "Inbox" if is_english else "Hộp sự cố"
        return f'<p><a href="{escape(message.open_url)}" style="{_BUTTON}">{words}</a></p>'
    opening = f'<a href="{escape(message.open_url)}">{"Open" if is_english else "Xem"}</a>'
    if not message.acknowledge_url or not message.is_calling:
        return f"<p>{opening}</p>"
    words = "On it" if is_english else "Tôi nhận việc này"
    return f'<p><a href="{escape(message.acknowledge_url)}" style="{_BUTTON}">{words}</a> &nbsp; {opening}</p>'


def _rows(message: Message) -> str:
    return "".join(f"<div>{_linked(row)}</div>" for row in message.text.split("\n")[1:])


def _linked(row: str) -> str:
    found, at = [], 0
    for match in _LINK.finditer(row):
        url = match[0].rstrip(",.;")
        found += [escape(row[at : match.start()]), f'<a href="{escape(url)}">{escape(url)}</a>']
        at = match.start() + len(url)
    return "".join((*found, escape(row[at:])))
