"""Options that many commands take, said alike by all."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BrokerOption", "CatalogOption", "ConfigOption", "JsonOption"]

BrokerOption = Annotated[str | None, typer.Option("--broker", help="HOST:PORT of Kafka; else IOC_BROKER")]
CatalogOption = Annotated[Path | None, typer.Option("--catalog", help="catalogue folder; else IOC_CATALOG")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML); else IOC_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]
