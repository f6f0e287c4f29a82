"""The communes in force, from the public package of statistical codes: data, not the product's reading of it."""

from functools import cache

from vietnam_provinces import Ward
from vietnam_provinces.codes import ProvinceCode

__all__ = ["communes"]


@cache
def communes(province_code: int = 68) -> tuple[str, ...]:
    """Returns the statistical codes of Lâm Đồng's 124 communes, in order."""
    found = [ward for ward in Ward.iter_all() if ward.province_code == ProvinceCode(province_code)]
    return tuple(sorted(f"{ward.code.value:05d}" for ward in found))
