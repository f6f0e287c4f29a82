import sys
from pathlib import Path

import pytest

from ioc import cli
from ioc.cli.capture import parse_duration_s
from ioc.errors import ConfigurationError
from tests.unit.capture.pictures import fill


@pytest.fixture
def ioc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> "Ioc":
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("capture", "dlq"))
    monkeypatch.setenv("IOC_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("ioc.cli.logs.configure_logs", lambda level: None)  # it would take pytest's own handlers away
    monkeypatch.setenv("COLUMNS", "200")
    return Ioc(monkeypatch, capsys)


class Ioc:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Returns (exit code, output, error output) of `ioc …`."""
        self._monkeypatch.setattr(sys, "argv", ["ioc", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        out, err = self._capsys.readouterr()
        assert isinstance(code, int)
        return code, out, err


@pytest.mark.parametrize(
    "command",
    [
        "capture folder",
        "capture video",
        "capture snapshot",
        "capture rtsp",
        "capture cameras",
        "capture check",
        "dlq list",
        "dlq show",
        "dlq retry",
    ],
)
def test_every_command_explains_itself_with_an_example(ioc: Ioc, command: str) -> None:
    code, out, _ = ioc(*command.split(), "--help")
    assert code == 0
    assert f"ioc {command} " in out
    assert "Example" in out


def test_help_says_what_captured_at_means_and_what_retry_promises(ioc: Ioc) -> None:
    assert "captured_at" in ioc("capture", "folder", "--help")[1]
    assert "captured_at is the moment the answer arrived" in ioc("capture", "snapshot", "--help")[1]
    assert "exactly once" in " ".join(ioc("dlq", "retry", "--help")[1].split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param("capture folder {tmp}/missing", "no such folder", id="missing folder"),
        pytest.param("capture folder {tmp}/empty", "one subfolder for each camera", id="empty folder"),
        pytest.param("capture folder {tmp}/ok --fps 0", "--fps 0 is out of range", id="no rate"),
        pytest.param("capture folder {tmp}/ok --fps 1 --interval 1s", "say the same thing", id="two rates"),
        pytest.param("capture folder {tmp}/ok --interval soon", "--interval 'soon' is not a length", id="no interval"),
        pytest.param("capture folder {tmp}/ok --for never", "--for 'never' is not a length", id="no duration"),
        pytest.param("capture folder {tmp}/ok --map x", "not of the form FOLDER=CAMERA", id="no map"),
        pytest.param("capture folder {tmp}/ok --pose a:b", "without a colon", id="pose with a colon"),
        pytest.param("capture folder {tmp}/ok --times manifest", "has no time of its own", id="no own time"),
        pytest.param("capture folder {tmp}/ok --times noon", "noon", id="no such choice"),
        pytest.param("capture video {tmp}/x.mp4 --camera c", "no such video file", id="missing video"),
        pytest.param("capture video rtsp://u:secret@h/1 --camera c", "ioc capture rtsp", id="RTSP as video"),
        pytest.param("capture video {tmp}/x.mp4", "--camera", id="no camera"),
        pytest.param("capture video {tmp}/x.mp4 --camera c --starts-at now", "with an offset", id="no start"),
        pytest.param("capture snapshot rtsp://u:secret@h/1 --camera c", "ioc capture rtsp", id="RTSP as snapshot"),
        pytest.param("capture snapshot ftp://u:secret@h/1 --camera c", "http://HOST", id="FTP"),
        pytest.param("dlq show nonsense", "TOPIC/PARTITION/OFFSET", id="no reference"),
        pytest.param("dlq retry a/b --yes", "TOPIC/PARTITION/OFFSET", id="no reference to retry"),
    ],
)
def test_bad_usage_ends_with_code_2_and_a_sentence(ioc: Ioc, tmp_path: Path, words: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "ok", {"cam-01": ["1.jpg"]})
    code, _, err = ioc(*words.format(tmp=tmp_path).split())
    assert code == 2
    assert sentence in err
    assert "secret" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    ["capture folder {tmp}", "dlq list", "dlq show t/0/0", "dlq retry t/0/0 --yes"],
)
def test_a_missing_broker_ends_with_code_1_and_a_sentence(
    ioc: Ioc, tmp_path: Path, unused_tcp_port: int, words: str
) -> None:
    fill(tmp_path, {"cam-01": ["1.jpg"]})
    code, out, err = ioc(*words.format(tmp=tmp_path).split(), "--broker", f"127.0.0.1:{unused_tcp_port}")
    assert code == 1
    assert err == (
        f"ioc: no Kafka answers at 127.0.0.1:{unused_tcp_port}; start one with: ioc broker, or set IOC_BROKER to a "
        "running one\n"
    )
    assert out == ""


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("60s", 60), ("5m", 300), ("1h", 3600), ("2.5", 2.5), (" 3 s ", 3)]
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text, "--for") == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1d", "s", "1e9", "inf", "٣s", "9" * 40])
def test_no_other_length_of_time_is_read(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--for"):
        parse_duration_s(text, "--for")
