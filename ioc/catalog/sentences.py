"""What pydantic finds wrong in a file of a catalogue, as a sentence for the person who wrote the file. Pure."""

import re
from typing import Any

from pydantic import ValidationError

__all__ = ["KPI_ID", "METRIC", "PROVINCE_ID", "TOPIC", "sentence_of"]


PROVINCE_ID = r"^[a-z][a-z0-9-]{1,40}$"
TOPIC = r"^ioc\.[a-z0-9-]+(\.[a-z0-9-]+)?$"
KPI_ID = r"^[a-z][a-z0-9_]*$"
METRIC = r"^ioc_[a-z0-9_]+$"
_IN_WORDS = {
    PROVINCE_ID: "a province's id is 2 to 41 small letters without marks, digits and hyphens, like lam-dong",
    TOPIC: "a topic is `ioc.` and one or two words of small letters, digits and hyphens, like ioc.water.samples",
    KPI_ID: "a KPI's id is small letters, digits and underscores and begins with a letter, like water_samples_safe",
    METRIC: "a metric begins with ioc_ and has small letters, digits and underscores, like ioc_water_samples_safe",
}
_FORMS = ("ColumnEntry", "TargetEntry")  # models that are one of two forms of a value
_OWN_CLASS = re.compile(r" or instance of \w+Entry")


def sentence_of(error: ValidationError) -> str:
    """Returns `KEY: what is wrong (found VALUE)` for the first thing that is wrong."""
    first = error.errors()[0]
    # Where a value may have one of two forms, pydantic names the form too: `TargetEntry`, `tuple[…]`.
    parts = [str(part) for part in first["loc"]]
    key = ".".join(part for part in parts if part not in _FORMS and "[" not in part) or "the file"
    found = "" if first["type"] == "missing" else f" (found {str(first.get('input'))[:80]!r})"
    return f"{key}: {_wrong(first, parts)}{found}"


def _wrong(found: Any, parts: list[str]) -> str:
    match found["type"]:
        case "string_pattern_mismatch":
            pattern = found["ctx"]["pattern"]
            return _IN_WORDS.get(pattern, str(found["msg"]))
        case "timezone_aware":
            return "give the time with its offset, like 2026-11-22T08:00:00+07:00"
        case "model_type" if parts[-1:] == ["ColumnEntry"]:
            return (
                "give a number of days" if "keep_days" in parts else "a column is written {newest: FIELD} or the like"
            )
    return _OWN_CLASS.sub("", str(found["msg"]))
