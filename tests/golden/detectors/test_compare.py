"""`ioc detectors compare` on pictures: a manifest with labels, and a folder as the worker keeps it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ioc.cli import build_cli
from ioc.errors import ConfigurationError
from ioc.simulate.scenes import Scene, demo_scenes

FRAMES = 24
STRICT = "free@0.999"
"""Asks for what no network ever says."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plume in a worker's folder of recent stills, a manifest that labels it, and one picture that is none."""
    root = tmp_path_factory.mktemp("compare")
    scene = Scene(demo_scenes(7, width=480, height=270)["cam-01"])
    folder = root / "recent" / "cam-01%3ap0"
    folder.mkdir(parents=True)
    rows = ["path,label,sequence,site,frame,order,bbox"]
    for index in range(FRAMES):
        at = datetime(2026, 11, 22, 1, 0, tzinfo=UTC) + timedelta(minutes=index)
        name = f"{at:%Y%m%dT%H%M%S}_000.jpg"
        (folder / name).write_bytes(scene.render_jpeg(index))
        label = (
            f'smoke,plume,A,{index},native,"[[0.44, 0.33, 0.2, 0.3]]"'
            if index >= 12
            else f"none,plume,A,{index},native,"
        )
        rows.append(f"recent/cam-01%3ap0/{name},{label}")
    (folder / "20261122T020000_000.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (root / "smoke.csv").write_text("\n".join(rows), encoding="utf-8")
    return root


def compared(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(build_cli(), ["detectors", "compare", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.exit_code < 2 else None


def test_a_fire_that_the_shadow_misses_is_lost_and_the_command_says_so_by_its_exit(pictures: Path) -> None:
    page = pictures / "page.html"
    code, told = compared(str(pictures / "smoke.csv"), "--live", "rule", "--shadow", STRICT, "--report", str(page))
    assert code == 1
    assert told["counts"]["lost"] == {"real": 1, "false": 0, "other": 0, "unknown": 0}
    (alert,) = told["alerts"]
    assert (alert["pose"], alert["outcome"], alert["truth"], alert["shadow_at"]) == ("plume", "lost", "real", None)
    assert (told["frames"], told["poses"], told["left_out"]) == (FRAMES, 1, 0)
    html = page.read_text(encoding="utf-8")
    assert html.count("<img") == html.count("data:image/jpeg;base64,") == 1
    assert "http" not in html
    assert "mất" in html
    assert "lost" in html


def test_the_other_way_round_it_is_gained(pictures: Path) -> None:
    code, told = compared(str(pictures / "smoke.csv"), "--live", STRICT, "--shadow", "rule")
    assert (code, told["counts"]["gained"]["real"], told["counts"]["lost"]["real"]) == (0, 1, 0)


def test_a_folder_of_recent_stills_is_read_with_its_poses_and_times(pictures: Path) -> None:
    code, told = compared(str(pictures / "recent"), "--live", "rule", "--shadow", "rule")
    assert (code, told["frames"], told["left_out"]) == (0, FRAMES, 1)
    (alert,) = told["alerts"]
    assert (alert["pose"], alert["outcome"], alert["truth"]) == ("cam-01:p0", "kept", "unknown")
    assert datetime(2026, 11, 22, 1, 12, tzinfo=UTC) <= datetime.fromisoformat(alert["began_at"])


def test_without_json_a_table_tells_the_counts_and_what_is_lost_line_by_line(pictures: Path) -> None:
    arguments = ["detectors", "compare", str(pictures / "smoke.csv"), "--live", "rule", "--shadow", STRICT]
    result = CliRunner().invoke(build_cli(), arguments)
    assert "live rule → shadow free@0.999" in result.stdout
    assert "lost (real): plume" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "--shadow", "free"], "none of cases, seen, a folder"),
        (["cases"], "no shadow to compare with"),
        (["cases", "--shadow", "rule@0.5"], "the rule has no network"),
        (["cases", "--shadow", "free@60"], "no probability"),
        (["{root}", "--shadow", "none.onnx"], "none.onnx"),
        (["{root}/empty", "--shadow", "free"], "there is no JPEG"),
        (["seen"], "no alert is listed"),
        (["{root}", "--shadow", "free", "--report", "{root}/no/page.html"], "does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_not_be_compared_is_told_in_a_sentence(
    pictures: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "empty").mkdir(exist_ok=True)
    monkeypatch.setenv("IOC_STATE", str(pictures / "state"))
    given = [argument.format(root=pictures) for argument in arguments]
    result = CliRunner().invoke(build_cli(), ["detectors", "compare", *given])
    assert isinstance(result.exception, ConfigurationError)
    assert words in str(result.exception)
