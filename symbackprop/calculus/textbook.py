"""The derivation as a textbook gives it: between named variables, in famous forms.

It reads the steps of the derivation that code is emitted from, and derives the loss besides as it
is written, without the last activation, so that a reader can see the two collapse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import sympy

from symbackprop.calculus.closed import (
    OutputForm,
    in_own_value,
    length,
    merged,
    output_forms,
    rational_forms,
    shifted,
)
from symbackprop.calculus.derive import contract, derive
from symbackprop.calculus.graph import needed
from symbackprop.calculus.held import invariances
from symbackprop.calculus.indices import compress
from symbackprop.calculus.logarithms import unguarded
from symbackprop.calculus.occurrences import DELTA, added_terms, joined, with_function
from symbackprop.calculus.partials import Symbolic, from_sympy, slot_symbol, to_sympy
from symbackprop.calculus.totals import Share, Total, look_through, totals
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Index,
    Step,
    Term,
    Variable,
    indices_of,
)
from symbackprop.network import Head, Layer, Network
from symbackprop.scalar import Apply, Expression, Slot, apply, walk

CANCELLED = "common factors cancel"
DISTRIBUTION = "the targets of a sample add up to 1"
_LONGEST = 4  # more ways to the cost than these do not collapse into anything


@dataclass(frozen=True)
class Jacobian:
    """The partials of an activation that couples units.

    Attributes:
        total: of what the activation acts on, seen through all that the activation names between.
        output: the unit differentiated.
        place: what it is differentiated with respect to, at any place.
        entry: the entry as one function; its operand ``DELTA`` at two places is 1 where they are
            one place, else 0.
    """

    total: Total
    output: Access
    place: Access
    entry: Factor


@dataclass(frozen=True)
class Loss:
    """A loss for one form of its target, of one sample.

    Attributes:
        head: the loss as code is emitted from it.
        equations: down to ``head.sample``, logarithms without a bound.
        bounded: whether a bound was left out.
        totals: of the network's output, and of what is named between.
        collapse: how the last activation and the loss come together, if they do: Steps from
            Adjoint to Adjoint, of what the activation acts on, or of the network's output where
            the last layer has none. The cost's own adjoint is 1.
        batch: of the cost of one sample, in that of the batch.
        invariances: as of the layers, with the sample's cost.
    """

    head: Head
    equations: tuple[Equation, ...]
    bounded: bool
    totals: tuple[Total, ...]
    collapse: tuple[Step, ...]
    batch: Total
    invariances: dict[Variable, tuple[Step, ...]]

    @property
    def collapsed(self) -> Adjoint | None:
        """The last form of what last activation and loss come to, if they come together."""
        if not self.collapse:
            return None
        (adjoint,) = self.collapse[-1].after
        assert isinstance(adjoint, Adjoint)
        return adjoint


@dataclass(frozen=True)
class Textbook:
    """What a document shows.

    Attributes:
        totals: of every named variable of the layers, from the last to the first; the adjoint of
            the network's output is given.
        closed: shares whose partial is a polynomial in the consumer's value, as (written, closed).
        jacobians: of activations that couple units, by what they act on.
        losses: one for each form of the target.
        penalties: of every parameter that penalties are on, in the penalty.
        invariances: why values of the layers may be held constant, as ``calculus.held`` finds.
    """

    totals: tuple[Total, ...]
    closed: dict[Share, Share]
    jacobians: dict[Variable, Jacobian]
    losses: tuple[Loss, ...]
    penalties: tuple[Total, ...]
    invariances: dict[Variable, tuple[Step, ...]]


def textbook(network: Network, layers: Derivation) -> Textbook:
    """Return the textbook's derivation of a network whose layers have been derived.

    Args:
        network: the equations.
        layers: as ``derive_layers`` gives it.
    """
    named = [joined(t) for t in look_through(totals(layers), lambda variable: variable.made)]
    closed: dict[Share, Share] = {}
    for total in named:
        for share in total.shares:
            form = in_own_value(share)
            if form is not None:
                closed[share] = form
    shown = [_closed(total, closed) for total in named]
    through = {
        layer.preactivation: _through_activation(layer, shown)
        for layer in network.layers
        if layer.preactivation is not None and len(layer.activation) > 1
    }
    jacobians = {value: _jacobian(total) for value, total in through.items()}
    losses = tuple(_loss(network, head, shown, through) for head in network.heads)
    found = {value: jacobian for value, jacobian in jacobians.items() if jacobian}
    penalties = tuple(_penalty(network, equations) for equations in network.penalties)
    reasons = [
        invariances((*layer.equations, *layer.activation), layer.output) for layer in network.layers
    ]
    held = {variable: steps for own in reasons for variable, steps in own.items()}
    return Textbook(tuple(named), closed, found, losses, penalties, held)


def _closed(total: Total, closed: dict[Share, Share]) -> Total:
    return replace(total, shares=tuple(closed.get(share, share) for share in total.shares))


def _through_activation(layer: Layer, shown: Iterable[Total]) -> Total:
    """Return what the activation acts on with the layer's output as its consumer."""
    own = {equation.target.variable for equation in layer.activation}
    between = own - {layer.output}
    wanted = (t for t in shown if t.variable in own or t.variable == layer.preactivation)
    through = look_through(wanted, lambda variable: variable in between)
    (found,) = (total for total in through if total.variable == layer.preactivation)
    forms = output_forms(layer.activation)
    return replace(found, shares=tuple(_in_output(share, forms) for share in found.shares))


def _jacobian(total: Total) -> Jacobian | None:
    """Return the entry of a Jacobian whose diagonal and other shares differ."""
    output = total.shares[0].equation.target
    same = [share for share in total.shares if share.access.indices == output.indices]
    others = [share for share in total.shares if share not in same]
    if len(same) != 1 or len(others) != 1:
        return None
    place = others[0].access
    pairs = [p for p in zip(output.indices, place.indices, strict=True) if p[0] != p[1]]
    diagonal, other = merged(same[0].partial), merged(others[0].partial)
    delta = Access(DELTA, pairs[0])
    operands = (delta, *diagonal.operands, *other.operands)
    first, second = 1, 1 + len(diagonal.operands)
    parts = (shifted(diagonal.function, first), shifted(other.function, second))
    value = to_sympy(apply("add", apply("multiply", Slot(0), parts[0]), parts[1]))
    same_operand = {slot_symbol(k): slot_symbol(operands.index(o)) for k, o in enumerate(operands)}
    entry = from_sympy(_delta_first(sympy.factor(value.subs(same_operand))))
    return Jacobian(total, output, place, Factor(*compress(entry, operands)))


def _delta_first(value: Symbolic) -> Symbolic:
    """Return the product with the sign of a factor such that its delta is added."""
    factors = [
        -factor
        if factor.is_Add and factor.coeff(slot_symbol(0)).could_extract_minus_sign()
        else factor
        for factor in sympy.Mul.make_args(value)
    ]
    turned = sum(1 for a, b in zip(factors, sympy.Mul.make_args(value), strict=True) if a != b)
    return sympy.Mul((-1) ** turned, *factors)


def _in_output(share: Share, forms: Sequence[OutputForm]) -> Share:
    for form in forms:
        factor = form.rewritten(merged(share.partial))
        if factor is not None:
            return replace(share, partial=with_function(share.partial, factor))
    return share


def _loss(
    network: Network, head: Head, shown: Sequence[Total], through: dict[Variable, Total]
) -> Loss:
    written = needed(head.equations, (head.sample,))
    equations = tuple(replace(e, function=_unbounded(e.function)) for e in written)
    derivation = derive(equations, (head.sample,), [network.output])
    made = {e.target.variable for e in equations if e.target.variable.made} - {head.sample}
    found = look_through(totals(derivation), lambda variable: variable in made)
    kept = tuple(joined(total) for total in found if total.variable != head.sample)
    collapse = _collapse(network, head, kept, shown, through)
    batch = _total(head.equations, head.cost, head.sample)
    held = invariances(equations, head.sample, head.sample)
    return Loss(head, equations, equations != tuple(written), kept, collapse, batch, held)


def _penalty(network: Network, equations: Sequence[Equation]) -> Total:
    learned = {array.variable for array in network.parameters}
    (variable,) = {
        o.variable for e in equations for o in e.operands if isinstance(o, Access)
    } & learned
    return _total(equations, equations[-1].target.variable, variable)


def _total(equations: Sequence[Equation], cost: Variable, variable: Variable) -> Total:
    """Return the total derivative of a variable in a cost, between these two."""
    below = needed([e for e in equations if e.target.variable != variable], (cost,))
    found = totals(derive(below, (cost,), [variable]))
    (total,) = look_through(found, lambda other: other not in (cost, variable))
    return total


def _unbounded(function: Expression) -> Expression:
    if not isinstance(function, Apply):
        return function
    arguments = [_unbounded(argument) for argument in function.arguments]
    if function.function == "log":
        arguments = [unguarded(arguments[0])]
    return apply(function.function, *arguments)


def _collapse(
    network: Network,
    head: Head,
    kept: Sequence[Total],
    shown: Sequence[Total],
    through: dict[Variable, Total],
) -> tuple[Step, ...]:
    """Return how the cost's adjoint of what the last activation acts on gets simpler."""
    value = network.layers[-1].preactivation or network.output
    last = [through.get(value) or total for total in shown if total.variable == value]
    found = look_through((*kept, *last), lambda variable: variable != value)
    if not found or len(found[0].shares) > _LONGEST:
        return ()
    total = found[0]
    terms = tuple(contract(share.partial) for share in total.shares)
    written = _adjoint(value, tuple(with_function(t, merged(t)) for t in terms))
    cancelled = _adjoint(value, tuple(_cancelled(term) for term in written.terms))
    added = _adjoint(value, tuple(_added_up(term, head.target) for term in cancelled.terms))
    steps = [Step("chain rule", (total,), (written,))]
    if cancelled != written:
        steps.append(Step("cancellation", (written,), (cancelled,), CANCELLED))
    if added != cancelled and not any(_summed(term) for term in added.terms):
        steps.append(Step("assumption", (cancelled,), (added,), DISTRIBUTION))
    short = len(total.shares) > 1 and all(_is_short(term) for term in added.terms)
    seen_through = value == network.output and short
    return tuple(steps) if len(steps) > 1 or seen_through else ()


def _is_short(term: Term) -> bool:
    return not _summed(term) and _quotients(merged(term).function) <= 1


def _adjoint(variable: Variable, terms: tuple[Term, ...]) -> Adjoint:
    """Return the sum with all terms of one place and no further sum as one function."""
    first: dict[tuple[object, ...], Term] = {}
    for term in terms:
        key = (term.target, term.space, term.excluding)
        if key not in first:
            first[key] = term
        elif _summed(term):
            first[(*key, term.factors)] = term
        else:
            first[key] = added_terms(first[key], term)
    return Adjoint(variable, tuple(first.values()))


def _summed(term: Term) -> bool:
    """Whether the term is a sum over indices that its target does not hold."""
    return set(term.space) > {i for place in term.target.indices for i in indices_of(place)}


def _cancelled(term: Term) -> Term:
    """Return the term with common factors cancelled, where that leaves one quotient or none."""
    factor = merged(term)
    value = to_sympy(factor.function)
    forms = [from_sympy(form) for form in rational_forms(value)]
    shorter = min(forms, key=length, default=factor.function)
    if _quotients(shorter) >= min(_quotients(factor.function), 2):
        return term
    return with_function(term, Factor(*compress(shorter, factor.operands)))


def _quotients(function: Expression) -> int:
    return sum(1 for n in walk(function) if isinstance(n, Apply) and n.function == "divide")


def _added_up(term: Term, target: Variable) -> Term:
    """Return the term with the targets' total, if it is a factor, as 1."""
    held = {i for place in term.target.indices for i in indices_of(place)}
    summed = tuple(index for index in term.space if index not in held)
    factor = merged(term)
    reading = [k for k, o in enumerate(factor.operands) if set(summed).intersection(_indices(o))]
    if len(reading) != 1 or not summed:
        return term
    operand = factor.operands[reading[0]]
    if not isinstance(operand, Access) or operand.variable != target:
        return term
    unknown = slot_symbol(reading[0])
    value = to_sympy(factor.function)
    rest = value.diff(unknown)
    if rest.has(unknown) or (value - rest * unknown).expand() != 0:
        return term
    free = Factor(*compress(from_sympy(rest), factor.operands))
    space = tuple(index for index in term.space if index in held)
    return replace(with_function(term, free), space=space)


def _indices(operand: object) -> tuple[Index, ...]:
    return tuple(indices_of(operand))  # type: ignore[arg-type]
