"""Variables, their reads and their indices as formulas, in one notation.

Units are counted from ``notation.first``; every place is printed so that it means the same unit
either way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from fractions import Fraction as Rational
from functools import cached_property
from typing import NamedTuple

from symbackprop.equations import (
    Access,
    Affine,
    Extent,
    Index,
    IndexExpression,
    Quotient,
    Role,
    Variable,
    extent_expression,
    indices_of,
)
from symbackprop.render import scalars
from symbackprop.render.counting import weight
from symbackprop.render.notation import Notation
from symbackprop.render.typeset import (
    PRIME,
    Accent,
    Fenced,
    Fraction,
    Math,
    Numeral,
    Operator,
    Script,
    Symbol,
    listed,
    row,
)
from symbackprop.scalar import ZERO, Expression, Named, Slot, apply, number, walk

Names = dict[Index, Math]  # index -> what is printed; filled in as indices are met

_LETTERS = "ijklmpqrstuvw"  # for indices without a letter of their own
_PARTIAL = Operator("∂", "plain")


class _Position(NamedTuple):
    """A place, counted from 0, as a function of formulas."""

    function: Expression
    operands: tuple[Math, ...]


@dataclass(frozen=True)
class Symbols:
    """What names and indices look like, in one notation.

    Attributes:
        notation: the reader's choices.
        cost: what the adjoints are derivatives of.
        input: the network's input.
        output: the network's output.
        owners: the labels of layers; other digits and names stand for themselves.
        samples: whether the batch index is printed; where not, formulas are those of one sample.
        swapped: matrices whose two indices print in reverse: ``w_ij`` for ``W[j, i]``.
        variables: all variables of the document, so that no two of them print alike.
        barred: those whose adjoint is printed as the symbol with a bar.
        numbers: names of numbers that are too long to be read.
    """

    notation: Notation
    _: KW_ONLY
    cost: Variable | None = None
    input: Variable | None = None
    output: Variable | None = None
    owners: Mapping[str, Math] = field(default_factory=dict)
    samples: bool = False
    swapped: Collection[Variable] = ()
    variables: Collection[Variable] = ()
    barred: Collection[Variable] = ()
    numbers: Mapping[Rational, str] = field(default_factory=dict)

    @cached_property
    def _letters(self) -> dict[tuple[str, str], Math]:
        """The letters of all variables: no two of one layer alike, authors' own ones first."""
        letters: dict[tuple[str, str], Math] = {}
        met: dict[str, set[Math]] = defaultdict(set)
        ordered = sorted(self.variables, key=lambda v: v.made or self._preferred(v) != _own(v))
        for variable in ordered:
            if (variable.symbol, variable.owner) in letters:
                continue
            own, taken = _own(variable), met[variable.owner]
            choices = (self._preferred(variable), own, Accent(own, "tilde"))
            letter = next((c for c in choices if c not in taken), choices[-1])
            letters[variable.symbol, variable.owner] = letter
            taken.add(letter)
        return letters

    @property
    def _first(self) -> int:
        return int(self.notation.first)

    def variable(self, variable: Variable) -> Math:
        """Return the symbol of a variable, its layer as superscript; of an adjoint, ∂L/∂z."""
        if variable.adjoint:
            return self._slope(self.variable(_primal(variable)))
        return self._special(variable) or self._labelled(self._letter(variable), variable.owner)

    def array(self, variable: Variable) -> Math:
        """Return the symbol of a whole array, bold: a capital for two axes or more."""
        if variable.adjoint:
            return self._slope(self.array(_primal(variable)))
        axes = self._printed(variable.axes)
        return _bold(self.variable(variable), len(axes)) if axes else self.variable(variable)

    def access(self, access: Access, names: Names) -> Math:
        """Return a read of a variable: its symbol with subscripts; of an adjoint, ∂L/∂z_i."""
        variable = access.variable
        if variable.adjoint:
            primal = replace(access, variable=_primal(variable))
            printed = self.access(primal, names)
            return _barred(printed) if primal.variable in self.barred else self._slope(printed)
        base = self.variable(variable)
        places = self._printed(access.indices)
        if not places:
            return base
        if variable in self.swapped and len(places) == 2:
            places = places[::-1]
        return _subscripted(base, [self._place(place, names) for place in places])

    def entry(self, variable: Variable, places: Sequence[Math]) -> Math:
        """Return an entry of a whole array: its symbol with subscripts."""
        return _subscripted(self.array(variable), places)

    def names(self, indices: Iterable[Index], taken: Collection[Math] = ()) -> Names:
        """Return letters for indices: their own or, where it is none or taken, the next free."""
        names: Names = {}
        self._add_names(indices, names, taken)
        return names

    def names_of(self, access: Access) -> Names:
        """Return letters for the indices of a read, in the order in which they print."""
        names: Names = {}
        self._name_places(access, names)
        return names

    def derivative(self, above: Math, below: Math) -> Math:
        """Return ∂above/∂below."""
        return Fraction(row(_PARTIAL, above), row(_PARTIAL, below))

    def ranges(self, indices: Iterable[Index], names: Names) -> Math:
        """Return what indices run over: i = 1, …, n; j = 1, …, 3."""
        pieces: list[Math] = []
        for index in self.running(indices):
            pieces += [Operator(";", "punctuation"), self._range(index, names)]
        return row(*pieces[1:])

    def _range(self, index: Index, names: Names) -> Math:
        start = self._start(names[index])
        last = self._last(index.extent)
        return listed(start, last) if index.extent == 2 else listed(start, scalars.ELLIPSIS, last)

    def _start(self, letter: Math) -> Math:
        return row(letter, scalars.EQUALS, Numeral(str(self._first)))

    def _last(self, extent: Extent) -> Math:
        """Return the number of the last unit."""
        expression = apply("add", extent_expression(extent), number(self._first - 1))
        return scalars.scalar(expression, ())

    def _slope(self, below: Math) -> Math:
        return self.derivative(Symbol(self.notation.cost), below)

    def _special(self, variable: Variable) -> Math | None:
        """Return the symbol of what the notation has a name for."""
        if variable == self.cost:
            return Symbol(self.notation.cost)
        if variable == self.input:
            first = _superscript(Symbol(self.notation.activation), Numeral("0"))
            return Symbol("x") if self.notation.input == "x" else first
        if variable == self.output and self.notation.output == "yhat":
            return Accent(Symbol("y"), "hat")
        return None

    def _labelled(self, letter: Math, owner: str) -> Math:
        if not owner:
            return letter
        own = Numeral(owner) if owner.isdigit() else scalars.symbol(owner)
        return _superscript(letter, self.owners.get(owner, own))

    def _letter(self, variable: Variable) -> Math:
        known = self._letters.get((variable.symbol, variable.owner))
        return known or self._preferred(variable)

    def _preferred(self, variable: Variable) -> Math:
        """Return the letter by convention: a parameter's in lower case, the activation's."""
        text = variable.symbol.strip("_")
        if text == "a" and variable.owner:
            return Symbol(self.notation.activation)
        if variable.axes and variable.axes[0].role is not Role.BATCH:
            text = text[0].lower() + text[1:]
        return scalars.symbol(text)

    def _shown(self, indices: Iterable[Index]) -> tuple[Index, ...]:
        """Return the indices without the one that tells samples apart, where it is not printed."""
        return tuple(i for i in indices if self.samples or i.role is not Role.BATCH)

    def running(self, indices: Iterable[Index]) -> tuple[Index, ...]:
        """Return the indices that print as letters: the only place of an axis is a number."""
        return tuple(index for index in self._shown(indices) if index.extent != 1)

    def _printed(self, places: Sequence[IndexExpression]) -> tuple[IndexExpression, ...]:
        return tuple(p for p in places if not isinstance(p, Index) or self._shown([p]))

    def _name_places(self, access: Access, names: Names) -> None:
        """Name the indices of a read, in the order of the alphabet where it is reversed."""
        indices = [index for place in access.indices for index in indices_of(place)]
        met = [index for index in indices if index not in names]
        self._add_names(indices, names)
        if _primal(access.variable) in self.swapped and len(self.running(met)) == 2:
            first, second = indices
            letters = sorted((names[first], names[second]), key=repr)
            names[second], names[first] = letters

    def _add_names(
        self, indices: Iterable[Index], names: Names, taken: Collection[Math] = ()
    ) -> None:
        for index in self._shown(indices):
            if index not in names and index.extent == 1:
                names[index] = Numeral(self.notation.first)
            elif index not in names:
                names[index] = _fresh(index, {*names.values(), *taken, *self._known})

    @cached_property
    def _known(self) -> frozenset[Math]:
        """What no index is called: variables, whatever their labels, and sizes known by name."""
        variables = {self._letter(variable) for variable in self.variables}
        extents = (extent_expression(axis.extent) for v in self.variables for axis in v.axes)
        nodes = (node for extent in extents for node in walk(extent))
        sizes = (scalars.symbol(node.name) for node in nodes if isinstance(node, Named))
        return frozenset({*variables, *sizes})

    def _place(self, place: IndexExpression, names: Names) -> Math:
        found = self._position(place, names)
        function = apply("add", found.function, number(self._first))
        return scalars.scalar(function, found.operands)

    def _position(self, place: IndexExpression, names: Names) -> _Position:
        if isinstance(place, Index) and place.extent == 1:
            return _Position(ZERO, ())
        if isinstance(place, Affine):
            return self._affine(place, names)
        if isinstance(place, Index | Access):
            printed = names[place] if isinstance(place, Index) else self.access(place, names)
            return _Position(apply("add", Slot(0), number(-self._first)), (printed,))
        inner = self._position(place.dividend, names)
        name = "floor_divide" if isinstance(place, Quotient) else "remainder"
        function = apply(name, inner.function, extent_expression(place.divisor))
        return _Position(function, inner.operands)

    def _affine(self, place: Affine, names: Names) -> _Position:
        place = replace(place, terms=tuple(t for t in place.terms if t[1].extent != 1))
        parts = [
            apply("multiply", extent_expression(factor), Slot(position))
            for position, (factor, _) in enumerate(place.terms)
        ]
        parts.append(extent_expression(place.offset))
        if self._first and place.terms:
            parts.append(apply("multiply", number(-self._first), weight(place)))
        return _Position(apply("add", *parts), tuple(names[index] for _, index in place.terms))


def _subscripted(base: Math, places: Sequence[Math]) -> Math:
    below = subscript(places)
    return Script(base.base, below, base.above) if isinstance(base, Script) else Script(base, below)


def subscript(places: Sequence[Math]) -> Math:
    """Return places side by side where all are letters, else with commas between them."""
    simple = all(isinstance(place, Symbol) and place.style == "italic" for place in places)
    return row(*places) if simple else listed(*places)


def _own(variable: Variable) -> Math:
    return scalars.symbol(variable.symbol.strip("_"))


def _primal(variable: Variable) -> Variable:
    return replace(variable, adjoint=False)


def _fresh(index: Index, taken: Collection[Math]) -> Math:
    """Return the index's own letter or, where it is none or taken, the next free one."""
    own = [index.name] if len(index.name) == 1 and index.name.isalpha() else []
    letters = [Symbol(letter) for letter in (*own, *_LETTERS)]
    for count in range(len(taken) + 1):
        primes = row(*(Operator(PRIME, "plain") for _ in range(count)))
        for letter in letters:
            name = Script(letter, None, primes) if count else letter
            if name not in taken:
                return name
    raise AssertionError("more names than are taken")


def _superscript(letter: Math, label: Math) -> Math:
    return Script(letter, None, Fenced("(", label, ")"))


def _barred(math: Math) -> Math:
    if isinstance(math, Script):
        return Script(Accent(math.base, "bar"), math.below, math.above)
    return Accent(math, "bar")


def _bold(math: Math, axes: int) -> Math:
    if isinstance(math, Script):
        return Script(_bold(math.base, axes), math.below, math.above)
    if isinstance(math, Accent):
        return Accent(_bold(math.base, axes), math.mark)
    assert isinstance(math, Symbol)
    large = math.text[0].upper() + math.text[1:] if math.text.isascii() else math.text
    return Symbol(large if axes > 1 else math.text, "bold")
