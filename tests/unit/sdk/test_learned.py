"""What the gateway's schemas teach: a department's machine says what the centre says, or leaves it to the centre."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ioc.contracts import Samples, json_schema
from ioc.errors import InvalidRecord
from ioc.event_types import EventType
from ioc.publishing import EventJudge
from ioc.sdk.checks import GatewayChecks
from ioc.sdk.learned import LearnedType
from ioc.sdk.results import LinkTrouble
from ioc.windows import microseconds_of
from tests.unit.domain.making import catalog
from tests.unit.sdk.centre import AWAY

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
NOW_US = microseconds_of(NOW)
OURS = set(catalog().department_topics())
TYPES = [kind for kind in catalog().event_types.values() if kind.entity and kind.topic in OURS]
ONLY_CENTRE = {"unknown_admin_unit", "unknown_camera", "time_too_old"}

Spoil = Callable[[dict[str, Any], EventType], None]


def _without_a_required_field(event: dict[str, Any], kind: EventType) -> None:
    required = [spec.name for spec in kind.fields if spec.is_required]
    if required:
        del event["data"][required[-1]]


def _everything_a_list(event: dict[str, Any], kind: EventType) -> None:
    event["data"] = {name: [{}] for name in event["data"]}


def _everything_negative(event: dict[str, Any], kind: EventType) -> None:
    event["data"] = {name: -1 if isinstance(value, int | float) else value for name, value in event["data"].items()}


def _every_text_odd(event: dict[str, Any], kind: EventType) -> None:
    event["data"] = {name: "odd" if isinstance(value, str) else value for name, value in event["data"].items()}


def _far_future(event: dict[str, Any], kind: EventType) -> None:
    event["time"] = "2026-11-23T08:00:00+07:00"


def _tombstone(event: dict[str, Any], kind: EventType) -> None:
    event["data"] = {name: event["data"][name] for name in kind.entity_key} | {"deleted": True}


def _foreign(event: dict[str, Any], kind: EventType) -> None:
    event["source"] = "/lam-dong/elsewhere"


def _nothing(event: dict[str, Any], kind: EventType) -> None:
    return


SPOILS: list[Spoil] = [
    _nothing,
    _without_a_required_field,
    _everything_a_list,
    _everything_negative,
    _every_text_odd,
    _far_future,
    _tombstone,
    _foreign,
]


def reason(judge: Callable[[], object]) -> str:
    try:
        judge()
    except InvalidRecord as error:
        return f"{error.reason} {error.field}"
    return ""


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__.strip("_"))
def test_every_type_is_judged_as_the_centre_judges_it(spoil: Spoil) -> None:
    judge = EventJudge(catalog())
    seen = set()
    for kind in TYPES:
        learned = LearnedType(json.loads(json.dumps(json_schema(kind, catalog().province))))
        event = Samples.of(catalog()).event(kind)
        spoil(event, kind)
        body = json.dumps(event).encode()
        theirs = reason(lambda body=body: judge.judge(body, NOW_US))  # type: ignore[misc]  # called at once
        ours = reason(lambda body=body, learned=learned: learned.check(body, NOW_US))  # type: ignore[misc]
        seen.add(theirs)
        if theirs.split(" ")[0] not in ONLY_CENTRE:
            assert ours == theirs, kind.name
    assert seen == {""} if spoil in (_nothing, _tombstone) else seen - {""}


class Gateway:
    """Gives schemas, with their ETags."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.is_open = True
        self.body = json.dumps(json_schema(catalog().event_types["dossier.submitted"], "lam-dong")).encode()
        self.etag = '"1"'

    async def get(self, path: str, etag: str) -> tuple[int, str, bytes]:
        self.asked.append((path, etag))
        await asyncio.sleep(0)
        if not self.is_open:
            raise LinkTrouble(AWAY)
        if not path.endswith("dossier.submitted"):
            return 404, "", b"{}"
        return (304, etag, b"") if etag == self.etag else (200, self.etag, self.body)


BAD = json.dumps(
    {
        "specversion": "1.0",
        "type": "vn.ioc.dossier.submitted.v1",
        "source": "/lam-dong/onestop/a",
        "id": "1",
        "time": "2026-11-22T08:00:00+07:00",
        "data": {},
    }
).encode()


def refused(checks: GatewayChecks, type_name: str = "dossier.submitted") -> str:
    return reason(lambda: checks.check(type_name, BAD, NOW, is_clock_sure=True)).split(" ")[0]


async def test_schemas_are_asked_once_and_kept_for_a_start_without_a_link(tmp_path: Path) -> None:
    gateway = Gateway()
    checks = GatewayChecks(gateway.get, tmp_path / "types", None)
    assert (checks.kind, refused(checks)) == ("none", "")
    await checks.learn("dossier.submitted")
    await checks.learn("vn.ioc.dossier.submitted.v1")
    assert (checks.kind, refused(checks), gateway.asked) == (
        "gateway",
        "missing_field",
        [("v1/types/dossier.submitted", "")],
    )
    gateway.is_open = False
    later = GatewayChecks(gateway.get, tmp_path / "types", None)
    await later.learn("dossier.submitted")
    assert refused(later) == "missing_field"
    gateway.is_open = True
    again = GatewayChecks(gateway.get, tmp_path / "types", None)
    await again.learn("dossier.submitted")
    assert gateway.asked[-1] == ("v1/types/dossier.submitted", '"1"')
    assert refused(again) == "missing_field"


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"etag":1,"schema":{}}', b"\xff"])
async def test_a_damaged_copy_or_an_unknown_schema_leaves_the_judging_to_the_gateway(
    kept: bytes, tmp_path: Path
) -> None:
    (tmp_path / "dossier.submitted.json").write_bytes(kept)
    gateway = Gateway()
    gateway.body = b'{"properties": {}}'
    checks = GatewayChecks(gateway.get, tmp_path, None)
    await checks.learn("dossier.submitted")
    await checks.learn("no.such.type")
    await checks.learn("../../etc/passwd")
    assert (checks.kind, refused(checks), refused(checks, "no.such.type")) == ("none", "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["dossier.submitted.json"]


async def test_another_version_of_a_type_is_not_judged_by_this_one(tmp_path: Path) -> None:
    checks = GatewayChecks(Gateway().get, tmp_path, None)
    await checks.learn("dossier.submitted")
    assert refused(checks, "vn.ioc.dossier.submitted.v2") == ""
