"""Total derivatives between the variables that users know, read off the recorded steps.

Normalising gives each nested total a variable of its own. Here the chain rule's terms are
composed through those, so that every share of a total derivative leads from one named
variable to another, in the indices of the consumer's own equation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from symbackprop.calculus.derive import collect_constants, contract, contraction, substitute_term
from symbackprop.calculus.indices import (
    compress,
    fresh,
    substitute_access,
    substitute_index,
    substitute_operands,
)
from symbackprop.calculus.shift import shifted
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Index,
    IndexExpression,
    Term,
    Variable,
    indices_of,
)
from symbackprop.scalar import Slot, apply


@dataclass(frozen=True)
class Share:
    """What the total derivative of a variable gets by one place of one consumer.

    Attributes:
        equation: the consumer u, as it defines ``u[I]``.
        access: the place ``v[e]`` that it reads, perhaps by way of other equations.
        partial: ``∂u[I]/∂v[e]`` as a Term: its factors hold no adjoint.
    """

    equation: Equation
    access: Access
    partial: Term

    @property
    def seed(self) -> Access:
        """The adjoint ``u_bar[I]`` that the partial is multiplied with."""
        return replace(self.equation.target, variable=self.equation.target.variable.bar())

    @property
    def summed(self) -> tuple[Index, ...]:
        """The indices that the chain rule sums over: those that the place read does not hold."""
        held = {index for place in self.access.indices for index in indices_of(place)}
        return tuple(index for index in self.partial.space if index not in held)

    @property
    def term(self) -> Term:
        """``v_bar[e] += u_bar[I] * partial``."""
        return replace(self.partial, factors=(_read(self.seed), *self.partial.factors))


@dataclass(frozen=True)
class Total:
    """The total derivative of the cost with respect to ``variable``: the sum of its shares."""

    variable: Variable
    shares: tuple[Share, ...]

    @property
    def adjoint(self) -> Adjoint:
        """The sum, in the variable's own indices."""
        return Adjoint(self.variable, tuple(contract(share.term) for share in self.shares))


def totals(derivation: Derivation) -> tuple[Total, ...]:
    """Return every adjoint of a derivation as the sum of the chain rule's terms, as written."""
    written: dict[Variable, list[Share]] = defaultdict(list)
    for step in derivation.steps:
        if step.rule == "chain rule":
            equation, access = step.before
            (term,) = step.after
            assert isinstance(equation, Equation)
            assert isinstance(access, Access)
            assert isinstance(term, Term)
            written[access.variable].append(Share(equation, access, _unseeded(term)))
    return tuple(Total(a.variable, tuple(written[a.variable])) for a in derivation.adjoints)


def look_through(found: Iterable[Total], through: Callable[[Variable], bool]) -> tuple[Total, ...]:
    """Return the totals without some variables, whose own shares are composed with.

    Args:
        found: the totals, of what is looked through all consumers that are, too.
        through: whether a variable is looked through.
    """
    ways: dict[Variable, tuple[Share, ...]] = {}

    def seen(total: Total) -> tuple[Share, ...]:
        shares: list[Share] = []
        for share in total.shares:
            outer = ways.get(share.equation.target.variable)
            shares.extend([share] if outer is None else [composed(share, way) for way in outer])
        return tuple(shares)

    found = tuple(found)
    waiting = {total.variable: total for total in found if through(total.variable)}
    while waiting:  # in a recurrence, a consumer may come later
        ready = [t for t in waiting.values() if not waiting.keys() & _consumers(t)]
        for total in ready or list(waiting.values()):
            ways[total.variable] = seen(total)
            del waiting[total.variable]
    kept = (total for total in found if total.variable not in ways)
    return tuple(Total(total.variable, seen(total)) for total in kept)


def _consumers(total: Total) -> set[Variable]:
    return {share.equation.target.variable for share in total.shares}


def composed(inner: Share, outer: Share) -> Share:
    """Return the share by way of the inner consumer, in the outer equation's indices.

    Args:
        inner: by which m reads v.
        outer: by which u reads m.
    """
    values = _places(inner, outer)
    factors = tuple(_substituted(factor, values) for factor in inner.partial.factors)
    coefficient, factors = collect_constants((*outer.partial.factors, *factors))
    space = (values.get(index, index) for index in inner.partial.space)
    excluding = tuple(
        (values.get(index, index), substitute_index(place, values))
        for index, place in inner.partial.excluding
    )
    own = outer.partial.space
    partial = Term(
        substitute_access(inner.partial.target, values),
        (*own, *(i for i in space if isinstance(i, Index) and i not in own)),
        apply("multiply", outer.partial.coefficient, inner.partial.coefficient, coefficient),
        factors,
        (*outer.partial.excluding, *((i, e) for i, e in excluding if isinstance(i, Index))),
    )
    return Share(outer.equation, substitute_access(inner.access, values), partial)


def with_put_in(adjoint: Adjoint, known: Mapping[Variable, Adjoint]) -> Adjoint:
    """Return the adjoint with what is known of others in place of factors that read them."""
    kept: list[Term] = []
    waiting = list(adjoint.terms)
    while waiting:
        term = waiting.pop(0)
        for factor in term.factors:
            read, inner = _known_read(factor, known)
            if read is not None:
                outer = replace(term, factors=tuple(f for f in term.factors if f is not factor))
                waiting[:0] = [_times(outer, read, other) for other in inner]
                break
        else:
            kept.append(term)
    return replace(adjoint, terms=tuple(kept))


def _known_read(
    factor: Factor, known: Mapping[Variable, Adjoint]
) -> tuple[Access | None, tuple[Term, ...]]:
    """Return the read that a factor is, and what is known of it; None where it is none such."""
    read = factor.operands[0] if factor.function == Slot(0) else None
    if not isinstance(read, Access) or not read.variable.adjoint:
        return None, ()
    found = known.get(replace(read.variable, adjoint=False))
    if found is None or not all(_may_be_read(term, read) for term in found.terms):
        return None, ()
    return read, found.terms


def _may_be_read(term: Term, read: Access) -> bool:
    """Whether a term adds to all places alike, and is 0 where the read is outside of them."""
    axes = term.target.variable.axes
    moved = {a for a, p in zip(axes, read.indices, strict=True) if not isinstance(p, Index)}
    seeds = (f.operands[0] for f in term.factors if f.function == Slot(0))
    held = [set(s.indices) for s in seeds if isinstance(s, Access) and s.variable.adjoint]
    vanishes = not moved or any(moved <= indices for indices in held)
    return term.target.indices == axes and not term.excluding and vanishes


def _times(outer: Term, read: Access, inner: Term) -> Term:
    """Return a term times another, which is known at the place that is read."""
    taken = {index.name for index in (*outer.space, *inner.target.variable.axes)}
    renamed: dict[Index, Index] = {}
    for index in inner.space:
        if index not in inner.target.indices:
            renamed[index] = fresh(index, taken)
            taken.add(renamed[index].name)
    places = zip(inner.target.indices, read.indices, strict=True)
    bare, moved = dict[Index, IndexExpression](renamed), dict[Index, IndexExpression]()
    for axis, place in places:
        assert isinstance(axis, Index)
        (bare if isinstance(place, Index) else moved)[axis] = place
    factors = (_substituted(shifted(factor, moved), bare) for factor in inner.factors)
    return replace(
        outer,
        space=(*outer.space, *renamed.values()),
        coefficient=apply("multiply", outer.coefficient, inner.coefficient),
        factors=(*factors, *outer.factors),
    )


def aligned(share: Share) -> Share:
    """Return the share in the indices of its variable's own axes, as contraction renames them."""
    values = contraction(share.term)
    equation = share.equation
    function, operands = substitute_operands(equation.function, equation.operands, values)
    renamed = replace(
        equation,
        target=substitute_access(equation.target, values),
        function=function,
        operands=operands,
        reduced=tuple(values.get(index, index) for index in equation.reduced),
    )
    access = substitute_access(share.access, values)
    return Share(renamed, access, substitute_term(share.partial, values))


def _places(inner: Share, outer: Share) -> dict[Index, IndexExpression]:
    """Return where the outer equation reads the inner one, and fresh names for its further sums."""
    values: dict[Index, IndexExpression] = dict(
        zip(inner.equation.free, outer.access.indices, strict=True)
    )
    taken = {index.name for index in outer.partial.space}
    for index in inner.partial.space:
        if index not in values:
            renamed = fresh(index, taken)
            values[index] = renamed
            taken.add(renamed.name)
    return values


def _substituted(factor: Factor, values: Mapping[Index, IndexExpression]) -> Factor:
    return Factor(*compress(*substitute_operands(factor.function, factor.operands, values)))


def _read(access: Access) -> Factor:
    return Factor(Slot(0), (access,))


def _unseeded(term: Term) -> Term:
    """Return the term without the adjoint that it is multiplied with: the partial itself."""
    kept = tuple(
        factor
        for factor in term.factors
        if not any(isinstance(o, Access) and o.variable.adjoint for o in factor.operands)
    )
    return replace(term, factors=kept)
