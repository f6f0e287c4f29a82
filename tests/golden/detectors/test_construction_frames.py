"""Building in rendered frames, judged by permits: what the frames role publishes is what the permit join needs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from shapely import Point, Polygon

from detectors.registry import DETECTORS
from ioc.adapters.evidence import open_evidence
from ioc.catalog import Catalog
from ioc.catalog.cameras import Camera, Pose
from ioc.detections import Detection
from ioc.frames import Frame
from ioc.ground import ControlPoint, GroundMap, LocalPlane
from ioc.permits import Permit, Zone
from ioc.simulate.site_year import FRAMES_PER_DAY, SitePose, SiteYear
from ioc.simulate.works import Metres, Work
from ioc.windows import LOCAL_ZONE
from streams.metrics import PipelineMetrics
from streams.pose_watch import PoseWatch
from tests.unit.domain.making import NOW, catalog
from tests.unit.streams.test_detections_to_incidents import Disk, record

PLANE = LocalPlane(108.44, 11.94)
NEW_YEAR = datetime.combine(date(2026, 1, 1), time(), LOCAL_ZONE)
DAYS = (*range(-6, 0), *range(13, 17), *range(50, 64))
"""Of the work, from its first on: the empty plot, the foundation, the frame of a storey or two."""


def places(metres: Sequence[Metres]) -> list[tuple[float, float]]:
    """(longitude, latitude) of places of the rendered ground."""
    return [(float(lon), float(lat)) for lon, lat in PLANE.to_degrees(np.array(metres, dtype=np.float64))]


def watched(pose: SitePose, work: Work) -> Catalog:
    """The starting catalogue where cam-02 looks at the work's plot, surveyed."""
    points = [
        ControlPoint(x=x, y=y, lon=lon, lat=lat)
        for (x, y), metres in pose.control_points()
        if 0 <= x <= 1 and 0 <= y <= 1
        for lon, lat in places([metres])
    ]
    zone = Zone(zone_id="plot", kind="residential", parcel_id="parcel", polygon=pose.plot_polygon(work.plot))
    view = Pose(pose_id="p0", zones=(zone,), ground=GroundMap(points))
    camera = Camera(camera_id="cam-02", name_vi="Đồi Robin", admin_unit="24778", poses={"p0": view})
    return replace(catalog(), cameras={"cam-02": camera}, permits=())


@pytest.fixture(scope="module")
def work() -> Work:
    return SiteYear(4, poses=2, works=8).pose(0).works[1]


@pytest.fixture(scope="module")
def site(work: Work) -> Catalog:
    return watched(SiteYear(4, poses=2, works=8).pose(0), work)


@pytest.fixture(scope="module")
def seen(site: Catalog, work: Work) -> list[Detection]:
    """What is published of the plot while a house is begun on it."""
    pose = SiteYear(4, poses=2, works=8).pose(0)
    watch = PoseWatch(
        catalog=site,
        evidence=open_evidence("memory:"),
        clock=lambda: NOW,
        metrics=PipelineMetrics(CollectorRegistry()),
        detectors={"construction": DETECTORS["construction"]},
    )
    found: list[Detection] = []
    for index in (FRAMES_PER_DAY * (work.first_day + day) + hour for day in DAYS for hour in range(FRAMES_PER_DAY)):
        day, minute = pose.moment(index)
        at = (NEW_YEAR + timedelta(days=day, minutes=minute)).astimezone(UTC)
        jpeg = pose.render_jpeg(index)
        frame = Frame(camera_id="cam-02", pose_id="p0", sequence=index, captured_at=at, sha256="", jpeg=jpeg)
        found += watch.look(frame)
    return found


def test_a_rendered_building_is_published_with_its_stage_and_its_footprint_on_the_ground(
    seen: list[Detection], site: Catalog, work: Work
) -> None:
    assert {detection.extra["active"] for detection in seen} <= {"true", "false"}
    assert {detection.extra["stage"] for detection in seen if "stage" in detection.extra} & {"cleared", "foundation"}
    footprints = [detection.extra["footprint"] for detection in seen if "footprint" in detection.extra]
    assert footprints
    ground = site.cameras["cam-02"].pose("p0").ground
    assert ground is not None
    stands = ground.footprint([tuple(corner) for corner in json.loads(footprints[-1])])
    assert stands is not None
    assert stands.outline.intersects(Polygon(places(work.plot.corners_m)))


@pytest.mark.parametrize(
    ("aside_m", "rules"),
    [(0, {"permit_valid"}), (60, {"outside_parcel"})],
    ids=["the parcel's own permit", "a permit whose outline is beside it"],
)
def test_the_permit_of_its_parcel_decides(
    seen: list[Detection], site: Catalog, work: Work, aside_m: float, rules: set[str]
) -> None:
    outline = Polygon(places([(x + aside_m, z) for x, z in work.plot.corners_m]))
    permit = Permit(
        permit_id="GPXD-1",
        parcel_id="parcel",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        floors=work.storeys,
        outline=outline,
    )
    with_footprint = [replace(d, extra=d.extra | {"active": "false"}) for d in seen if "footprint" in d.extra]
    told = Disk(known=replace(site, permits=(permit,))).see(
        *(record(number, detection) for number, detection in enumerate(with_footprint))
    )
    assert {incident.permit_rule for incident in told} == (rules - {"permit_valid"})


def test_without_a_permit_the_case_has_its_place_from_the_footprint(
    seen: list[Detection], site: Catalog, work: Work
) -> None:
    told = Disk(known=site).see(*(record(number, detection) for number, detection in enumerate(seen)))
    last = told[-1]
    assert (last.state, last.permit_rule, last.located_by) == ("open", "no_permit", "ground")
    assert last.case is not None
    assert last.case.footprint
    middle = Polygon(places(work.plot.corners_m))
    assert middle.buffer(0.0003).contains(Point(last.lon, last.lat))
