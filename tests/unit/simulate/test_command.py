import pytest
import typer
from typer.testing import CliRunner, Result

from ioc.cli.simulate import register
from ioc.errors import ConfigurationError


def _run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    return CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=True)


@pytest.mark.parametrize("command", ["events", "scenes", "year"])
def test_help_holds_an_example(command: str) -> None:
    result = _run(command, "--help")
    assert result.exit_code == 0
    assert f"ioc simulate {command} --" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("scenes",), "either --out FOLDER or --publish"),
        (("scenes", "--publish", "--out", "x"), "either --out FOLDER or --publish"),
        (("scenes", "--out", "x", "--size", "big"), "is not WIDTHxHEIGHT"),
        (("scenes", "--out", "x", "--cameras", "cam-99"), "'cam-99' has no scene; there are cam-01, cam-02"),
        (("scenes", "--out", "x", "--kind", "hail"), "no kind 'hail'; there are demo, varied, quiet_day"),
        (("scenes", "--out", "x", "--fault", "cam-02:covered"), "is not CAMERA:KIND:FIRST-LAST"),
        (("scenes", "--out", "x", "--fault", "cam-02:covered:9-3"), "is not CAMERA:KIND:FIRST-LAST"),
        (("scenes", "--out", "x", "--fault", "cam-02:offline:3"), "no camera fault 'offline'"),
        (("scenes", "--out", "x", "--fault", "cam-77:covered:3"), "'cam-77' has no scene"),
        (("year", "--out", "x", "--first-day", "300", "--days", "90"), "end after the year"),
        (("events", "--out", "x"), "a file must end"),
        (("events", "--count", "1", "--start", "yesterday"), "is not a time with an offset"),
        (("events", "--for", "soon"), "is not a length of time"),
        (("events", "--no-stock", "--count", "1", "--out", "/dev/null/x"), "can't be written"),
    ],
)
def test_wrong_use_is_answered_with_what_to_do(arguments: tuple[str, ...], sentence: str) -> None:
    result = _run(*arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert sentence in str(result.exception)
