"""Expressions of the catalogue: written like Python comparisons, parsed by `ast`, compiled to closures. Never evaluated
as code: only the few node types below exist, names are columns that the catalogue declares, and nothing can be called
but `seconds(x)` (to µs), `round(x)` (to an integer) and `filled(x)` (a text that is more than blanks).

`None` means not known: a comparison with it is false, a sum with it is None. Times and durations are microseconds.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ioc.errors import ConfigurationError
from ioc.expression_folding import fold

__all__ = ["ClockTerm", "Evaluate", "Value", "clock_terms", "compile_expression", "constant_of", "names_in"]

_NONE_KNOWN: Mapping[str, int | None] = {}

Value = int | float | str | bool | None | list[str] | list[int]
Evaluate = Callable[[Sequence[Value]], Value]
"""From the columns of a view, by position, to the value."""

_COMPARE: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[..., int | float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def compile_expression(
    text: str, columns: Mapping[str, int], *, where: str, known: Mapping[str, int | None] = _NONE_KNOWN
) -> Evaluate:
    """Returns a closure over the columns' positions. `where` (file and key) names the place in an error; columns in
    `known` have that value in every row.

    Raises:
        ConfigurationError: not an expression, an unknown name, or something that is not allowed.
    """
    return _Compiler(text, columns, where).compile(known)


def names_in(text: str, *, where: str) -> frozenset[str]:
    """Returns the column names that an expression reads."""
    return _names(_parse(text, where))


def _names(tree: ast.expr) -> frozenset[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)


class ClockTerm(NamedTuple):
    """A comparison that reads the clock: it may turn at `root` of the row (in µs), or 1 µs after it. `root` gives None
    where something is not known. Where `guard` is false the comparison can't matter."""

    guard: Evaluate
    root: Evaluate


def constant_of(text: str, *, where: str, known: Mapping[str, int | None]) -> tuple[Value] | None:
    """Returns the value (alone in a tuple) of an expression that is the same for every row; None where it is not."""
    tree = fold(_parse(text, where), known)
    return (tree.value,) if isinstance(tree, ast.Constant) and not isinstance(tree.value, bytes | complex) else None  # type: ignore[return-value]  # an Ellipsis is refused when it is compiled


def clock_terms(
    text: str, columns: Mapping[str, int], *, where: str, known: Mapping[str, int | None] = _NONE_KNOWN
) -> list[ClockTerm]:
    """Returns the comparisons of an expression that read `clock`: they alone can make it change without an event.

    Raises:
        ConfigurationError: the clock is read outside of a comparison, or not only added and subtracted in it.
    """
    tree = fold(_parse(text, where), known)
    compiler = _Compiler(text, columns, where)
    conjuncts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    still = [node for node in conjuncts if "clock" not in _names(node)]
    guard = compiler._bool(ast.And(), [compiler._expression(node) for node in still])
    terms = []
    counted = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and "clock" in _names(node):
            terms.append(ClockTerm(guard, compiler.root(node)))
            counted += _reads_of_clock(node)
    if counted != _reads_of_clock(tree):
        raise ConfigurationError(f"{where}: in {text!r}: `clock` may only stand in a comparison")
    return terms


def _reads_of_clock(tree: ast.expr) -> int:
    return sum(isinstance(node, ast.Name) and node.id == "clock" for node in ast.walk(tree))


def _parse(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConfigurationError(f"{where}: {text!r} is not an expression: {error.msg}") from None


def _slope(node: ast.expr) -> int | None:
    """How often the clock is added (less: subtracted) in an expression; None where it is used in another way."""
    if isinstance(node, ast.Name):
        return int(node.id == "clock")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = _slope(node.left), _slope(node.right)
        if left is None or right is None:
            return None
        return left + right if isinstance(node.op, ast.Add) else left - right
    return None if "clock" in _names(node) else 0


class _Compiler:
    def __init__(self, text: str, columns: Mapping[str, int], where: str) -> None:
        self._text, self._columns, self._where = text, columns, where

    def compile(self, known: Mapping[str, int | None]) -> Evaluate:
        return self._expression(fold(_parse(self._text, self._where), known))

    def root(self, node: ast.Compare) -> Evaluate:
        """From a row to the clock at which both sides of the comparison are equal."""
        left, right = node.left, node.comparators[0]
        slopes = _slope(left), _slope(right)
        if None in slopes or slopes[0] == slopes[1]:
            raise self._refuse("`clock` may only be added or subtracted, and on one side")
        if isinstance(right, ast.Name) and slopes == (0, 1):
            return self._expression(left)
        if isinstance(left, ast.Name) and slopes == (1, 0):
            return self._expression(right)
        difference = self._expression(ast.BinOp(left=left, op=ast.Sub(), right=right))
        slope = (slopes[0] or 0) - (slopes[1] or 0)
        clock_at = self._columns["clock"]

        def root(row: Sequence[Value]) -> Value:
            at_zero = [*row]
            at_zero[clock_at] = 0
            found = difference(at_zero)
            return -found // slope if isinstance(found, int) else None

        return root

    def _refuse(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: in {self._text!r}: {problem}")

    def _expression(self, node: ast.expr) -> Evaluate:
        match node:
            case ast.Constant(value=value) if isinstance(value, int | float | str | bool | None):
                return lambda row: value
            case ast.Name(id=name):
                return self._column(name)
            case ast.BoolOp(op=op, values=values):
                return self._bool(op, [self._expression(value) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)) if name in self._columns:
                place = self._columns[name]
                return lambda row: not row[place]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._expression(operand)
                return lambda row: not inner(row)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _arithmetic(_ARITHMETIC[type(op)], self._expression(left), self._expression(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compare(left, op, right)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self._expression(argument))
        raise self._refuse(
            f"{ast.unparse(node)!r} is not allowed; use names, constants, and/or/not, "
            "one comparison at a time, + - *, seconds(x), round(x), filled(x)"
        )

    def _column(self, name: str) -> Evaluate:
        if name not in self._columns:
            raise self._refuse(f"no value named {name!r}; known: {', '.join(sorted(self._columns))}")
        return operator.itemgetter(self._columns[name])

    def _bool(self, op: ast.boolop, parts: list[Evaluate]) -> Evaluate:
        if not parts:
            return lambda row: True
        if len(parts) == 1:
            return parts[0]
        first, second = parts[0], self._bool(op, parts[1:])  # nested pairs: a generator costs more than all of them
        if isinstance(op, ast.And):
            return lambda row: bool(first(row)) and bool(second(row))
        return lambda row: bool(first(row)) or bool(second(row))

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Evaluate:
        first = self._expression(left)
        if isinstance(left, ast.Name) and isinstance(right, ast.Constant):
            simple = _column_against(self._columns[left.id], op, right.value)
            if simple is not None:
                return simple
        if (
            isinstance(left, ast.Name)
            and isinstance(right, ast.Name)
            and type(op) in _COMPARE
            and right.id in self._columns
        ):
            return _columns_against(self._columns[left.id], _COMPARE[type(op)], self._columns[right.id])
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise self._refuse("`is` compares only with None")
            if isinstance(op, ast.Is):
                return lambda row: first(row) is None
            return lambda row: first(row) is not None
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(first, op, right)
        return _comparison(_COMPARE[type(op)], first, self._expression(right))

    def _membership(self, first: Evaluate, op: ast.cmpop, right: ast.expr) -> Evaluate:
        negate = isinstance(op, ast.NotIn)
        if isinstance(right, ast.Tuple | ast.List) and all(isinstance(item, ast.Constant) for item in right.elts):
            allowed = frozenset(item.value for item in right.elts if isinstance(item, ast.Constant))
            return lambda row: (value := first(row)) is not None and (value in allowed) is not negate
        many = self._expression(right)

        def holds(row: Sequence[Value]) -> bool:
            value, values = first(row), many(row)
            return isinstance(values, list) and value is not None and (value in values) is not negate

        return holds


def _column_against(place: int, op: ast.cmpop, constant: Any) -> Evaluate | None:
    """The comparisons that most conditions are made of, without calls inside the call; None for any other."""
    if isinstance(op, ast.IsNot) and constant is None:
        return lambda row: row[place] is not None
    if constant is None or type(op) not in _COMPARE:
        return None
    if isinstance(op, ast.Eq):
        return lambda row: row[place] == constant
    compare = _COMPARE[type(op)]

    def holds(row: Sequence[Value]) -> bool:
        value = row[place]
        return value is not None and compare(value, constant)

    return holds


def _columns_against(first: int, compare: Callable[..., bool], second: int) -> Evaluate:
    def holds(row: Sequence[Value]) -> bool:
        left, right = row[first], row[second]
        return left is not None and right is not None and compare(left, right)

    return holds


def _comparison(compare: Callable[..., bool], first: Evaluate, second: Evaluate) -> Evaluate:
    def holds(row: Sequence[Value]) -> bool:
        left, right = first(row), second(row)
        return left is not None and right is not None and compare(left, right)

    return holds


def _arithmetic(operate: Callable[..., int | float], first: Evaluate, second: Evaluate) -> Evaluate:
    def result(row: Sequence[Value]) -> Value:
        left, right = first(row), second(row)
        return None if left is None or right is None else operate(left, right)

    return result


def _seconds(inner: Evaluate) -> Evaluate:
    def microseconds(row: Sequence[Value]) -> Value:
        value = inner(row)
        return round(value * 1_000_000) if isinstance(value, int | float) else None

    return microseconds


def _round(inner: Evaluate) -> Evaluate:
    def rounded(row: Sequence[Value]) -> Value:
        value = inner(row)
        return round(value) if isinstance(value, int | float) else None

    return rounded


def _filled(inner: Evaluate) -> Evaluate:
    def is_filled(row: Sequence[Value]) -> Value:
        value = inner(row)
        return isinstance(value, str) and bool(value.strip())

    return is_filled


_FUNCTIONS: Mapping[str, Callable[[Evaluate], Evaluate]] = {"seconds": _seconds, "round": _round, "filled": _filled}
