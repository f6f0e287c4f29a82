"""A certificate authority of the embedded broker's own, and the certificate that its nodes show and are known by."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["NODE_NAME", "Certificates", "provide_certificates", "write_private"]

NODE_NAME = "ioc-kafka-node"
_CA_LIFE = timedelta(days=3650)
_NODE_LIFE = timedelta(days=397)  # renewed at a start; some clients refuse what is valid for longer
_RENEW_BEFORE = timedelta(days=60)
# Clocks differ: a certificate of this minute would be refused by a client whose clock is a little behind.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files. `node` holds key and certificate, and only its owner may read it; `ca` is for every client."""

    ca: Path
    node: Path


def write_private(file: Path, content: bytes | str) -> None:
    """Writes `file` so that only its owner may ever have read it."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = content.encode() if isinstance(content, str) else content
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
    fresh.replace(file)


def provide_certificates(folder: Path, hosts: Sequence[str], now: datetime) -> Certificates:
    """Returns the certificates in `folder`; the authority is made once, the node's certificate as often as need be.

    `hosts`: names and addresses that clients use. Elliptic keys on P-256, which Java and OpenSSL both know.
    """
    found = Certificates(ca=folder / "ca.pem", node=folder / "node.pem")
    authority = folder / "ca-key.pem"
    if not (found.ca.exists() and authority.exists()) or _is_ending(found.ca, now):
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("IOC embedded Kafka, authority")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = _builder(name, name, key, now, _CA_LIFE).add_extension(constraints, critical=True)
        certificate = certificate.add_extension(_usage(signs_certificates=True), critical=True)
        write_private(authority, _pem(key))
        write_private(found.node, "")  # what another authority signed
        found.ca.write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    if _is_ending(found.node, now) or _names(found.node) != set(hosts):
        write_private(found.node, _signed_node(found.ca, authority, hosts, now))
    return found


def _signed_node(ca_file: Path, authority: Path, hosts: Sequence[str], now: datetime) -> bytes:
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    ca_key = serialization.load_pem_private_key(authority.read_bytes(), password=None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        _builder(_name(NODE_NAME), ca.subject, key, now, _NODE_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(uses, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 without a password, as Kafka reads it; the file's mode is what protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_ending(file: Path, now: datetime) -> bool:
    certificate = _certificate(file)
    return certificate is None or certificate.not_valid_after_utc - _RENEW_BEFORE < now.astimezone(UTC)


def _names(file: Path) -> set[str]:
    certificate = _certificate(file)
    if certificate is None:
        return set()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _certificate(file: Path) -> x509.Certificate | None:
    """The certificate in a PEM file; None where there is none that can be read."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return None
