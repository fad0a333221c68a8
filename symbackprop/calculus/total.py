"""Total derivatives and total differentials of scalar functions, step by step.

The derivative of a value is the sum, over the arguments of its definition that vary, of the local
partial times the argument's own derivative. A function left open keeps its partials as symbols.
What is not written out is a name in an expression, with signs that no user can write: ``∂f/∂u``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from symbackprop.calculus.partials import partial
from symbackprop.calculus.shorten import shortest
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.notation.bounds import MAX_BITS, bits, check_range, measure
from symbackprop.notation.composition import Composition, Definition, names_of, read_name
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Named, Slot, apply, substitute, walk

# What is longer is not written out, and stays a name or the symbol of a derivative.
MAX_PARTS = 300
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Derivative:
    """The symbol of a derivative: ``∂above/∂below`` where ``partial``, else ``d above/d below``.

    ``place`` is that of ``above`` among the definitions.
    """

    above: str
    below: str
    partial: bool
    place: int

    @property
    def named(self) -> Named:
        """The symbol as a leaf of expressions; SymPy sorts outer ones before inner ones."""
        sign = "∂" if self.partial else "d"
        return Named(f"∂{99999 - self.place} {sign}{self.above}/{sign}{self.below}")


@dataclass(frozen=True, slots=True)
class Differential:
    """The symbol ``d of``."""

    of: str

    @property
    def named(self) -> Named:
        """The symbol as a leaf of expressions."""
        return Named(f"d {self.of}")


Mark = Derivative | Differential


@dataclass(frozen=True, slots=True)
class Line:
    """``left = right``, by a rule.

    ``names`` are, of a local partial, what varies but is held; of a sum, what it runs over.
    """

    left: Mark
    right: Expression
    rule: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """A total derivative or differential with its steps.

    Attributes:
        composition: what was differentiated.
        wrt: the names that vary by themselves; one where ``left`` is a Derivative.
        left: the symbol of the whole.
        partials: the local partials that have a value, a line each.
        sums: for each value that varies, after those that it reads: its derivative as a sum over
            its arguments, and that sum with more and more of it written out.
        marks: every symbol that occurs.
    """

    composition: Composition
    wrt: tuple[str, ...]
    left: Mark
    partials: tuple[Line, ...]
    sums: tuple[tuple[Line, ...], ...]
    marks: tuple[Mark, ...]

    @property
    def constants(self) -> tuple[str, ...]:
        """The names that are held constant."""
        return tuple(name for name in self.composition.free if name not in self.wrt)

    @property
    def result(self) -> Expression:
        """The whole, in its last form."""
        return (self.sums[-1] if self.sums else self.partials)[-1].right


def total_derivative(composition: Composition, wrt: str) -> Total:
    """Return the derivative through every path from ``wrt`` to the composition's value.

    Raises:
        SymbackpropError: ``wrt`` is defined or occurs nowhere, or something is no real number.
    """
    _check_independent(composition, wrt)
    return _Deriver(composition, (wrt,), differential=False).total()


def total_differential(composition: Composition, wrt: Sequence[str] = ()) -> Total:
    """Return the differential of the composition's value.

    Args:
        composition: what is differentiated.
        wrt: the names that vary by themselves; all that nothing defines where there are none.

    Raises:
        SymbackpropError: as for ``total_derivative``.
    """
    for name in wrt:
        _check_independent(composition, name)
    independent = tuple(dict.fromkeys(wrt)) or composition.free
    if not independent:
        raise SymbackpropError(f"nothing varies in {composition.name}: it reads no free name")
    return _Deriver(composition, independent, differential=True).total()


def _check_independent(composition: Composition, name: str) -> None:
    read_name(name)
    if name in composition.free:
        return
    if any(definition.name == name for definition in composition.definitions):
        raise SymbackpropError(f"{name!r} depends on others: only a free name varies by itself")
    if not composition.free:
        raise SymbackpropError(f"{name!r} occurs nowhere: {composition.name} reads no free name")
    raise SymbackpropError(f"{name!r} occurs nowhere; {allowed(name, composition.free)}")


class _Deriver:
    """Derives one definition after the other; holds what the later ones read."""

    def __init__(
        self, composition: Composition, wrt: tuple[str, ...], *, differential: bool
    ) -> None:
        self.composition = composition
        self.wrt = wrt
        self.differential = differential
        self.places = {d.name: place for place, d in enumerate(composition.definitions)}
        self.partials: list[Line] = []
        self.sums: list[tuple[Line, ...]] = []
        self.marks: dict[Mark, None] = {}
        # By name: the value with every definition inserted, and the derivative by each of wrt,
        # or nothing where that is not written out.
        self.inserted: dict[str, Expression] = {}
        self.bits: dict[str, int] = {}
        self.slopes: dict[str, dict[str, Expression]] = {name: {name: ONE} for name in wrt}

    def total(self) -> Total:
        for definition in self.composition.definitions:
            through = tuple(name for name in names_of(definition.value) if name in self.slopes)
            try:
                self._insert(definition)
                if through:
                    self._derive(definition, through)
            except TypeError:
                raise SymbackpropError(
                    f"{definition.name} is no real number: it divides by 0, or has a root below 0"
                ) from None
        name = self.composition.name
        left = self._whole_mark(name)
        sums, partials = tuple(self.sums), tuple(self.partials)
        for line in chain(partials, *sums):
            check_range(line.right)
        return Total(self.composition, self.wrt, left, partials, sums, tuple(self.marks))

    def _mark(self, mark: Mark) -> Named:
        self.marks[mark] = None
        return mark.named

    def _whole_mark(self, name: str) -> Mark:
        """Return the symbol of a value's own derivative or differential."""
        mark = Differential(name) if self.differential else self._derivative(name, self.wrt[0])
        self._mark(mark)
        return mark

    def _derivative(self, above: str, below: str, *, partial: bool = False) -> Derivative:
        return Derivative(above, below, partial, self.places[above])

    def _insert(self, definition: Definition) -> None:
        shortest(definition.value)
        whole = Named(definition.name) if definition.open else self._whole(definition.value)
        self.inserted[definition.name] = whole or Named(definition.name)
        self.bits[definition.name] = bits(self.inserted[definition.name], {})

    def _whole(self, expression: Expression) -> Expression | None:
        """Return the expression with every definition inserted; None where that is too long."""
        own, depth = measure(expression)
        added = [measure(self.inserted.get(name, ONE)) for name in _leaves(expression)]
        if own + sum(parts for parts, _ in added) > MAX_PARTS:
            return None
        if depth + max((deep for _, deep in added), default=0) > MAX_DEPTH:
            return None
        if bits(expression, self.bits) > MAX_BITS:
            return None
        return substitute(expression, {Named(name): e for name, e in self.inserted.items()})

    def _derive(self, definition: Definition, through: tuple[str, ...]) -> None:
        name, wrt = definition.name, self.wrt[0]
        beside = names_of(definition.value) if definition.open else through
        several = len(beside) > 1
        marks = {by: self._derivative(name, by, partial=several) for by in through}
        symbols = {by: self._mark(mark) for by, mark in marks.items()}
        alone = not self.differential and through == (wrt,) and not several
        if definition.open and not (alone and name == self.composition.name):
            values: dict[str, Expression] = dict(symbols)
        else:
            values = {by: local_partial(definition.value, by) for by in through}
            for by, mark in marks.items():
                held = tuple(other for other in through if other != by)
                self.partials.append(Line(mark, values[by], "local partial", held))
        forms = self._forms(definition, symbols, values)
        # Of what reads x alone, the one partial is the derivative, and written down as such.
        shown = forms[2:] if alone else forms
        kept = _steps(shown, forms[1].right if alone else None)
        if kept:
            self.sums.append(kept)

    def _forms(
        self,
        definition: Definition,
        symbols: Mapping[str, Expression],
        values: Mapping[str, Expression],
    ) -> list[Line]:
        """Derive a value as the sum over its arguments; return each form of that sum."""
        name, through = definition.name, tuple(symbols)
        left = self._whole_mark(name)
        tails = {by: self._tail(by) for by in through}
        written = {by: self._collected(self.slopes[by]) or tails[by] for by in through}
        one = len(through) == 1 and (self.differential or through[0] not in self.wrt)
        whole_rule = "total differential" if self.differential else "total derivative"
        one_rule = "differential" if self.differential else "chain rule"
        inserted = _products(values, written)
        whole = self._whole(inserted)
        self.slopes[name] = self._slopes(values)
        known = "derivatives inserted" if definition.open else "partials inserted"
        long = whole or inserted
        return [
            Line(left, _products(symbols, tails), one_rule if one else whole_rule, through),
            Line(left, inserted, known),
            Line(left, long, "definitions inserted"),
            Line(left, self._collected(self.slopes[name]) or long, "simplified"),
        ]

    def _tail(self, name: str) -> Expression:
        """Return an argument's own derivative or differential, as a symbol."""
        if name in self.wrt and not self.differential:
            return ONE
        return self._whole_mark(name).named

    def _collected(self, slopes: Mapping[str, Expression]) -> Expression | None:
        """Return derivatives by name as one sum; a differential has a factor for each name."""
        units = {wrt: self._tail(wrt) if self.differential else ONE for wrt in slopes}
        return _products(slopes, units) if slopes else None

    def _slopes(self, values: Mapping[str, Expression]) -> dict[str, Expression]:
        """Return the derivative by each of wrt, or nothing where one is too long."""
        known = {by: self.slopes[by] for by in values}
        if not all(known.values()):
            return {}
        slopes = {}
        for wrt in self.wrt:
            rows = {by: slope.get(wrt, ZERO) for by, slope in known.items()}
            whole = self._whole(_products(values, rows))
            if whole is None:
                return {}
            slopes[wrt] = shortest(whole)
        return slopes


def local_partial(value: Expression, by: str) -> Expression:
    """Return the derivative of an expression by one of its names, the others held constant."""
    there: dict[Expression, Expression] = {Named(by): Slot(0)}
    back: dict[Expression, Expression] = {Slot(0): Named(by)}
    return substitute(partial(substitute(value, there), 0), back)


def _steps(forms: Sequence[Line], before: Expression | None) -> tuple[Line, ...]:
    """Return the forms that differ from the one before in more than the order of their parts.

    Where the order alone differs, the later one's is kept, but for the opening sum's.
    """
    kept: list[Line] = []
    last = None if before is None else _unordered(before)
    for line in forms:
        found = _unordered(line.right)
        if found != last:
            kept.append(line)
        elif len(kept) > 1 or (kept and before is not None):
            kept[-1] = replace(kept[-1], right=line.right)
        last = found
    return tuple(kept)


def _unordered(expression: Expression) -> object:
    """Return something that is equal for expressions that differ in the order of parts alone."""
    if not isinstance(expression, Apply):
        return expression
    parts = [_unordered(argument) for argument in expression.arguments]
    if expression.function in ("add", "multiply"):
        parts.sort(key=repr)
    return expression.function, tuple(parts)


def _products(left: Mapping[str, Expression], right: Mapping[str, Expression]) -> Expression:
    return apply("add", *(apply("multiply", left[name], right[name]) for name in left))


def _leaves(expression: Expression) -> Iterable[str]:
    return (node.name for node in walk(expression) if isinstance(node, Named))
