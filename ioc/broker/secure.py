"""Who may enter the embedded broker: its certificates, its users and their passwords, kept in one private folder."""

import os
import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ioc.adapters.kafka_access import KafkaAddress, Security
from ioc.broker.certificates import NODE_NAME, Certificates, provide_certificates, write_private
from ioc.broker.scram import salted
from ioc.broker.wire import Reader, open_connection
from ioc.errors import ConfigurationError, PermanentError

__all__ = ["ADMIN", "SecureSite", "broker_properties", "ensure_users", "provide_site"]

ADMIN = "admin"
_NODE_USER = "broker"  # who the nodes are to each other on the clients' listener
_MECHANISM: Literal["SCRAM-SHA-256"] = "SCRAM-SHA-256"
_ITERATIONS = 8192  # Kafka takes 4,096 to 16,384; the passwords are random, so that more would only cost time
_ALTER_USERS_KEY = 51


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureSite:
    """A broker's private folder: `certificates`, and the passwords of `users` in `users/NAME.password`."""

    folder: Path
    certificates: Certificates
    users: tuple[str, ...]

    def password(self, user: str) -> str:
        return self.password_file(user).read_text(encoding="utf-8").strip()

    def password_file(self, user: str) -> Path:
        return self.folder / "users" / f"{user}.password"

    def security(self, user: str) -> Security:
        """How `user` gets in."""
        return Security(
            protocol="SASL_SSL",
            mechanism=_MECHANISM,
            user=user,
            password=self.password(user),
            ca=self.certificates.ca,
        )

    def address(self, servers: str, user: str = ADMIN) -> KafkaAddress:
        return KafkaAddress(servers, self.security(user))

    def format_arguments(self) -> list[str]:
        """What `kafka-storage format` needs besides: the users without whom nobody could make the others."""
        return [
            argument
            for user in (ADMIN, _NODE_USER)
            for argument in ("--add-scram", f"{_MECHANISM}=[name={user},password={self.password(user)}]")
        ]

    def write_environments(self, servers: str) -> Path:
        """Writes `users/NAME.env` for each user: the settings of a client, for a shell or a systemd unit."""
        for user in self.users:
            write_private(
                self.folder / "users" / f"{user}.env",
                f"IOC_BROKER={servers}\nIOC_KAFKA_USER={user}\n"
                f"IOC_KAFKA_PASSWORD_FILE={self.password_file(user)}\nIOC_KAFKA_CA={self.certificates.ca}\n",
            )
        return self.folder / "users"


def provide_site(folder: Path, *, host: str, users: Iterable[str], now: datetime | None = None) -> SecureSite:
    """Returns the site in `folder`, made or completed: what is there stays, also the passwords.

    Raises:
        ConfigurationError: the folder can't be written.
    """
    folder = folder.absolute()
    hosts = tuple(dict.fromkeys((host, "127.0.0.1", "localhost")))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(folder, 0o700)
        certificates = provide_certificates(folder, hosts, now or datetime.now(UTC))
        site = SecureSite(folder=folder, certificates=certificates, users=tuple(dict.fromkeys((ADMIN, *users))))
        for user in (*site.users, _NODE_USER):
            if not site.password_file(user).exists():
                write_private(site.password_file(user), secrets.token_urlsafe(24) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: certificates and passwords can't be kept there ({error.strerror or error}); "
            f"choose a folder that this user may write to, with --dir"
        ) from None
    return site


def broker_properties(site: SecureSite, *, controller_listener: str) -> dict[str, object]:
    """Returns the settings that turn a node's listeners secure: clients by password over TLS, nodes by certificate.

    The controllers' listener takes only who shows a certificate of our authority, which signs nothing but the nodes'.
    """
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="{_NODE_USER}" password="{site.password(_NODE_USER)}";'
    )
    return {
        "inter.broker.listener.name": "SASL_SSL",
        "listener.security.protocol.map": f"SASL_SSL:SASL_SSL,{controller_listener}:SSL",
        "sasl.enabled.mechanisms": _MECHANISM,
        "sasl.mechanism.inter.broker.protocol": _MECHANISM,
        f"listener.name.sasl_ssl.{_MECHANISM.lower()}.sasl.jaas.config": login,
        f"listener.name.{controller_listener.lower()}.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": site.certificates.node,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": site.certificates.ca,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN};User:{_NODE_USER};User:CN={NODE_NAME}",
    }


def ensure_users(host: str, port: int, site: SecureSite, *, timeout_s: float = 10.0) -> None:
    """Makes the site's users known to the running broker, or gives them their passwords again.

    Raises:
        PermanentError: Kafka refused one. OSError, NotKafka, LoginRefused: see `open_connection`.
    """
    users = [user for user in site.users if user != ADMIN]
    if not users:
        return
    body = b"\1" + _compact_array([_upsertion(user, site.password(user)) for user in users]) + b"\0"
    with open_connection(host, port, timeout_s=timeout_s, security=site.security(ADMIN)) as connection:
        refused = _refused(connection.ask(_ALTER_USERS_KEY, 0, body, is_compact=True))
    if refused:
        raise PermanentError(f"Kafka did not take user {refused[0]}: {refused[1]}")


def _upsertion(user: str, password: str) -> bytes:
    """A row of AlterUserScramCredentials: only the salted password travels, and is what the broker keeps."""
    salt = secrets.token_bytes(24)
    key = salted(_MECHANISM, password, salt, _ITERATIONS)
    return _compact(user.encode()) + struct.pack(">bi", 1, _ITERATIONS) + _compact(salt) + _compact(key) + b"\0"


def _refused(answer: Reader) -> tuple[str, str] | None:
    answer.number("i")  # throttle time
    first: tuple[str, str] | None = None
    for _ in range(answer.varint() - 1):
        user, code, said = answer.compact_text(), answer.number("h"), answer.compact_text()
        answer.skip_tags()
        if code and first is None:
            first = user or "", said or f"error {code}"
    return first


def _compact(value: bytes) -> bytes:
    return _varint(len(value) + 1) + value


def _compact_array(items: Sequence[bytes]) -> bytes:
    return _varint(len(items) + 1) + b"".join(items)


def _varint(value: int) -> bytes:
    octets = b""
    while value > 0x7F:
        octets += bytes([value & 0x7F | 0x80])
        value >>= 7
    return octets + bytes([value])
