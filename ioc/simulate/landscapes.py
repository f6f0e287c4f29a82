"""Kinds of country that a camera may look over, as numbers that `build_terrain` draws from. Colours are BGR."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ioc.simulate.perspective import Colour

__all__ = ["HIGHLAND", "LANDSCAPES", "Floor", "Landscape", "Ridge"]

Floor = Literal["crops", "dry", "forest", "lake", "town"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """One line of hills: its distance, its crest in shares of the height (for the default lens), how rough it is.

    `forest` (0–1): crowns that sway and give a fine grain; 0 is bare grass and rock.
    """

    distance_km: float
    crest: float
    roughness: float
    colour: Colour
    forest: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """A kind of country. `ridges` far to near; `floor_row`: where the valley floor begins, in shares of the height.

    `houses`, `glass` (greenhouses) and `trees` multiply what the scene asks for; `foreground` (0–1): pine tops
    """

    name: str
    ridges: tuple[Ridge, ...]
    floor: Floor
    covers: tuple[Colour, ...]
    second: Colour = (70, 108, 104)
    floor_row: float = 0.43
    camera_height_m: float = 60.0
    houses: float = 1.0
    glass: float = 1 / 3
    trees: float = 1.0
    foreground: float = 1.0


_FIELDS: tuple[Colour, ...] = (
    (62, 118, 96), (58, 104, 78), (74, 128, 122), (66, 92, 116), (52, 96, 68), (86, 136, 128),
)  # fmt: skip

HIGHLAND = Landscape(
    name="highland",
    ridges=(
        Ridge(distance_km=14.0, crest=0.235, roughness=0.028, colour=(96, 92, 74)),
        Ridge(distance_km=8.0, crest=0.270, roughness=0.030, colour=(80, 92, 70)),
        Ridge(distance_km=4.2, crest=0.315, roughness=0.038, colour=(56, 80, 58)),
        Ridge(distance_km=2.2, crest=0.365, roughness=0.030, colour=(44, 72, 50)),
    ),
    floor="crops",
    covers=_FIELDS,
)
"""Đà Lạt: pine ridges over a valley of vegetable fields and greenhouses."""

_PLAIN = Landscape(
    name="plain",
    ridges=(
        Ridge(distance_km=18.0, crest=0.312, roughness=0.012, colour=(104, 100, 84)),
        Ridge(distance_km=9.0, crest=0.330, roughness=0.016, colour=(82, 98, 80), forest=0.7),
        Ridge(distance_km=5.0, crest=0.352, roughness=0.012, colour=(60, 92, 70), forest=0.8),
    ),
    floor="crops",
    covers=((70, 140, 120), (66, 124, 96), (92, 150, 150), (80, 112, 132), (58, 110, 82), (110, 168, 176)),
    second=(84, 124, 126),
    floor_row=0.372,
    camera_height_m=45.0,
    trees=0.5,
    foreground=0.3,
)
"""A plain of rice and sugar cane with low hills behind it."""

_DRY_HILLS = Landscape(
    name="dry_hills",
    ridges=(
        Ridge(distance_km=16.0, crest=0.225, roughness=0.040, colour=(112, 118, 128), forest=0.1),
        Ridge(distance_km=7.0, crest=0.275, roughness=0.045, colour=(104, 126, 148), forest=0.15),
        Ridge(distance_km=3.4, crest=0.330, roughness=0.040, colour=(88, 118, 142), forest=0.25),
        Ridge(distance_km=1.6, crest=0.405, roughness=0.034, colour=(78, 112, 138), forest=0.3),
    ),
    floor="dry",
    covers=((96, 132, 158), (88, 122, 146), (84, 128, 140)),
    second=(62, 92, 84),
    floor_row=0.47,
    houses=0.25,
    glass=0.0,
    trees=0.35,
    foreground=0.15,
)
"""Rocky hills under dry grass and scrub, as towards the coast."""

_FOREST = Landscape(
    name="forest",
    ridges=(
        Ridge(distance_km=11.0, crest=0.215, roughness=0.045, colour=(92, 92, 70)),
        Ridge(distance_km=5.5, crest=0.270, roughness=0.050, colour=(66, 84, 60)),
        Ridge(distance_km=3.0, crest=0.335, roughness=0.055, colour=(48, 74, 50)),
        Ridge(distance_km=1.5, crest=0.430, roughness=0.050, colour=(38, 64, 42)),
        Ridge(distance_km=0.8, crest=0.560, roughness=0.045, colour=(34, 58, 38)),
    ),
    floor="forest",
    covers=((36, 60, 40), (40, 66, 44)),
    second=(44, 84, 62),
    floor_row=0.74,
    camera_height_m=110.0,
    houses=0.0,
    glass=0.0,
    trees=1.6,
    foreground=1.0,
)
"""A lookout over one forest ridge behind the other; hardly any floor."""

_LAKE = Landscape(
    name="lake",
    ridges=(
        Ridge(distance_km=12.0, crest=0.245, roughness=0.030, colour=(98, 96, 78)),
        Ridge(distance_km=6.0, crest=0.290, roughness=0.032, colour=(72, 88, 66)),
        Ridge(distance_km=2.8, crest=0.352, roughness=0.026, colour=(46, 74, 52)),
    ),
    floor="lake",
    covers=((62, 112, 90), (66, 120, 104), (60, 100, 82)),
    floor_row=0.415,
    houses=0.7,
    glass=0.15,
    trees=0.8,
    foreground=0.7,
)
"""The shore of a reservoir: water that mirrors the sky before wooded hills."""

_TOWN = Landscape(
    name="town",
    ridges=(
        Ridge(distance_km=10.0, crest=0.250, roughness=0.030, colour=(98, 94, 76)),
        Ridge(distance_km=5.0, crest=0.302, roughness=0.034, colour=(70, 88, 66)),
        Ridge(distance_km=2.5, crest=0.360, roughness=0.026, colour=(52, 80, 58), forest=0.8),
    ),
    floor="town",
    covers=((96, 116, 118), (86, 112, 104), (104, 124, 132), (72, 108, 92)),
    floor_row=0.425,
    camera_height_m=75.0,
    houses=4.0,
    glass=0.15,
    trees=0.8,
    foreground=0.5,
)
"""The edge of a town, roofs up to the foot of the hills."""

LANDSCAPES: Mapping[str, Landscape] = MappingProxyType(
    {kind.name: kind for kind in (HIGHLAND, _PLAIN, _DRY_HILLS, _FOREST, _LAKE, _TOWN)}
)
"""All kinds by name."""
