"""The channels that people read, put together from settings and secrets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from ioc.adapters.evidence import EvidenceStore
from ioc.clock import Clock
from ioc.oncall.channels import Channel, PeopleChannel, WebhookChannel, WebhookTarget
from ioc.oncall.channels_apprise import AppriseChannel
from ioc.oncall.channels_email import EmailChannel, MailServer, mail_server
from ioc.oncall.channels_pictures import Pictures
from ioc.oncall.channels_telegram import DEFAULT_API, TelegramApi, TelegramChannel
from ioc.oncall.delivery import FallBack
from ioc.oncall.links import LinkKeys, open_link_keys
from ioc.oncall.secrets import Secrets, open_secrets
from ioc.settings import Settings

__all__ = ["Reaching", "duty_channels", "people_channels", "reaching_of", "telegram_api", "webhook_channel"]

TELEGRAM_TOKEN = "TELEGRAM_BOT_TOKEN"  # noqa: S105  (the name of the secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching:
    """How people are reached besides the console and the settings' webhook. Without `links`, messages have none."""

    secrets: Secrets = field(default_factory=lambda: Secrets({}))
    mail: MailServer | None = None
    telegram_url: str = DEFAULT_API
    links: LinkKeys | None = None
    fall_back: FallBack = field(default_factory=FallBack)


def reaching_of(settings: Settings, clock: Clock) -> Reaching:
    """Reads secrets and keys from the state folder.

    Raises:
        ConfigurationError: a file is broken or open to others, or a setting is wrong.
    """
    secrets = open_secrets(settings.state)
    mail = mail_server(settings.oncall_smtp, settings.oncall_mail_from, secrets) if settings.oncall_smtp else None
    return Reaching(
        secrets=secrets,
        mail=mail,
        telegram_url=settings.oncall_telegram_url,
        links=open_link_keys(Path(settings.state), clock()),
        fall_back=FallBack(
            tries=settings.oncall_fallback_tries, after=timedelta(seconds=settings.oncall_fallback_after_s)
        ),
    )


def telegram_api(reaching: Reaching, session: aiohttp.ClientSession) -> TelegramApi | None:
    """None where no bot is set up."""
    token = reaching.secrets.get(TELEGRAM_TOKEN)
    return TelegramApi(token, session=session, base_url=reaching.telegram_url) if token else None


def webhook_channel(
    target: WebhookTarget, reaching: Reaching, session: aiohttp.ClientSession, clock: Clock
) -> WebhookChannel:
    return WebhookChannel(target, session=session, clock=clock, resolve=reaching.secrets.resolve)


def people_channels(reaching: Reaching, session: aiohttp.ClientSession, evidence: EvidenceStore) -> list[PeopleChannel]:
    """E-mail and Telegram where they are set up; apprise always: each of its addresses says all that it needs."""
    secrets, pictures = reaching.secrets, Pictures(evidence)
    channels: list[PeopleChannel] = []
    if reaching.mail is not None:
        channels.append(EmailChannel(reaching.mail, resolve=secrets.resolve, picture=pictures.of, hide=secrets.hide))
    api = telegram_api(reaching, session)
    if api is not None:
        channels.append(TelegramChannel(api, resolve=secrets.resolve, picture=pictures.of))
    channels.append(AppriseChannel(resolve=secrets.resolve, hide=secrets.hide))
    return channels


def duty_channels(channels: Sequence[Channel]) -> tuple[str, ...]:
    """The channels that know by themselves where to: those that need no person's address."""
    return tuple(channel.name for channel in channels if not isinstance(channel, PeopleChannel))
