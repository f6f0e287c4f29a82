"""Notices by e-mail (SMTP), with the picture inside."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import aiosmtplib

from ioc.errors import ConfigurationError, PermanentError, TransientError
from ioc.oncall.channels import Receipt
from ioc.oncall.channels_pictures import Picture, no_picture
from ioc.oncall.notices import Digest, Message, Notice
from ioc.oncall.notices_mail import mail_of
from ioc.oncall.secrets import Resolve, Secrets

__all__ = ["EmailChannel", "MailServer", "mail_server"]

TIMEOUT_S = 20.0  # a mail server that thinks longer about spam is tried again
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_ADDRESS = re.compile(r"[^\s@<>,;\x00-\x1f]{1,64}@[^\s@<>,;\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Who takes our mail, and who it comes from."""

    host: str
    port: int
    security: Literal["smtp", "smtp+starttls", "smtps"]
    sender: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.security}://{self.host}:{self.port})"


def mail_server(url: str, sender: str, secrets: Secrets) -> MailServer:
    """From `smtp+starttls://host:587` (smtp, smtp+starttls, smtps); user and password are the secrets SMTP_USER and
    SMTP_PASSWORD.

    Raises:
        ConfigurationError: not such an address, or the sender is none.
    """
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise ConfigurationError(
            "oncall_smtp (IOC_ONCALL_SMTP) must look like smtp+starttls://mail.example.vn:587 (or smtp://, smtps://); "
            "user and password are the secrets SMTP_USER and SMTP_PASSWORD"
        )
    if not _ADDRESS.fullmatch(sender):
        raise ConfigurationError("oncall_mail_from (IOC_ONCALL_MAIL_FROM) must be the address that alerts come from")
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        security=parts.scheme,  # type: ignore[arg-type]  # checked above
        sender=sender,
        user=secrets.get("SMTP_USER"),
        password=secrets.get("SMTP_PASSWORD"),
    )


class EmailChannel:
    """One mail a try; the receipt is the server's own words: it has the mail, nobody knows whether it is read."""

    name = "email"

    def __init__(
        self,
        server: MailServer,
        *,
        resolve: Resolve,
        picture: Picture = no_picture,
        hide: Callable[[str], str] = str,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._server = server
        self._resolve = resolve
        self._picture = picture
        self._hide = hide
        self._timeout_s = timeout_s

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        return await self._mail(notice, idempotency_key, await self._picture(notice))

    async def send_digest(self, digest: Digest, *, idempotency_key: str) -> Receipt:
        return await self._mail(digest, idempotency_key, None)

    async def _mail(self, message: Message, key: str, jpeg: bytes | None) -> Receipt:
        to = self._resolve(message.to.address)
        if not _ADDRESS.fullmatch(to):
            raise PermanentError("the e-mail address is not valid")
        mail = mail_of(message, sender=self._server.sender, to=to, key=key, jpeg=jpeg)
        server = self._server
        try:
            async with asyncio.timeout(self._timeout_s):
                _, said = await aiosmtplib.send(
                    mail,
                    sender=server.sender,
                    recipients=[to],
                    hostname=server.host,
                    port=server.port,
                    username=server.user or None,
                    password=server.password or None,
                    use_tls=server.security == "smtps",
                    start_tls=server.security == "smtp+starttls",
                    timeout=self._timeout_s,
                )
        except aiosmtplib.SMTPAuthenticationError as error:
            # An administrator mends it; until then the person's next address is called.
            raise TransientError(f"the mail server refuses SMTP_USER and SMTP_PASSWORD ({error.code})") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            raise _refused(first.code, self._hide(first.message)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, self._hide(error.message)) from None
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            raise TransientError(f"the mail server {server.host}:{server.port} did not answer in time") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            name = type(error).__name__
            raise TransientError(f"the mail server {server.host}:{server.port} can't be reached: {name}") from None
        return Receipt(reference=self._hide(said)[:200])


def _refused(code: int, said: str) -> TransientError | PermanentError:
    """5yz can't get better (RFC 5321, 4.2.1), the rest can: 4yz is a full box or greylisting."""
    text = f"the mail server answered {code} {said[:200]}"
    return PermanentError(text) if 500 <= code < 600 else TransientError(text)
