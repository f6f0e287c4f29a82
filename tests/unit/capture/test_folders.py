import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ioc.capture.folders import FolderSource, folder_cameras, parse_names, scan_folder
from ioc.capture.stills import CapturedStill
from ioc.errors import ConfigurationError
from ioc.frames import MAX_FRAME_BYTES
from tests.unit.capture.pictures import exif, fill, jpeg, png
from tests.unit.capture.timekeeping import BEGIN, FakeTime


def names(root: Path) -> dict[str, list[str]]:
    return {camera: [path.name for path in paths] for camera, paths in folder_cameras(root).items()}


def manifest(folder: Path, *rows: str, columns: str = "path,frame") -> None:
    (folder / "manifest.csv").write_text("\n".join((columns, *rows)) + "\n", encoding="utf-8")


def test_each_subfolder_is_a_camera_in_natural_order(tmp_path: Path) -> None:
    fill(tmp_path, {"cam-10": ["a10.jpg", "a9.JPG", "a1.jpeg"], "cam-2": ["x.jpg"]})
    assert names(tmp_path) == {"cam-2": ["x.jpg"], "cam-10": ["a1.jpeg", "a9.JPG", "a10.jpg"]}


@pytest.mark.parametrize("place", ["root", "parent"])
def test_a_manifest_gives_the_order_by_its_frame_numbers(tmp_path: Path, place: str) -> None:
    root = fill(tmp_path / "pictures", {"a": ["1.jpg", "2.jpg", "3.jpg"], "b": ["1.jpg", "2.jpg"]})
    prefix = "" if place == "root" else "pictures/"
    rows = [f"{prefix}a/1.jpg,10", f"{prefix}a/2.jpg,2", f"{prefix}a/3.jpg,1"]
    manifest(root if place == "root" else tmp_path, *rows)
    assert names(root) == {"a": ["3.jpg", "2.jpg", "1.jpg"], "b": ["1.jpg", "2.jpg"]}


def test_a_manifest_without_numbers_gives_the_order_of_its_rows(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg", "3.jpg"]})
    manifest(tmp_path, "a/2.jpg,x", "a/3.jpg,y", "a/1.jpg,z")
    assert names(tmp_path) == {"a": ["2.jpg", "3.jpg", "1.jpg"]}


def test_pictures_that_the_manifest_leaves_out_are_left_out_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg", "3.jpg"]})
    manifest(tmp_path, "a/2.jpg,1")
    (camera,) = scan_folder(tmp_path)
    assert [picture.path.name for picture in camera.pictures] == ["2.jpg"]
    assert camera.ignored == {"not_in_manifest": 2}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("path,frame\nelsewhere/1.jpg,1\n", id="names others"),
        pytest.param("name;size\nx;y\n", id="another tool's"),
        pytest.param("", id="empty"),
    ],
)
def test_a_parents_manifest_that_speaks_of_others_is_nobodys_business(tmp_path: Path, text: str) -> None:
    root = fill(tmp_path / "pictures", {"a": ["2.jpg", "1.jpg"]})
    (tmp_path / "manifest.csv").write_text(text)
    assert names(root) == {"a": ["1.jpg", "2.jpg"]}


def test_other_pictures_are_left_out_with_a_warning_that_names_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    for name in ("mask.png", "old.BMP", "notes.txt", ".hidden.png"):
        (tmp_path / "a" / name).write_bytes(png())
    with caplog.at_level(logging.WARNING):
        source = FolderSource(tmp_path, clock=FakeTime().clock, pacer=FakeTime().pacer())
    assert source.warnings == ("a: 2 files left out (not_jpeg_file)",)
    assert "mask.png" in caplog.text


Spoil = Callable[[Path], None]


def a_link_out(root: Path) -> None:
    (root.parent / "secret").mkdir()
    (root.parent / "secret" / "1.jpg").write_bytes(jpeg())
    (root / "b").symlink_to(root.parent / "secret")


def a_picture_link_out(root: Path) -> None:
    (root.parent / "secret.jpg").write_bytes(jpeg())
    (root / "a" / "2.jpg").symlink_to(root.parent / "secret.jpg")


def a_manifest_link_out(root: Path) -> None:
    a_picture_link_out(root)
    manifest(root, "a/2.jpg,1")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(a_link_out, r"/b: is a link that leaves", id="a subfolder that leaves the root"),
        pytest.param(a_picture_link_out, r"/a/2\.jpg: is a link that leaves", id="a picture that leaves the root"),
        pytest.param(a_manifest_link_out, r"a/2\.jpg: is a link that leaves", id="the same by manifest"),
        pytest.param(
            lambda root: manifest(root, "a/1.jpg,1", "a/9.jpg,2"),
            r"manifest\.csv, line 3: a/9\.jpg: no such file; put the picture there or take the row out",
            id="a manifest that names a missing file",
        ),
        pytest.param(lambda root: manifest(root, "../x/1.jpg,1"), r"line 2.*is not inside", id="a row that climbs out"),
        pytest.param(lambda root: manifest(root, "/etc/passwd,1"), r"line 2.*is not inside", id="an absolute row"),
        pytest.param(lambda root: manifest(root, ",1"), r"line 2.*is not inside", id="an empty path"),
        pytest.param(lambda root: manifest(root, "a/1.jpg,1", "a/./1.jpg,2"), r"line 3.*named twice", id="twice"),
        pytest.param(lambda root: manifest(root, "x", columns="file"), r"no column 'path'", id="no column"),
        pytest.param(
            lambda root: (root / "manifest.csv").write_bytes(b"path\n\xff\xfe\n") and None, "UTF-8", id="not UTF-8"
        ),
        pytest.param(
            lambda root: manifest(root, "a/1.jpg,2026-11-22T08:00", columns="path,captured_at"),
            r"line 2.*captured_at='2026-11-22T08:00' is not a time with an offset",
            id="a time without offset",
        ),
        pytest.param(lambda root: (root / "a").rename(root / "a:b") and None, "without a colon", id="a colon"),
        pytest.param(lambda root: (root / "a").rename(root / "a\nb") and None, "printable", id="a line end"),
    ],
)
def test_a_folder_that_is_not_as_needed_is_a_sentence(tmp_path: Path, spoil: Spoil, sentence: str) -> None:
    root = fill(tmp_path / "root", {"a": ["1.jpg"]})
    spoil(root)
    with pytest.raises(ConfigurationError, match=sentence):
        folder_cameras(root)


def test_a_link_inside_the_root_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    (tmp_path / "a" / "2.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert names(tmp_path) == {"a": ["1.jpg", "2.jpg"]}


@pytest.mark.parametrize("content", [[], ["loose.jpg"], ["empty/"], ["only/mask.png"]])
def test_a_folder_without_cameras_says_how_to_make_one(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_bytes(jpeg())
    with pytest.raises(ConfigurationError, match="one subfolder for each camera"):
        folder_cameras(tmp_path)


def test_a_missing_folder_and_a_file_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("missing", "file", "loop"):
        with pytest.raises(ConfigurationError, match="no such folder"):
            folder_cameras(tmp_path / name)


def test_a_pipe_named_like_a_picture_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    os.mkfifo(tmp_path / "a" / "0.jpg")
    assert names(tmp_path) == {"a": ["1.jpg"]}


def test_a_map_renames_subfolders(tmp_path: Path) -> None:
    fill(tmp_path, {"north": ["1.jpg"], "south": ["1.jpg"]})
    cameras = scan_folder(tmp_path, names={"north": "cam-01"})
    assert [camera.camera_id for camera in cameras] == ["cam-01", "south"]


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [({"west": "cam-01"}, "no subfolder"), ({"north": "south"}, "taken"), ({"north": "a:b"}, "colon")],
)
def test_a_wrong_map_is_a_sentence(tmp_path: Path, mapping: dict[str, str], sentence: str) -> None:
    fill(tmp_path, {"north": ["1.jpg"], "south": ["1.jpg"]})
    with pytest.raises(ConfigurationError, match=sentence):
        scan_folder(tmp_path, names=mapping)


@pytest.mark.parametrize("pairs", [["north"], ["=cam"], ["north="], ["a=b", "a=c"]])
def test_a_map_option_of_another_form_is_a_sentence(pairs: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--map"):
        parse_names(pairs)


def test_map_options_become_names() -> None:
    assert parse_names(["north=cam-01", "b=c=d"]) == {"north": "cam-01", "b": "c=d"}


def test_own_times_come_from_the_manifest_else_from_exif_and_give_the_order(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg"]})
    (tmp_path / "a" / "3.jpg").write_bytes(jpeg(exif=exif("2026:11:22 08:00:00", "+07:00")))
    manifest(
        tmp_path, "a/1.jpg,2026-11-22T09:00:00+07:00", "a/2.jpg,2026-11-22T02:30:00Z", "a/3.jpg,",
        columns="path,captured_at",
    )  # fmt: skip
    (camera,) = scan_folder(tmp_path, times="manifest")
    assert [(picture.path.name, picture.captured_at) for picture in camera.pictures] == [
        ("3.jpg", datetime(2026, 11, 22, 1, tzinfo=UTC)),
        ("1.jpg", datetime(2026, 11, 22, 2, tzinfo=UTC)),
        ("2.jpg", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
    ]


def test_a_picture_without_its_own_time_is_a_sentence(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    with pytest.raises(ConfigurationError, match=r"1\.jpg: has no time of its own; fill"):
        scan_folder(tmp_path, times="manifest")


def test_own_times_can_not_loop(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    with pytest.raises(ConfigurationError, match="backwards"):
        FolderSource(tmp_path, clock=FakeTime().clock, pacer=FakeTime().pacer(), times="manifest", is_looping=True)


async def play(source: FolderSource, limit: int = 1000) -> list[CapturedStill]:
    stills = []
    async for still in source.stills():
        stills.append(still)
        if len(stills) == limit:
            break
    return stills


async def test_cameras_advance_together_and_a_short_one_just_ends(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg", "3.jpg"], "b": ["1.jpg"]})
    time = FakeTime()
    source = FolderSource(tmp_path, clock=time.clock, pacer=time.pacer(fps=2))
    stills = await play(source)
    assert [(still.camera_id, still.sequence) for still in stills] == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]
    assert source.total == 4
    assert stills[0].jpeg == jpeg(mark=b"a/1.jpg")
    assert stills[0].pose_id == "p0"


async def test_captured_at_is_the_clock_when_the_picture_is_read(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg"]})
    time = FakeTime()
    stills = await play(FolderSource(tmp_path, clock=time.clock, pacer=time.pacer(fps=2)))
    assert [still.captured_at for still in stills] == [BEGIN, BEGIN + timedelta(seconds=0.5)]


async def test_a_slow_sink_skips_pictures_and_leaves_gaps_in_the_sequence(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [f"{n}.jpg" for n in range(6)]})
    time = FakeTime()
    source = FolderSource(tmp_path, clock=time.clock, pacer=time.pacer())
    sequences = []
    async for still in source.stills():
        sequences.append(still.sequence)
        time.now_s += 2.2 if still.sequence == 0 else 0
    assert sequences == [0, 2, 3, 4, 5]
    assert source.tally.of("a").skipped == 1


async def test_a_looping_folder_goes_on_counting(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg", "2.jpg"]})
    time = FakeTime()
    source = FolderSource(tmp_path, clock=time.clock, pacer=time.pacer(), is_looping=True)
    stills = await play(source, limit=5)
    assert [still.sequence for still in stills] == [0, 1, 2, 3, 4]
    assert stills[0].jpeg == stills[2].jpeg == stills[4].jpeg
    assert source.total is None


async def test_a_picture_that_goes_away_or_becomes_a_link_out_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    root = fill(tmp_path / "root", {"a": ["1.jpg", "2.jpg", "3.jpg"]})
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    time = FakeTime()
    source = FolderSource(root, clock=time.clock, pacer=time.pacer())
    (root / "a" / "1.jpg").unlink()
    (root / "a" / "2.jpg").unlink()
    (root / "a" / "2.jpg").symlink_to(tmp_path / "secret.jpg")
    assert [still.sequence for still in await play(source)] == [2]
    assert source.tally.of("a").rejected == {"unreadable": 2}


async def test_of_an_endless_picture_only_one_byte_over_the_limit_is_read(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ["1.jpg"]})
    with (tmp_path / "a" / "1.jpg").open("r+b") as file:
        file.truncate(10 * MAX_FRAME_BYTES)
    time = FakeTime()
    (still,) = await play(FolderSource(tmp_path, clock=time.clock, pacer=time.pacer()))
    assert len(still.jpeg) == MAX_FRAME_BYTES + 1
