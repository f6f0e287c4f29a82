"""The wall's colours: after Okabe and Ito, so that colour-blind eyes tell them apart, each checked against what it
stands on (a test holds the contrast). Colour never speaks alone: a word and a form stand beside it."""

from dataclasses import dataclass, fields

__all__ = ["PALETTE", "Palette", "contrast", "css_variables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """sRGB as #rrggbb. `ground` lies behind everything, `card` behind what is told; the rest stands on these two.
    `on_…` is text upon a filled mark of that colour."""

    ground: str = "#0b1620"
    card: str = "#14242f"
    line: str = "#3d5566"
    text: str = "#f2f6f8"
    muted: str = "#a9bac6"
    good: str = "#56c9a5"
    bad: str = "#ff8a5c"
    warn: str = "#f0c14b"
    info: str = "#7cc4f2"
    on_good: str = "#06231a"
    on_bad: str = "#2b0f03"
    on_warn: str = "#2a1f00"
    on_info: str = "#04202f"


PALETTE = Palette()


def css_variables(palette: Palette = PALETTE) -> str:
    """Returns `:root { --ground: …; … }`."""
    lines = [f"--{field.name.replace('_', '-')}: {getattr(palette, field.name)};" for field in fields(palette)]
    return ":root { " + " ".join(lines) + " }\n"


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1–21, by WCAG 2.2's definition of relative luminance."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
