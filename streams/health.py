"""The worker's HTTP door: /metrics, /healthz, /readyz, in threads of its own: a busy loop still answers."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ioc.errors import ConfigurationError

__all__ = ["HealthServer"]

logger = logging.getLogger(__name__)

_POLL_S = 0.1  # how soon the server notices that it is stopped

Checks = Callable[[], Mapping[str, bool]]


class HealthServer:
    """Serves `registry` and the answers of `is_alive` and `readiness` (part by part) on host:port; port 0 picks one.

    Raises:
        ConfigurationError: the port is taken.
    """

    def __init__(
        self, host: str, port: int, *, registry: CollectorRegistry, is_alive: Callable[[], bool], readiness: Checks
    ) -> None:
        handler = _handler(registry, is_alive, readiness)
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise ConfigurationError(
                f"can't listen on {host}:{port}: {error.strerror}; set IOC_HTTP_PORT to a free port"
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True)

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(
    registry: CollectorRegistry, is_alive: Callable[[], bool], readiness: Checks
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a client that says nothing must not hold a thread for ever

        def do_GET(self) -> None:
            path = self.path.split("?", 1)[0]
            if path == "/metrics":
                self._metrics()
            elif path == "/healthz":
                alive = is_alive()
                self._answer(200 if alive else 503, json.dumps({"alive": alive}).encode())
            elif path == "/readyz":
                parts = dict(readiness())
                ready = all(parts.values())
                self._answer(200 if ready else 503, json.dumps({"ready": ready, "parts": parts}).encode())
            else:
                self._answer(404, b'{"error": "not found; try /metrics, /healthz or /readyz"}')

        def _metrics(self) -> None:
            try:
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            except Exception:  # a collector asks parts that come and go: say 500, and let the next scrape try again
                logger.exception("/metrics")
                self._answer(500, b'{"error": "a collector failed; see the log"}')

        def _answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Scrapes are no news."""

    return Handler
