"""The departments' own page at /self: quality of their sources, what was refused and why, mending and sending again."""

from ioc.gateway.pages.routes import router

__all__ = ["router"]
