"""Today's communes of a province, from the maintained package `vietnam-provinces`."""

from datetime import date
from functools import lru_cache

from vietnam_provinces import Province, Ward

from ioc.errors import ConfigurationError
from ioc.geography import Unit

__all__ = ["units_of"]

_REFORM = date(2025, 7, 1)  # 63 provinces became 34, and the districts ended


@lru_cache(maxsize=4)
def units_of(statistical_code: int) -> tuple[Unit, ...]:
    """Returns the communes of the province with this code, by their own statistical codes (five digits).

    Raises:
        ConfigurationError: no province has the code.
    """
    if not any(int(province.code) == statistical_code for province in Province.iter_all()):
        raise ConfigurationError(
            f"province.yaml: statistical_code {statistical_code} is not one of the 34 provinces (Lâm Đồng is 68)"
        )
    return tuple(
        Unit(code=f"{int(ward.code):05d}", name_vi=ward.name, name_en=_plain(ward.codename), valid_from=_REFORM)
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
