"""How a figure stands, where it goes, and what comes first."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ioc.wall.live.kpis import WallKpi
from ioc.wall.live.past import MAX_PERIODS, PastFigures
from ioc.wall.live.scrape import groups_of, readings_of
from ioc.wall.live.tiles import Group, Past, Reading, Standing, Trend, tile_of, worst_first

AS_OF = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
ONLINE = WallKpi(
    id="online", metric="ioc_online_ratio", name_vi="Trực tuyến", name_en="Online", unit="ratio",
    family="public_services", window="day", target=0.8, direction="higher_is_better",
)  # fmt: skip
WAIT = replace(ONLINE, id="wait", metric="ioc_wait_seconds", unit="seconds", target=60.0, direction="lower_is_better")
BAND = replace(ONLINE, id="band", metric="ioc_band_ratio", direction="within_band")
COUNT = replace(ONLINE, id="count", metric="ioc_count", form="number", unit="cases", target=100.0, accumulates=True)


def reading(value: float | None, **changes: object) -> Reading:
    return replace(Reading(value=value, numerator=1, denominator=2, as_of=AS_OF), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kpi", "found", "standing"),
    [
        (ONLINE, reading(0.8), "met"),
        (ONLINE, reading(0.79), "missed"),
        (WAIT, reading(60.0), "met"),
        (WAIT, reading(61.0), "missed"),
        (COUNT, reading(5.0), "growing"),
        (COUNT, reading(100.0), "met"),
        (BAND, reading(0.1), "untargeted"),
        (replace(ONLINE, target=None), reading(0.1), "untargeted"),
        (ONLINE, reading(0.9, is_stale=True), "stale"),
        (ONLINE, reading(None, is_stale=True), "stale"),
        (ONLINE, reading(None), "unknown"),
        (ONLINE, None, "unknown"),
    ],
)
def test_a_figure_stands_as_its_target_and_its_age_say(kpi: WallKpi, found: Reading | None, standing: Standing) -> None:
    assert tile_of(kpi, found).standing == standing


@pytest.mark.parametrize(
    ("found", "was_read", "reason"),
    [
        (reading(0.5), True, ""),
        (reading(None, denominator=0.0), True, "nothing_to_count"),
        (None, True, "no_data"),
        (None, False, "never_read"),
    ],
)
def test_no_value_has_a_reason_and_is_never_a_zero(found: Reading | None, was_read: bool, reason: str) -> None:
    tile = tile_of(ONLINE, found, was_read=was_read)
    assert tile.reason == reason
    assert tile.value != 0


@pytest.mark.parametrize(
    ("kpi", "value", "before", "trend"),
    [
        (ONLINE, 0.7, 0.6, "better"),
        (ONLINE, 0.6, 0.7, "worse"),
        (WAIT, 50.0, 40.0, "worse"),
        (WAIT, 30.0, 40.0, "better"),
        (ONLINE, 0.7, 0.7001, "same"),
        (BAND, 0.7, 0.6, "up"),
        (BAND, 0.5, 0.6, "down"),
        (COUNT, 5.0, 90.0, "none"),
        (ONLINE, 0.7, None, "none"),
    ],
)
def test_a_trend_is_against_the_last_closed_period(
    kpi: WallKpi, value: float, before: float | None, trend: Trend
) -> None:
    past = [Past(period="2026-11-20", value=None), Past(period="2026-11-21", value=before)]
    assert tile_of(kpi, reading(value), past).trend == trend


def test_a_miss_is_told_since_the_first_of_an_unbroken_row_of_misses() -> None:
    values = {"2026-11-18": 0.5, "2026-11-19": 0.9, "2026-11-20": 0.7, "2026-11-21": 0.6}
    past = [Past(period=period, value=value) for period, value in values.items()]
    assert tile_of(ONLINE, reading(0.5), past).missed_since == "2026-11-20"
    assert tile_of(ONLINE, reading(0.9), past).missed_since == ""


def test_the_worst_comes_first_and_what_is_met_last() -> None:
    far, near = replace(ONLINE, id="far"), replace(ONLINE, id="near")
    tiles = [
        tile_of(replace(ONLINE, id="met"), reading(0.9)),
        tile_of(near, reading(0.79)),
        tile_of(replace(ONLINE, id="none"), None),
        tile_of(replace(ONLINE, id="old"), reading(0.9, is_stale=True)),
        tile_of(far, reading(0.1)),
    ]
    assert [tile.kpi.id for tile in worst_first(tiles)] == ["far", "near", "old", "none", "met"]


def test_where_it_is_worst_names_three_that_miss_the_target() -> None:
    groups = [Group(code=str(number), value=number / 10) for number in range(10)]
    assert [group.code for group in tile_of(ONLINE, reading(0.5), groups=groups).groups] == ["0", "1", "2"]
    assert [
        g.code
        for g in tile_of(WAIT, reading(90.0), groups=[Group(code="a", value=61), Group(code="b", value=99)]).groups
    ] == ["b", "a"]
    assert tile_of(ONLINE, reading(0.9), groups=groups).groups == ()


SCRAPE = """\
# TYPE ioc_online_ratio gauge
ioc_online_ratio{admin_unit="*",agency="",province="p",window="day"} 0.5
ioc_online_ratio{admin_unit="*",agency="",province="p",window="mtd"} 0.9
ioc_online_ratio{admin_unit="*",agency="",dim="x",province="p",window="day"} 0.1
ioc_online_ratio{admin_unit="24778",agency="",province="p",window="day"} 0.25
ioc_online_ratio{admin_unit="*",agency="H36.1",province="p",window="day"} 0.75
ioc_kpi_denominator{admin_unit="*",agency="",kpi="online",province="p",window="day"} 4
ioc_kpi_as_of_timestamp_seconds{admin_unit="*",agency="",kpi="online",province="p",window="day"} 1.7954e+09
ioc_kpi_stale{admin_unit="*",agency="",kpi="online",province="p",window="day"} 1
ioc_kpi_manual{admin_unit="*",agency="",kpi="online",province="p",window="day"} 1
ioc_kpi_denominator{admin_unit="*",agency="",kpi="wait",province="p",window="day"} 0
ioc_events_total{topic="t"} 7
"""


def test_a_scrape_gives_the_provinces_main_figures_with_their_marks() -> None:
    found = readings_of(SCRAPE, [ONLINE, WAIT])
    online = found["online"]
    assert (online.value, online.denominator, online.is_stale, online.is_manual) == (0.5, 4, True, True)
    assert online.as_of == datetime.fromtimestamp(1.7954e9, UTC)
    assert (found["wait"].value, found["wait"].denominator) == (None, 0)


def test_a_scrape_gives_communes_and_agencies_of_the_asked_figures_only() -> None:
    assert groups_of(SCRAPE, [ONLINE]) == {"online": [Group(code="24778", value=0.25), Group(code="H36.1", value=0.75)]}
    assert groups_of(SCRAPE, []) == {}


def test_what_is_no_scrape_is_refused() -> None:
    with pytest.raises(ValueError):
        readings_of('ioc_online_ratio{admin_unit="*",agency=""', [ONLINE])


def logged(kpi: str, unit: str, window: str, period: str) -> bytes:
    return f'["{kpi}","{unit}","","","{window}","{period}"]'.encode()


def test_the_log_gives_closed_periods_of_the_province_in_the_main_window() -> None:
    past = PastFigures({"online": "day"})
    assert past.take(logged("online", "*", "day", "2026-11-21"), b'{"closed":true,"value":0.5}')
    assert past.take(logged("online", "*", "day", "2026-11-20"), b'{"closed":true,"value":0.4}')
    assert past.take(logged("online", "*", "day", "2026-11-20"), b'{"closed":true,"value":0.45}'), "restated"
    for key, value in (
        (logged("online", "*", "day", "2026-11-22"), b'{"closed":false,"value":0.1}'),
        (logged("online", "24778", "day", "2026-11-21"), b'{"closed":true,"value":0.1}'),
        (logged("online", "*", "mtd", "2026-10"), b'{"closed":true,"value":0.1}'),
        (logged("other", "*", "day", "2026-11-21"), b'{"closed":true,"value":0.1}'),
        (b'["*"', b"{}"),
        (None, None),
    ):
        assert not past.take(key, value)
    assert past.of("online") == (Past(period="2026-11-20", value=0.45), Past(period="2026-11-21", value=0.5))


def test_the_log_is_kept_for_a_bounded_number_of_periods() -> None:
    past = PastFigures({"online": "day"})
    for number in range(MAX_PERIODS + 5):
        past.take(logged("online", "*", "day", f"2026-{number // 28 + 1:02}-{number % 28 + 1:02}"), b'{"closed":true}')
    assert len(past.of("online")) == MAX_PERIODS
    assert past.of("online")[0].period == "2026-01-06"
