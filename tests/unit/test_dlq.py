import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.adapters.dead_letters import StoredLetter
from ioc.cli import dlq
from ioc.dead_letters import DeadLetter, encode_dead_letter
from ioc.errors import InvalidRecord

VALUE: dict[str, object] = {
    "source": "/lam-dong/onestop",
    "topic": "ioc.onestop.dossiers",
    "partition": 3,
    "offset": 1042,
    "index": 1,
    "reason": "missing_field",
    "field": "dossier_id",
    "message_vi": "Thiếu mã hồ sơ.",
    "message_en": "the dossier has no id",
    "at": "2026-11-22T01:02:03Z",
    "event_ref": "ioc.onestop.dossiers/3/1042",
    "key": base64.b64encode(b"\x00key").decode(),
    "headers": [["ce_id", base64.b64encode("số 1".encode()).decode()], ["empty", None]],
    "original": base64.b64encode(b'{"a":1}').decode(),
    "original_bytes": 7,
}


def letter(**changes: object) -> StoredLetter:
    decoded = StoredLetter.decode(json.dumps({**VALUE, **changes}).encode())
    assert decoded is not None
    return decoded


def test_a_dead_letter_is_decoded_to_the_bytes_of_the_original() -> None:
    decoded = letter()
    assert decoded.key == b"\x00key"
    assert decoded.headers == [("ce_id", "số 1".encode()), ("empty", None)]
    assert decoded.original == b'{"a":1}'
    assert decoded.at == datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


def test_the_letters_that_the_worker_writes_are_the_ones_read_here() -> None:
    written = DeadLetter(
        error=InvalidRecord("missing_field", field="x", vi="Thiếu x.", en="no x"),
        source="/lam-dong/onestop",
        topic="t",
        partition=1,
        offset=2,
        index=0,
        at=datetime(2026, 11, 22, tzinfo=UTC),
        key=None,
        headers=(("ce_id", b"1"),),
        original=b"\xff",
    )
    _, value, _ = encode_dead_letter(written, province="lam-dong")
    read = StoredLetter.decode(value)
    assert read is not None
    assert (read.event_ref, read.original, read.headers) == ("t/1/2", b"\xff", [("ce_id", b"1")])
    assert (read.reason, read.message_vi, read.at) == ("missing_field", "Thiếu x.", written.at)


def test_its_json_gives_the_original_only_when_asked() -> None:
    assert {"original", "headers", "key"}.isdisjoint(letter().as_json())
    whole = letter().as_json(is_whole=True)
    assert {name: whole[name] for name in VALUE if name != "at"} == {k: v for k, v in VALUE.items() if k != "at"}


def test_a_letter_whose_original_was_not_kept_is_still_one() -> None:
    assert letter(original=None, key=None, headers=[]).original is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="tombstone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no field"),
        pytest.param(b"[" * 100_000, id="a deep nest"),
        pytest.param(b'{"x":' + b"[" * 100_000, id="a deep nest in an unknown field"),
        pytest.param(json.dumps({**VALUE, "original": "?"}).encode(), id="not base64"),
        pytest.param(json.dumps({**VALUE, "at": "2026-11-22T01:02:03"}).encode(), id="no offset"),
        pytest.param(json.dumps({**VALUE, "offset": "7"}).encode(), id="a number as text"),
    ],
)
def test_any_other_record_is_none(value: bytes | None) -> None:
    assert StoredLetter.decode(value) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoding_fail(value: bytes) -> None:
    StoredLetter.decode(value)


def test_the_original_is_shown_as_indented_json() -> None:
    assert dlq._body('{"tên":"Đà Lạt"}'.encode()) == '{\n  "tên": "Đà Lạt"\n}'


def test_other_originals_are_shown_as_text_or_by_their_first_bytes() -> None:
    assert dlq._body(b"plain") == "plain"
    assert dlq._body(b"\xff\xd8\xff" + b"\0" * 100).startswith("(103 bytes that are no text: ff d8 ff 00")
    assert dlq._body(None, 700_000) == "(700000 bytes; too large for the dead letter to keep)"
    assert dlq._body(b"[" * 100_000).endswith("100000 bytes in all; --json prints them whole")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b]0;title\x07", "\\x1b]0;title\\x07", id="terminal title"),
        pytest.param("\x1b[2J", "\\x1b[2J", id="clear the screen"),
        pytest.param("a\rb", "a\\rb", id="overwrite the line"),
        pytest.param("\u202egnp", "\\u202egnp", id="right to left"),
        pytest.param("\ud800", "\\ud800", id="half a character"),
        pytest.param("Đà Lạt [bold]", "Đà Lạt [bold]", id="Vietnamese and markup stay"),
    ],
)
def test_a_terminal_is_never_told_what_to_do(text: str, shown: str) -> None:
    assert dlq._plain(text) == shown


def test_the_description_names_the_reason_in_both_languages() -> None:
    text = dlq._description(letter())
    for part in ("ioc.onestop.dossiers/3/1042", "missing_field", "dossier_id", "Thiếu mã hồ sơ.", "has no id"):
        assert part in text
