"""The province's own files, and what they say: departments' event types, KPIs, units, cameras and zones, permits."""

from ioc.catalog.cameras import Camera, Pose
from ioc.catalog.loader import load_catalog
from ioc.catalog.model import Catalog
from ioc.catalog.topics import TopicSpec

__all__ = ["Camera", "Catalog", "Pose", "TopicSpec", "load_catalog"]
