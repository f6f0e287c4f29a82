"""37 cameras through the whole chain: two fires, one covered camera, and what is then said of all of it.

The pictures are rendered and go through the frames worker, which finds the covered camera. The fires are detections put
beside them, at bearings that geodesics give: a rendered plume has no true place on a map.
"""

import shutil
from functools import cache
from pathlib import Path

import pytest
import yaml

from ioc.coverage_facts import COVERAGE_TOPIC, read_coverage
from ioc.frames import Frame
from ioc.incidents import Incident
from ioc.settings import load_settings
from ioc.simulate.camera_faults import CameraFault, FaultyScene
from ioc.simulate.scenes import Scene
from ioc.simulate.variety import condition_spec
from tests.integration.running import Metrics, Running, committed, eventually, own_broker, publish, start_worker
from tests.integration.test_joined_incidents import FIRST_FIRE, SECOND_FIRE, catalog_of, see, told
from tests.integration.test_worker_frames import frame, record_of
from tests.unit.places.scenery import CAMERAS, FIRE, OTHER_FIRE, distance_m

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(280)]

USUAL, COVERED_UNTIL, END = 16, 21, 25
COVERED = "cam-05"


def province(folder: Path) -> Path:
    """37 cameras: 34 of the starting catalogue and the three round the valley of the fires."""
    catalog_of(folder)
    shutil.copy(load_settings().catalog / "kpis" / "camera_coverage.yaml", folder / "kpis")
    path = folder / "cameras.yaml"
    cameras = yaml.safe_load(path.read_text(encoding="utf-8"))
    for camera_id in [name for name in cameras if name not in CAMERAS][-3:]:
        del cameras[camera_id]
    assert len(cameras) == 37
    path.write_text(yaml.safe_dump(cameras, allow_unicode=True), encoding="utf-8")
    return folder


@cache
def pictures() -> dict[bool, list[bytes]]:
    """What every camera sees, by whether it is the covered one."""
    scene = Scene(condition_spec("sun", 3, width=320, height=180))
    fault = CameraFault(kind="covered", start_frame=USUAL, end_frame=COVERED_UNTIL, strength=1.0, seed=1)
    seen = {False: FaultyScene(scene), True: FaultyScene(scene, fault)}
    return {is_covered: [scene.render_jpeg(index) for index in range(END)] for is_covered, scene in seen.items()}


def frames(cameras: list[str], first: int, end: int) -> list[Frame]:
    return [
        frame(camera_id, pictures()[camera_id == COVERED][index], index)
        for index in range(first, end)
        for camera_id in cameras
    ]


def coverage(metrics: Metrics, cameras: list[str]) -> dict[str, float]:
    return {
        camera_id: metrics.total("ioc_camera_coverage_ratio", camera=camera_id, detector="camera_health")
        for camera_id in cameras
    }


def _why_not(metrics: Metrics) -> dict[str, float]:
    name = "ioc_camera_uncovered_minutes_total"
    reasons = {why: metrics.total(name, detector="camera_health", reason=why) for why in metrics.by(name, "reason")}
    return {why: minutes for why, minutes in reasons.items() if minutes}


def figure(metrics: Metrics) -> tuple[float, float]:
    """(numerator, denominator) of the catalogue's own figure, of what the health of cameras is seen by."""
    series = {"kpi": "camera_coverage", "window": "5m", "admin_unit": "*", "dim": "camera_health"}
    return metrics.total("ioc_kpi_numerator", **series), metrics.total("ioc_kpi_denominator", **series)


async def unseen(broker: str) -> list[tuple[str, str, int]]:
    """What was told of cameras that nobody looked through: camera, main reason and minutes."""
    told = [read_coverage(record.value, record.headers) for record in await committed(broker, COVERAGE_TOPIC)]
    return [
        (span.camera_id, why, minutes)
        for span in told
        if span.detector == "camera_health"
        for why, minutes in span.reasons.items()
    ]


def analysed(worker: Running, count: int) -> None:
    def all_of_them() -> None:
        assert worker.metrics().total("ioc_frames_total", outcome="analysed") == count

    eventually(all_of_them, within_s=90, alive=[worker])


async def test_two_fires_and_a_covered_camera_among_37_are_three_incidents_and_one_gap_in_the_coverage(
    tmp_path: Path,
) -> None:
    catalog = province(tmp_path / "catalog")
    cameras = sorted(yaml.safe_load((catalog / "cameras.yaml").read_text(encoding="utf-8")))
    with own_broker(tmp_path) as kafka:
        pictures()
        with start_worker(
            "frames,incidents,events,figures",
            broker=kafka.address,
            folder=tmp_path,
            IOC_CATALOG=str(catalog),
            IOC_SMOKE_MODEL="rule",
            IOC_COVERAGE_MINUTES="1",
        ) as worker:
            worker.await_ready()
            seen = [record_of(one) for one in frames(cameras, 0, COVERED_UNTIL)]
            await publish(kafka.address, seen)
            await see(kafka.address, [*FIRST_FIRE, *SECOND_FIRE])
            analysed(worker, len(seen))

            def one_camera_is_missing() -> None:
                shares = coverage(worker.metrics(), cameras)
                assert {camera_id for camera_id, share in shares.items() if share == 0} == {COVERED}
                assert sum(shares.values()) == len(cameras) - 1

            eventually(one_camera_is_missing, within_s=80, alive=[worker])
            assert _why_not(worker.metrics()) == {"camera_fault": 1}

            def the_figure_is_down_by_exactly_that_camera() -> None:
                assert figure(worker.metrics()) == (len(cameras) - 1, len(cameras))

            eventually(the_figure_is_down_by_exactly_that_camera, within_s=30, alive=[worker])
            assert await unseen(kafka.address) == [(COVERED, "camera_fault", 1)]
            _check(await told(kafka.address), is_covered=True)

            await publish(kafka.address, [record_of(one) for one in frames(cameras, COVERED_UNTIL, END)])
            analysed(worker, len(cameras) * END)

            def resolved() -> None:
                assert worker.metrics().total("ioc_incidents_total", state="resolved", kind="covered") == 1

            eventually(resolved, within_s=30, alive=[worker])

            def every_camera_is_looked_through_again() -> None:
                shares = coverage(worker.metrics(), cameras)
                assert shares == {camera_id: 0.5 if camera_id == COVERED else 1.0 for camera_id in cameras}
                assert figure(worker.metrics()) == (2 * len(cameras) - 1, 2 * len(cameras))

            eventually(every_camera_is_looked_through_again, within_s=90, alive=[worker])
            assert await unseen(kafka.address) == [(COVERED, "camera_fault", 1)]
            assert worker.end() == 0
        _check(await told(kafka.address), is_covered=False)


def _check(incidents: list[Incident], *, is_covered: bool) -> None:
    """Two fires at their places, and one camera at fault that is over where `is_covered` is false."""
    newest = {one.incident_id: one for one in incidents}
    fires = sorted((one for one in newest.values() if one.kind == "smoke"), key=lambda one: one.first_frame_at)
    standing = [one for one in fires if one.state == "open"]
    assert len(standing) == 2
    for fire, place in zip(standing, (FIRE, OTHER_FIRE), strict=True):
        assert fire.lon is not None
        assert fire.lat is not None
        assert distance_m((fire.lon, fire.lat), place) < 25
    assert len(standing[0].sightings) == 3
    (fault,) = [one for one in newest.values() if one.kind != "smoke"]
    assert (fault.kind, fault.camera_id) == ("covered", COVERED)
    assert fault.state == ("open" if is_covered else "resolved")
    assert fault.runbook == "/runbooks/camera-fault"
