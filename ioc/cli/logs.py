"""Logs of the services: one line an event on standard error, our own in full, the libraries' only where they warn."""

import logging
import sys

from ioc.errors import ConfigurationError

__all__ = ["configure_logs"]


def configure_logs(level: str) -> None:
    """Sets up the root logger.

    Raises:
        ConfigurationError: `level` is no log level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ConfigurationError(f"IOC_LOG_LEVEL={level!r} is not a level; use DEBUG, INFO, WARNING or ERROR")
    logging.basicConfig(
        level=number, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for name in ("faust", "mode", "aiokafka", "kafka", "aiohttp.access"):
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
