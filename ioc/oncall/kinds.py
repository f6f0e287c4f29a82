"""The kinds of incident that the product itself raises. Pure."""

from ioc.incidents import KINDS

__all__ = [
    "ALERTS_SILENT",
    "ALERTS_TRUNCATED",
    "CANARY_SILENT",
    "CHANNEL_DOWN",
    "CONFIG_BROKEN",
    "OWN_KINDS",
    "TERM_OVERDUE",
    "TEST",
]

CANARY_SILENT = "canary_silent"
"""The canary did not come through the whole chain: nobody would be told of a fire."""
ALERTS_SILENT = "alerts_silent"
"""Alertmanager's watchdog alert does not come any more: Prometheus or Alertmanager is silent."""
ALERTS_TRUNCATED = "alerts_truncated"
"""Alertmanager sends less than it has."""
CONFIG_BROKEN = "oncall_config_broken"
"""oncall.yaml or one of its calendars can't be read: the last good one is in force."""
CHANNEL_DOWN = "channel_down"
"""Somebody on call can't be reached."""
TERM_OVERDUE = "term_overdue"
"""A statutory term of a building case has passed, and nothing is known of what was due."""
TEST = "test"
"""Somebody tries a channel out."""

OWN_KINDS = (*KINDS, CANARY_SILENT, ALERTS_SILENT, ALERTS_TRUNCATED, CONFIG_BROKEN, CHANNEL_DOWN, TERM_OVERDUE, TEST)
