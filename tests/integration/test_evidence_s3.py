"""The evidence store on an object store: the same stills, the same cases, the same refusals."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from ioc.adapters.case_stills import CaseStills, Swept
from ioc.adapters.evidence import EvidenceStore, S3Access, open_evidence
from ioc.errors import InvalidRecord, TransientError
from ioc.frames import sha256_hex

STILL = b"\xff\xd8\xff some still"
KEYS = {"key_id": "testing", "secret": "testing"}


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str) -> EvidenceStore:
    access = S3Access(endpoint=endpoint, **KEYS)
    _make_bucket(endpoint)
    return open_evidence("s3://ioc-evidence/lam-dong", access)


def _make_bucket(endpoint: str) -> None:
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(Bucket="ioc-evidence")


def test_stills_and_cases_live_in_a_bucket_below_their_prefix(store: EvidenceStore, endpoint: str) -> None:
    reference = store.put(STILL)
    assert store.put(STILL) == reference
    assert store.get(reference) == STILL
    assert store.path_of(reference) is None
    cases = CaseStills(store)
    at = datetime(2026, 11, 22, 3, tzinfo=UTC)
    cases.add("smoke-1", at, sha256_hex(STILL))
    assert [still.sha256 for still in cases.of("smoke-1")] == [sha256_hex(STILL)]
    bucket = S3Store(
        "ioc-evidence",
        config={"endpoint": endpoint, "region": "us-east-1", "access_key_id": "t", "secret_access_key": "t"},
        client_options={"allow_http": True},
    )
    names = [entry["path"] for chunk in obstore.list(bucket) for entry in chunk]
    assert len(names) == 2
    assert all(name.startswith("lam-dong/") for name in names)
    later = datetime.now(UTC) + timedelta(days=31)
    assert cases.sweep(["smoke-1"], now=later, loose=timedelta(days=30)) == Swept(1, 1, len(STILL))
    with pytest.raises(InvalidRecord, match="missing_evidence"):
        store.get(reference)


def test_a_store_that_is_away_is_a_trouble_that_passes(unused_tcp_port: int) -> None:
    away = open_evidence("s3://ioc-evidence", S3Access(endpoint=f"http://127.0.0.1:{unused_tcp_port}", **KEYS))
    with pytest.raises(TransientError, match="can't keep a still"):
        away.put(STILL)


def test_a_secret_shows_in_no_text(endpoint: str) -> None:
    access = S3Access(endpoint=endpoint, key_id="key", secret="hidden")
    assert "hidden" not in repr(access)
