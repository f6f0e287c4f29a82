""" "Test my channel": one marked message to a person's addresses, through the channels that alerts go through."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from aiohttp import web

from ioc.clock import Clock
from ioc.errors import PermanentError, TransientError
from ioc.oncall.alerts import own_incident
from ioc.oncall.channels import Channel
from ioc.oncall.kinds import TEST
from ioc.oncall.notices import Addressee, Circumstances, compose
from ioc.oncall_plan import Address, Person

__all__ = ["TESTER", "ChannelTester", "Tried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How it went at one address: `receipt` is the channel's own words, "" where it failed; then `error` says why."""

    channel: str
    address: str
    receipt: str
    error: str
    took_s: float

    @property
    def is_taken(self) -> bool:
        return not self.error

    @property
    def vi(self) -> str:
        if self.is_taken:
            return f"{self.channel}: đã chuyển đi ({self.receipt}). Hãy xem tin có tới nơi không."
        return f"{self.channel}: không gửi được: {self.error}"

    @property
    def en(self) -> str:
        if self.is_taken:
            return f"{self.channel}: taken ({self.receipt}). Look whether the message has arrived."
        return f"{self.channel}: not sent: {self.error}"


class ChannelTester:
    """Tries the channels that the service has."""

    def __init__(self, channels: Sequence[Channel], *, public_url: str, clock: Clock) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._public_url = public_url
        self._clock = clock

    async def test(self, person: Person, only: str = "") -> list[Tried]:
        """Sends to each address of `person`, or to those of the channel `only`; one after the other."""
        return [await self._try(person, one) for one in person.addresses if only in ("", one.channel)]

    async def _try(self, person: Person, address: Address) -> Tried:
        channel, began = self._channels.get(address.channel), time.monotonic()
        receipt, error = "", ""
        if channel is None:
            error = f"kênh chưa được thiết lập / the channel {address.channel} is not set up on this service"
        else:
            try:
                receipt = (await self._send(channel, person, address)).strip()
            except (TransientError, PermanentError) as failure:
                error = str(failure)
            except Exception as failure:  # the boundary: a fault of a channel is an answer here
                error = type(failure).__name__
        return Tried(
            channel=address.channel,
            address=address.key,
            receipt=receipt,
            error=error,
            took_s=time.monotonic() - began,
        )

    async def _send(self, channel: Channel, person: Person, address: Address) -> str:
        now = self._clock()
        incident = own_incident(
            incident_id=f"test-{person.person_id}-{now:%Y%m%dT%H%M%S}",
            kind=TEST,
            severity="info",
            title_vi=f"Tin thử gửi {person.name}",
            title_en=f"A test for {person.name}",
            began_at=now,
            seen_at=now,
            extra={
                "description_vi": "Đây chỉ là tin thử kênh báo động; bạn không phải làm gì.",
                "description_en": "This only tries out an alert channel; there is nothing to do.",
            },
        )
        to = Addressee(person_id=person.person_id, name=person.name, language=person.language, address=address.key)
        notice = compose(
            incident,
            queued_at=now,
            public_url=self._public_url,
            unit_names=lambda _: ("", ""),
            to=to,
            about=Circumstances(purpose=TEST),
        )
        return (await channel.send(notice, idempotency_key=f"msg_test_{token_hex(12)}")).reference


TESTER = web.AppKey("channel_tester", ChannelTester)
"""Where the pages find it: `request.app[TESTER]`."""
