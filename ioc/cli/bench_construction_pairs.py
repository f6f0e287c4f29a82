"""Real pairs of pictures: how well a site is laid over itself, and new roofs between two flights."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.construction.new_surfaces import NewSurfaces, new_surfaces
from detectors.preprocess import downscale
from detectors.registration import features_of, register
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import ConfigurationError
from ioc.opencv import cv2

__all__ = ["f1_of", "measure_registration", "measure_surfaces", "require_pairs"]

Grey = NDArray[np.uint8]
Counts = NDArray[np.int64]
"""Pixels that are right, false, missed."""

_WIDTHS_PX = (640, 960)  # the first is the detector's
_NEAR_PX = 15.0  # matches beyond are of other things that look alike
_LEAST_MATCHES = 50
_RESIDUAL = Bound(floor=3.0, goal=1.0, unit=" px")
_F1 = Bound(floor=0.40, goal=0.60, is_upper=False)
_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)


def require_pairs(folder: Path) -> Path:
    """Returns the folder that holds the pairs: `folder` or its `construction`.

    Raises:
        ConfigurationError: neither does.
    """
    for place in (folder, folder / "construction"):
        if (place / "manifest.csv").is_file() and (place / "levir").is_dir():
            return place
    raise ConfigurationError(f"--data {folder}: no manifest.csv and folder levir there; give the folder of pairs")


def measure_registration(data: Path) -> list[Measure]:
    """The residual of each fixed-site pair, by SIFT matches that the registration by phase never saw."""
    pairs = list(_site_pairs(require_pairs(data)))
    lines = []
    for width in _WIDTHS_PX:
        residuals = [_residual_px(_grey(a, width), _grey(b, width)) for _, a, b in pairs]
        shown = ", ".join(
            f"{name} refused" if px is None else f"{name} {px:.2f}"
            for (name, *_), px in zip(pairs, residuals, strict=True)
        )
        worst = max((np.inf if px is None else px for px in residuals), default=np.inf)
        name = f"registration, {len(pairs)} pairs {width} px wide: worst median residual of independent matches"
        lines.append(judged(name, f"{worst:.2f} px ({shown})", worst, _RESIDUAL))
    return lines


def measure_surfaces(data: Path) -> list[Measure]:
    """Pixel F1 over all aerial pairs with masks: with one setting, and with thresholds that the others chose."""
    pairs = list(_masked_pairs(require_pairs(data)))
    by_threshold = {
        threshold: [
            _counts(new_surfaces(a, b, replace(NewSurfaces(), threshold=threshold)), mask) for a, b, mask in pairs
        ]
        for threshold in _THRESHOLDS
    }
    shipped = f1_of(by_threshold[NewSurfaces().threshold])
    colour = f1_of([_counts(_colour_difference(a, b), mask) for a, b, mask in pairs])
    left_out = f1_of([_chosen_by_others(by_threshold, index) for index in range(len(pairs))])
    return [
        judged(
            f"new surfaces, pixel F1 on {len(pairs)} aerial pairs, one setting (its numbers were found on them)",
            f"{shipped:.3f}",
            shipped,
            _F1,
            peer=f"colour difference, Otsu: {colour:.2f}",
        ),
        Measure(name="the same, the threshold of each pair chosen by the others", figure=f"{left_out:.3f}"),
    ]


def f1_of(counts: Sequence[Counts]) -> float:
    """Returns F1 of the summed pixels; 0 where nothing is to be found and nothing was."""
    right, false, missed = np.sum(np.stack(counts), axis=0)
    return float(2 * right / max(2 * right + false + missed, 1))


def _chosen_by_others(by_threshold: dict[float, list[Counts]], index: int) -> Counts:
    def others_f1(threshold: float) -> float:
        return f1_of([one for number, one in enumerate(by_threshold[threshold]) if number != index])

    return by_threshold[max(by_threshold, key=others_f1)][index]


def _counts(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Counts:
    return np.array([(found & truth).sum(), (found & ~truth).sum(), (~found & truth).sum()], dtype=np.int64)


def _colour_difference(before: BgrImage, after: BgrImage) -> NDArray[np.bool_]:
    """What everybody tries first: Otsu's threshold of the difference in colour."""
    apart = cv2.absdiff(before, after).max(axis=2)
    return np.asarray(cv2.threshold(apart, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1] > 0)


def _residual_px(reference: Grey, current: Grey) -> float | None:
    """The median distance of matched points after registration, of those within 15 px; None where it was refused."""
    found = register(reference, partial(features_of, reference), current)
    if found is None:
        return None
    there, here = features_of(reference, most=4000), features_of(current, most=4000)
    matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(here.descriptors, there.descriptors)
    moved = cv2.perspectiveTransform(
        here.points[None, [match.queryIdx for match in matches]].astype(np.float64), found.matrix
    )[0]
    apart = np.linalg.norm(moved - there.points[[match.trainIdx for match in matches]], axis=1)
    near = apart[apart < _NEAR_PX]
    return float(np.median(near)) if len(near) >= _LEAST_MATCHES else None


def _grey(image: BgrImage, width_px: int) -> Grey:
    return np.asarray(cv2.cvtColor(downscale(image, width_px), cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _site_pairs(place: Path) -> Iterator[tuple[str, BgrImage, BgrImage]]:
    for first in sorted(place.glob("*_1.jpg")):
        second = first.with_name(first.name.replace("_1.jpg", "_2.jpg"))
        if second.is_file():
            yield first.stem.removeprefix("Resources_").removesuffix("_1"), _read(first), _read(second)


def _masked_pairs(place: Path) -> Iterator[tuple[BgrImage, BgrImage, NDArray[np.bool_]]]:
    for mask in sorted((place / "levir").glob("*_change.png")):
        name = mask.name.removesuffix("_change.png")
        before, after = (_read(mask.with_name(f"{name}_{number}.jpg")) for number in (1, 2))
        yield before, after, np.asarray(_read(mask)[:, :, 0] > 127)


def _read(path: Path) -> BgrImage:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigurationError(f"{path}: can't be read as a picture; take it out of the folder or repair it")
    return np.asarray(image, dtype=np.uint8)
