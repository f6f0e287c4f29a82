"""`ioc init`: a starting catalogue for a province, to be edited and pointed at."""

import difflib
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ioc.cli.options import JsonOption
from ioc.errors import ConfigurationError

__all__ = ["SHIPPED", "Place", "find_place", "register", "write_catalog"]

SHIPPED = Path(__file__).parents[1] / "catalog" / "lam-dong"
"""The catalogue that the product comes with."""

_EXAMPLE = "Example: `ioc init thanh-hoa` or `ioc init 38 --dir /etc/ioc/catalog`."
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,40}")
_PREFIXES = ("tinh-", "thanh-pho-", "tp-")

_CAMERAS = """\
# Camera quan sát tầm cao: none yet. Take the # from the example, and write one entry for each camera.
# admin_unit: the statistical code of its commune. azimuth_deg: of the middle of the picture, clockwise from north;
# fov_deg: its width. zones: where building is watched; polygons are [x, y] in 0–1 of the picture.
# `ioc calibrate` solves azimuth_deg, fov_deg, tilt_deg, roll_deg and azimuth_sd_deg of a pose from landmarks; terrain
# gives distances of one camera, masks what is not looked at; height_m and range_m are the camera's. All of them:
# deploy/docs/cameras-place.md. Where its stream is: capture.yaml, deploy/docs/cameras.md.
#
# cam-01:
#   name_vi: {name}
#   admin_unit: "{code}"
#   lon: 106.0             # WGS 84, degrees: the surveyed place of the mast
#   lat: 16.0
#   poses:
#     p0:
#       azimuth_deg: 0
#       fov_deg: 60
#       zones:
#         cam-01-plot-1:
#           kind: residential
#           name_vi: Lô đất mẫu
#           parcel_id: {code}-0001-0001
#           polygon: [[0.4, 0.8], [0.6, 0.8], [0.6, 0.6], [0.4, 0.6]]
"""
_PERMITS = """\
# Giấy phép xây dựng: none yet. One entry a permit; dates are local days, both valid.
#
# GPXD-2026-0001:
#   parcel_id: {code}-0001-0001
#   valid_from: 2026-01-15
#   valid_to: 2027-01-14
#   floors: 3
"""

ProvinceArgument = Annotated[
    str, typer.Argument(metavar="PROVINCE", help="lam-dong, 'Lâm Đồng' or its statistical code, 68")
]
CodeOption = Annotated[int | None, typer.Option("--code", help="statistical code; else looked up by the name")]
DirOption = Annotated[Path | None, typer.Option("--dir", help="folder to write; else one named as the province")]
NameViOption = Annotated[str | None, typer.Option("--name-vi", help="as boards show it: Tỉnh Lâm Đồng")]
NameEnOption = Annotated[str | None, typer.Option("--name-en", help="as boards show it: Lâm Đồng province")]
ForceOption = Annotated[bool, typer.Option("--force", help="write over the catalogue files of a folder in use")]


def register(app: typer.Typer) -> None:
    """Adds `ioc init`."""
    app.command("init", epilog=_EXAMPLE)(init)


def init(
    province: ProvinceArgument,
    code: CodeOption = None,
    folder: DirOption = None,
    name_vi: NameViOption = None,
    name_en: NameEnOption = None,
    is_forced: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a starting catalogue for a province: event types, entities and KPIs, ready for its own cameras."""
    place = find_place(province, code, name_vi=name_vi, name_en=name_en)
    target = folder or Path(place.slug)
    written = write_catalog(place, target, is_forced=is_forced)
    if as_json:
        answer = {"folder": str(target), "province": place.slug, "statistical_code": place.code, "files": written}
        print(json.dumps(answer, ensure_ascii=False))
        return
    print(f"{target}: a starting catalogue for {place.name_vi} ({place.code}), {len(written)} files. Next:")
    print(f"  export IOC_CATALOG={_quoted(str(target.absolute()))}")
    print("  ioc check           # after every change of a file")
    print("  ioc topics apply    # creates its topics on the Kafka of IOC_BROKER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A province as a catalogue names it: `slug` is the first word of its sources and its metric label."""

    slug: str
    code: int
    name_vi: str
    name_en: str


def find_place(text: str, code: int | None = None, *, name_vi: str | None = None, name_en: str | None = None) -> Place:
    """Returns the province that `text` names, by any spelling of its name or by its statistical code.

    With a `code`, `text` may also be a name that no province has: it becomes the slug.

    Raises:
        ConfigurationError: no such province, a code that is another one's, or a name that can't be shown on one line.
    """
    from vietnam_provinces import Province

    provinces = {province.codename.replace("_", "-"): province for province in Province.iter_all()}
    codes = {int(province.code): slug for slug, province in provinces.items()}
    folded = _folded(text)
    named = codes.get(int(folded)) if folded.isdecimal() else (folded if folded in provinces else None)
    if code is None and named is None:
        raise _no_such(text, folded, list(provinces))
    if code is not None and code not in codes:
        raise ConfigurationError(f"--code {code}: not one of the 34 provinces' statistical codes (Lâm Đồng is 68)")
    if code is not None and named is not None and codes[code] != named:
        raise ConfigurationError(f"--code {code} is {provinces[codes[code]].name}, not {text}; leave one of them out")
    own = named or (codes[code] if code is not None else "")
    province = provinces[own]
    slug = named or folded
    if not _SLUG.fullmatch(slug):
        raise ConfigurationError(
            f"{text!r} makes no province id: write small letters, digits and dashes, like lam-dong"
        )
    short = province.name.removeprefix("Thành phố ")
    is_city = short != province.name
    return Place(
        slug=slug,
        code=int(province.code),
        name_vi=_one_line(name_vi, "--name-vi") or (province.name if is_city else f"Tỉnh {short}"),
        name_en=_one_line(name_en, "--name-en") or f"{short} {'city' if is_city else 'province'}",
    )


def write_catalog(place: Place, folder: Path, *, is_forced: bool = False, source: Path = SHIPPED) -> list[str]:
    """Writes the starting catalogue of `source` into `folder`, loads it once, returns the files' names relative to it.

    Cameras and permits of the shipped catalogue stay where the province is the same; elsewhere they become examples,
    and the worked examples of the KPIs are told of the province's own sources and communes.
    With `is_forced` files of the same name are written over, and nothing else in the folder is touched.

    Raises:
        ConfigurationError: the folder is in use, can't be written, or is the shipped catalogue itself.
    """
    from ioc.catalog import load_catalog
    from ioc.catalog.yaml_files import parsed

    if folder.resolve() in (source.resolve(), SHIPPED):
        raise ConfigurationError(f"{folder} is the catalogue that the product ships; give another --dir")
    texts = {
        path.relative_to(source).as_posix(): path.read_text(encoding="utf-8")
        for pattern in ("*.yaml", "*.ics", "published/*.json")
        for path in sorted(source.rglob(pattern))
    }
    shipped = parsed(texts["province.yaml"])
    texts["province.yaml"] = _province_yaml(texts["province.yaml"], place)
    for name in texts:  # the sources of its own, which begin with the province
        texts[name] = texts[name].replace(f"/{shipped['province']}/", f"/{place.slug}/")
    if shipped["statistical_code"] != place.code:
        _tell_of_another(texts, shipped["statistical_code"], place)
    try:
        if not is_forced and folder.is_dir() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty; give another --dir, or --force to write over its catalogue"
            )
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or folder} can't be written: {error.strerror}; give another --dir"
        ) from None
    load_catalog(folder)
    return list(texts)


def _tell_of_another(texts: dict[str, str], shipped_code: int, place: Place) -> None:
    """Changes the files for a province with other communes: no cameras, permits and past units; examples of its own."""
    from ioc.catalog.units import units_of
    from ioc.catalog.yaml_files import parsed
    from ioc.cli.init_examples import examples_of, unit_codes

    shipped, own = ([unit.code for unit in units_of(code)] for code in (shipped_code, place.code))
    cameras = parsed(texts["cameras.yaml"])
    first = units_of(place.code)[0]
    texts["cameras.yaml"] = _CAMERAS.format(name=first.name_vi, code=first.code)
    texts["permits.yaml"] = _PERMITS.format(code=first.code)
    texts.pop("units.yaml", None)
    kpis = [name for name in texts if name.startswith("kpis/")]
    codes = unit_codes([texts[name] for name in kpis], shipped, own)
    for name in kpis:
        texts[name] = examples_of(texts[name], codes, (len(shipped), len(own)), cameras)


def _province_yaml(text: str, place: Place) -> str:
    """The shipped file with the province's own values; keys and comments that say what they mean stay."""
    values = {
        "province": place.slug,
        "name_vi": _yaml(place.name_vi),
        "name_en": _yaml(place.name_en),
        "statistical_code": str(place.code),
    }
    for key, value in values.items():
        line = re.search(rf"^{key}:[^#\n]*", text, flags=re.MULTILINE)
        assert line is not None, f"the shipped province.yaml has no line {key}"
        entry = f"{key}: {value}"
        text = text[: line.start()] + entry.ljust(len(line[0])) + text[line.end() :]
    lines = text.splitlines()
    lines[0] = f"# {place.name_vi}. Point IOC_CATALOG at this folder; `ioc check` reads it after every change."
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _yaml(text: str) -> str:
    """`text` as a YAML value on one line, quoted only where it must be."""
    import yaml

    return yaml.safe_dump(text, allow_unicode=True, width=10_000).splitlines()[0]


def _folded(text: str) -> str:
    """Tỉnh Đắk Lắk, dak_lak and DAK LAK all become dak-lak."""
    plain = unicodedata.normalize("NFD", text.strip().lower().replace("đ", "d"))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    folded = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    for prefix in _PREFIXES:
        folded = folded.removeprefix(prefix)
    return folded


def _no_such(text: str, folded: str, slugs: list[str]) -> ConfigurationError:
    near = difflib.get_close_matches(folded, slugs, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    known = ", ".join(sorted(slugs))
    return ConfigurationError(
        f"{text!r} is not one of the 34 provinces of today; {hint}Name one of {known}, or give --code"
    )


def _one_line(text: str | None, option: str) -> str:
    if text is not None and (not text.strip() or not text.isprintable()):
        raise ConfigurationError(f"{option} must be a name on one line")
    return (text or "").strip()


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)
