"""What `ioc doctor` may find between a publisher and the centre. Pure."""

from ioc.doctor.findings import FINDINGS, Finding, Status, finding
from ioc.doctor.partitioner import Placed, blame

__all__ = ["FINDINGS", "Finding", "Placed", "Status", "blame", "finding"]
