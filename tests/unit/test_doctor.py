"""What doctor says, whose partitioner it blames, how a password is proved, and what settings let a client in."""

import base64
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ioc.adapters.acls import ROLES, Operation, Resource, catalog_acls, publisher_topics
from ioc.adapters.doctor_kafka import SeenTopic, judged_skew, look_at_topics
from ioc.adapters.kafka_access import KafkaAddress, Security, kafka_access, kafka_arguments, security_of
from ioc.broker.java import argument_file
from ioc.broker.scram import ScramClient, ScramRefused
from ioc.catalog import Catalog, load_catalog
from ioc.doctor import FINDINGS, Placed, blame, finding
from ioc.errors import ConfigurationError
from ioc.partitioning import partitioner
from ioc.settings import Settings, load_settings
from streams import detections_to_incidents, events_to_entities, frames_to_detections

READ_WRITE = 1 << Operation.READ | 1 << Operation.WRITE


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(load_settings().catalog)


# ---- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", FINDINGS)
def test_every_finding_speaks_both_languages_and_every_fault_says_what_to_do(code: str) -> None:
    status, vi, en, fix_vi, fix_en = FINDINGS[code]
    assert vi
    assert en
    assert vi != en
    assert bool(fix_vi) == bool(fix_en)
    assert fix_vi or status in ("ok", "skipped")


def test_braces_in_what_others_said_are_harmless() -> None:
    assert "{x}" in finding("not_kafka", place="h:1", said="{x}").en


# ---- partitioner -----------------------------------------------------------------------------------------------------


def _keys(count: int) -> list[bytes]:
    return [f"key-{number}".encode() for number in range(count)]


def test_records_where_murmur2_puts_them_are_well_and_others_are_counted() -> None:
    placed = [Placed(key=key, partition=partitioner(4)([key])[0], partitions=4) for key in _keys(50)]
    assert blame(placed).code == "partitioner"
    crc = [Placed(key=key, partition=zlib.crc32(key) % 4, partitions=4) for key in _keys(50)]
    assert "CRC32" in blame([*crc, *placed]).en  # with the copies that the worker sends home
    assert "100 records" in blame([*crc, *placed]).en


def test_one_partition_for_all_is_nobody_s_rule_and_few_records_blame_nobody() -> None:
    lazy = [Placed(key=key, partition=0, partitions=4) for key in _keys(50)]
    few = [Placed(key=key, partition=zlib.crc32(key) % 4, partitions=4) for key in _keys(4)]
    for records in (lazy, few):
        assert blame(records).code == "wrong_partitioner"
        assert "CRC32" not in blame(records).en


# ---- topics, rights, clock -------------------------------------------------------------------------------------------


def _seen(name: str, *, partitions: int = 4, operations: int = READ_WRITE, is_hidden: bool = False) -> SeenTopic:
    return SeenTopic(name=name, partitions=partitions, operations=operations, is_hidden=is_hidden)


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ({}, ["topics", "rights"]),
        ({"partitions": 0, "operations": 0}, ["topic_missing"]),
        ({"partitions": 7}, ["partition_count"]),
        ({"operations": 1 << Operation.READ}, ["missing_right"]),
        ({"partitions": 0, "operations": 0, "is_hidden": True}, ["missing_right"]),
    ],
)
def test_topics_are_judged_against_the_catalogue(catalog: Catalog, seen: dict[str, int], codes: list[str]) -> None:
    publisher = catalog.publishers["so-y-te"]
    topics = publisher_topics(catalog, publisher)
    found = look_at_topics(catalog, {name: _seen(name, **seen) for name in topics}, topics, publisher, "h:1")
    assert [one.code for one in found] == codes


@pytest.mark.parametrize(
    ("skew_s", "status"),
    [(0, "ok"), (-299, "ok"), (301, "warning"), (-899, "warning"), (901, "fault"), (-901, "fault")],
)
def test_a_clock_is_warned_of_after_five_minutes_and_faulty_after_fifteen(skew_s: float, status: str) -> None:
    assert judged_skew(skew_s, than_vi="x", than_en="x").status == status


def test_rights_are_those_of_the_catalogue_and_no_more(catalog: Catalog) -> None:
    acls = catalog_acls(catalog)
    health = {acl.name for acl in acls if acl.principal == "User:so-y-te"}
    assert health == {*publisher_topics(catalog, catalog.publishers["so-y-te"]), "ioc.doctor"}
    assert {acl.operation for acl in acls} == {Operation.READ, Operation.WRITE, Operation.DESCRIBE}
    assert not [acl for acl in acls if acl.resource == Resource.CLUSTER or acl.name == "*"]
    groups = {acl.name for acl in acls if acl.resource == Resource.GROUP and acl.principal == "User:worker"}
    assert groups == {found.APP_ID for found in (events_to_entities, detections_to_incidents, frames_to_detections)}


@pytest.mark.parametrize("name", [*ROLES, "admin"])
def test_a_publisher_is_not_named_like_a_service(catalog: Catalog, name: str) -> None:
    publishers = {name: replace(catalog.publishers["so-y-te"], name=name)}
    with pytest.raises(ConfigurationError, match=rf"publishers.yaml: {name}"):
        catalog_acls(replace(catalog, publishers=publishers))


# ---- SCRAM -----------------------------------------------------------------------------------------------------------


def test_scram_gives_the_proof_of_rfc_7677() -> None:
    client = ScramClient("SCRAM-SHA-256", "user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = client.final(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode())
    assert final == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
    client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ScramRefused):
        client.check(b"v=" + base64.b64encode(b"another server"))


@given(st.binary(max_size=60))
def test_whatever_a_server_says_first_is_scram_or_refused(said: bytes) -> None:
    with pytest.raises(ScramRefused):
        ScramClient("SCRAM-SHA-256", "user", "pencil", nonce="nonce").final(said)


# ---- settings --------------------------------------------------------------------------------------------------------


def _settings(**changes: object) -> Settings:
    return Settings(**({"broker": "h:1"} | changes))  # type: ignore[arg-type]  # a table of values


def test_without_settings_kafka_is_spoken_to_in_clear_text() -> None:
    assert kafka_arguments(kafka_access(_settings())) == kafka_arguments("h:1") == {"bootstrap_servers": "h:1"}


def test_a_user_gets_in_by_scram_over_tls_and_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hidden!\n", encoding="utf-8")
    address = kafka_access(_settings(kafka_user="worker", kafka_password_file=tmp_path / "password"), "other:2")
    arguments = kafka_arguments(address)
    assert (address, arguments["bootstrap_servers"]) == ("other:2", "other:2")
    assert (arguments["security_protocol"], arguments["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("worker", "hidden!")
    assert arguments["ssl_context"].check_hostname
    assert "hidden!" not in f"{address} {address!r} {security_of(address)} {_settings(kafka_password='hidden!')!r}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kafka_user": "worker"}, "IOC_KAFKA_PASSWORD_FILE or IOC_KAFKA_PASSWORD is not set"),
        ({"kafka_security": "SASL_SSL", "kafka_password": SecretStr("x")}, "IOC_KAFKA_USER is not set"),
        ({"kafka_password": SecretStr("x")}, "no user sends it"),
        ({"kafka_user": "worker", "kafka_password_file": Path("/no/such")}, "can't be read"),
        ({"kafka_ca": Path("/no/such")}, "IOC_KAFKA_CA"),
        ({"kafka_ca": Path(__file__)}, "holds no certificate"),
    ],
)
def test_settings_that_do_not_fit_are_a_sentence(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        kafka_access(_settings(**changes))


def test_an_address_is_the_text_that_it_always_was() -> None:
    address = KafkaAddress("a:1,b:2", Security(protocol="SASL_SSL", user="u", password="p"))
    assert isinstance(address, str)
    assert address.split(",") == ["a:1", "b:2"]
    assert f"{address}" == "a:1,b:2"


def test_arguments_of_java_keep_their_spaces_quotes_and_backslashes() -> None:
    assert argument_file(["-cp", 'a b"c\\d']) == '"-cp"\n"a b\\"c\\\\d"\n'
