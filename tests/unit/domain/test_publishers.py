"""Who may tell what."""

import pytest

from ioc.catalog import load_catalog
from ioc.errors import ConfigurationError
from ioc.publishers import Publisher
from ioc.settings import load_settings

OFFICE = Publisher(
    name="van-phong",
    title_vi="Văn phòng",
    title_en="Office",
    sources=("/lam-dong/onestop/motcua", "/lam-dong/eoffice"),
    types=("dossier.*", "document.exchanged"),
)


@pytest.mark.parametrize(
    ("source", "type_name", "reason"),
    [
        ("/lam-dong/onestop/motcua", "dossier.submitted", None),
        ("/lam-dong/onestop/motcua/2", "dossier.paid", None),
        ("/lam-dong/eoffice", "document.exchanged", None),
        ("/lam-dong/onestop/motcua2", "dossier.submitted", "not_your_source"),
        ("/lam-dong/onestop", "dossier.submitted", "not_your_source"),
        ("", "dossier.submitted", "not_your_source"),
        ("/lam-dong/onestop/motcua", "procedure.registered", "not_your_type"),
    ],
)
def test_a_publisher_tells_only_what_is_its_own(source: str, type_name: str, reason: str | None) -> None:
    refusal = OFFICE.refusal(source, type_name)
    assert (refusal.reason if refusal else None) == reason


def test_every_shipped_publisher_has_types_to_tell() -> None:
    catalog = load_catalog(load_settings().catalog)
    assert catalog.publishers
    for publisher in catalog.publishers.values():
        assert publisher.own_types(catalog.event_types), publisher.name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("So Y Te: {title_vi: a, sources: [health]}", "small letters"),
        ("a-b: {title_vi: a, sources: [/lam-dong/health]}", "must begin with a family"),
        ("a-b: {title_vi: a, sources: [healthy]}", "must begin with a family"),
        ("a-b: {title_vi: a, sources: [health], types: [dossier.submitted]}", "no event type of its sources"),
        ("a-b: {title_vi: a, sources: []}", "sources"),
    ],
)
def test_a_wrong_publisher_is_a_sentence(text: str, sentence: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    shipped = load_settings().catalog
    folder = tmp_path_factory.mktemp("catalog")
    for path in shipped.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "publishers.yaml").unlink()
    (folder / "publishers.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"publishers\.yaml") as refused:
        load_catalog(folder)
    assert sentence in str(refused.value)
