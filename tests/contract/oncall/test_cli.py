import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ioc.cli import oncall
from ioc.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """The command sets up the root logger of its process, which is ours here."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    oncall.register(app)
    return app


@pytest.mark.parametrize("command", [["oncall"], ["oncall", "receiver"]])
def test_help_holds_an_example(app: typer.Typer, command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        pytest.param(["--webhook", "http://x/"], {}, "IOC_ONCALL_WEBHOOK_SECRET", id="webhook without a secret"),
        pytest.param(["--webhook", "x"], {}, "IOC_ONCALL_WEBHOOK_URL", id="not an address"),
        pytest.param(
            ["--webhook", "http://x/", "--webhook-secret-file", "none"], {}, "can't be read", id="no such file"
        ),
        pytest.param([], {"IOC_CATALOG": "nowhere"}, "IOC_CATALOG", id="no catalogue"),
        pytest.param([], {"IOC_LOG_LEVEL": "LOUD"}, "IOC_LOG_LEVEL", id="log level"),
        pytest.param([], {"IOC_NOW": "soon"}, "IOC_NOW", id="clock"),
        pytest.param(["--config", "none.toml"], {}, "none.toml", id="no settings file"),
    ],
)
def test_wrong_configuration_is_a_sentence(
    app: typer.Typer, tmp_path: Path, arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    defaults = {"IOC_STATE": str(tmp_path), "IOC_HTTP_PORT": "0", "IOC_ONCALL_WEBHOOK_SECRET": None}
    result = CliRunner().invoke(app, ["oncall", *arguments], env={**defaults, **environment})
    assert isinstance(result.exception, ConfigurationError)
    assert sentence in str(result.exception)


def test_receiver_without_a_secret_is_a_sentence(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["oncall", "receiver"], env={"IOC_ONCALL_WEBHOOK_SECRET": None})
    assert isinstance(result.exception, ConfigurationError)
