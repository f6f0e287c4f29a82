"""Tokens: whose they are, how long, and that nothing but a digest is kept."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from ioc.errors import ConfigurationError
from ioc.gateway.tokens import Identity, LastUsed, TokenFile, TokenVerifier
from tests.unit.domain.making import NOW

DAY = timedelta(days=1)


class Site:
    """A token file and a gateway that reads it; `now_s` moves by hand."""

    def __init__(self, folder: Path) -> None:
        self.file = TokenFile(folder / "gateway-tokens.json")
        self.now_s = 0.0
        self.verifier = TokenVerifier(self.file, monotonic=lambda: self.now_s)

    def is_valid(self, text: str, after: timedelta = timedelta()) -> bool:
        self.now_s += 1.0
        return self.verifier.identify(text, NOW + after) is not None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_token_names_its_department_and_only_its_digest_is_kept(site: Site) -> None:
    token, text = site.file.issue("so-y-te", now=NOW)
    site.now_s = 1.0
    assert site.verifier.identify(text, NOW) == Identity(publisher="so-y-te", token_id=token.id)
    assert text.startswith(f"ioc_{token.id}_")
    assert text.split("_", 2)[2] not in site.file.path.read_text()
    assert stat.S_IMODE(site.file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.replace("ioc_", "abc_"), lambda t: ""]
)
def test_anything_else_is_nobodys(site: Site, change: "object") -> None:
    _, text = site.file.issue("so-y-te", now=NOW)
    assert callable(change)
    assert not site.is_valid(change(text))


def test_a_rotated_token_stays_valid_for_its_overlap_and_no_longer(site: Site) -> None:
    _, oldest = site.file.issue("so-y-te", now=NOW - 3 * DAY)
    _, old = site.file.issue("so-y-te", now=NOW - DAY)
    _, new = site.file.rotate("so-y-te", now=NOW, overlap=7 * DAY)
    assert [site.is_valid(text) for text in (oldest, old, new)] == [False, True, True]
    assert [site.is_valid(text, 7 * DAY) for text in (oldest, old, new)] == [False, False, True]


def test_a_third_valid_token_is_not_issued(site: Site) -> None:
    site.file.issue("so-y-te", now=NOW)
    site.file.issue("so-y-te", now=NOW)
    with pytest.raises(ConfigurationError, match="rotate so-y-te"):
        site.file.issue("so-y-te", now=NOW)
    site.file.issue("so-giao-duc", now=NOW)


def test_a_revoked_token_and_an_expired_one_are_worth_nothing(site: Site) -> None:
    token, text = site.file.issue("so-y-te", now=NOW)
    _, brief = site.file.issue("so-y-te", now=NOW, valid_for=DAY)
    assert site.is_valid(text)
    site.file.revoke(token.id, now=NOW)
    assert not site.is_valid(text)
    assert [site.is_valid(brief), site.is_valid(brief, DAY)] == [True, False]
    with pytest.raises(ConfigurationError, match="no token has the id"):
        site.file.revoke("nothing", now=NOW)


def test_a_change_is_seen_within_a_second(site: Site) -> None:
    _, text = site.file.issue("so-y-te", now=NOW)
    assert site.verifier.identify(text, NOW) is None, "it looked a moment ago"
    site.now_s = 0.6
    assert site.verifier.identify(text, NOW) is not None


def test_a_file_that_is_spoilt_locks_nobody_out_and_is_told(site: Site) -> None:
    _, text = site.file.issue("so-y-te", now=NOW)
    assert site.is_valid(text)
    site.file.path.write_text("{torn")
    assert site.is_valid(text)
    assert "gateway-tokens.json" in site.verifier.trouble
    with pytest.raises(ConfigurationError, match="put the file back"):
        site.file.issue("so-y-te", now=NOW)


def test_when_a_token_was_last_used_is_kept_beside(site: Site, tmp_path: Path) -> None:
    token, text = site.file.issue("so-y-te", now=NOW)
    assert site.is_valid(text)
    used = LastUsed(tmp_path / "use.json")
    used.add(site.verifier.take_used())
    used.add(site.verifier.take_used())
    assert used.read() == {token.id: NOW}
