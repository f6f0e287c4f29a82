import threading

import pytest

from ioc.errors import ConfigurationError, PermanentError, TransientError
from ioc.oncall.channels import ConsoleChannel, RetryLater, judge_answer, webhook_target
from ioc.oncall.notices import Notice, compose
from tests.unit.oncall.making import NOW, SECRET, SMOKE, unit_names


def notice() -> Notice:
    return compose(SMOKE, queued_at=NOW, public_url="http://oncall.test", unit_names=unit_names)


async def test_console_gets_one_block_in_both_languages() -> None:
    written: list[bytes] = []
    receipt = await ConsoleChannel(written.append).send(notice(), idempotency_key="k")
    (block,) = (data.decode() for data in written)
    assert "NGHI CÓ KHÓI, CHÁY" in block
    assert "Suspected smoke or fire" in block
    assert receipt.reference == "written"


async def test_console_whose_pipe_is_full_is_tried_again_and_blocks_nobody() -> None:
    reader, written = threading.Event(), []

    def write(data: bytes) -> None:
        reader.wait(10)
        written.append(data)

    channel = ConsoleChannel(write, timeout_s=0.01)
    with pytest.raises(TransientError, match="pipe full"):
        await channel.send(notice(), idempotency_key="k")
    with pytest.raises(TransientError, match="before this one"):
        await channel.send(notice(), idempotency_key="k")
    reader.set()
    channel.timeout_s = 5.0
    await channel.send(notice(), idempotency_key="k")
    assert len(written) == 2


async def test_console_that_is_closed_is_a_transient_error() -> None:
    def gone(_: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(TransientError, match="BrokenPipeError"):
        await ConsoleChannel(gone).send(notice(), idempotency_key="k")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_taken(status: int) -> None:
    assert judge_answer(status, "").reference == f"HTTP {status}"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_busy_or_broken_receiver_is_tried_again(status: int) -> None:
    with pytest.raises(TransientError):
        judge_answer(status, "")


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
def test_refusal_or_redirect_is_permanent(status: int) -> None:
    with pytest.raises(PermanentError):
        judge_answer(status, "5")


@pytest.mark.parametrize(("text", "after_s"), [("7", 7.0), ("99999999", 600.0)])
def test_named_pause_is_kept_within_bounds(text: str, after_s: float) -> None:
    with pytest.raises(RetryLater) as caught:
        judge_answer(503, text)
    assert caught.value.after_s == after_s


@pytest.mark.parametrize("text", ["-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 40, "٣"])
def test_pause_that_cannot_be_read_leaves_the_usual_one(text: str) -> None:
    with pytest.raises(TransientError) as caught:
        judge_answer(503, text)
    assert not isinstance(caught.value, RetryLater)


@pytest.mark.parametrize(
    ("url", "secret"),
    [("ftp://x/", SECRET), ("x", SECRET), ("http://", SECRET), ("http://x/token123", None), ("http://x/", "abc")],
)
def test_unusable_target_is_a_sentence_without_the_address_or_secret(url: str, secret: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        webhook_target(url, secret, secret_setting="IOC_ONCALL_WEBHOOK_SECRET")
    assert "token123" not in str(caught.value)


def test_target_shows_its_origin_only() -> None:
    target = webhook_target("https://hooks.example.vn:8443/token123?key=456", SECRET, secret_setting="s")
    assert repr(target) == "WebhookTarget(https://hooks.example.vn:8443)"
