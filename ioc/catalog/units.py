"""The units of a province: today's communes from the maintained package `vietnam-provinces`, and what the province's
own `units.yaml` says of them and of the units before and after."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from vietnam_provinces import Province, Ward

from ioc.errors import ConfigurationError
from ioc.geography import Geography, Unit

__all__ = ["UnitsFile", "geography_of", "units_of"]


def _code(value: object) -> str:
    """Unquoted, YAML reads 01201 as an octal number: it would be unit 641."""
    if isinstance(value, str) and len(value) == 5 and value.isascii() and value.isdecimal():
        return value
    raise ValueError('a unit\'s code is five digits in quotation marks, as in "01201"')


_Code = Annotated[str, BeforeValidator(_code)]


class _Entry(BaseModel):
    """One unit: a former one, a coming one, or what differs for one of today's. `from` and `to` are its first and
    last local day; left out, they are open ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name_vi: str = ""
    name_en: str = ""
    first_day: date | None = Field(None, alias="from")
    last_day: date | None = Field(None, alias="to")
    successors: tuple[_Code, ...] = ()


class UnitsFile(BaseModel):
    """`units.yaml`. `only`: the units listed are all there are, and today's are not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: bool = False
    units: dict[_Code, _Entry] = {}


def geography_of(declared: UnitsFile, today: Iterable[Unit]) -> Geography:
    """Returns the units of `today`, each as `declared` has it, and the other units declared.

    Raises:
        ConfigurationError: an entry contradicts itself or another; names the unit and the key.
    """
    if declared.only and not declared.units:
        raise ConfigurationError("only: there are no units; list them under `units`, or take `only` away")
    known = {unit.code: unit for unit in today}
    for code, entry in declared.units.items():
        known[code] = _unit(code, entry, known.get(code), is_alone=declared.only)
    return Geography(known.values())


def _unit(code: str, entry: _Entry, today: Unit | None, *, is_alone: bool) -> Unit:
    name_vi = entry.name_vi or (today.name_vi if today else "")
    if not name_vi:
        raise ConfigurationError(f"{code}: name_vi: is missing; the unit is not one of today's, so give its name")
    if today is None and not is_alone and entry.first_day is None and entry.last_day is None:
        raise ConfigurationError(
            f"{code}: is not a unit of today; give `to` (a former unit) or `from` (a coming one), or mend the code"
        )
    return Unit(
        code=code,
        name_vi=name_vi,
        name_en=entry.name_en or (today.name_en if today and not entry.name_vi else name_vi),
        valid_from=entry.first_day,
        valid_to=entry.last_day,
        successors=entry.successors,
    )


@lru_cache(maxsize=4)
def units_of(statistical_code: int) -> tuple[Unit, ...]:
    """Returns today's communes of the province with this code, by their own statistical codes (five digits).

    Their dates are open, although most were formed on 2025-07-01: an event about 2010 that is typed in today carries
    today's code, and a unit formed by a merger keeps the code of one of the merged, which was in force before. A
    province that wants the dates strict says `from` in its units.yaml.

    Raises:
        ConfigurationError: no province has the code.
    """
    if not any(int(province.code) == statistical_code for province in Province.iter_all()):
        raise ConfigurationError(
            f"province.yaml: statistical_code {statistical_code} is not one of the 34 provinces (Lâm Đồng is 68)"
        )
    return tuple(
        Unit(code=f"{int(ward.code):05d}", name_vi=ward.name, name_en=_plain(ward.codename))
        for ward in Ward.iter_all()
        if int(ward.province_code) == statistical_code
    )


def _plain(codename: str) -> str:
    """phuong_cam_ly_da_lat -> Cam Ly Da Lat ward."""
    kinds = {"phuong": "ward", "xa": "commune", "dac_khu": "special zone"}
    for prefix, kind in kinds.items():
        if codename.startswith(prefix + "_"):
            return f"{codename[len(prefix) + 1 :].replace('_', ' ').title()} {kind}"
    return codename.replace("_", " ").title()
