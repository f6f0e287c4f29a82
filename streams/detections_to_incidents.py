"""Detections become incidents: the agent of the role `incidents`.

Rows are poses (`camera_id:pose_id`), each with its current incidents; a changed incident goes out in the same
transaction as the rows that hold it, so it is told exactly once whatever dies in between. What several cameras see of
one fire is one incident, so one shard has to see them all: the detections have one partition, and one worker
of those that run the role has it (decision 0019).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ioc.building_case import BUILDING_KINDS, BuildingCase, judgement_of
from ioc.canary import ANSWERS_TOPIC, CAMERA, Answer, answer_record
from ioc.catalog import Catalog
from ioc.catalog.model import INCIDENT_ROWS_TOPIC
from ioc.clock import Clock
from ioc.cloudevents import decode_json, encode_json
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Box, Detection
from ioc.errors import InvalidRecord
from ioc.incident_book import IncidentBook
from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident, Place
from ioc.permits import Zone
from ioc.places.crossing import Sight
from ioc.pose_incidents import Tracked
from ioc.rejections import internal_error, unknown_camera
from ioc.windows import local_date, microseconds_of, moment_of
from streams.apps import build_shard_app
from streams.batch_role import BatchRole, assigned
from streams.batches import AgentName, Batch
from streams.case_tables import CaseTables
from streams.metrics import PipelineMetrics
from streams.shard_keeper import ShardKeeper
from streams.shard_log import Outgoing, Restored

__all__ = ["APP_ID", "IncidentShard", "IncidentsRole"]

logger = logging.getLogger(__name__)

APP_ID = "ioc-incidents"
_IDLE_FLUSH_S = 1.0  # every batch is written at once; this catches what a permit or a decision has changed
_RMS_TO_95 = 1.73  # of a round error in the plane: sqrt(ln 20), root mean square to the radius that holds 95 %


class _Marker(msgspec.Struct, array_like=True):
    next_offsets: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparedWrite:
    rows: dict[bytes, bytes | None]
    marker: bytes
    others: list[Outgoing]
    told: tuple[Incident, ...]


class IncidentShard:
    """The incidents of the poses of one partition, in memory. No Kafka, no waiting."""

    def __init__(self, partition: int, *, catalog: Catalog, metrics: PipelineMetrics, tables: CaseTables) -> None:
        self.partition = partition
        self._catalog, self._metrics, self._tables = catalog, metrics, tables
        self._settled = -1  # version of the tables by which every case is judged
        self._book = IncidentBook()
        self._told: list[Incident] = []
        self._others: list[Outgoing] = []
        self._next_offsets: dict[str, int] = {}
        self._has_news = False

    def restore(self, restored: Restored, now_us: int) -> None:
        if restored.marker is not None:
            self._next_offsets = msgspec.msgpack.decode(restored.marker, type=_Marker).next_offsets
        for key, data in restored.rows.items():
            self._book.load(key, _decode_pose(data))

    def next_offset(self, topic: str) -> int:
        return self._next_offsets.get(topic, 0)

    def take(self, batch: Batch, now_us: int) -> None:
        place = self._next_offsets.get(batch.topic, 0)
        for record in batch.records:
            if record.offset < place:
                continue
            self._has_news = True
            try:
                detection = _detection(record.value, record.headers)
                if detection.label == CAMERA:
                    self._answer_canary(detection, now_us)
                else:
                    self._observe(detection)
            except InvalidRecord as error:
                self._reject(batch.topic, record, error, now_us)
            except Exception as error:  # the agent's boundary: a defect of ours must cost one record, not the worker
                logger.exception("%s/%d/%d", batch.topic, self.partition, record.offset)
                self._reject(batch.topic, record, internal_error(error), now_us)
        self._next_offsets[batch.topic] = max(place, batch.records[-1].offset + 1)

    def prepare(self, now_us: int) -> _PreparedWrite | None:
        self._settle(moment_of(now_us))
        if not self._has_news:
            return None
        self._has_news = False
        told, self._told = tuple(self._told), []
        others, self._others = self._others, []
        others.extend(self._outgoing(incident) for incident in told)
        rows: dict[bytes, bytes | None] = {
            key.encode(): _encode_pose(self._book.pose(key)) for key in sorted(self._book.changed)
        }
        self._book.changed.clear()
        marker = msgspec.msgpack.encode(_Marker(dict(self._next_offsets)))
        return _PreparedWrite(rows=rows, marker=marker, others=others, told=told)

    def committed(self, write: _PreparedWrite) -> None:
        for incident in write.told:
            self._metrics.incidents.labels(incident.kind, incident.state).inc()

    # ---- one detection ---------------------------------------------------------------------------------------------

    def _observe(self, detection: Detection) -> None:
        camera = self._catalog.cameras.get(detection.camera_id)
        if camera is None:
            raise unknown_camera(detection.camera_id)
        if detection.label in BUILDING_KINDS and detection.tier != "clear":
            self._observe_work(detection)
            return
        place = place_of(self._catalog, detection.camera_id, detection.pose_id)
        self._told += self._book.observe(detection, place=place, view=camera.view(detection.pose_id))

    def _observe_work(self, detection: Detection) -> None:
        camera, known = self._catalog.cameras[detection.camera_id], self._book.matching(detection)
        zone = self._zone(detection.camera_id, detection.pose_id, detection.zone_id)
        before = (known.case if known is not None else None) or BuildingCase()
        case = self._judged(before.after(detection, zone), detection.label, detection, detection.frame_at)
        if known is None and case.is_legal:
            self._metrics.rejected.labels(detection.detector, case.judgements[-1].rule).inc()
            return
        self._told += self._book.observe(
            detection,
            place=self._place_of_work(detection, case),
            view=camera.view(detection.pose_id),
            case=case,
        )

    def _place_of_work(self, detection: Detection, case: BuildingCase) -> Place:
        """The middle of what stands there where the pose's ground is known; else the camera's."""
        place = place_of(self._catalog, detection.camera_id, detection.pose_id)
        ground = self._catalog.cameras[detection.camera_id].pose(detection.pose_id).ground
        if ground is None:
            return place
        footprint = ground.footprint(case.footprint) if case.footprint else None
        if footprint is not None:
            middle = footprint.outline.centroid
            found: tuple[float, float] | None = middle.x, middle.y
        else:
            found = ground.to_lonlat(detection.box.cx, min(1.0, detection.box.edges[3]))
        if found is None:
            return place
        return replace(
            place,
            lon=round(found[0], 6),
            lat=round(found[1], 6),
            located_by="ground",
            uncertainty_m=round(_RMS_TO_95 * ground.error_m, 1),
        )

    # ---- cases -----------------------------------------------------------------------------------------------------

    def _settle(self, at: datetime) -> None:
        """Judges every case anew where permits or decisions have changed, also while nobody had this shard."""
        if self._settled == self._tables.version or not self._tables.is_caught_up:
            return
        self._settled = self._tables.version
        for incident in self._book.with_cases():
            case = incident.case
            if case is None or incident.camera_id not in self._catalog.cameras:
                continue
            decision = self._tables.decision_on(incident.incident_id) or case.decision
            case = case.handled(self._tables.finding_on(incident.incident_id, case.finding), decision, at)
            case = self._judged(case, incident.kind, incident, at).with_terms(incident.kind, self._catalog.term_rules)
            if case != incident.case:
                self._told.append(self._book.amend(incident.incident_id, case, at))
                self._has_news = True

    def _judged(self, case: BuildingCase, kind: str, seen: Detection | Incident, at: datetime) -> BuildingCase:
        """The case with the judgement that holds at `at` on what was seen last."""
        pose = self._catalog.cameras[seen.camera_id].pose(seen.pose_id)
        seen_at = seen.frame_at if isinstance(seen, Detection) else seen.last_seen_at
        judgement = judgement_of(
            case,
            kind,
            zone=self._zone(seen.camera_id, seen.pose_id, seen.zone_id),
            ground=pose.ground,
            on=local_date(microseconds_of(seen_at)),
            permits=self._tables.permits_of(case.parcel_id),
        )
        return case.judged(judgement, at)

    def _zone(self, camera_id: str, pose_id: str, zone_id: str) -> Zone | None:
        zones = self._catalog.cameras[camera_id].pose(pose_id).zones
        return next((zone for zone in zones if zone.zone_id == zone_id), None)

    def _answer_canary(self, detection: Detection, now_us: int) -> None:
        """It becomes no incident; its answer is in the write that an incident would be in."""
        mark = detection.cues[0] if detection.cues else ""
        if not (mark.isascii() and mark.isdecimal() and len(mark) <= 10):
            raise InvalidRecord("wrong_type", field="cues", vi="Chim báo không mang dấu.", en="a canary without a mark")
        answer = Answer(half="frames", part=detection.pose_id, mark=int(mark))
        value, headers = answer_record(answer, province=self._catalog.province, at=moment_of(now_us))
        self._others.append(Outgoing(topic=ANSWERS_TOPIC, key=None, value=value, headers=headers, partition=0))

    def _outgoing(self, incident: Incident) -> Outgoing:
        value, headers = encode_json(
            incident.as_json(),
            event_id=f"{incident.incident_id}/{incident.revision}",
            event_type=INCIDENT_TYPE,
            source=f"/{self._catalog.province}/incidents",
            at=incident.told_of_at,
        )
        return Outgoing(topic=INCIDENTS_TOPIC, key=incident.incident_id.encode(), value=value, headers=headers)

    def _reject(self, topic: str, record: Any, error: InvalidRecord, now_us: int) -> None:
        letter = DeadLetter(
            error=error,
            source=f"/{self._catalog.province}/camera",
            topic=topic,
            partition=self.partition,
            offset=record.offset,
            index=0,
            at=moment_of(now_us),
            key=record.key,
            headers=tuple(record.headers),
            original=record.value,
        )
        key, value, headers = encode_dead_letter(letter, province=self._catalog.province)
        self._others.append(Outgoing(topic=DEAD_LETTERS_TOPIC, key=key, value=value, headers=headers))


class IncidentsRole(BatchRole):
    """The app, its agent and its shards. Building it starts nothing."""

    def __init__(
        self,
        *,
        broker: str,
        catalog: Catalog,
        clock: Clock,
        metrics: PipelineMetrics,
        folder: Path,
        agent: AgentName = "batch",
    ) -> None:
        app = build_shard_app(agent, APP_ID, broker, folder)
        self._tables, self._broker = CaseTables(catalog, clock=clock, metrics=metrics), broker
        tables = self._tables
        keeper: ShardKeeper[IncidentShard] = ShardKeeper(
            app,
            broker=broker,
            state_topic=INCIDENT_ROWS_TOPIC,
            make_shard=lambda partition: IncidentShard(partition, catalog=catalog, metrics=metrics, tables=tables),
            clock=clock,
            flush_s=_IDLE_FLUSH_S,
            metrics=metrics,
            stage="incidents",
        )
        super().__init__(app, keeper)
        self._is_member = False
        app.on_partitions_assigned.connect(self._on_assigned)
        app.feed([DETECTIONS_TOPIC], _WriteAtOnce(keeper, tables))

    @property
    def is_ready(self) -> bool:
        """Also of a worker that stands by: another has the one partition, and this one takes it over."""
        return self._tables.is_caught_up and (self.keeper.is_ready or (self._is_member and not assigned(self.app)))

    async def start(self) -> None:
        self._tables.start(self._broker)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self._tables.stop()

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        self._is_member = True


class _WriteAtOnce:
    """Detections are few, and people wait for the incident: every batch is written when it comes. None is judged before
    every permit is known."""

    def __init__(self, keeper: ShardKeeper[IncidentShard], tables: CaseTables) -> None:
        self._keeper, self._tables = keeper, tables

    async def take(self, event: Any) -> None:
        await self._tables.wait()
        await self._keeper.take(event)
        await self._keeper.flush_now(event.value.partition)

    async def next_offset(self, topic: str, partition: int) -> int | None:
        return await self._keeper.next_offset(topic, partition)


def place_of(catalog: Catalog, camera_id: str, pose_id: str) -> Place:
    """Where a registered camera's pose looks: its own name, then its commune's."""
    camera = catalog.cameras[camera_id]
    unit = catalog.geography.unit(camera.admin_unit)
    return Place(
        admin_unit=camera.admin_unit,
        place_vi=", ".join(filter(None, (camera.name_vi, unit.name_vi if unit else ""))),
        place_en=", ".join(filter(None, (camera.name_en, unit.name_en if unit else ""))),
        lon=camera.lon,
        lat=camera.lat,
        azimuth_deg=camera.pose(pose_id).azimuth_deg,
    )


def _detection(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Detection:
    data = decode_json(DETECTION_TYPE, value, headers)
    try:
        return Detection.from_json(data)
    except ValueError as error:
        raise InvalidRecord(
            "wrong_type",
            field="data",
            vi="Sự kiện phát hiện không đúng định dạng.",
            en=f"no detection: {error!r}"[:200],
        ) from None


class _Row(msgspec.Struct):
    """A `Tracked` as a row holds it. Rows before the joining were lists of (incident, told_at, last_box)."""

    incident: dict[str, Any]
    told_at: datetime
    last_box: tuple[float, float, float, float]
    sight: Sight | None = None
    head: str = ""
    is_told: bool = True
    maybe: tuple[str, ...] = ()


_ROWS = msgspec.json.Decoder(list[_Row | tuple[dict[str, Any], datetime, tuple[float, float, float, float]]])


def _encode_pose(tracked: Sequence[Tracked]) -> bytes:
    return msgspec.json.encode(
        [
            _Row(
                incident=t.incident.as_json(),
                told_at=t.told_at,
                last_box=(t.last_box.cx, t.last_box.cy, t.last_box.w, t.last_box.h),
                sight=t.sight,
                head=t.head,
                is_told=t.is_told,
                maybe=t.maybe,
            )
            for t in tracked
        ]
    )


def _decode_pose(data: bytes) -> tuple[Tracked, ...]:
    rows = [
        row if isinstance(row, _Row) else _Row(incident=row[0], told_at=row[1], last_box=row[2])
        for row in _ROWS.decode(data)
    ]
    return tuple(
        Tracked(
            incident=Incident.from_json(row.incident),
            told_at=row.told_at,
            last_box=Box(*row.last_box),
            sight=row.sight,
            head=row.head,
            is_told=row.is_told,
            maybe=row.maybe,
        )
        for row in rows
    )
