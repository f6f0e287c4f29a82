"""Where the settings keep stills."""

from pathlib import Path

import pytest

from ioc.adapters.evidence import S3Access, evidence_of, evidence_place
from ioc.errors import ConfigurationError
from ioc.settings import Settings


def test_stills_lie_in_the_state_folder_unless_the_settings_say_where(tmp_path: Path) -> None:
    store = evidence_of(Settings(state=tmp_path))
    path = store.path_of(store.put(b"x"))
    assert path is not None
    assert path.is_relative_to((tmp_path / "evidence").resolve())
    store = evidence_of(Settings(state=tmp_path, evidence=str(tmp_path / "share")))
    path = store.path_of(store.put(b"x"))
    assert path is not None
    assert path.is_relative_to((tmp_path / "share").resolve())


def test_a_bucket_is_reached_with_the_key_whose_secret_lies_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    settings = Settings(
        evidence="s3://bucket/ioc",
        evidence_endpoint="https://minio.invalid",
        evidence_key_id="ioc",
        evidence_secret_file=secret,
    )
    place, access = evidence_place(settings)
    assert place == "s3://bucket/ioc"
    assert access == S3Access(endpoint="https://minio.invalid", key_id="ioc", secret="s3cret")
    assert "s3cret" not in repr(access)


@pytest.mark.parametrize(
    ("text", "key_id", "told"),
    [
        pytest.param(None, "ioc", "can't be read", id="no file"),
        pytest.param("\n", "ioc", "is empty", id="an empty file"),
        pytest.param("s3cret", "", "together", id="a secret without its key"),
    ],
)
def test_a_secret_that_is_none_is_a_sentence(tmp_path: Path, text: str | None, key_id: str, told: str) -> None:
    file = tmp_path / "secret"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=told):
        evidence_place(Settings(evidence="s3://b-1", evidence_key_id=key_id, evidence_secret_file=file))


def test_a_key_without_its_secret_is_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="together"):
        evidence_place(Settings(evidence="s3://b-1", evidence_key_id="ioc"))
