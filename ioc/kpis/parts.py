"""The parts of KPIs, compiled: from the columns of one row to what it adds. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ioc.errors import ConfigurationError
from ioc.expressions import ClockTerm, Evaluate, Value, clock_terms, compile_expression, constant_of
from ioc.kpis.definitions import KpiDefinition, Part
from ioc.kpis.sketch import bin_of
from ioc.windows import Grain, grain_of

__all__ = [
    "BUILT_IN",
    "COMMUNES",
    "SOURCE_SEEN",
    "SOURCE_TALLY",
    "TOTAL",
    "Add",
    "BuiltInColumns",
    "Columns",
    "CompiledPart",
    "Contribution",
]

TOTAL = ""
"""The group of the province's total; an administrative unit or an agency is never the empty string."""
COMMUNES = "communes"
"""The register of the communes in force at the clock."""

SOURCE_TALLY, SOURCE_SEEN = "source_tally", "source_seen"
BUILT_IN: Mapping[str, Mapping[str, Value]] = {
    SOURCE_TALLY: {"source": "", "accepted": 0, "duplicate": 0, "rejected": 0, "contradictions": 0, "at": 0},
    SOURCE_SEEN: {"source": "", "family": "", "newest_at": 0, "promise": 0},
}
"""The columns of the built-in entities (see `ioc.kpis.sources`), each with a sample."""

Contribution = tuple[Any, ...]
"""(part's number, group, dim, bucket, a, b, c), a plain tuple because the hot path counts equal ones.

bucket: minutes or local days since 1970, 0 for the window `now`.
A part that only sums and needs no dim may be told shorter: (part's number, group, bucket, numerator).
a, b, c by measure: sum (numerator, denominator, is manual); distinct (value, is in the numerator, is in the
denominator); p95 (bin, 1, 0); as_of (time in µs, 1, 0). A part with `latest_of` has three more: (key, rank, entity id).
"""


class Columns(Protocol):
    """What the rows of an entity can be asked for, by position."""

    @property
    def columns(self) -> Mapping[str, int]: ...
    def samples(self) -> list[Value]: ...


class BuiltInColumns:
    def __init__(self, samples: Mapping[str, Value]) -> None:
        self.columns = {name: place for place, name in enumerate((*samples, "clock"))}
        self._samples = [*samples.values(), 0]

    def samples(self) -> list[Value]:
        return list(self._samples)


_NONE_KNOWN: Mapping[str, int | None] = {}
Add = Callable[[list[Contribution], str, Sequence[Value], int], None]


class CompiledPart:
    """A part of a KPI, ready to be evaluated. `number` is its place among all parts of the catalogue, `index` its place
    in its KPI."""

    def __init__(
        self,
        number: int,
        index: int,
        definition: KpiDefinition,
        part: Part,
        view: Columns,
        registers: Mapping[str, Mapping[str, str]],
        known: Mapping[str, int | None] = _NONE_KNOWN,
    ) -> None:
        self._known = known
        self.number, self.index, self.definition, self.part = number, index, definition, part
        self.place = f"kpis/{definition.id}.yaml"
        self._view = view
        self.grains: tuple[Grain, ...] = ("now",)
        if part.bucket_by:
            self.grains = tuple(sorted({grain_of(window) for window in definition.windows} - {"now"}))
        elif definition.windows != ("now",) and part.counts != "denominator":
            raise ConfigurationError(
                f"{self.place}: windows {definition.windows} need `bucket_by`: a column that holds a time"
            )
        self.bucket_at = self._column(part.bucket_by, "bucket_by", "time")
        self.group_at = self._column(part.group, "group", "text")
        self.dim_at = self._column(part.dim, "dim", "text")
        self.register: Mapping[str, str] | None = None
        if definition.population and definition.population != COMMUNES:
            if definition.population not in registers:
                raise ConfigurationError(
                    f"{self.place}: no register named {definition.population!r}; known: "
                    f"{', '.join((*registers, COMMUNES))}"
                )
            self.register = registers[definition.population]
        always = constant_of(part.where, where=f"{self.place}: where", known=known)
        self.where = None if always and always[0] else self._expression(part.where, "where")
        self.is_silent = self._is_silent(always)
        self.clock_terms: list[ClockTerm] = [
            term
            for key in ("where", "numerator", "denominator")
            for term in clock_terms(getattr(part, key), view.columns, where=f"{self.place}: {key}", known=known)
        ]
        self.plain: tuple[int, Evaluate] | None = None
        """Number and numerator of a sum that needs nothing else: most parts are such."""
        self.fixed: tuple[int, int | float] | None = None
        """The same with the numerator's value, where that is the same for every row."""
        self.constant = 0  # the denominator of each row of such a sum
        self.add = self._adder()
        if part.latest_of:
            self.plain = self.fixed = None

    def _is_silent(self, always: tuple[Value] | None) -> bool:
        """Whether no row can add anything, for what is known of all of them."""
        part, known = self.part, self._known
        needed = {
            "sum": (),
            "as_of": (part.as_of,),
            "distinct": (part.distinct,),
            "p95": (part.start, part.end),
        }[part.measure]
        is_refused = always is not None and not always[0]
        return is_refused or any(known.get(name, 0) is None for name in (*needed, part.bucket_by, part.latest_by))

    def _expression(self, text: str, key: str) -> Evaluate:
        """A text that is compared with a number is a mistake of the file: found now, not at the first event."""
        expression = compile_expression(text, self._view.columns, where=f"{self.place}: {key}", known=self._known)
        try:
            value = expression(self._view.samples())
        except TypeError as error:
            raise ConfigurationError(f"{self.place}: {key}: {error}; compare only values of one kind") from None
        if not isinstance(value, bool | int | float | None):
            raise ConfigurationError(f"{self.place}: {key}: {text!r} is neither a number nor true or false")
        return expression

    def _column(self, name: str, key: str, kind: str) -> int | None:
        if not name:
            return None
        columns = self._view.columns
        if name not in columns:
            known = ", ".join(columns)
            raise ConfigurationError(
                f"{self.place}: {key}: no column {name!r} in entity {self.part.entity}; known: {known}"
            )
        sample = self._view.samples()[columns[name]]
        if sample is None:  # what a row of one fact can't know; the whole view was checked
            return columns[name]
        is_right = {"time": sample.__class__ is int, "text": isinstance(sample, str), "times": isinstance(sample, list)}
        if kind == "time or times":
            if not (is_right["time"] or is_right["times"]):
                raise ConfigurationError(f"{self.place}: {key}: column {name!r} holds no time")
        elif kind != "any" and not is_right[kind]:
            raise ConfigurationError(f"{self.place}: {key}: column {name!r} holds no {kind}")
        return columns[name]

    # ---- adding: one closure for each measure, with everything it needs at hand -------------------------------------

    def _adder(self) -> Add:
        part = self.part
        match part.measure:
            case "sum":
                add = self._sum()
            case "distinct":
                add = self._distinct()
            case "p95":
                add = self._samples()
            case "as_of":
                add = self._as_of()
        return self._latest(add) if part.latest_of else add

    def _sum(self) -> Add:
        number, group_at, dim_at, register = self.number, self.group_at, self.dim_at, self.register
        part = self.part
        numerator = self._expression(part.numerator, "numerator")
        constant = 1 if part.denominator.strip() == "1" else None
        denominator = self._expression(part.denominator, "denominator")
        if part.counts == "numerator" or register is not None:
            constant = 0
        counts_above = part.counts != "denominator"
        manual = self._expression(part.manual, "manual") if part.manual else None

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            if register is not None:
                if entity_id not in register:
                    return
                group: Value = register[entity_id]
            else:
                group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            found.append(
                (
                    number,
                    group,
                    (values[dim_at] or TOTAL) if dim_at is not None else TOTAL,
                    bucket,
                    (numerator(values) or 0) if counts_above else 0,
                    constant if constant is not None else (denominator(values) or 0),
                    (manual(values) or 0) if manual is not None else 0,
                )
            )

        if dim_at is None and register is None and manual is None and constant is not None and counts_above:
            self.constant = constant
            same = constant_of(part.numerator, where=f"{self.place}: numerator", known=self._known)
            if same is not None and isinstance(same[0], bool | int | float | None):
                self.fixed = (number, same[0] or 0)
            else:
                self.plain = (number, numerator)
        return add

    def _distinct(self) -> Add:
        number, group_at, dim_at, part = self.number, self.group_at, self.dim_at, self.part
        key_at = self._column(part.distinct, "distinct", "any")
        if key_at is None:
            raise ConfigurationError(
                f"{self.place}: measure distinct needs `distinct`: the column that is counted once"
            )
        numerator = self._expression(part.numerator, "numerator")
        is_above, is_below = part.counts != "denominator", part.counts != "numerator"

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            key = values[key_at]
            if key is None or key == "":
                return
            group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            dim = (values[dim_at] or TOTAL) if dim_at is not None else TOTAL
            holds = 1 if is_above and numerator(values) else 0
            if holds or is_below:
                found.append((number, group, dim, bucket, key, holds, 1 if is_below else 0))

        return add

    def _samples(self) -> Add:
        number, group_at, dim_at, part = self.number, self.group_at, self.dim_at, self.part
        start_at = self._column(part.start, "from", "time")
        end_at = self._column(part.end, "to", "time or times")
        if start_at is None or end_at is None:
            raise ConfigurationError(f"{self.place}: a p95 needs `from` and `to`: the columns of the two times")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            start, end = values[start_at], values[end_at]
            if not isinstance(start, int) or not isinstance(end, int | list):
                return
            group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            dim = (values[dim_at] or TOTAL) if dim_at is not None else TOTAL
            for moment in end if isinstance(end, list) else (end,):
                assert isinstance(moment, int), "the column holds times"
                found.append((number, group, dim, bucket, bin_of(moment - start), 1, 0))

        return add

    def _as_of(self) -> Add:
        number, group_at = self.number, self.group_at
        time_at = self._column(self.part.as_of, "as_of", "time")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            moment = values[time_at] if time_at is not None else None
            if moment.__class__ is int:
                group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
                found.append((number, group, TOTAL, bucket, moment, 1, 0))

        return add

    def _latest(self, inner: Add) -> Add:
        keys_at = [self._column(name, "latest_of", "any") for name in self.part.latest_of]
        rank_at = self._column(self.part.latest_by, "latest_by", "any")
        if rank_at is None:
            raise ConfigurationError(f"{self.place}: latest_of needs `latest_by`: the column whose greatest value wins")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            rank = values[rank_at]
            if rank is None:
                return
            inside: list[Contribution] = []
            inner(inside, entity_id, values, bucket)
            key = tuple(values[place] for place in keys_at if place is not None)
            found.extend((*one, key, rank, entity_id) for one in inside)

        return add
