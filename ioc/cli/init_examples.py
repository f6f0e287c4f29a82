"""Worked examples of the shipped KPIs, told of another province: its sources, its communes, its number of communes."""

import re
from collections.abc import Collection, Mapping, Sequence

import yaml

from ioc.catalog.yaml_files import composed, parsed

__all__ = ["examples_of", "unit_codes"]

_CODE = re.compile(r'"(\d{5})"')
_NO_CAMERAS = "# examples: the shipped ones tell of the shipped cameras; write your own once cameras.yaml lists yours\n"


def unit_codes(texts: Collection[str], shipped: Sequence[str], own: Sequence[str]) -> dict[str, str]:
    """Returns for each commune that the files name in quotes a commune of the province, in the same order of codes.

    A code that is none of the shipped province's stands for one that must be refused, so it may not be `own`: where it
    is, a shipped one takes its place.
    """
    named = sorted({code for text in texts for code in _CODE.findall(text)})
    known = [code for code in named if code in set(shipped)]
    foreign = next(code for code in shipped if code not in set(own))
    new = dict(zip(known, sorted(own), strict=False))
    return new | {code: foreign for code in named if code not in new and code in set(own)}


def examples_of(text: str, codes: Mapping[str, str], communes: tuple[int, int], cameras: Collection[str]) -> str:
    """Returns a KPI's file with its examples told of another province.

    Examples that rest on the register of cameras are left out: the new province has none of the shipped `cameras`.

    Args:
        codes: what `unit_codes` gives.
        communes: how many communes the shipped province has, and how many the new one.
    """
    spec = parsed(text)
    examples = spec.get("examples", ())
    if spec.get("population") == "cameras":
        return _cut_examples(text, range(len(examples)))
    if spec.get("population") == "communes":
        text = re.sub(rf"\b(\d+)/{communes[0]}\b", rf"\g<1>/{communes[1]}", text)
    of_cameras = [
        number for number, example in enumerate(examples) if _names_one_of(example.get("events", ()), cameras)
    ]
    text = _cut_examples(text, of_cameras)
    return _CODE.sub(lambda found: f'"{codes.get(found[1], found[1])}"', text)


def _names_one_of(events: Sequence[Mapping[str, object]], cameras: Collection[str]) -> bool:
    return any(event.get("camera_id") in cameras for event in events)


def _cut_examples(text: str, numbers: Sequence[int]) -> str:
    """`text` without the lines of these examples; of the list that is then empty a comment is left."""
    if not numbers:
        return text
    root = composed(text)
    assert isinstance(root, yaml.MappingNode)
    key, items = next((key, value) for key, value in root.value if key.value == "examples")
    lines = text.splitlines(keepends=True)
    later = [other.start_mark.line for other, _ in root.value if other.start_mark.line > key.start_mark.line]
    starts = [item.start_mark.line for item in items.value]
    ends = [*starts[1:], min(later, default=len(lines))]
    gone = {line for number in numbers for line in range(starts[number], ends[number])}
    kept = [line for number, line in enumerate(lines) if number not in gone]
    if len(numbers) == len(starts):
        kept[key.start_mark.line] = _NO_CAMERAS
    return "".join(kept)
