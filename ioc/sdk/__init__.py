"""The publishers' SDK: a department's events to the centre in a few lines, each once, in order, whatever the link does.

from ioc.sdk import Publisher

with Publisher(url, token, source="/lam-dong/onestop/motcua", spool="spool") as p:
    result = p.publish("dossier.submitted", {"dossier_id": "H36-1", ...}, id="H36-1-submitted")
"""

from ioc.errors import ConfigurationError, TransientError
from ioc.sdk.publisher import AsyncPublisher, Draft
from ioc.sdk.results import Refused, Result, SpoolFull, Status, Trouble
from ioc.sdk.sync import Publisher

__all__ = [
    "AsyncPublisher",
    "ConfigurationError",
    "Draft",
    "Publisher",
    "Refused",
    "Result",
    "SpoolFull",
    "Status",
    "TransientError",
    "Trouble",
]
