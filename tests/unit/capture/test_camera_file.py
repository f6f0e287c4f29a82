"""`capture.yaml`: what it may say, what is refused with a sentence, and that no secret is ever shown."""

from datetime import time
from pathlib import Path

import pytest

from ioc.capture.camera_file import (
    PictureWay,
    ScheduleWay,
    SidecarWay,
    camera_address,
    password_variable,
    read_cameras,
)
from ioc.errors import ConfigurationError

REGISTERED = {f"cam-{number:02}": object() for number in range(1, 38)}


def write(folder: Path, text: str) -> Path:
    path = folder / "capture.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_every_kind_of_camera_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "cam-01.password"
    secret.write_text("p@ss:w/rd\n", encoding="utf-8")
    secret.chmod(0o600)
    (tmp_path / "p0.jpg").write_bytes(b"x")
    path = write(
        tmp_path,
        f"""
every: 10s
cameras:
  cam-01:
    url: rtsp://10.1.2.3/Streaming/Channels/102?profile=2
    user: ioc
    password_file: {secret}
    every: 5
    transport: udp
  cam-02:
    url: http://10.1.2.4/snapshot.jpg
    pose:
      schedule: [{{pose: p0, for: 1m}}, {{pose: p1, for: 30s}}]
      settle: 5s
  cam-03:
    url: rtsps://10.1.2.5:322/live
    pose: {{schedule: [{{pose: day, at: 05:30}}, {{pose: night, at: "18:00"}}]}}
  cam-04:
    url: rtsp://[2001:db8::1]/live
    pose: {{sidecar: "http://10.1.2.6/ptz", field: status.preset, every: 2s}}
  cam-05:
    url: rtsp://10.1.2.7/live
    pose: {{pictures: {{p0: p0.jpg}}}}
""",
    )
    one, two, three, four, five = read_cameras(
        path, registered=REGISTERED, environment={"IOC_CAMERA_PASSWORD_CAM_04": "x"}
    )
    assert one.address.url == "rtsp://ioc:p%40ss%3Aw%2Frd@10.1.2.3/Streaming/Channels/102?profile=2"
    assert str(one.address) == "CameraAddress(rtsp://10.1.2.3/Streaming/Channels/102?…)"
    assert (one.interval_s, one.transport, one.pose) == (5.0, "udp", "p0")
    assert (two.interval_s, two.address.is_rtsp) == (10.0, False)
    assert isinstance(two.pose, ScheduleWay)
    assert [(stop.pose_id, stop.for_s) for stop in two.pose.patrol] == [("p0", 60.0), ("p1", 30.0)]
    assert isinstance(three.pose, ScheduleWay)
    assert [(stop.pose_id, stop.at) for stop in three.pose.daily] == [("day", time(5, 30)), ("night", time(18))]
    assert four.pose == SidecarWay(url="http://10.1.2.6/ptz", field="status.preset", every_s=2.0)
    assert four.address.url == "rtsp://[2001:db8::1]/live", "a password without a user is nobody's"
    assert five.pose == PictureWay(pictures={"p0": tmp_path / "p0.jpg"})
    assert [plan.camera_id for plan in read_cameras(path, only=["cam-03"])] == ["cam-03"]


POSE = "    pose: "
CAM = "cameras:\n  cam-01:\n    url: rtsp://10.1.2.3/live\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            CAM + "  cam-02: {url: rtsp://h/1}\n  cam-01: {url: rtsp://h/2}\n",
            "line 5: 'cam-01' stands twice",
            id="one id twice",
        ),
        pytest.param("cameras:\n  cam-99: {url: rtsp://h/1}\n", "not in cameras.yaml", id="not registered"),
        pytest.param("cameras: {}\n", "cameras:", id="no camera"),
        pytest.param("", "cameras:", id="empty"),
        pytest.param("cameras: [", "not valid YAML", id="no YAML"),
        pytest.param("cameras:\n  cam-01: {url: 'rtsp://u:s3cret@h/1'}\n", "holds a password", id="password in url"),
        pytest.param("cameras:\n  cam-01: {url: 's3cret'}\n", "write the address like", id="no address"),
        pytest.param("cameras:\n  cam-01: {url: {s3cret: 1}}\n", "cameras.cam-01.url", id="url of another kind"),
        pytest.param(CAM + "    password: s3cret\n", "cameras.cam-01.password", id="password in the file"),
        pytest.param(CAM + "    password_file: cam-01.txt\n", "write the whole path", id="relative password file"),
        pytest.param(CAM + "    password_file: /nowhere/s\n", "can't be read", id="no password file"),
        pytest.param(CAM + "    every: soon\n", "write a length of time", id="no length of time"),
        pytest.param(CAM + "    every: 0s\n", "write a length of time", id="no time at all"),
        pytest.param(CAM + "    pose: 'a:b'\n", "without a colon", id="a pose that is no key"),
        pytest.param(CAM + POSE + "{}\n", "exactly one of", id="no way to the pose"),
        pytest.param(CAM + POSE + "{sidecar: 'http://h/', pictures: {p0: x.jpg}}\n", "exactly one of", id="two ways"),
        pytest.param(CAM + POSE + "{sidecar: 'rtsp://h/'}\n", "http://HOST/pose", id="sidecar of another kind"),
        pytest.param(CAM + POSE + "{pictures: {p0: gone.jpg}}\n", "no such file", id="no picture"),
        pytest.param(
            CAM + POSE + "{schedule: [{pose: a, for: 9s}, {pose: b, at: '06:00'}]}\n", "on every stop", id="mixed"
        ),
        pytest.param(
            CAM + POSE + "{schedule: [{pose: a, at: '06:00'}, {pose: b, at: '06:00'}]}\n", "twice", id="one time twice"
        ),
        pytest.param(CAM + POSE + "{schedule: [{pose: a, for: 2s}]}\n", "not longer than `settle`", id="always moving"),
    ],
)
def test_a_wrong_file_is_a_sentence_that_shows_no_secret(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_cameras(write(tmp_path, text), registered=REGISTERED, environment={})
    assert sentence in str(refusal.value)
    assert str(tmp_path / "capture.yaml") in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_a_password_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret", encoding="utf-8")
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_cameras(write(tmp_path, CAM + f"    user: u\n    password_file: {secret}\n"))


def test_a_password_may_come_from_the_environment(tmp_path: Path) -> None:
    (plan,) = read_cameras(write(tmp_path, CAM + "    user: u\n"), environment={password_variable("cam-01"): "x y"})
    assert plan.address.url == "rtsp://u:x%20y@10.1.2.3/live"
    assert "x%20y" not in repr(plan)


def test_the_starting_catalogue_without_a_file_says_where_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"deploy/docs/cameras\.md"):
        read_cameras(tmp_path / "capture.yaml")


@pytest.mark.parametrize(
    "url", ["rtsp://u:s3cret@h:99999/", "rtsp://", "ftp://h/s3cret", "rtsp://h/a b", "rtsp://[::1"]
)
def test_another_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        camera_address(url, where="url")
    assert "s3cret" not in str(refusal.value)
