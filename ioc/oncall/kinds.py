"""The kinds of incident that the product itself raises. Pure."""

from ioc.incidents import KINDS

__all__ = ["CANARY_SILENT", "CONFIG_BROKEN", "OWN_KINDS", "PART_DEAD", "TEST"]

CANARY_SILENT = "canary_silent"
"""The canary did not come through the whole chain: nobody would be told of a fire."""
PART_DEAD = "part_dead"
"""A part of the product does not answer."""
CONFIG_BROKEN = "oncall_config_broken"
"""oncall.yaml or one of its calendars can't be read: the last good one is in force."""
TEST = "test"
"""Somebody tries a channel out."""

OWN_KINDS = (*KINDS, CANARY_SILENT, PART_DEAD, CONFIG_BROKEN, TEST)
