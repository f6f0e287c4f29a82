"""Expressions with what is known about some of their columns put in: the rest is smaller and says the same. Pure.

A row of one fact knows beforehand which columns it can't tell; half of every condition is decided by that alone.
"""

import ast
from collections.abc import Mapping

__all__ = ["fold"]

_NOTHING = ast.Constant(value=None)
_FALSE, _TRUE = ast.Constant(value=False), ast.Constant(value=True)


def fold(tree: ast.expr, known: Mapping[str, int | None]) -> ast.expr:
    """Returns an expression that has the same value as `tree` for every row whose columns `known` have these values.

    None is "not known": a comparison with it is false, a sum with it is None.
    """
    match tree:
        case ast.Name(id=name) if name in known:
            return ast.Constant(value=known[name])
        case ast.BoolOp(op=op, values=values):
            return _bool(op, [fold(value, known) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = fold(operand, known)
            return ast.Constant(value=not inner.value) if isinstance(inner, ast.Constant) else _not(inner)
        case ast.BinOp(left=left, op=arithmetic, right=right):
            return _binary(fold(left, known), arithmetic, fold(right, known))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _compare(fold(left, known), comparison, fold(right, known))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            inner = fold(argument, known)
            if _is_nothing(inner):
                return _FALSE if name == "filled" else _NOTHING
            return ast.Call(func=tree.func, args=[inner], keywords=[])
    return tree


def _not(inner: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=inner)


def _bool(op: ast.boolop, parts: list[ast.expr]) -> ast.expr:
    """What decides ends it; what changes nothing is left out. The value of and/or is a truth value, whatever its parts
    are."""
    ends = isinstance(op, ast.Or)
    if any(isinstance(part, ast.Constant) and bool(part.value) == ends for part in parts):
        return _TRUE if ends else _FALSE
    open_parts = [part for part in parts if not isinstance(part, ast.Constant)]
    if not open_parts:
        return _FALSE if ends else _TRUE
    if len(open_parts) == 1 and isinstance(open_parts[0], ast.Compare):
        return open_parts[0]
    if len(open_parts) == 1:
        open_parts.append(_FALSE if ends else _TRUE)
    return ast.BoolOp(op=op, values=open_parts)


def _binary(left: ast.expr, arithmetic: ast.operator, right: ast.expr) -> ast.expr:
    if _is_nothing(left) or _is_nothing(right):
        return _NOTHING
    if isinstance(arithmetic, ast.Add | ast.Sub) and _is_zero(right):
        return left
    if isinstance(arithmetic, ast.Add) and _is_zero(left):
        return right
    return ast.BinOp(left=left, op=arithmetic, right=right)


def _compare(left: ast.expr, comparison: ast.cmpop, right: ast.expr) -> ast.expr:
    if isinstance(comparison, ast.Is | ast.IsNot):
        if isinstance(left, ast.Constant) and _is_nothing(right):
            return ast.Constant(value=(left.value is None) == isinstance(comparison, ast.Is))
    elif _is_nothing(left) or (_is_nothing(right) and not isinstance(comparison, ast.In | ast.NotIn)):
        return _FALSE
    return ast.Compare(left=left, ops=[comparison], comparators=[right])


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value.__class__ is int and node.value == 0
