"""KPIs that are wrong in one place each: what a slip of the pen in a KPI's file, or in the columns that it reads, would
make of it. The worked examples of a KPI must tell every one of them from the KPI. Pure."""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ioc.entity_columns import Column, EntityDefinition
from ioc.event_types import EventType
from ioc.expressions import names_in
from ioc.kpis import KpiDefinition, Part

__all__ = ["Mutant", "mutants_of", "only_used"]

Entities = Mapping[str, EntityDefinition]

_NEIGHBOURS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OTHER_WINDOWS: dict[str, tuple[str, ...]] = {
    "5m": ("1h", "day"),
    "1h": ("5m", "day"),
    "day": ("r2d", "mtd", "1h"),
    "mtd": ("day", "r30d", "qtd", "ytd"),
    "qtd": ("mtd", "r90d", "ytd"),
    "ytd": ("qtd", "r365d", "r366d"),
}
_BOUND = "both sides of the bound, one microsecond (or one) apart"
_VALUE = "a row for which exactly this part of the condition decides"
_SERIES = "a series of a unit, agency or dim, and one that is `absent`"
_WINDOW = "the last microsecond before the window and the first inside it"
_CORRECTION = "a correction: the same entity told again later with another value of this field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`kpi` in place of the one of that id, over `entities`; what an example expects of the window `windows[0]` it is
    asked for the window `windows[1]`, of the others nothing. `missing`: the kind of example that tells it."""

    name: str
    missing: str
    kpi: KpiDefinition
    entities: Entities
    windows: tuple[str, str] | None = None


def mutants_of(kpi: KpiDefinition, entities: Entities) -> Iterator[Mutant]:
    """Every mutant; some are not viable: the engine refuses them."""

    def of_kpi(name: str, missing: str, **changes: object) -> Mutant:
        return Mutant(name=name, missing=missing, kpi=replace(kpi, **changes), entities=entities)  # type: ignore[arg-type]

    for window in kpi.windows:
        for other in _other_windows(window):
            yield replace(of_kpi(f"window {window} -> {other}", _WINDOW, windows=(other,)), windows=(window, other))
    if kpi.population:
        yield of_kpi("population dropped", "the register as denominator", population="")
    for number, part in enumerate(kpi.parts):
        place = f"parts[{number}]." if len(kpi.parts) > 1 else ""
        if place:
            without = kpi.parts[:number] + kpi.parts[number + 1 :]
            yield of_kpi(f"{place[:-1]} dropped", "a row that only this part counts", parts=without)
        for name, missing, mutated in _part_mutants(kpi, part, entities.get(part.entity)):
            parts = (*kpi.parts[:number], mutated, *kpi.parts[number + 1 :])
            yield of_kpi(place + name, missing, parts=parts)
    read = _used_columns(kpi, entities, is_value_read=True)
    for entity, used in _used_columns(kpi, entities).items():
        definition = entities[entity]
        for place_of, column in enumerate(definition.columns):
            if column.name not in used:
                continue
            for name, missing, changed in _column_mutants(column, definition):
                if changed.operator != column.operator and column.name not in read[entity]:
                    continue  # whichever of its values it is: it is told
                columns = (*definition.columns[:place_of], changed, *definition.columns[place_of + 1 :])
                mutated_entities = {**entities, entity: replace(definition, columns=columns)}
                yield Mutant(
                    name=f"{entity}.{column.name}: {name}", missing=missing, kpi=kpi, entities=mutated_entities
                )


def _other_windows(window: str) -> tuple[str, ...]:
    if window[1:-1].isdecimal() and window[0] == "r":
        days = int(window[1:-1])
        return f"r{days - 1}d", f"r{days + 1}d", "mtd", "day"
    return _OTHER_WINDOWS.get(window, ())


def only_used(kpi: KpiDefinition, entities: Entities) -> list[EntityDefinition]:
    """The entities of a KPI with the columns that it reads, and no others: a fraction of the work to compile."""
    return [
        replace(entities[name], columns=tuple(c for c in entities[name].columns if c.name in used))
        for name, used in _used_columns(kpi, entities).items()
    ]


# ---- what a KPI reads ----------------------------------------------------------------------------------------------


def _used_columns(kpi: KpiDefinition, entities: Entities, *, is_value_read: bool = False) -> dict[str, set[str]]:
    """By entity. `is_value_read`: without the columns that are only asked whether they are told."""
    used: dict[str, set[str]] = {}
    for part in kpi.parts:
        if part.entity not in entities:
            continue  # built in
        names = used.setdefault(part.entity, set())
        for text in (part.where, part.numerator, part.denominator, part.manual):
            if text:
                names |= _values_read(text) if is_value_read else names_in(text, where=kpi.id)
        names |= {part.distinct, part.start, part.end, part.latest_by, part.bucket_by, part.group, part.dim, part.as_of}
        names |= set(part.latest_of)
        for column in reversed(entities[part.entity].columns):  # `until` names an earlier one
            if column.name in names and column.until:
                names.add(column.until)
    return used


def _values_read(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    comparisons = [node for node in nodes if isinstance(node, ast.Compare)]
    asked = {id(node.left) for node in comparisons if isinstance(node.ops[0], ast.Is | ast.IsNot)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in asked}


def _specs(column: Column, entity: EntityDefinition) -> list[tuple[EventType, str]]:
    """The event types that tell a column, with the type of its field."""
    types = [t for t in entity.types if not column.of or t.name in column.of]
    return [(t, spec.type) for t in types for spec in t.fields if spec.name == column.argument]


def _columns_of_kind(entity: EntityDefinition | None, kinds: tuple[str, ...]) -> list[str]:
    if entity is None:
        return []
    time_like = {"newest_time", "period_start"} if "time" in kinds else set()
    return [
        column.name
        for column in entity.columns
        if column.operator in time_like
        or (column.operator in ("newest", "first") and any(kind in kinds for _, kind in _specs(column, entity)))
    ]


def _times(entity: EntityDefinition | None) -> list[str]:
    return _columns_of_kind(entity, ("time", "date_or_time"))


def _texts(entity: EntityDefinition | None) -> list[str]:
    return _columns_of_kind(entity, ("string", "admin_unit", "camera"))


# ---- mutants of one part -------------------------------------------------------------------------------------------

_Found = Iterator[tuple[str, str, Part]]


def _part_mutants(kpi: KpiDefinition, part: Part, entity: EntityDefinition | None) -> _Found:
    counts_above = part.counts != "denominator" and part.measure in ("sum", "distinct")
    counts_below = kpi.form == "ratio" and not kpi.population and part.counts != "numerator" and part.measure == "sum"
    texts = {"where": True, "numerator": counts_above, "denominator": counts_below, "manual": bool(part.manual)}
    for key, is_read in texts.items():
        text = getattr(part, key)
        if not is_read or text.strip() == "True":
            continue
        for name, missing, mutated in expression_mutants(text, guarded=part.bucket_by if key == "where" else ""):
            if part.measure == "distinct" and key == "numerator" and mutated == "2":
                continue  # only whether it holds matters
            yield f"{key}: {name}", missing, replace(part, **{key: mutated})
    if counts_above and counts_below and part.numerator != part.denominator:
        swapped = replace(part, numerator=part.denominator, denominator=part.numerator)
        yield "numerator and denominator change places", _VALUE, swapped
    yield from _place_mutants(part, entity)
    yield from _measure_mutants(kpi, part, entity)
    yield from _latest_mutants(part, entity)


def _place_mutants(part: Part, entity: EntityDefinition | None) -> _Found:
    """Where it is counted: in which bucket, group and series."""
    for other in _times(entity):
        if part.bucket_by and other != part.bucket_by:
            yield (
                f"bucket_by {part.bucket_by} -> {other}",
                "times on two sides of a window",
                replace(part, bucket_by=other),
            )
    for key in ("group", "dim"):
        known = getattr(part, key)
        if not known:
            continue
        yield f"{key} dropped", _SERIES, replace(part, **{key: ""})
        for other in _texts(entity):
            if other != known:
                yield f"{key} {known} -> {other}", _SERIES, replace(part, **{key: other})


def _measure_mutants(kpi: KpiDefinition, part: Part, entity: EntityDefinition | None) -> _Found:
    if part.measure == "p95":
        yield "from and to change places", "a duration that is not 0", replace(part, start=part.end, end=part.start)
        for key in ("start", "end"):
            known = getattr(part, key)
            for other in _times(entity):
                if other not in (part.start, part.end):
                    yield f"{key} {known} -> {other}", "three different times", replace(part, **{key: other})
    if part.measure == "distinct":
        yield "each row counts", "two rows with the same value", replace(part, measure="sum", distinct="")
    if part.counts != "both" and not kpi.population:
        for counts in ("both", "numerator" if part.counts == "denominator" else "denominator"):
            yield f"counts {counts}", _VALUE, replace(part, counts=counts)  # type: ignore[arg-type]
    if part.manual:
        yield "manual dropped", "`manual: true`", replace(part, manual="")
    if part.as_of:
        yield "as_of dropped", "`as_of:` of a figure", replace(part, as_of="")
        for other in _times(entity):
            if other != part.as_of:
                yield f"as_of -> {other}", "`as_of:` of a figure", replace(part, as_of=other)


def _latest_mutants(part: Part, entity: EntityDefinition | None) -> _Found:
    if not part.latest_of:
        return
    yield "latest_of dropped", "two rows of which only the newest counts", replace(part, latest_of=(), latest_by="")
    for name in part.latest_of:
        rest = tuple(other for other in part.latest_of if other != name)
        if rest and f"{name} == " not in part.where:  # where one value passes it tells nothing apart
            yield f"latest_of without {name}", f"two rows that differ in {name}", replace(part, latest_of=rest)
    for other in _times(entity):
        if other != part.latest_by:
            missing = f"rows whose order by {part.latest_by} and by {other} differ"
            yield f"latest_by -> {other}", missing, replace(part, latest_by=other)


# ---- mutants of one column -----------------------------------------------------------------------------------------


def _column_mutants(column: Column, entity: EntityDefinition) -> Iterator[tuple[str, str, Column]]:
    for key in ("where", "prefer", "argument"):
        text = getattr(column, key)
        if not text or (key == "argument" and column.operator not in ("newest_is", "time_in")):
            continue
        if key != "argument":
            yield f"{key} dropped", f"a newer fact for which `{text}` does not hold", replace(column, **{key: ""})
        for name, missing, mutated in expression_mutants(text):
            yield f"{key}: {name}", missing, replace(column, **{key: mutated})
    yield from _order_mutants(column, entity)
    for other in _times(entity):
        if column.until and other != column.until:
            yield f"until -> {other}", f"{column.until} and {other} apart", replace(column, until=other)


def _order_mutants(column: Column, entity: EntityDefinition) -> Iterator[tuple[str, str, Column]]:
    told = [event_type for event_type, _ in _specs(column, entity)]
    is_key = bool(told) and all(column.argument in event_type.entity_key for event_type in told)
    is_state = all(event_type.is_state for event_type in told)  # the row remembers the newest only
    if column.operator in ("newest", "first", "first_per") and not (is_key or is_state):
        other = "first" if column.operator in ("newest", "first_per") else "newest"
        yield f"{column.operator} -> {other}", _CORRECTION, replace(column, operator=other, by="", prefer="")
    if not told:
        return
    storing = [t.name for t in entity.types if column.argument in t.stored]
    if set(storing) != {event_type.name for event_type in told}:
        yield "of dropped", "another type of event that tells the same field", replace(column, of=())
    if len(told) > 1:
        for gone in told:
            rest = tuple(event_type.name for event_type in told if event_type is not gone)
            yield f"of without {gone.name}", f"a value that only {gone.name} tells", replace(column, of=rest)


# ---- mutants of one expression -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Change:
    """Counts the places where an expression can be changed and changes the one with the number `wanted`."""

    wanted: int
    count: int = 0
    name: str = ""
    missing: str = ""
    guards: frozenset[str] = field(default_factory=frozenset)

    def here(self, name: str, missing: str) -> bool:
        is_here = self.count == self.wanted
        self.count += 1
        if is_here:
            self.name, self.missing = name, missing
        return is_here


def expression_mutants(text: str, *, guarded: str = "") -> Iterator[tuple[str, str, str]]:
    """Yields (name, what is missing, mutated text). `guarded`: a column whose `is not None` may stand there though the
    engine asks for it anyway."""
    tree = ast.parse(text.strip(), mode="eval").body
    guard = f"{guarded} is not None" if guarded else ""
    if text.strip() == guard:
        yield "negated", _VALUE, f"not ({text})"
        return
    wanted = 0
    while True:
        change = _Change(wanted, guards=frozenset({guard}) - {""})
        mutated = _mutated(copy.deepcopy(tree), change)
        if not change.name:
            break
        yield change.name, change.missing, ast.unparse(mutated)
        wanted += 1
    is_turned = isinstance(tree, ast.Compare) and not isinstance(tree.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    if not isinstance(tree, ast.Constant) and not is_turned:
        yield "negated", _VALUE, f"not ({text})"


def _mutated(node: ast.expr, change: _Change) -> ast.expr:
    match node:
        case ast.BoolOp():
            return _mutated_bool(node, change)
        case ast.UnaryOp(op=ast.Not()):
            if change.here(f"not removed from `{ast.unparse(node)}`", _VALUE):
                return node.operand
            node.operand = _mutated(node.operand, change)
        case ast.UnaryOp():
            node.operand = _mutated(node.operand, change)
        case ast.BinOp():
            return _mutated_arithmetic(node, change)
        case ast.Compare():
            return _mutated_comparison(node, change)
        case ast.Call(func=ast.Name(id="filled"), args=[argument]):
            if change.here(f"`{ast.unparse(node)}` -> is not None", "a text of blanks"):
                return ast.Compare(left=argument, ops=[ast.IsNot()], comparators=[ast.Constant(None)])
        case ast.Call():
            node.args = [_mutated(argument, change) for argument in node.args]
        case ast.Constant(value=bool(value)):
            if change.here(f"{value} -> {not value}", _VALUE):
                return ast.Constant(not value)
        case ast.Constant(value=int() | float() as number):
            for other in (number + 1, number - 1):
                if change.here(f"{number} -> {other}", _BOUND):
                    return ast.Constant(other)
        case ast.Constant(value=str(word)):
            if change.here(f"{word!r} -> another text", "this very text"):
                return ast.Constant(word + "-other")
    return node


def _mutated_bool(node: ast.BoolOp, change: _Change) -> ast.expr:
    shown = [ast.unparse(value) for value in node.values]
    is_and = isinstance(node.op, ast.And)
    if change.here(f"and <-> or in `{ast.unparse(node)}`", _VALUE):
        node.op = ast.Or() if is_and else ast.And()
        return node
    for place, text in enumerate(shown):
        if text not in change.guards and change.here(f"`{text}` dropped", _VALUE):
            rest = node.values[:place] + node.values[place + 1 :]
            return rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
    node.values = [_mutated(value, change) for value in node.values]
    return node


def _mutated_arithmetic(node: ast.BinOp, change: _Change) -> ast.expr:
    text = ast.unparse(node)
    opposite: Mapping[type[ast.operator], Callable[[], ast.operator]] = {
        ast.Add: ast.Sub,
        ast.Sub: ast.Add,
        ast.Mult: ast.Add,
    }
    if change.here(f"another sign in `{text}`", "numbers of which none is 0"):
        node.op = opposite[type(node.op)]()
        return node
    for side in (node.left, node.right):
        if change.here(f"`{text}` -> `{ast.unparse(side)}`", "numbers of which none is 0"):
            return side
    node.left, node.right = _mutated(node.left, change), _mutated(node.right, change)
    return node


def _mutated_comparison(node: ast.Compare, change: _Change) -> ast.expr:
    text, op, right = ast.unparse(node), node.ops[0], node.comparators[0]
    is_ordered = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    if change.here(f"`{text}` -> {_NEIGHBOURS[type(op)].__name__}", _BOUND if is_ordered else _VALUE):
        node.ops = [_NEIGHBOURS[type(op)]()]
        return node
    if isinstance(right, ast.Tuple | ast.List):
        for item in list(right.elts):
            if change.here(f"{ast.unparse(item)} removed from `{text}`", "this very text"):
                right.elts = [other for other in right.elts if other is not item]
                return node
        return node
    node.left = _mutated(node.left, change)
    if not (isinstance(right, ast.Constant) and right.value is None):
        node.comparators = [_mutated(right, change)]
    return node
