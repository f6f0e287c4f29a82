"""Several Kafka nodes on one machine: to rehearse a broker's loss, not to survive a disk's."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ioc.broker.embedded import EmbeddedKafka, free_port
from ioc.broker.jars import Progress
from ioc.broker.properties import new_cluster_id
from ioc.broker.secure import SecureSite
from ioc.errors import ConfigurationError

__all__ = ["KafkaCluster"]

# The last node to end waits in vain for a quorum's leave; what was acknowledged is on all the others' disks too.
_LAST_NODE_GRACE_S = 4.0


class KafkaCluster:
    """`nodes` Kafka nodes with their data under `directory/node-1`, `node-2`, …; each may be killed and started alone.

    `port` is the first node's, the others follow it upwards; 0 picks free ones. `nodes[i].kill()` and `.start()` play
    the loss and return of one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 3,
        host: str = "127.0.0.1",
        port: int = 0,
        jars: Path | None = None,
        heap: str = "256m",
        secure: SecureSite | None = None,
        progress: Progress | None = None,
    ) -> None:
        if nodes < 1:
            raise ConfigurationError(f"--nodes {nodes}: a cluster has at least one node")
        if port and port + nodes - 1 > 65535:
            raise ConfigurationError(f"--port {port}: {nodes} nodes need {nodes} ports from there on, up to 65535")
        self.directory = directory
        self._secure = secure
        voters = dict(zip(range(1, nodes + 1), _free_ports(host, nodes), strict=True))
        cluster_id = _keep(directory / "cluster-id", new_cluster_id)
        self.nodes = tuple(
            EmbeddedKafka(
                directory / f"node-{node_id}",
                host=host,
                port=port + node_id - 1 if port else 0,
                jars=jars,
                heap=heap,
                node_id=node_id,
                voters=voters,
                cluster_id=cluster_id,
                secure=secure,
                progress=progress,
            )
            for node_id in voters
        )

    @property
    def address(self) -> str:
        """`host:port,host:port,…` for clients; where the brokers are secure, it gets in as the administrator."""
        servers = ",".join(f"{node.host}:{node.port}" for node in self.nodes)
        return servers if self._secure is None else self._secure.address(servers)

    def start(self, timeout_s: float = 120.0) -> str:
        """Returns the addresses once every node answers; raises as `EmbeddedKafka.start` does, and leaves none."""
        try:
            for node in self.nodes:
                if not node.is_running:
                    node.launch()
            for node in self.nodes:
                node.await_ready(timeout_s)
        except BaseException:
            for node in self.nodes:
                node.kill()
            raise
        return self.address

    def stop(self) -> None:
        """Ends every node in good order, all at once: one that is left alone has no quorum to leave in good order."""
        for node in self.nodes:
            node.begin_stop()
        for node in self.nodes:
            node.stop(_LAST_NODE_GRACE_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_ports(host: str, count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = free_port(host)
        if port not in ports:
            ports.append(port)
    return ports


def _keep(file: Path, make: Callable[[], str]) -> str:
    """Returns the text of `file`, which the first call makes: the nodes of later starts must know each other again."""
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(make(), encoding="utf-8")
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{file}: can't be kept ({error.strerror or error}); "
            f"choose a folder that this user may write to, with --dir"
        ) from None
