"""How far a file came: what a later run believes, and what it does not."""

from pathlib import Path

import pytest

from ioc.publishing.journal import Journal, Progress, identity_of

DONE = Progress(rows=2_000, seen=2_001, accepted=1_990, rejected=10, rejects_bytes=77)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ho-so.csv"
    path.write_bytes(b"a,b\n1,2\n")
    return path


def journal(file: Path, *way: str) -> Journal:
    return Journal(
        file.with_name(file.name + ".ioc-journal"), fallback=file.parent / "state", identity=identity_of(file, *way)
    )


def test_what_was_saved_is_found_again_until_it_is_removed(file: Path) -> None:
    assert journal(file).load() is None
    journal(file).save(DONE)
    assert journal(file).load() == DONE
    journal(file).remove()
    assert journal(file).load() is None


def test_another_content_or_another_way_begins_anew(file: Path) -> None:
    journal(file, "mot-cua").save(DONE)
    assert journal(file, "phan-anh").load() is None
    file.write_bytes(b"a,b\n1,3\n")
    assert journal(file, "mot-cua").load() is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"identity": "x"}', "\x00\x01", '{"rows": '])
def test_a_journal_that_is_torn_is_none(file: Path, content: str) -> None:
    file.with_name("ho-so.csv.ioc-journal").write_text(content)
    assert journal(file).load() is None


def test_where_the_folder_may_not_be_written_to_it_lies_in_the_state_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    journal(file).save(DONE)
    assert journal(file).load() == DONE
    assert list((file.parent / "state").iterdir())
