"""`ioc broker`: real Apache Kafka in the foreground, for the demo, tests and a small site."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ioc.cli.options import ConfigOption

if TYPE_CHECKING:
    from ioc.broker.embedded import EmbeddedKafka
    from ioc.broker.jars import Progress
    from ioc.broker.secure import SecureSite
    from ioc.settings import Settings

__all__ = ["register"]

_EXAMPLE = (
    "Example: `ioc broker --dir state/kafka --port 9092`, and in another terminal "
    "`IOC_BROKER=127.0.0.1:9092 ioc topics apply`. The first start fetches Kafka's jars (46 MB), later ones need no "
    "network. Log: DIR/logs/broker.log."
)
# How often a cluster's nodes are looked at; one node is simply waited for.
_LOOK_EVERY_S = 0.5


class _StopAsked(BaseException):
    """SIGTERM or Ctrl-C came. Not an Exception, so that nothing on the way takes it for a failure."""


def register(app: typer.Typer) -> None:
    @app.command("broker", epilog=_EXAMPLE)
    def broker(
        directory: Annotated[Path | None, typer.Option("--dir", help="where the data lives; else STATE/kafka")] = None,
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one")] = 9092,
        nodes: Annotated[int, typer.Option(min=1, max=5, help="brokers to run, on ports upwards of PORT")] = 1,
        heap: Annotated[str, typer.Option(help="Java heap of each node, like 256m or 1g")] = "256m",
        secure: Annotated[bool, typer.Option("--secure", help="TLS, passwords, and rights of each user")] = False,
        config: ConfigOption = None,
    ) -> None:
        """Run Kafka in the foreground until SIGTERM or Ctrl-C; the first line of output is `ready host:port`.

        With `--secure` it makes its own certificate authority and a user for each service and each publisher of the
        catalogue; `DIR/secure/users/NAME.env` holds the settings that let one in. Nobody but `admin` may do anything
        until `ioc topics apply` has given the rights.
        """
        from ioc.settings import load_settings

        settings = load_settings(config)
        directory = directory or settings.state / "kafka"
        with _until_stopped():
            site = _site(directory, settings) if secure else None
            _run(directory, port=port, nodes=nodes, heap=heap, jars=settings.kafka_jars, site=site)


def _site(directory: Path, settings: "Settings") -> "SecureSite":
    from ioc.adapters.acls import ROLES
    from ioc.broker.secure import provide_site
    from ioc.catalog import load_catalog

    users = (*ROLES, *load_catalog(settings.catalog).publishers)
    return provide_site(directory / "secure", host="127.0.0.1", users=users)


def _run(directory: Path, *, port: int, nodes: int, heap: str, jars: Path | None, site: "SecureSite | None") -> None:
    from ioc.broker.cluster import KafkaCluster
    from ioc.broker.embedded import EmbeddedKafka

    with _fetch_progress() as progress:
        kafka: EmbeddedKafka | KafkaCluster = (
            EmbeddedKafka(directory, port=port, jars=jars, heap=heap, secure=site, progress=progress)
            if nodes == 1
            else KafkaCluster(directory, nodes=nodes, port=port, jars=jars, heap=heap, secure=site, progress=progress)
        )
        try:
            address = kafka.start()
        except BaseException:
            kafka.stop()
            raise
    with kafka:  # started already: entering does nothing, leaving stops
        folder = site.write_environments(address) if site is not None else None
        print(f"ready {address}", flush=True)
        if site is not None:
            print(f"settings of each user: {folder}/NAME.env ({', '.join(site.users)})", flush=True)
        _watch(kafka.nodes if isinstance(kafka, KafkaCluster) else (kafka,))


def _watch(nodes: "tuple[EmbeddedKafka, ...]") -> None:
    """Returns never: raises when a signal comes, or when a node ends by itself."""
    while True:
        for node in nodes:
            if node.wait(_LOOK_EVERY_S / len(nodes)):
                raise node.failure()


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Turns SIGTERM and SIGINT into a quiet end of the block. A second signal does not disturb the clean stop."""

    def stop(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise _StopAsked

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _StopAsked:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _fetch_progress() -> "Iterator[Progress]":
    """Shows the one-time fetch of the jars on stderr: a bar on a terminal, else a line at its start and end."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    if not sys.stderr.isatty():

        def say(done: int, total: int) -> None:
            if done in (1, total):
                print(f"Kafka's jars: {done} of {total} fetched", file=sys.stderr, flush=True)

        yield say
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Fetching Kafka's jars, once", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
