"""Settings: a TOML file (`--config` or `IOC_CONFIG`) and `IOC_*` variables, which win."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ioc.errors import ConfigurationError

__all__ = ["Settings", "load_settings"]

_STARTING_CATALOG = Path(__file__).parent / "catalog" / "lam-dong"


class Settings(BaseSettings):
    """What an administrator may set. Every field has a variable `IOC_<NAME>` and a TOML key `<name>`."""

    model_config = SettingsConfigDict(env_prefix="IOC_", env_ignore_empty=True, extra="forbid", frozen=True)

    broker: str = Field("127.0.0.1:9092", title="Kafka", description="host:port[,host:port] of the Kafka brokers")
    catalog: Path = Field(_STARTING_CATALOG, title="Catalogue", description="folder of the province's own files")
    state: Path = Field(Path("state"), title="State", description="folder for evidence, on-call database and logs")
    http_host: str = Field("127.0.0.1", title="HTTP host", description="address the HTTP doors listen on")
    http_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        title="HTTP port",
        description="worker 9101, gateway 8080, oncall 8081, wall 8082; 0 picks a free one",
    )
    evidence: str | None = Field(
        None,
        title="Evidence store",
        description="a folder that every worker and on-call reach, or s3://bucket/prefix; not set: the folder evidence "
        "in the state folder",
    )
    evidence_endpoint: str = Field(
        "", title="Evidence endpoint", description="address of an object store of one's own (MinIO, Ceph); not set: AWS"
    )
    evidence_region: str = Field("us-east-1", title="Evidence region", description="the bucket's region")
    evidence_key_id: str = Field(
        "",
        title="Evidence key",
        description="access key id of the bucket; not set: AWS_* variables or the machine's role",
    )
    evidence_secret_file: Path | None = Field(
        None, title="Evidence secret file", description="file that holds the access key's secret alone, mode 600 or 640"
    )
    evidence_days_true_positive: int = Field(
        1825,
        ge=1,
        title="Evidence of true alarms",
        description="days that stills are kept after the incident was closed",
    )
    evidence_days_other_smoke: int = Field(
        365, ge=1, title="Evidence of other smoke", description="days: smoke, but no fire to put out"
    )
    evidence_days_unsure: int = Field(
        365, ge=1, title="Evidence of doubtful alarms", description="days: nobody could tell what it was"
    )
    evidence_days_false_positive: int = Field(
        180, ge=1, title="Evidence of false alarms", description="days: what detectors learn from"
    )
    evidence_days_no_verdict: int = Field(
        365, ge=1, title="Evidence without a verdict", description="days: closed by its source, or taken back"
    )
    evidence_days_loose: int = Field(
        30, ge=1, title="Loose stills", description="days that a still is kept which belongs to no incident"
    )
    evidence_days_passing: int = Field(
        2,
        ge=1,
        title="Passing frames",
        description="days that a frame over 256 KiB is kept in which nothing was found",
    )
    now: str | None = Field(None, title="Fixed clock", description="RFC 3339 time, for replays and tests")
    kafka_jars: Path | None = Field(
        None, title="Kafka jars", description="local folder of broker jars instead of fetching"
    )
    kafka_user: str | None = Field(
        None, title="Kafka user", description="who we are to a Kafka that asks (SASL); not set: it does not ask"
    )
    kafka_password: SecretStr | None = Field(
        None, title="Kafka password", description="of the user; kafka_password_file is safer"
    )
    kafka_password_file: Path | None = Field(
        None, title="Kafka password file", description="file that holds the user's password alone, mode 600"
    )
    kafka_ca: Path | None = Field(
        None,
        title="Kafka certificate authority",
        description="PEM file that Kafka's certificate is checked against; not set: the system's authorities",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = Field(
        None,
        title="Kafka security",
        description="not set: SASL_SSL with a user, SSL with a certificate authority, else PLAINTEXT",
    )
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = Field(
        "SCRAM-SHA-256", title="Kafka mechanism", description="how the password is proved"
    )
    log_level: str = Field("INFO", title="Log level", description="DEBUG, INFO, WARNING or ERROR")
    frame_late_s: float = Field(
        20,
        ge=0,
        le=3600,
        title="Late frame",
        description="seconds in Kafka after which a live frame gives way to a newer one of its pose, and is counted as "
        "skipped; 0: never",
    )
    frame_max_age_s: float = Field(
        43_200,
        ge=0,
        title="Frame's age",
        description="seconds after which a frame is refused (a wrong clock, or yesterday's), unless it is a declared "
        "replay or IOC_NOW is set; 0: never",
    )
    smoke_model: str = Field(
        "free",
        title="Smoke model",
        description="weights that confirm smoke: free, hpwren (CC BY-NC-SA 4.0: not for commercial use), rule (none), "
        "or the path of an ONNX file; with @ and a probability, above which it alarms: free@0.6",
    )
    shadow_smoke_model: str = Field(
        "",
        title="Shadow smoke model",
        description="a second smoke model, as smoke_model names them, that looks at the same frames and alarms nobody; "
        "`ioc detectors compare` tells what a switch to it would gain and lose; empty: none",
    )
    construction_every_s: float = Field(
        0,
        ge=0,
        le=21_600,
        title="Frames for construction",
        description="seconds of the day for which one usable frame is shown to the construction detector, whose times "
        "are counted in frames, four a day; 0: every frame, as demos and drills need it; in production 14400",
    )
    coverage_minutes: int = Field(
        5,
        ge=1,
        le=6,  # each of them divides an hour
        title="Coverage",
        description="minutes that one fact about the coverage of a camera tells of; fewer: sooner known, more rows",
    )
    flush_s: float = Field(
        0.5, gt=0, le=10, title="Flush interval", description="seconds between writes of changed rows and figures"
    )
    agent: Literal["batch", "stock"] = Field(
        "batch",
        title="Agent",
        description="batch: whole record batches through Faust; stock: Faust's own agents, slower",
    )
    store: Literal["memory", "rocksdb"] = Field(
        "memory", title="Row store", description="where rows lie between events: memory, or rocksdb in the state folder"
    )
    oncall_webhook_url: str | None = Field(
        None, title="Webhook", description="address that gets each alert as a signed webhook"
    )
    oncall_webhook_secret: str | None = Field(
        None, title="Webhook secret", description="Standard Webhooks secret, whsec_ and base64"
    )
    oncall_database: str | None = Field(
        None,
        title="On-call database",
        description="postgresql+asyncpg://user:password@host/name; else SQLite, oncall.db in the state folder",
    )
    oncall_canary_s: float = Field(
        60,
        ge=0,
        le=3600,
        title="Canary",
        description="seconds between canaries through the whole chain; two that do not come back are told; 0: none",
    )
    oncall_worker_url: str = Field(
        "http://127.0.0.1:9101/readyz",
        title="Worker",
        description="a worker's /readyz, which on-call asks when the canary is silent",
    )
    oncall_heartbeat_url: SecretStr | None = Field(
        None,
        title="Heartbeat",
        description="address of a watcher outside, asked (GET) every minute while on-call can do its work",
    )
    oncall_hook_token: SecretStr | None = Field(
        None,
        title="Alertmanager's token",
        description="what Alertmanager shows at /hooks/alertmanager; oncall_hook_token_file is safer; none: closed",
    )
    oncall_hook_token_file: Path | None = Field(
        None, title="Alertmanager's token file", description="file that holds the token alone, mode 600 or 640"
    )
    oncall_read_token: SecretStr | None = Field(
        None,
        title="Readers' token",
        description="what the wall and the report show on-call to read incidents, once on-call has accounts; the same "
        "for all three",
    )
    oncall_smtp: str | None = Field(
        None,
        title="Mail server",
        description="smtp+starttls://host:587 (or smtp://, smtps://) for alerts by e-mail; user and password are the "
        "secrets SMTP_USER and SMTP_PASSWORD",
    )
    oncall_mail_from: str = Field(
        "ioc@ioc.invalid", title="Mail sender", description="address that alerts by e-mail come from"
    )
    oncall_telegram_url: str = Field(
        "https://api.telegram.org",
        title="Telegram",
        description="Bot API for alerts by Telegram; the bot's token is the secret TELEGRAM_BOT_TOKEN",
    )
    oncall_fallback_tries: int = Field(
        3, ge=1, le=100, title="Fall-back tries", description="failed tries after which a person's next address is used"
    )
    oncall_fallback_after_s: float = Field(
        60, ge=1, le=3600, title="Fall-back time", description="seconds after which a person's next address is used"
    )
    public_url: str = Field(
        "http://127.0.0.1:8081",
        title="Public address",
        description="where people reach on-call; runbook links start with it",
    )

    figures_url: str = Field(
        "http://127.0.0.1:9101/metrics",
        title="Figures",
        description="the figures role's /metrics, where the departments' page and `ioc quality` read the scores",
    )
    oncall_url: str = Field(
        "http://127.0.0.1:8081",
        title="On-call",
        description="where the wall and the report to leaders read the incidents (/api/incidents)",
    )
    open_licence: str = Field(
        "",
        title="Licence of the open figures",
        description="its address or name, as the province has decided; not set: the figures say that none is declared",
    )
    gateway_rate: float = Field(
        5_000, gt=0, title="Gateway rate", description="events a second of one department; ten seconds' worth at once"
    )
    gateway_held_mib: int = Field(
        64,
        ge=16,
        le=16_384,
        title="Gateway memory",
        description="MiB of requests that the gateway works on at one time",
    )

    def reader_token(self) -> str:
        return "" if self.oncall_read_token is None else self.oncall_read_token.get_secret_value()

    def port(self, default: int) -> int:
        return default if self.http_port is None else self.http_port

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # a variable wins over the file


def load_settings(config: Path | None = None) -> Settings:
    """Returns the settings of the TOML file `config` (or `IOC_CONFIG`) with `IOC_*` variables on top.

    Raises:
        ConfigurationError: the file is missing or not TOML, or a value is wrong; names the key.
    """
    path = config or (Path(os.environ["IOC_CONFIG"]) if os.environ.get("IOC_CONFIG") else None)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigurationError(
                f"{path}: no such settings file; write it, or leave --config and IOC_CONFIG out"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: not valid TOML: {error}") from None
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = path if path is not None and key in values else f"variable IOC_{key.upper()}"
        raise ConfigurationError(f"{where}: setting {key!r}: {first['msg']}") from None
