import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.cli import dlq, dlq_view
from ioc.dead_letters import DeadLetter, RetryMark, StoredLetter, encode_dead_letter
from ioc.errors import ConfigurationError, InvalidRecord

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
    assert dlq_view._body('{"tên":"Đà Lạt"}'.encode()) == '{\n  "tên": "Đà Lạt"\n}'


def test_other_originals_are_shown_as_text_or_by_their_first_bytes() -> None:
    assert dlq_view._body(b"plain") == "plain"
    assert dlq_view._body(b"\xff\xd8\xff" + b"\0" * 100).startswith("(103 bytes that are no text: ff d8 ff 00")
    assert dlq_view._body(None, 700_000) == "(700000 bytes; too large for the dead letter to keep)"
    assert dlq_view._body(b"[" * 100_000).endswith("100000 bytes in all; --json prints them whole")


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
    assert dlq_view.plain(text) == shown


def test_the_description_names_the_reason_in_both_languages() -> None:
    text = dlq_view.description(letter())
    for part in (
        "ioc.onestop.dossiers/3/1042",
        "missing_field",
        "dossier_id",
        "Thiếu mã hồ sơ.",
        "has no id",
        "id) cũ",
    ):
        assert part in text


# ---- which letters are meant ----------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "is_meant"),
    [
        pytest.param({}, True, id="all"),
        pytest.param({"source": "/lam-dong/onestop"}, True, id="its source"),
        pytest.param({"source": "/lam-dong"}, True, id="a source above"),
        pytest.param({"source": "/lam-dong/ones"}, False, id="a source that only begins alike"),
        pytest.param({"reason": "bad_time"}, False, id="another reason"),
        pytest.param({"topic": "ioc.onestop.dossiers"}, True, id="its topic"),
        pytest.param({"since": datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)}, True, id="since its moment"),
        pytest.param({"until": datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)}, False, id="before its moment"),
        pytest.param({"refs": frozenset({("ioc.onestop.dossiers/3/1042", None)})}, True, id="its record"),
        pytest.param({"refs": frozenset({("ioc.onestop.dossiers/3/1042", 1)})}, True, id="the event of its record"),
        pytest.param(
            {"refs": frozenset({("ioc.onestop.dossiers/3/1042", 0)})}, False, id="another event of its record"
        ),
    ],
)
def test_a_filter_says_which_letters_are_meant(options: dict[str, Any], is_meant: bool) -> None:
    assert dlq.Wanted(**options).has(letter()) is is_meant


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("", None, id="not given"),
        pytest.param("90m", datetime(2026, 11, 22, 1, 30, tzinfo=UTC), id="minutes ago"),
        pytest.param("2h", datetime(2026, 11, 22, 1, tzinfo=UTC), id="hours ago"),
        pytest.param("3d", datetime(2026, 11, 19, 3, tzinfo=UTC), id="days ago"),
        pytest.param("2026-11-22T08:00:00+07:00", datetime(2026, 11, 22, 1, tzinfo=UTC), id="a moment"),
    ],
)
def test_a_moment_may_be_told_as_ago(text: str, moment: datetime | None) -> None:
    assert dlq._moment("--since", text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22T08:00:00", "2w", "-1h"])
def test_a_moment_that_nobody_understands_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigurationError, match="with its offset"):
        dlq._moment("--since", text, NOW)


@pytest.mark.parametrize(
    ("ref", "parsed"),
    [
        pytest.param("ioc.onestop.dossiers/3/1042", ("ioc.onestop.dossiers/3/1042", None), id="record"),
        pytest.param("ioc.onestop.dossiers/3/1042#7", ("ioc.onestop.dossiers/3/1042", 7), id="event of a batch"),
        pytest.param("gateway/so-y-te/01K9Z", ("gateway/so-y-te/01K9Z", None), id="of the gateway"),
    ],
)
def test_a_reference_is_what_the_list_prints(ref: str, parsed: tuple[str, int | None]) -> None:
    assert dlq._parse_ref(ref) == parsed


@pytest.mark.parametrize("ref", ["", "a/b", "a/b/c/d", "a/1/2#x", "a /1/2", "a/1/2#1#2"])
def test_any_other_reference_is_a_sentence(ref: str) -> None:
    with pytest.raises(ConfigurationError, match="names no refused event"):
        dlq._parse_ref(ref)


def test_a_retry_without_a_word_about_which_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="say what to send again"):
        dlq.dlq_retry()


# ---- marks ----------------------------------------------------------------------------------------------------------


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = RetryMark(letter="t/1/2/0", at=NOW, sent_to="t/1/9")
    key, value = mark.encode()
    assert (key, RetryMark.decode(value)) == (b"t/1/2/0", mark)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"letter":1}', b"[" * 100_000])
def test_what_is_no_mark_is_none(value: bytes | None) -> None:
    assert RetryMark.decode(value) is None


def test_a_mark_is_no_dead_letter_and_a_dead_letter_no_mark() -> None:
    assert StoredLetter.decode(RetryMark(letter="t/1/2/0", at=NOW, sent_to="t/1/9").encode()[1]) is None
    assert RetryMark.decode(json.dumps(VALUE).encode()) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"original": None}, id="no original"),
        pytest.param({"headers": [["h", base64.b64encode(b"x" * 1024).decode()]]}, id="a long header"),
        pytest.param({"headers": [["h", None]] * 64}, id="many headers"),
    ],
)
def test_a_letter_that_may_lack_a_part_has_no_whole_copy(changes: dict[str, object]) -> None:
    assert letter(**changes).whole_copy() is None
    assert letter().whole_copy() == (b"\x00key", b'{"a":1}', [("ce_id", "số 1".encode()), ("empty", None)])
