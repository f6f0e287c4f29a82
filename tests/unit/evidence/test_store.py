import threading
from pathlib import Path

import pytest

from ioc.adapters.evidence import EvidenceStore, evidence_reference, open_evidence
from ioc.errors import ConfigurationError, InvalidRecord, TransientError
from ioc.frames import MAX_FRAME_BYTES, sha256_hex

STILL = b"\xff\xd8\xff some still"


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EvidenceStore:
    return open_evidence("memory:" if request.param == "memory" else tmp_path / "made" / "on demand")


def test_a_still_comes_back_by_the_reference_of_its_hash(store: EvidenceStore) -> None:
    reference = store.put(STILL)
    assert reference == evidence_reference(sha256_hex(STILL)) == f"evidence://sha256/{sha256_hex(STILL)}"
    assert store.get(reference) == STILL


def test_storing_the_same_still_again_gives_the_same_reference(store: EvidenceStore) -> None:
    assert store.put(STILL) == store.put(STILL)
    assert store.get(store.put(STILL)) == STILL


HEX = sha256_hex(STILL)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("", id="empty"),
        pytest.param(f"http://127.0.0.1/sha256/{HEX}", id="another scheme"),
        pytest.param(f"file:///sha256/{HEX}", id="file scheme"),
        pytest.param("evidence://sha256/../../etc/passwd", id="traversal"),
        pytest.param(f"evidence://sha256/..%2f{HEX}", id="encoded traversal"),
        pytest.param(f"evidence://sha256/{HEX}/../x", id="traversal after the hash"),
        pytest.param(f"evidence://sha256/{HEX[:-1]}", id="too short"),
        pytest.param(f"evidence://sha256/{HEX}0", id="too long"),
        pytest.param(f"evidence://sha256/{HEX.upper()}", id="upper case"),
        pytest.param(f"evidence://sha256/{HEX}\n", id="trailing line end"),
        pytest.param(f"EVIDENCE://sha256/{HEX}", id="scheme in upper case"),
        pytest.param(f"evidence://md5/{HEX}", id="another hash"),
        pytest.param("evidence://sha256/" + "١" * 64, id="digits of another script"),
        pytest.param("evidence://sha256/" + "a" * 1_000_000, id="a megabyte"),
    ],
)
def test_any_other_reference_is_refused_and_nothing_is_opened(store: EvidenceStore, reference: str) -> None:
    for ask in (store.get, store.path_of):
        with pytest.raises(InvalidRecord) as refusal:
            ask(reference)
        assert refusal.value.reason == "bad_dataref"
        assert len(str(refusal.value)) < 500


def test_a_still_that_is_not_there_is_missing_evidence(store: EvidenceStore) -> None:
    with pytest.raises(InvalidRecord, match="missing_evidence") as refusal:
        store.get(evidence_reference("0" * 64))
    assert refusal.value.field == "ce_dataref"


def test_the_path_of_a_still_lies_inside_the_folder_and_holds_its_bytes(tmp_path: Path) -> None:
    store = open_evidence(str(tmp_path))
    path = store.path_of(store.put(STILL))
    assert path is not None
    assert path.is_relative_to(tmp_path.resolve())
    assert path.read_bytes() == STILL
    assert open_evidence(f"file://{tmp_path}").get(evidence_reference(HEX)) == STILL


def test_a_store_in_memory_has_no_path() -> None:
    assert open_evidence("memory:///").path_of(evidence_reference(HEX)) is None


def test_changed_bytes_are_refused_as_corrupt(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    path = store.path_of(store.put(STILL))
    assert path is not None
    path.write_bytes(STILL[:-1] + b"X")
    with pytest.raises(InvalidRecord, match="corrupt_evidence"):
        store.get(evidence_reference(HEX))


def test_a_still_cut_short_by_a_crash_is_healed_by_storing_it_again(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    path = store.path_of(store.put(STILL))
    assert path is not None
    path.write_bytes(STILL[:3])
    assert store.get(store.put(STILL)) == STILL


def test_an_object_grown_beyond_a_frame_is_refused_before_it_is_read(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    path = store.path_of(store.put(STILL))
    assert path is not None
    with path.open("wb") as file:
        file.truncate(MAX_FRAME_BYTES + 1)
    with pytest.raises(InvalidRecord, match="frame_too_large"):
        store.get(evidence_reference(HEX))


def test_writers_of_one_still_at_once_leave_it_whole(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    still = STILL * 5_000
    threads = [threading.Thread(target=store.put, args=(still,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(evidence_reference(sha256_hex(still))) == still
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_store_that_can_not_be_written_is_worth_another_try(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    (tmp_path / "sha256").write_text("a file where the folder should be")
    with pytest.raises(TransientError, match="evidence store"):
        store.put(STILL)


def test_a_folder_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"evidence store .*file/below.*give another folder"):
        open_evidence(tmp_path / "file" / "below")


@pytest.mark.parametrize("url", ["gs://bucket/key", "http://user:secret@host/x", "ftp://x"])
def test_other_kinds_of_store_are_refused_without_showing_the_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="give a folder that every worker") as refusal:
        open_evidence(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", ["s3://", "s3://B!/x", "s3://user:secret@bucket", "s3://bucket/../other"])
def test_a_bucket_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"evidence store .*s3:"):
        open_evidence(url)
