from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from ioc.errors import ConfigurationError, PermanentError
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.signatures import SigningKey, sign, verify
from tests.unit.oncall.making import NOW, SECRET

KEY = SigningKey.from_text(SECRET, where="test")
OTHER = SigningKey(b"another key of 32 bytes, as long")
BODY = '{"type":"incident.opened","data":"Đà Lạt"}'.encode()


def test_signature_equals_the_one_of_the_standardwebhooks_package() -> None:
    ours = sign(KEY, message_id="msg_1", at=NOW, body=BODY)
    assert ours["webhook-signature"] == Webhook(SECRET).sign("msg_1", NOW, BODY.decode())


def test_standardwebhooks_package_accepts_our_request() -> None:
    Webhook(SECRET).verify(BODY, sign(KEY, message_id="msg_1", at=datetime.now(UTC), body=BODY))


def test_genuine_request_gives_its_id() -> None:
    assert verify(KEY, sign(KEY, message_id="msg_1", at=NOW, body=BODY), BODY, now=NOW) == "msg_1"


def test_any_of_several_signatures_will_do_so_that_secrets_can_rotate() -> None:
    headers = sign(KEY, message_id="m", at=NOW, body=BODY)
    older = sign(OTHER, message_id="m", at=NOW, body=BODY)["webhook-signature"]
    headers["webhook-signature"] = f"{older} v1a,abc {headers['webhook-signature']}"
    assert verify(KEY, headers, BODY, now=NOW) == "m"


GENUINE = sign(KEY, message_id="m", at=NOW, body=BODY)


@pytest.mark.parametrize(
    ("headers", "body", "at"),
    [
        pytest.param(sign(OTHER, message_id="m", at=NOW, body=BODY), BODY, NOW, id="another secret"),
        pytest.param(GENUINE, BODY + b" ", NOW, id="another body"),
        pytest.param({**GENUINE, "webhook-id": "n"}, BODY, NOW, id="another id"),
        pytest.param({**GENUINE, "webhook-timestamp": str(int(NOW.timestamp()) + 1)}, BODY, NOW, id="another time"),
        pytest.param(GENUINE, BODY, NOW + timedelta(minutes=5, seconds=1), id="replayed after five minutes"),
        pytest.param(GENUINE, BODY, NOW - timedelta(minutes=5, seconds=1), id="from the future"),
        pytest.param({**GENUINE, "webhook-signature": ""}, BODY, NOW, id="no signature"),
        pytest.param({**GENUINE, "webhook-signature": "v1,đ"}, BODY, NOW, id="not ASCII"),
        pytest.param({**GENUINE, "webhook-signature": "v1"}, BODY, NOW, id="half a signature"),
        pytest.param({**GENUINE, "webhook-timestamp": "nan"}, BODY, NOW, id="not a time"),
        pytest.param({**GENUINE, "webhook-timestamp": "9" * 30}, BODY, NOW, id="a huge time"),
        pytest.param({}, BODY, NOW, id="no headers"),
    ],
)
def test_request_that_is_not_genuine_is_refused(headers: dict[str, str], body: bytes, at: datetime) -> None:
    with pytest.raises(PermanentError):
        verify(KEY, headers, body, now=at)
    receiver = WebhookReceiver(key=KEY)
    assert receiver.take(headers, body, now=at) == "forged"
    assert (receiver.unique, receiver.duplicate, receiver.forged) == (0, 0, 1)


def test_receiver_tells_repeats_by_their_key() -> None:
    receiver = WebhookReceiver(key=KEY)
    later = sign(KEY, message_id="m", at=NOW + timedelta(minutes=30), body=BODY)
    assert receiver.take(GENUINE, BODY, now=NOW) == "unique"
    assert receiver.take(later, BODY, now=NOW + timedelta(minutes=30)) == "duplicate"
    assert (receiver.unique, receiver.duplicate, receiver.forged) == (1, 1, 0)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_abc", "whsec_!!!!", "password", "whsec_" + "A" * 200])
def test_unusable_secret_is_a_sentence_that_does_not_show_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--secret") as caught:
        SigningKey.from_text(text, where="--secret")
    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in str(caught.value)


def test_secret_is_in_no_representation() -> None:
    assert SECRET[6:] not in repr(KEY) + repr(WebhookReceiver(key=KEY))
