"""Events that come as lines or requests instead of Kafka records: judged by the catalogue first, then sent.

The way onto Kafka is in `ioc.publishing.sender`: who only judges loads no Kafka client.
"""

from ioc.publishing.judge import CONTENT_TYPE, EventJudge, Outgoing
from ioc.publishing.lines import Line, LineSplitter
from ioc.publishing.publication import EventSink, Publication, RejectedLine

__all__ = [
    "CONTENT_TYPE",
    "EventJudge",
    "EventSink",
    "Line",
    "LineSplitter",
    "Outgoing",
    "Publication",
    "RejectedLine",
]
