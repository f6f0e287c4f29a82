"""The evidence store: stills kept by the hash of their bytes, behind references that travel in records (claim check).

A reference is `evidence://sha256/<64 hex digits>` and nothing else. The place of an object is built from those digits
alone, so no reference can point outside the store, and what is read back is checked against them.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from ioc.errors import ConfigurationError, InvalidRecord, TransientError
from ioc.evidence.retention import Retention, Verdict
from ioc.frames import MAX_FRAME_BYTES, sha256_hex

if TYPE_CHECKING:  # the stubs have it, the module does not
    from obstore.store import S3Config

    from ioc.settings import Settings

__all__ = [
    "EvidenceStore",
    "S3Access",
    "evidence_of",
    "evidence_place",
    "evidence_reference",
    "first_line",
    "object_digest",
    "open_evidence",
    "passing_mark",
    "retention_of",
]

_PREFIX = "evidence://sha256/"
_REFERENCE = re.compile(r"evidence://sha256/([0-9a-f]{64})", re.ASCII)
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w.-]+)*)/?", re.ASCII)
_RETRY = timedelta(seconds=10)  # of one request; the agents have their own patience


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How an object store is reached. What is empty is taken from the usual AWS_* variables or the machine's role."""

    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = field(default="", repr=False)


def evidence_reference(sha256: str) -> str:
    """Returns the reference of the still whose bytes hash to `sha256` (64 lower-case hex digits)."""
    return f"{_PREFIX}{sha256}"


class EvidenceStore:
    """Stills by content. Safe to share between threads; every method blocks, so call it from a thread in a service."""

    def __init__(self, store: ObjectStore, *, root: Path | None = None) -> None:
        self._store = store
        self._root = root

    @property
    def objects(self) -> ObjectStore:
        """The store itself, for what is kept beside the stills."""
        return self._store

    def put(self, jpeg: bytes) -> str:
        """Stores `jpeg` and returns its reference; storing it again changes nothing, but that it no longer only passes.

        A reader sees the whole object or none: the store writes beside it and renames.

        Raises:
            TransientError: the store can't be written now (disk full, no permission, away).
        """
        digest = sha256_hex(jpeg)
        name = _object_name(digest)
        try:
            # A size that differs is what a crash of the disk left behind: write it again.
            if self._size_bytes(name) != len(jpeg):
                obstore.put(self._store, name, jpeg, mode="overwrite", use_multipart=False)
            self._unmark(digest)
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't keep a still: {first_line(error)}") from error
        return evidence_reference(digest)

    def put_passing(self, jpeg: bytes) -> str:
        """Stores a frame that only passes through, since it is too large for its record; returns its reference.

        It is let go soon, unless somebody puts it for good. One that is kept already stays so.

        Raises:
            TransientError: as for `put`.
        """
        digest = sha256_hex(jpeg)
        name, mark = _object_name(digest), passing_mark(digest)
        try:
            if self._size_bytes(name) != len(jpeg) or self._size_bytes(mark) is not None:
                obstore.put(self._store, mark, b"", mode="overwrite", use_multipart=False)
                obstore.put(self._store, name, jpeg, mode="overwrite", use_multipart=False)
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't keep a still: {first_line(error)}") from error
        return evidence_reference(digest)

    def _unmark(self, digest: str) -> None:
        mark = passing_mark(digest)
        if self._size_bytes(mark) is not None:
            with suppress(FileNotFoundError):  # somebody else was here
                obstore.delete(self._store, mark)

    def get(self, reference: str) -> bytes:
        """Returns the bytes of `reference`.

        Raises:
            InvalidRecord: `bad_dataref` (another scheme, or malformed), `missing_evidence`, `frame_too_large`, or
                `corrupt_evidence` (the bytes no longer have that hash).
            TransientError: the store can't be read now.
        """
        digest = _digest(reference)
        name = _object_name(digest)
        try:
            size_bytes = self._size_bytes(name)
            if size_bytes is None:
                raise _missing(reference)
            if size_bytes > MAX_FRAME_BYTES:
                raise InvalidRecord(
                    "frame_too_large",
                    field="ce_dataref",
                    vi=f"Ảnh trong kho bằng chứng có {size_bytes} byte, vượt giới hạn {MAX_FRAME_BYTES} byte.",
                    en=f"the stored still has {size_bytes} bytes, over the limit of {MAX_FRAME_BYTES}",
                )
            data = bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:  # removed between the two calls
            raise _missing(reference) from None
        except (BaseError, OSError) as error:
            raise TransientError(f"the evidence store can't be read: {first_line(error)}") from error
        if sha256_hex(data) != digest:
            raise InvalidRecord(
                "corrupt_evidence",
                field="ce_dataref",
                vi=f"Nội dung của {reference} không khớp mã băm; tệp trong kho bằng chứng đã hỏng.",
                en=f"the bytes of {reference} no longer have that hash: the file in the evidence store is damaged",
            )
        return data

    def path_of(self, reference: str) -> Path | None:
        """Returns where `reference` lies (or would lie) on this machine; None for a store that is no local folder.

        Raises:
            InvalidRecord: `bad_dataref`.
        """
        name = _object_name(_digest(reference))
        return None if self._root is None else self._root / name

    def _size_bytes(self, name: str) -> int | None:
        try:
            return int(obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            return None


def open_evidence(url_or_path: str | Path, s3: S3Access | None = None) -> EvidenceStore:
    """Returns the store at a folder (made where missing), `file:///…`, `s3://bucket[/prefix]`, or `memory:` (tests).

    An object store is not asked here: whether it answers shows with the first still.

    Raises:
        ConfigurationError: another scheme, a bucket's name that is none, or a folder that can't be made or written.
    """
    text = str(url_or_path)
    if isinstance(url_or_path, str):
        if text.rstrip("/") == "memory:":
            return EvidenceStore(MemoryStore())
        if text.startswith("s3://"):
            return EvidenceStore(_s3_store(text, s3 or S3Access()))
        if text.startswith("file:///"):
            text = text.removeprefix("file://")
        elif "://" in text:
            raise ConfigurationError(
                f"evidence store {text.split('://')[0]}://…: give a folder that every worker and on-call can reach, "
                "or s3://bucket/prefix"
            )
    root = Path(text)
    try:
        root.mkdir(parents=True, exist_ok=True)
        return EvidenceStore(LocalStore(prefix=root), root=root.resolve())
    except (BaseError, OSError) as error:
        raise ConfigurationError(
            f"evidence store {root}: the folder can't be made or opened ({first_line(error)}); "
            "give another folder or its owner's rights"
        ) from error


def evidence_place(settings: "Settings") -> tuple[str | Path, S3Access]:
    """Returns where the settings keep stills, and how an object store is reached.

    Raises:
        ConfigurationError: the secret can't be read, or a key without its secret.
    """
    access = S3Access(
        endpoint=settings.evidence_endpoint,
        region=settings.evidence_region,
        key_id=settings.evidence_key_id,
        secret=_secret(settings.evidence_secret_file),
    )
    if bool(access.key_id) != bool(access.secret):
        raise ConfigurationError("set IOC_EVIDENCE_KEY_ID and IOC_EVIDENCE_SECRET_FILE together, or neither")
    return settings.evidence or settings.state / "evidence", access


def retention_of(settings: "Settings") -> Retention:
    """Returns how long the settings keep stills."""
    days: dict[Verdict, int] = {
        "true_positive": settings.evidence_days_true_positive,
        "other_smoke": settings.evidence_days_other_smoke,
        "unsure": settings.evidence_days_unsure,
        "false_positive": settings.evidence_days_false_positive,
        "": settings.evidence_days_no_verdict,
    }
    return Retention(days=days, loose_days=settings.evidence_days_loose, passing_days=settings.evidence_days_passing)


def evidence_of(settings: "Settings") -> EvidenceStore:
    """Returns the store of the settings; raises what `evidence_place` and `open_evidence` raise."""
    return open_evidence(*evidence_place(settings))


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"IOC_EVIDENCE_SECRET_FILE {path}: the secret can't be read ({type(error).__name__}); check the file"
        ) from None
    if not text:
        raise ConfigurationError(f"IOC_EVIDENCE_SECRET_FILE {path}: the file is empty; write the key's secret into it")
    return text


def _s3_store(url: str, access: S3Access) -> S3Store:
    match = _BUCKET.fullmatch(url)
    if match is None:
        raise ConfigurationError(f"evidence store {url[:80]!r}: write s3://bucket or s3://bucket/prefix")
    config: S3Config = {"region": access.region}
    if access.endpoint:
        config["endpoint"] = access.endpoint
    if access.key_id:
        config["access_key_id"] = access.key_id
        config["secret_access_key"] = access.secret
    is_plain = access.endpoint.startswith("http://")
    try:
        return S3Store(
            match[1],
            prefix=match[2].strip("/") or None,
            config=config,
            client_options={"allow_http": is_plain, "timeout": _RETRY},
            retry_config={"max_retries": 1, "retry_timeout": _RETRY},
        )
    except (BaseError, ValueError) as error:
        raise ConfigurationError(f"evidence store {url}: {first_line(error)}") from error


def _digest(reference: str) -> str:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidRecord(
            "bad_dataref",
            field="ce_dataref",
            vi=f"ce_dataref={reference[:120]!r} không hợp lệ; chỉ nhận {_PREFIX}<64 chữ số hex>.",
            en=f"ce_dataref={reference[:120]!r} is not of the form {_PREFIX}<64 hex digits>; nothing else is fetched",
        )
    return match.group(1)


def passing_mark(digest: str) -> str:
    """Returns the place of the empty object that says: the still of that hash only passes through."""
    return f"passing/{digest}"


def _object_name(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest}.jpg"  # 256 folders keep each listing short


def _missing(reference: str) -> InvalidRecord:
    return InvalidRecord(
        "missing_evidence",
        field="ce_dataref",
        vi=f"Không có {reference} trong kho bằng chứng; gửi lại khung hình hoặc kiểm tra thời hạn lưu.",
        en=f"{reference} is not in the evidence store: send the frame again, or check how long stills are kept",
    )


def object_digest(name: str) -> str:
    """Returns the hash in the name of a still's object."""
    return name.rsplit("/", 1)[-1].removesuffix(".jpg")


def first_line(error: BaseException) -> str:
    """Returns what an error of the store says, without its debug dump."""
    return (str(error).splitlines() or [type(error).__name__])[0]
