import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.errors import ConfigurationError, PermanentError
from ioc.oncall.links import FILE_NAME, LIFETIME, BadLink, LinkKeys, open_link_keys
from ioc.oncall.secrets import FILE_NAME as SECRETS_FILE
from ioc.oncall.secrets import Secrets, no_secrets, open_secrets
from tests.unit.oncall.making import NOW

KEYS = LinkKeys({"k1": b"1" * 32, "k2": b"2" * 32}, "k2")
TOKEN = KEYS.token("smoke-0001", "lan", queued_at=NOW)


def test_token_says_whose_it_is_and_is_the_same_on_every_try() -> None:
    link = KEYS.read(TOKEN, NOW)
    assert (link.incident_id, link.person_id, link.action) == ("smoke-0001", "lan", "acknowledge")
    assert link.expires_at == NOW + LIFETIME
    assert KEYS.token("smoke-0001", "lan", queued_at=NOW) == TOKEN


def test_token_of_the_key_before_still_counts_and_one_of_a_forgotten_key_does_not() -> None:
    before = LinkKeys({"k1": b"1" * 32}, "k1").token("smoke-0001", "lan", queued_at=NOW)
    assert KEYS.read(before, NOW).person_id == "lan"
    with pytest.raises(BadLink, match="forged"):
        LinkKeys({"k2": b"2" * 32}, "k2").read(before, NOW)


def test_token_ends_and_a_forged_one_that_has_ended_is_forged() -> None:
    with pytest.raises(BadLink, match="expired"):
        KEYS.read(TOKEN, NOW + LIFETIME)
    with pytest.raises(BadLink, match="forged"):
        KEYS.read(TOKEN[:-2] + "xx", NOW + LIFETIME)


@pytest.mark.parametrize("token", ["", ".", "..", "k2", "k2..", "k2.é.x", "k2." + "A" * 5000 + ".x", "\x00.\x00.\x00"])
def test_what_is_no_token_is_forged(token: str) -> None:
    with pytest.raises(BadLink, match="forged"):
        KEYS.read(token, NOW)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_any_other_character_anywhere_makes_it_forged(at: int, other: str) -> None:
    changed = TOKEN[:at] + other + TOKEN[at + 1 :]
    if changed == TOKEN:
        return
    with pytest.raises(BadLink):
        KEYS.read(changed, NOW)


def test_keys_are_made_once_kept_closed_and_replaced_after_a_month(tmp_path: Path) -> None:
    first = open_link_keys(tmp_path, NOW)
    token = first.token("i", "lan", queued_at=NOW)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert open_link_keys(tmp_path, NOW + timedelta(days=29)).token("i", "lan", queued_at=NOW) == token
    later = NOW + timedelta(days=30)
    second = open_link_keys(tmp_path, later)
    assert second.token("i", "lan", queued_at=NOW) != token
    assert second.read(token, NOW + timedelta(hours=1)).person_id == "lan"
    assert len(json.loads((tmp_path / FILE_NAME).read_text())) == 2
    assert "key" not in repr(second).replace("LinkKeys", "")
    open_link_keys(tmp_path, NOW + timedelta(days=61))
    assert len(json.loads((tmp_path / FILE_NAME).read_text())) == 2  # the first is forgotten


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"k": {"key": "zz", "made_at": "2026-01-01T00:00:00+00:00"}}', '{"k": 1}']
)
def test_broken_key_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigurationError, match=FILE_NAME):
        open_link_keys(tmp_path, NOW)


# ---- secrets ---------------------------------------------------------------------------------------------------------


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    (folder / SECRETS_FILE).write_text(text)
    (folder / SECRETS_FILE).chmod(mode)
    return folder


def test_secret_of_the_file_is_found_a_variable_wins_and_neither_is_ever_shown(tmp_path: Path) -> None:
    folder = written(tmp_path, 'TOKEN = "from-file"\nCHAT = "42"\n')
    secrets = open_secrets(folder, {"IOC_ONCALL_SECRET_TOKEN": "from-variable", "OTHER": "x"})
    assert (secrets.get("TOKEN"), secrets.resolve("secret:CHAT"), secrets.resolve("a@b")) == (
        "from-variable",
        "42",
        "a@b",
    )
    assert "from" not in repr(secrets)
    assert secrets.hide("HTTP 500 at https://x/from-variable/y") == "HTTP 500 at https://x/…/y"


def test_no_file_is_no_secrets_and_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="the secret CHAT is neither in"):
        open_secrets(tmp_path, {}).resolve("secret:CHAT")
    with pytest.raises(PermanentError):
        no_secrets("secret:CHAT")
    assert no_secrets("plain") == "plain"


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ('TOKEN = "geheim"', 0o644, "chmod 600"),
        ("TOKEN = geheim", 0o600, "can't be read"),
        ("TOKEN = 12345", 0o600, "quotation marks"),
    ],
)
def test_secrets_file_that_is_open_or_broken_is_a_sentence_without_the_secret(
    tmp_path: Path, text: str, mode: int, expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=expected) as caught:
        open_secrets(written(tmp_path, text, mode), {})
    assert "geheim" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_secrets_are_never_shown() -> None:
    assert repr(Secrets({"A": "geheim"})) == "Secrets(A)"
