"""The places' part of `ioc bench cameras`: its lines, and that the same seed gives the same figures."""

from ioc.cli.bench_cameras_place import measure_place


def test_the_lines_of_the_table_and_the_floor_of_the_first() -> None:
    lines = measure_place(trials=60, groupings=2)
    assert [line.name.split(":")[0] for line in lines] == ["place"] * 4 + ["joining"] * 4
    first = lines[0]
    assert (first.floor, first.goal, first.is_met) == ("≥ 0.9", "≥ 0.94", True)
    assert all(line.is_met is None for line in lines[1:])
    assert measure_place(trials=60, groupings=2) == lines
