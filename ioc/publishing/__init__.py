"""Events that come as lines, tables or requests instead of Kafka records: judged by the catalogue first, then sent.

The ways onto Kafka are in `ioc.publishing.sender` (event by event) and `ioc.publishing.batches` (file by file): who
only judges loads no Kafka client.
"""

from ioc.publishing.judge import CONTENT_TYPE, EventJudge, Outgoing
from ioc.publishing.lines import Line, LineSplitter
from ioc.publishing.pieces import Piece, RejectedRow, line_piece, table_pieces
from ioc.publishing.publication import EventSink, Publication
from ioc.publishing.reading import read_chunks

__all__ = [
    "CONTENT_TYPE",
    "EventJudge",
    "EventSink",
    "Line",
    "LineSplitter",
    "Outgoing",
    "Piece",
    "Publication",
    "RejectedRow",
    "line_piece",
    "read_chunks",
    "table_pieces",
]
