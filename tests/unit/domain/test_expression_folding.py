"""A folded expression says what the whole one says, for every row that fits what is known."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.expression_folding import fold
from ioc.expressions import Value, compile_expression, constant_of

COLUMNS = {"a": 0, "b": 1, "c": 2, "clock": 3}
_NAMES = st.sampled_from(["a", "b", "c", "clock"])
_NUMBERS = st.recursive(
    _NAMES | st.integers(0, 2).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=4,
)
_COMPARISONS = (
    st.tuples(_NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _NUMBERS).map(" ".join)
    | st.tuples(_NAMES, st.sampled_from(["is None", "is not None", "in (0, 1)", "not in (0, 1)"])).map(" ".join)
    | st.tuples(_NAMES).map(lambda t: f"seconds({t[0]}) > clock")
    | st.tuples(_NAMES).map(lambda t: f"filled({t[0]})")
)
_EXPRESSIONS = st.recursive(
    _COMPARISONS | _NAMES,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda text: f"(not {text})")
    ),
    max_leaves=5,
)
_VALUES = st.none() | st.integers(-2, 2)


@given(
    text=_EXPRESSIONS | _NUMBERS,
    row=st.tuples(_VALUES, _VALUES, _VALUES, st.integers(0, 3)),
    names=st.sets(st.sampled_from("abc")),
)
def test_folding_changes_no_value(text: str, row: tuple[int | None, ...], names: set[str]) -> None:
    known = {name: row[COLUMNS[name]] for name in names}
    whole = compile_expression(text, COLUMNS, where="x")(row)
    assert compile_expression(text, COLUMNS, where="x", known=known)(row) == whole
    same = constant_of(text, where="x", known=known)
    assert same is None or same[0] == whole


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a is not None and b > 1", "False"),
        ("a is None and b > 1", "b > 1"),
        ("a > 1 or b > 1", "b > 1"),
        ("not a and b > 1", "b > 1"),
        ("clock > b + zero", "clock > b"),
        ("clock - zero > a", "False"),
        ("b > 1", "b > 1"),
    ],
)
def test_what_is_known_is_not_asked_again(text: str, rest: str) -> None:
    tree = ast.parse(text, mode="eval").body
    assert ast.unparse(fold(tree, {"a": None, "zero": 0})) == rest


def test_a_constant_is_told_apart_from_what_depends_on_the_row() -> None:
    found: list[tuple[Value] | None] = [constant_of(text, where="x", known={"a": None}) for text in ("1", "a > 1", "b")]
    assert found == [(1,), (False,), None]
