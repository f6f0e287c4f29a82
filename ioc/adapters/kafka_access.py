"""How the product's Kafka clients get in: the one place that turns settings into arguments for aiokafka and Faust."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ioc.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

    from ioc.settings import Settings

__all__ = [
    "KafkaAddress",
    "Mechanism",
    "Protocol",
    "Security",
    "faust_arguments",
    "kafka_access",
    "kafka_arguments",
    "no_broker",
    "security_of",
    "trusting",
]

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
"""Kafka's own names of how a listener is spoken to."""

Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Who knocks, and whom they trust. `ca` None: the certificate authorities of the system."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-256"
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None

    @property
    def has_tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_sasl(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")


_PLAIN = Security()


class KafkaAddress(str):
    """`host:port[,host:port]` that knows how to get in there; printed, it shows the address alone.

    A text, so that whatever takes a broker's address takes this one too, and only who makes the client asks for more.
    """

    __slots__ = ("security",)

    security: Security

    def __new__(cls, servers: str, security: Security = _PLAIN) -> "KafkaAddress":
        address = super().__new__(cls, servers)
        address.security = security
        return address


def kafka_access(settings: "Settings", broker: str | None = None) -> KafkaAddress:
    """Returns the settings' Kafka, at `broker` where that is given.

    Raises:
        ConfigurationError: user without password, or the reverse; a file that can't be read.
    """
    return KafkaAddress(broker or settings.broker, _security(settings))


def security_of(broker: str) -> Security:
    """Returns how to get in at `broker`: in clear text where it is a bare text."""
    return broker.security if isinstance(broker, KafkaAddress) else _PLAIN


def kafka_arguments(broker: str) -> dict[str, Any]:
    """Returns the arguments of an aiokafka client that say where Kafka is and how to get in.

    Raises:
        ConfigurationError: the file of the certificate authority can't be used.
    """
    security = security_of(broker)
    arguments: dict[str, Any] = {"bootstrap_servers": str(broker)}
    if security.protocol == "PLAINTEXT":
        return arguments
    arguments["security_protocol"] = security.protocol
    if security.has_tls:
        arguments["ssl_context"] = trusting(security.ca)
    if security.has_sasl:
        arguments["sasl_mechanism"] = security.mechanism
        arguments["sasl_plain_username"] = security.user
        arguments["sasl_plain_password"] = security.password
    return arguments


def faust_arguments(broker: str) -> "dict[str, CredentialsT]":
    """Returns the arguments of a Faust app that say how to get in; none in clear text. Raises as `kafka_arguments`."""
    import faust  # heavy, and only the worker needs it

    security = security_of(broker)
    context = trusting(security.ca) if security.has_tls else None
    if security.has_sasl:
        credentials = faust.SASLCredentials(
            username=security.user, password=security.password, ssl_context=context, mechanism=security.mechanism
        )
        return {"broker_credentials": credentials}
    return {"broker_credentials": faust.SSLCredentials(context)} if context else {}


def trusting(ca: Path | None) -> ssl.SSLContext:
    """Returns a client's context that trusts `ca` alone (None: the system's authorities) and checks the host name.

    Raises:
        ConfigurationError: `ca` can't be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ConfigurationError(
            f"IOC_KAFKA_CA: {ca} holds no certificate; it must be the PEM file of the authority that signed Kafka's "
            f"certificate (it begins with -----BEGIN CERTIFICATE-----)"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"IOC_KAFKA_CA: {ca} can't be read ({error.strerror}); give the PEM file of the authority that signed "
            f"Kafka's certificate"
        ) from None


def _security(settings: "Settings") -> Security:
    user, password = settings.kafka_user or "", _password(settings)
    protocol: Protocol = settings.kafka_security or _usual(bool(user), settings.kafka_ca is not None)
    if protocol.startswith("SASL") and not (user and password):
        missing = "IOC_KAFKA_PASSWORD_FILE or IOC_KAFKA_PASSWORD" if user else "IOC_KAFKA_USER"
        raise ConfigurationError(
            f"{missing} is not set, and Kafka is to be entered by {protocol} with a user and a password; set it, or "
            f"leave IOC_KAFKA_USER and IOC_KAFKA_SECURITY out for a Kafka without passwords"
        )
    if password and not protocol.startswith("SASL"):
        raise ConfigurationError(
            f"a Kafka password is set, but no user sends it (IOC_KAFKA_SECURITY is {protocol}); set IOC_KAFKA_USER, "
            f"or take IOC_KAFKA_PASSWORD and IOC_KAFKA_PASSWORD_FILE away"
        )
    if protocol in ("SSL", "SASL_SSL"):
        trusting(settings.kafka_ca)  # a wrong file is told at start-up, not by a client that gives up later
    return Security(
        protocol=protocol, mechanism=settings.kafka_mechanism, user=user, password=password, ca=settings.kafka_ca
    )


def _usual(has_user: bool, has_ca: bool) -> Protocol:
    """A password never goes over a line in clear text unless IOC_KAFKA_SECURITY says so."""
    if has_user:
        return "SASL_SSL"
    return "SSL" if has_ca else "PLAINTEXT"


def _password(settings: "Settings") -> str:
    file = settings.kafka_password_file
    if settings.kafka_password is not None:
        if file is not None:
            raise ConfigurationError("IOC_KAFKA_PASSWORD and IOC_KAFKA_PASSWORD_FILE are both set; keep one of them")
        return settings.kafka_password.get_secret_value()
    if file is None:
        return ""
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"IOC_KAFKA_PASSWORD_FILE: {file} can't be read ({reason}); it must hold the password alone, "
            f"readable for this user"
        ) from None
    if not password:
        raise ConfigurationError(f"IOC_KAFKA_PASSWORD_FILE: {file} is empty; it must hold the password alone")
    return password


def no_broker(broker: str) -> TransientError:
    return TransientError(
        f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
    )
