"""`ioc detectors advise`: what people's verdicts say of the detectors."""

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ioc.cli.options import BrokerOption, ConfigOption, JsonOption

if TYPE_CHECKING:
    from ioc.incidents import Incident
    from ioc.verdict_advice import Advice, Judged, Tally

__all__ = ["register"]

_ADVISE = "Example: `ioc detectors advise --days 90`"


def register(app: typer.Typer) -> None:
    """Adds `ioc detectors advise | compare`."""
    from ioc.cli.detectors_compare import EPILOG, detectors_compare

    detectors = typer.Typer(
        no_args_is_help=True, help="Detectors: what people's verdicts say of them, and what another would do."
    )
    detectors.command("advise", epilog=_ADVISE)(detectors_advise)
    detectors.command("compare", epilog=EPILOG)(detectors_compare)
    app.add_typer(detectors, name="detectors")


def detectors_advise(
    days: Annotated[int, typer.Option("--days", min=1, help="incidents of so many days")] = 90,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how often each camera, pose and hour was right, and propose masks and thresholds where mistakes repeat.

    Reads `ioc.incidents` and the verdicts of `ioc.incident.actions`. Every share has its count and 95 % interval.
    Nothing is changed: a person writes the mask into `cameras.yaml`, or leaves it.
    """
    from ioc.adapters.kafka_access import kafka_access
    from ioc.cli.detectors_verdicts import read_judged
    from ioc.clock import clock_from_setting
    from ioc.settings import load_settings
    from ioc.verdict_advice import advise, tally_by

    settings = load_settings(config)
    since = clock_from_setting(settings.now)() - timedelta(days=days)
    known = asyncio.run(read_judged(kafka_access(settings, broker), since))
    judged = [
        _one(incident, known.verdicts[incident.incident_id]) for incident in known.with_verdict if incident.camera_id
    ]
    by_pose = tally_by(judged, "kind", "camera_id", "pose_id")
    by_hour = tally_by(judged, "kind", "hour")
    advice = advise(judged)
    if as_json:
        told = {
            "verdicts": len(judged),
            "poses": [_tally_json(("kind", "camera", "pose"), *one) for one in by_pose.items()],
            "hours": [_tally_json(("kind", "hour"), *one) for one in by_hour.items()],
            "advice": [_advice_json(one) for one in advice],
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    print(f"{len(judged)} incidents with a verdict in {days} days")
    for tallies in (by_pose, by_hour):
        for group, tally in tallies.items():
            print(f"  {' '.join(map(str, group))}{'h' if isinstance(group[-1], int) else ''}: {_words(tally)}")
    for one in advice:
        print(_sentence(one))
    if not advice:
        print("nothing to propose: no place has three false alarms, or what is real lies there too")


def _one(incident: "Incident", verdict: str) -> "Judged":
    from typing import cast

    from ioc.verdict_advice import Judged, Said
    from ioc.windows import LOCAL_ZONE

    return Judged(
        incident_id=incident.incident_id,
        kind=incident.kind,
        camera_id=incident.camera_id,
        pose_id=incident.pose_id,
        hour=incident.first_frame_at.astimezone(LOCAL_ZONE).hour,
        score=incident.peak_score,
        box=incident.box,
        verdict=cast(Said, verdict),
    )


def _words(tally: "Tally") -> str:
    counts = f"{tally.true} true, {tally.false} false, {tally.other} other smoke, {tally.unsure} unsure"
    if tally.precision is None:
        return counts
    low, high = tally.interval
    return f"{counts}; right {tally.precision:.0%} (95 %: {low:.0%} to {high:.0%})"


def _sentence(one: "Advice") -> str:
    where = f"{one.kind} at {one.camera_id} {one.pose_id}: {one.false} of {one.all_false} false alarms"
    if one.box is None:
        return f"{where} peaked below {one.threshold}, and nothing real did: raise the threshold to {one.threshold}"
    hours = ", ".join(f"{hour}h" for hour in one.hours)
    return (
        f"{where} are at one place (hours: {hours}): look there, and mask it in cameras.yaml: polygon: {_polygon(one)}"
    )


def _polygon(one: "Advice") -> list[list[float]]:
    assert one.box is not None, "of a mask"
    left, top, right, bottom = (round(edge, 3) for edge in one.box.edges)
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def _tally_json(names: tuple[str, ...], group: tuple[str | int, ...], tally: "Tally") -> dict[str, Any]:
    counts = {"true": tally.true, "false": tally.false, "other_smoke": tally.other, "unsure": tally.unsure}
    return dict(zip(names, group, strict=True)) | counts | {"precision": tally.precision, "interval": tally.interval}


def _advice_json(one: "Advice") -> dict[str, Any]:
    told = {
        "what": one.what, "kind": one.kind, "camera": one.camera_id, "pose": one.pose_id, "false": one.false,
        "all_false": one.all_false, "threshold": one.threshold, "hours": one.hours,
    }  # fmt: skip
    return told | ({"polygon": _polygon(one)} if one.box is not None else {})
