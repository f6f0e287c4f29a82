"""Deployment files: every name in them is one that the product, the repository or the contract has.

Docker is not at hand where the tests run, so the compose file is held against a schema of the parts that we use (an
unknown or misspelt key fails), and every command, path, port and image in it against what they point at.
"""

import configparser
import copy
import json
import os
import re
import runpy
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import typer.main
import yaml

from ioc.cli import build_cli
from ioc.settings import Settings, load_settings
from ioc.wall.camera_map import GAZETTEER, GROUND

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))

# Ports of the contract; Kafka's, Prometheus's, Alertmanager's and Grafana's are their own.
OUR_PORTS = {"worker": 9101, "gateway": 8080, "oncall": 8081, "wall": 8082}

_DURATION = {"type": "string", "pattern": r"^\d+(s|m)$"}
_STRINGS = {"type": "array", "items": {"type": "string"}}
_CONDITION = {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


COMPOSE_SCHEMA: dict[str, Any] = {
    **_closed(
        {
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
            "services": {
                "type": "object",
                "additionalProperties": _closed(
                    {
                        "build": {"const": "."},
                        "image": {"type": "string", "pattern": r"^[a-z0-9./-]+:v?\d+\.\d+\.\d+$"},
                        "command": {"oneOf": [_STRINGS]},
                        "entrypoint": _STRINGS,
                        "restart": {"type": "string", "pattern": r"^(unless-stopped|on-failure:\d+)$"},
                        "logging": _closed({"driver": {"type": "string"}, "options": {"type": "object"}}, "driver"),
                        # A bare number or truth value is read differently by different versions of YAML.
                        "environment": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                        "ports": {
                            "type": "array",
                            "items": {
                                "type": "string",
                                "pattern": r"^(127\.0\.0\.1|\$\{IOC_BIND:-127\.0\.0\.1\}):\d+:\d+$",
                            },
                        },
                        "expose": {"type": "array", "items": {"type": "string", "pattern": r"^\d+$"}},
                        "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:/[^:]+(:ro)?$"}},
                        "depends_on": {
                            "type": "object",
                            "additionalProperties": _closed({"condition": _CONDITION}, "condition"),
                        },
                        "healthcheck": _closed(
                            {
                                "test": {"type": "array", "prefixItems": [{"const": "CMD"}], "minItems": 2},
                                "interval": _DURATION,
                                "timeout": _DURATION,
                                "retries": {"type": "integer", "minimum": 1},
                                "start_period": _DURATION,
                            },
                            "test",
                            "interval",
                            "timeout",
                            "retries",
                            "start_period",
                        ),
                        "extra_hosts": {"type": "array", "items": {"const": "host.docker.internal:host-gateway"}},
                        "read_only": {"const": True},
                        "tmpfs": _STRINGS,
                        "cap_drop": _STRINGS,
                        "security_opt": _STRINGS,
                        "stop_grace_period": _DURATION,
                        "mem_limit": {"type": "string", "pattern": r"^\d+[mg]$"},
                    },
                    "image",
                    "restart",
                    "logging",
                    "mem_limit",
                ),
            },
            "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
        },
        "name",
        "services",
        "volumes",
    ),
    "patternProperties": {"^x-": {}},
}


@cache
def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def compose() -> dict[str, Any]:
    return copy.deepcopy(_compose())


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def environment_of(service: dict[str, Any]) -> dict[str, str | None]:
    found: dict[str, str | None] = service.get("environment", {})
    return found


def command_words(words: list[str]) -> list[str]:
    """The words of an `ioc` command line before its first option or variable."""
    return [word for word in words if not word.startswith(("-", "$"))]


@cache
def known_commands() -> frozenset[str]:
    """The commands of `ioc --help`, those of a group with both words."""
    group: Any = typer.main.get_command(build_cli())
    names: set[str] = set()
    for name, command in group.commands.items():
        names |= {name} | {f"{name} {sub}" for sub in getattr(command, "commands", {})}
    return frozenset(names)


def assert_is_command(words: list[str]) -> None:
    assert " ".join(command_words(words)) in known_commands(), f"`ioc {' '.join(words)}` is no command"


def test_compose_file_has_the_structure_that_docker_expects() -> None:
    jsonschema.Draft202012Validator(COMPOSE_SCHEMA).validate(compose())


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda s: s["worker"].update(mem_limits="1g"), id="a misspelt key"),
        pytest.param(lambda s: s["kafka"].update(image="apache/kafka:latest"), id="an image that is not pinned"),
        pytest.param(lambda s: s["kafka"].update(ports=["9092:9092"]), id="a port on every address"),
        pytest.param(lambda s: s["kafka"]["environment"].update(X=False), id="a truth value as environment"),
        pytest.param(lambda s: s["worker"].pop("restart"), id="no restart policy"),
    ],
)
def test_the_schema_refuses(break_it: Any) -> None:
    broken = compose()
    break_it(broken["services"])
    assert list(jsonschema.Draft202012Validator(COMPOSE_SCHEMA).iter_errors(broken))


def test_the_services_of_the_first_cut_are_there() -> None:
    assert set(services()) == {
        "kafka", "topics", "worker", "oncall", "gateway", "wall", "prometheus", "alertmanager", "grafana",
    }  # fmt: skip


def test_every_service_that_stays_is_watched() -> None:
    for name, service in services().items():
        assert ("healthcheck" in service) is (name != "topics"), name


def test_our_services_are_asked_at_their_own_port_under_healthz() -> None:
    for name, port in OUR_PORTS.items():
        assert f"http://127.0.0.1:{port}/healthz" in services()[name]["healthcheck"]["test"][-1]
        assert f"{name} {port}" in str(Settings.model_fields["http_port"].description)


@pytest.mark.parametrize("name", ["topics", "worker", "oncall", "gateway", "wall"])
def test_our_services_run_commands_that_ioc_has(name: str) -> None:
    assert_is_command(services()[name]["command"])


def test_the_images_entrypoint_is_the_command_that_the_package_installs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert 'ENTRYPOINT ["ioc"]' in dockerfile
    assert "ioc" in scripts
    assert re.search(r"^USER ioc$", dockerfile, re.M), "not as root"
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) == {"python:3.11.13-slim-bookworm"}


def test_the_image_holds_every_package_that_is_installed() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.rstrip("*") for pattern in found["tool"]["setuptools"]["packages"]["find"]["include"]}
    licences = set(found["project"]["license-files"])
    assert let_in == packages | licences | {found["project"]["readme"], "constraints.txt", "pyproject.toml"}


def test_every_mounted_path_is_in_the_repository_and_every_volume_is_declared() -> None:
    declared = set(compose()["volumes"])
    used = set()
    for service in services().values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert volume.endswith(":ro"), f"{volume}: a service has no business in the repository"
            else:
                used.add(source)
    assert used == declared


def test_every_dependency_is_a_service_that_can_meet_its_condition() -> None:
    for name, service in services().items():
        for other, wanted in service.get("depends_on", {}).items():
            target = services()[other]
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in target, (name, other)
            if wanted["condition"] == "service_completed_successfully":
                assert target["restart"].startswith("on-failure"), f"{other} would never be over"


def test_compose_sets_only_settings_that_exist() -> None:
    known = {f"IOC_{field.upper()}" for field in Settings.model_fields}
    for name in ("topics", "worker", "oncall", "gateway", "wall"):
        ours = {variable for variable in environment_of(services()[name]) if variable.startswith("IOC_")}
        assert ours
        assert ours <= known


def test_no_secret_stands_in_the_compose_file() -> None:
    for service in services().values():
        for variable, value in environment_of(service).items():
            if re.search("PASSWORD|SECRET|TOKEN", variable):
                assert value is None or value.startswith("${"), variable


def test_the_example_environment_names_every_variable_that_compose_asks_for() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))
    asked |= {name for service in services().values() for name, value in environment_of(service).items() if not value}
    offered = set(re.findall(r"^#? ?(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M))
    assert asked == offered


def test_memory_limits_fit_one_server_of_eight_gigabytes() -> None:
    megabytes = 0
    for service in services().values():
        number, unit = int(service["mem_limit"][:-1]), service["mem_limit"][-1]
        megabytes += number * (1024 if unit == "g" else 1)
    assert megabytes <= 5 * 1024  # the rest is the page cache, which Kafka lives on


def test_kafka_makes_no_topic_by_itself() -> None:
    kafka = environment_of(services()["kafka"])
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    inside = services()["worker"]["environment"]["IOC_BROKER"]
    assert f"INSIDE://{inside}" in str(kafka["KAFKA_ADVERTISED_LISTENERS"])
    listeners = re.findall(r"(\w+)://", str(kafka["KAFKA_LISTENERS"]))
    assert {name for name, _ in re.findall(r"(\w+):(\w+)", str(kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]))} == set(
        listeners
    )


def test_grafana_shows_nothing_to_strangers_and_finds_its_boards() -> None:
    grafana = services()["grafana"]
    assert environment_of(grafana)["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    mounts = dict(volume.split(":")[:2][::-1] for volume in grafana["volumes"])
    providers = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/ioc.yml").read_text())["providers"]
    home = Path(str(environment_of(grafana)["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]))
    folders = [Path(provider["options"]["path"]) for provider in providers]
    assert home.parent in folders
    boards = ROOT / mounts[str(home.parent.parent)]
    assert (boards / home.parent.name / home.name).is_file()
    assert {folder.name for folder in folders} == {folder.name for folder in boards.iterdir()}
    for path in (GROUND, GAZETTEER):
        assert (ROOT / mounts[f"/usr/share/grafana/{path}"]).is_file()


def provisioned(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "grafana/provisioning" / path).read_text())
    assert content.pop("apiVersion") == 1
    return content


@pytest.mark.parametrize(
    ("path", "kind", "address"),
    [
        ("datasources/prometheus.yml", "prometheus", "http://prometheus:9090"),
        ("datasources/alertmanager.yml", "alertmanager", "http://alertmanager:9093"),
    ],
)
def test_grafanas_sources_are_services_of_compose(path: str, kind: str, address: str) -> None:
    (source,) = provisioned(path)["datasources"]
    assert (source["type"], source["access"], source["editable"]) == (kind, "proxy", False)
    assert told_by_environment(source["url"]) == address
    assert urlsplit(address).hostname in services()


def told_by_environment(text: str) -> str:
    """What Grafana in compose reads for `$__env{NAME}`."""
    variable = re.fullmatch(r"\$__env\{(\w+)\}", text)
    assert variable, text
    return str(environment_of(services()["grafana"])[variable[1]])


def test_every_board_asks_the_source_that_is_provisioned() -> None:
    (source,) = provisioned("datasources/prometheus.yml")["datasources"]
    boards = list((DEPLOY / "grafana/dashboards").rglob("*.json"))
    assert len(boards) > 20
    for board in boards:
        assert set(re.findall(r'"datasource": \{\s*"type": "prometheus",\s*"uid": "([^"]+)"', board.read_text())) == {
            source["uid"]
        }, board


def test_boards_lie_in_a_folder_of_their_language_and_nobody_edits_them_there() -> None:
    providers = provisioned("dashboards/ioc.yml")["providers"]
    assert {Path(provider["options"]["path"]).name: provider["folderUid"] for provider in providers} == {
        "vi": "ioc-vi",
        "en": "ioc-en",
    }
    assert all(p["type"] == "file" and p["disableDeletion"] and not p["allowUiUpdates"] for p in providers)


def test_an_alert_that_somebody_makes_in_grafana_goes_to_on_call_once() -> None:
    """By Alertmanager, whose routes are the same; the source of that name must not send it a second time."""
    alerting = provisioned("alerting/oncall.yml")
    (point,), (policy,) = alerting["contactPoints"], alerting["policies"]
    (receiver,) = point["receivers"]
    assert set(receiver) == {"uid", "type", "disableResolveMessage", "settings"}
    assert re.fullmatch(r"[\w-]{1,40}", receiver["uid"]), "Grafana takes no other"
    assert (receiver["type"], receiver["disableResolveMessage"]) == ("prometheus-alertmanager", False)
    assert told_by_environment(receiver["settings"]["url"]) == "http://alertmanager:9093"
    assert policy["receiver"] == point["name"]
    committed = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())["route"]
    shared = ("group_by", "group_wait", "group_interval", "repeat_interval")
    assert {name: policy[name] for name in shared} == {name: committed[name] for name in shared}
    (source,) = provisioned("datasources/alertmanager.yml")["datasources"]
    assert source["jsonData"]["handleGrafanaManagedAlerts"] is False


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_playlist_turns_the_boards_of_its_language(language: str) -> None:
    playlist = json.loads((DEPLOY / f"grafana/playlists/{language}.json").read_text())
    (item,) = playlist["items"]
    assert (set(playlist), item["type"]) == ({"name", "interval", "items"}, "dashboard_by_tag")
    boards = [json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards" / language).glob("*.json")]
    turned = [board["title"] for board in boards if item["value"] in board["tags"]]
    assert len(turned) > 10
    assert f"@deploy/grafana/playlists/{language}.json" in (DEPLOY / "docs/grafana.md").read_text() or language == "en"


def test_prometheus_differs_between_compose_and_native_only_in_addresses() -> None:
    native, other = (
        yaml.safe_load((DEPLOY / f"prometheus/targets/{where}/services.yml").read_text())
        for where in ("native", "compose")
    )
    assert [group["labels"] for group in native] == [group["labels"] for group in other]
    for name, port in OUR_PORTS.items():
        assert [f"127.0.0.1:{port}"] in [group["targets"] for group in native]
        assert [f"{name}:{port}"] in [group["targets"] for group in other]
    assert ["127.0.0.1:9102"] in [group["targets"] for group in native]
    assert ["host.docker.internal:9102"] in [group["targets"] for group in other]
    assert services()["prometheus"]["extra_hosts"], "capture runs on the host"


def config_mounts(service: str) -> list[str]:
    return [volume.split(":")[1] for volume in services()[service]["volumes"] if volume.endswith(":ro")]


def test_prometheus_finds_every_file_that_its_configuration_names() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    files = [name for scrape in config["scrape_configs"] for sd in scrape["file_sd_configs"] for name in sd["files"]]
    managers = config["alerting"]["alertmanagers"]
    files += [name for manager in managers for sd in manager["file_sd_configs"] for name in sd["files"]]
    for name in files:
        assert (DEPLOY / "prometheus" / name).is_file(), name
        assert (DEPLOY / "prometheus" / name.replace("native", "compose")).is_file(), name
        assert str(Path("/etc/prometheus") / Path(name).parent) in config_mounts("prometheus")


# promtool and amtool come by deploy/ensure-tools, which `make test` runs first.
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["promtool", "check", "config", "prometheus/prometheus.yml"], id="prometheus configuration"),
        pytest.param(["amtool", "check-config", "alertmanager/alertmanager.yml"], id="alertmanager configuration"),
    ],
)
def test_the_tools_of_prometheus_accept(command: list[str]) -> None:
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param(["alertname=IocWatchdog", "severity=none"], "oncall", id="on-call listens to the watchdog"),
        pytest.param(["alertname=IocOncallSilent", "severity=critical"], "without-oncall", id="on-call is dead"),
        pytest.param(["alertname=IocServiceDown", "severity=critical"], "oncall", id="a dead service"),
        pytest.param(["alertname=IocKpiTargetMissed", "kpi=dossiers_on_time"], "oncall", id="a missed target"),
    ],
)
def test_alertmanager_routes(labels: list[str], receiver: str) -> None:
    route = ["amtool", "config", "routes", "test", "--config.file", "alertmanager/alertmanager.yml", *labels]
    done = subprocess.run(route, cwd=DEPLOY, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == [receiver], done.stdout + done.stderr


def test_inhibitions_name_alerts_that_exist() -> None:
    files = [yaml.safe_load(path.read_text()) for path in (DEPLOY / "prometheus/rules").glob("*.yml")]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    known = {rule["alert"] for rule in rules if "alert" in rule}
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
    assert set(re.findall(r"Ioc\w+", text)) <= known


def unit_sections(path: Path) -> dict[str, dict[str, list[str]]]:
    """The unit's sections; a key may come more than once."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's own way to keep the case
    parser.read_string(path.read_text(encoding="utf-8"))
    found: dict[str, dict[str, list[str]]] = {name: {} for name in parser.sections()}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[section].setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_are_hardened_and_start_commands_that_ioc_has(path: Path) -> None:
    unit = unit_sections(path)
    service = unit["Service"]
    assert set(unit) == {"Unit", "Service", "Install"}
    assert service["User"] == ["ioc"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["TimeoutStopSec"] == ["20"]
    assert "-/etc/ioc/ioc.env" in service["EnvironmentFile"]
    if service["Type"] != ["oneshot"]:
        assert service["Restart"] == ["always"]
        assert service["MemoryMax"]
    for line in service["ExecStart"] + service.get("ExecStartPre", []):
        program, *words = line.split()
        assert program == "/opt/ioc/.venv/bin/ioc"
        assert_is_command(words)
    variables = re.findall(r"(IOC_\w+)=", " ".join(service["Environment"]))
    assert set(variables) <= {f"IOC_{name.upper()}" for name in Settings.model_fields} | {"IOC_CONFIG"}


def test_units_of_services_have_the_memory_that_compose_gives_them() -> None:
    for name in OUR_PORTS:
        limit = unit_sections(DEPLOY / f"systemd/ioc-{name}.service")["Service"]["MemoryMax"]
        assert limit == [services()[name]["mem_limit"].upper()]


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return  # a machine without systemd: the structure is checked above
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace("/opt/ioc/.venv/bin/ioc", "/bin/true")
        # The user is made at installation, from ioc.sysusers.
        text = re.sub(r"^(User|Group)=.*\n", "", text, flags=re.M)
        (tmp_path / path.name.replace("@.", "@cam-01.")).write_text(text, encoding="utf-8")
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_settings_reference_is_up_to_date() -> None:
    module = runpy.run_path(str(DEPLOY / "make_settings_example.py"))
    assert module["TARGET"].read_text(encoding="utf-8") == module["example_toml"](), (
        "run .venv/bin/python deploy/make_settings_example.py"
    )


def test_the_settings_reference_is_a_settings_file(tmp_path: Path) -> None:
    text = (DEPLOY / "ioc.example.toml").read_text(encoding="utf-8")
    assert load_settings(DEPLOY / "ioc.example.toml") == load_settings(None)
    uncommented = re.sub(r"^#(\w+ = )(?! )", r"\1", text, flags=re.M)
    keys = set(tomllib.loads(uncommented))
    with_default = {name for name, field in Settings.model_fields.items() if field.default is not None}
    assert keys == with_default
    assert {name for name in Settings.model_fields if f"IOC_{name.upper()}" not in text} == set()
    changed = tmp_path / "ioc.toml"
    changed.write_text(uncommented, encoding="utf-8")
    assert load_settings(changed).broker == Settings.model_fields["broker"].default


def tools_folder(folder: Path, *names: str) -> dict[str, str]:
    """An environment whose PATH holds bash and empty programs of these names only."""
    folder.mkdir()
    for needed in ("bash", "id", "env"):
        (folder / needed).symlink_to(str(shutil.which(needed)))
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": str(folder)}


OTHER_TOOLS = ("prometheus", "promtool", "chromium", "curl", "kcat", "pg_ctlcluster")


@pytest.mark.parametrize(
    ("there", "code", "says"),
    [
        pytest.param(["prometheus-alertmanager", "amtool", *OTHER_TOOLS], 0, [], id="all, Debian's names"),
        pytest.param(["alertmanager", "amtool", *OTHER_TOOLS], 0, [], id="all, upstream's names"),
        pytest.param(["alertmanager", *OTHER_TOOLS], 1, ["amtool", "apt-get install"], id="one is missing"),
        pytest.param([], 1, ["promtool", "prometheus-alertmanager or alertmanager"], id="all are missing"),
    ],
)
def test_ensure_tools_is_silent_when_all_is_there_and_plain_when_not(
    tmp_path: Path, there: list[str], code: int, says: list[str]
) -> None:
    environment = tools_folder(tmp_path / "bin", *there)  # without apt-get in it, nothing can be installed
    done = subprocess.run(
        [DEPLOY / "ensure-tools"], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == code
    assert done.stdout == ""
    assert bool(done.stderr) is bool(says)
    assert all(word in done.stderr for word in says)
