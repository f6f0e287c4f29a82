"""Expressions of the catalogue: what they may say, what they mean, and that nothing can be run by them."""

import pytest

from ioc.errors import ConfigurationError
from ioc.expressions import Value, compile_expression, names_in

COLUMNS = {"a": 0, "b": 1, "word": 2, "tech": 3}
ROW: list[Value] = [5, None, "online", ["4G", "5G"]]


def value_of(text: str, row: list[Value] | None = None) -> Value:
    return compile_expression(text, COLUMNS, where="kpis/x.yaml: where")(ROW if row is None else row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 5),
        ("a + 2 * 3 - 1", 10),
        ('word == "online"', True),
        ('word != "counter"', True),
        ("a <= 5", True),
        ("a < 5", False),
        ("a >= 5 and a > 4 and a != 6", True),
        ('a > 9 or a > 8 or word == "online"', True),
        ("not a > 9", True),
        ('word in ("online", "postal")', True),
        ('word not in ["online", "postal"]', False),
        ('"5G" in tech', True),
        ('"3G" not in tech', True),
        ("seconds(a)", 5_000_000),
        ("seconds(0.25)", 250_000),
        ("True", True),
    ],
)
def test_an_expression_means_what_python_means(text: str, expected: Value) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # null means not known: a comparison with it is false, a sum with it is not known.
        ("b == b", False),
        ("b != 1", False),
        ("b < 1 or b >= 1", False),
        ("b in (1, 2)", False),
        ("b not in (1, 2)", False),
        ("b in tech", False),
        ("b not in tech", False),
        ("a + b", None),
        ("b - a", None),
        ("a * b", None),
        ("seconds(b)", None),
        ("b is None", True),
        ("a is None", False),
        ("a is not None and b is None", True),
        ("a <= b + 1", False),
    ],
)
def test_what_is_not_known_is_never_guessed(text: str, expected: Value) -> None:
    assert value_of(text) is expected


def test_membership_in_a_list_that_is_not_known_does_not_hold() -> None:
    assert value_of('"5G" in tech', [5, None, "x", None]) is False
    assert value_of('"5G" not in tech', [5, None, "x", None]) is False


@pytest.mark.parametrize(
    "text",
    [
        "open('x')",
        "__import__('os').system('true')",
        "word.upper()",
        "word[0]",
        "(lambda: 1)()",
        "[x for x in tech]",
        "f'{word}'",
        "a if a else b",
        "a / 2",
        "a ** a",
        "1 < a < 9",
        "a is 5",
        "seconds(a, b)",
        "seconds",
        "(a := 3)",
        "{1: 2}",
        "b'x'",
        "1j",
        "unknown > 1",
        "a =",
        "a; b",
        "import os",
        "",
    ],
)
def test_nothing_else_is_an_expression(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^kpis/x\.yaml: where: "):
        value_of(text)


def test_an_unknown_name_is_answered_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigurationError, match="no value named 'chanel'; known: a, b, tech, word"):
        value_of('chanel == "online"')


def test_names_are_those_that_are_read() -> None:
    text = 'is_online and seconds(age_s) + (clock - heard_at) <= seconds(120) and word in ("a", "b")'
    assert names_in(text, where="x") == {"is_online", "age_s", "clock", "heard_at", "word"}
