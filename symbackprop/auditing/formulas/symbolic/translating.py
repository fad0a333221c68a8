"""Formulas of one unit as normal forms, for letters that have no values.

A derivative is carried out while its variable is still a name; what defines the variable is put in
afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from symbackprop.auditing.formulas.evaluating.core import DEEPEST, formal_key
from symbackprop.auditing.formulas.model import Labels, Model, Rule, Symbol, is_letter
from symbackprop.auditing.formulas.primitives import primitives
from symbackprop.auditing.formulas.shapes import Surveyor, letter, slot
from symbackprop.auditing.formulas.symbolic.algebra import FIXED, Algebra, renamed
from symbackprop.auditing.formulas.symbolic.forms import (
    Atom,
    Form,
    Index,
    Read,
    UnknownError,
)
from symbackprop.auditing.formulas.tree import Access, Node, Number

Quantity = tuple[Symbol, Labels]


@dataclass(frozen=True)
class Place:
    """Where a node is read.

    `letters` are indices, `layers` numbers of layers, `formals` what stands for a function's
    arguments, `kept` the quantities that stay names.
    """

    letters: Mapping[str, Index]
    layers: Mapping[str, int]
    scope: int = 0
    formals: Mapping[object, Form] = field(default_factory=dict)
    kept: frozenset[Quantity] = frozenset()
    depth: int = 0


class Translator:
    """Makes forms of the formulas of one claim.

    Args:
        rules: How each kind of node but a name is read.
        model: The definitions, of one unit each.
        surveyor: What runs over which axis; it has seen the claim.
        steps: How many terms may be made.
    """

    def __init__(
        self,
        rules: Mapping[type[Node], Callable[..., Form]],
        model: Model,
        surveyor: Surveyor,
        steps: int,
    ) -> None:
        self._rules = rules
        self.model = model
        self.surveyor = surveyor
        self.algebra = Algebra(steps)
        self.primitives = primitives(self.algebra)
        self._axes: dict[object, int] = {}
        self.named: dict[str, Quantity] = {}
        self.arriving: set[str] = set()

    def form(self, node: Node, place: Place) -> Form:
        """Return a formula with all definitions put in.

        Raises:
            UnknownError: If it has no normal form, or one that is too large.
        """
        return self.expanded(self.value(node, place), place.kept)

    def index(self, scope: int, name: str) -> Index:
        """Return a letter of a scope."""
        root = self.surveyor.sizes.root(letter(scope, name))
        return Index(self.axis(root), 0, name)

    def axis(self, root: object) -> int:
        """Return the number of an axis."""
        return self._axes.setdefault(root, len(self._axes))

    def value(self, node: Node, place: Place) -> Form:
        """Return a formula in which some quantities may still be names."""
        if isinstance(node, Access):
            return self._access(node, place)
        rule = self._rules.get(type(node))
        if rule is None:
            raise UnknownError(type(node).__name__)
        return rule(self, node, place)

    def _access(self, node: Access, place: Place) -> Form:
        if node.name in place.letters and is_letter(node):
            raise UnknownError("an index as a number")
        if formal_key(node) in place.formals:
            return place.formals[formal_key(node)]
        if formal_key(replace(node, indices=())) in place.formals:
            raise UnknownError("an element of an argument")
        indices = self.indices(node, place)
        return self.read(self.quantity(node, place), indices, place.kept, place.depth)

    def quantity(self, node: Access, place: Place) -> Quantity:
        """Return which quantity an access names, at which layer."""
        if any(label.base in place.letters for label in node.labels):
            raise UnknownError("an index as a label")
        return node.symbol, self.model.labels(node, place.layers)

    def indices(self, node: Access, place: Place) -> tuple[Index, ...]:
        """Return the letters and the places that an access names."""
        symbol, labels = self.quantity(node, place)
        found = []
        for k, index in enumerate(node.indices):
            if isinstance(index, Number):
                root = self.surveyor.sizes.root(slot(symbol, labels, k))
                found.append(Index(self.axis(root), 0, f"{FIXED}{index.value}"))
            else:
                found.append(self.letter(index, place))
        return tuple(found)

    def letter(self, node: Node, place: Place) -> Index:
        """Return the letter that an index is."""
        if not (isinstance(node, Access) and is_letter(node) and node.name in place.letters):
            raise UnknownError("an index that is no letter")
        return place.letters[node.name]

    def read(
        self, quantity: Quantity, indices: tuple[Index, ...], kept: frozenset[Quantity], depth: int
    ) -> Form:
        """Return an element of a quantity: a name, or what it is defined to be."""
        symbol, labels = quantity
        name = repr(quantity)
        self.named[name] = quantity
        if symbol in {self.model.simplex} | self.model.held | self.model.symmetric:
            raise UnknownError("what holds by a convention")
        found = self.definition(quantity, indices) if quantity not in kept else None
        if found is not None:
            return self._defined(*found, indices, kept, depth)
        size = ("size", symbol, labels, "()")
        if not indices and size in self.surveyor.sizes.parents:
            axis = self.axis(self.surveyor.sizes.root(size))
            return self.algebra.atom(Read(f"extent {axis}"))
        return self.algebra.atom(Read(name, indices))

    def definition(
        self, quantity: Quantity, indices: tuple[Index, ...]
    ) -> tuple[Rule, dict[str, int]] | None:
        """Return the definition of a quantity and the values of its label letters."""
        symbol, labels = quantity
        for rule in self.model.named(symbol):
            for own, index in zip(rule.target.indices, indices, strict=False):
                if not is_letter(own) and index.name[:1] != FIXED:
                    raise UnknownError("a definition of single elements")
        fixed = (index.name.partition(FIXED)[2] for index in indices)
        return self.model.match(symbol, labels, tuple(int(f) if f else None for f in fixed))

    def _defined(
        self,
        rule: Rule,
        bound: dict[str, int],
        indices: tuple[Index, ...],
        kept: frozenset[Quantity],
        depth: int,
    ) -> Form:
        if rule.formals:
            raise UnknownError("a function without its argument")
        inside = self.inside(rule, bound, kept, depth)
        body = self.value(rule.body, inside)
        values: dict[Index, Index] = {}
        for own, index in zip(rule.target.indices, indices, strict=True):
            if (
                isinstance(own, Access)
                and values.setdefault(inside.letters[own.name], index) != index
            ):
                raise UnknownError("a definition of a diagonal")
        if any(mine.axis != theirs.axis for mine, theirs in values.items()):
            raise UnknownError("letters of different axes")
        return renamed(self.algebra, body, values)

    def inside(
        self, rule: Rule, bound: dict[str, int], kept: frozenset[Quantity], depth: int
    ) -> Place:
        """Return where the body of a definition is read, its own letters being fresh."""
        if depth > DEEPEST:
            raise UnknownError("a definition by itself")
        scope = self.surveyor.scopes.of(rule, bound)
        letters = {name: self.index(0, name) for name in self.model.loose}
        for index in rule.target.indices:
            if isinstance(index, Access):
                letters[index.name] = self.algebra.index(self.index(scope, index.name).axis)
        return Place(letters, {**self.model.layers, **bound}, scope, {}, kept, depth + 1)

    def expanded(self, form: Form, kept: frozenset[Quantity] = frozenset()) -> Form:
        """Return a form with the definitions of what it still names put in."""

        def made(atom: Atom) -> Form:
            quantity = self.named.get(atom.name) if isinstance(atom, Read) else None
            if quantity is None or not isinstance(atom, Read):
                return self.algebra.atom(atom)
            return self.read(quantity, atom.indices, kept, 0)

        return self.algebra.mapped(form, made)
