"""Around an HTTP application: a port taken first, parts that run beside it, an end in time."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import uvicorn

from ioc.errors import ConfigurationError

__all__ = ["address_of", "bind", "keep", "serve"]

logger = logging.getLogger(__name__)

BACKLOG = 1024


def bind(service: str, host: str, port: int) -> socket.socket:
    """Returns a listening socket; `port` 0 picks a free one.

    Raises:
        ConfigurationError: the port can't be had; names the `service` that wanted it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{service} can't listen on {host}:{port} ({error.strerror}); set another port with IOC_HTTP_PORT, or end "
            f"what holds it"
        ) from None


def address_of(door: socket.socket, host: str) -> str:
    """The URL of a bound socket, by the name that its `host` goes by."""
    return f"http://{f'[{host}]' if ':' in host else host}:{door.getsockname()[1]}"


def keep(
    stack: AsyncExitStack,
    work: Coroutine[Any, Any, None],
    name: str,
    on_crash: Callable[[], None] = lambda: None,
) -> None:
    """Runs `work` until the stack ends; an error of ours in it is logged, and `on_crash` called."""
    task: asyncio.Task[None] = asyncio.create_task(work, name=name)

    def tell_end(done: "asyncio.Task[None]") -> None:
        if not done.cancelled() and done.exception() is not None:
            logger.critical("%s ended with an error of ours", name, exc_info=done.exception())
            on_crash()

    task.add_done_callback(tell_end)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


class _Server(uvicorn.Server):
    """Signals are the composition root's business; `announce` is called once requests are answered."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: Any,
    door: socket.socket,
    stop: asyncio.Event,
    *,
    announce: Callable[[], None] = lambda: None,
    **uvicorn_options: Any,
) -> None:
    """Serves an ASGI application on a bound socket until `stop` is set; then it takes no new requests and answers those
    it has. `announce` is called once it answers."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        **uvicorn_options,
    )
    server = _Server(config, announce)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
