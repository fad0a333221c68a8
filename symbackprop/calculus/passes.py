"""The derivations of a network: its layers, its loss, its penalties."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from symbackprop.calculus.combine import combine
from symbackprop.calculus.derive import derive
from symbackprop.calculus.exclude import exclude
from symbackprop.calculus.exponentials import shift_exponentials
from symbackprop.calculus.graph import reads
from symbackprop.calculus.maxima import nonpositive_differences
from symbackprop.calculus.opening import open_exponentials
from symbackprop.calculus.phases import unroll_windows
from symbackprop.calculus.rewrite import compose, floor_logarithms
from symbackprop.calculus.stable import stable_form
from symbackprop.calculus.textbook import Textbook, textbook
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Operand,
    Step,
    Variable,
)
from symbackprop.errors import SymbackpropError
from symbackprop.network import Head, Network
from symbackprop.scalar import Expression, slots


@dataclass(frozen=True)
class NetworkDerivation:
    """What is derived of a network.

    Attributes:
        network: the equations it starts from.
        layers: from a given cotangent of the output to the input and every parameter.
        heads: for each of ``network.heads``, loss and last activation derived together.
        textbook: the same between named variables, as documents show it.
    """

    network: Network
    layers: Derivation
    heads: tuple[Derivation, ...]
    textbook: Textbook


def derive_network(network: Network) -> NetworkDerivation:
    """Derive everything of a network but its penalties."""
    heads = tuple(derive_head(network, head, fused=True) for head in network.heads)
    written = _differentiated(_of_layers(network), network.output, network.varied, ())
    return NetworkDerivation(network, derive_layers(network), heads, textbook(network, written))


def derive_layers(network: Network) -> Derivation:
    """Derive the plain path: from a given cotangent of the output to input and parameters.

    Raises:
        SymbackpropError: an equation gives one number, whatever it reads.
    """
    layers = _of_layers(network)
    derivation = _derived(layers, network.output, network.varied, (), _between(network))
    _check_varies(layers, network.varied, derivation.equations)
    return derivation


def _check_varies(
    written: Sequence[Equation], varied: Collection[Variable], derived: Sequence[Equation]
) -> None:
    """Refuse what turns out to be constant, as log(exp(z)) - z is."""
    varying = set(varied)
    for equation in written:
        if any(access.variable in varying for access in reads(equation)):
            varying.add(equation.target.variable)
    reading = {e.target.variable for e in written if slots(e.function)} & varying
    for equation in derived:
        variable = equation.target.variable
        if variable in reading and not slots(equation.function):
            raise SymbackpropError(
                f"layer {variable.owner}: {variable.symbol} is a constant, whatever it reads"
            )


def _between(network: Network) -> set[Variable]:
    """Return what stands between layers, and between a layer and its activation."""
    found = {variable for layer in network.layers for variable in (*layer.inputs, layer.output)}
    return found | {layer.preactivation for layer in network.layers if layer.preactivation}


def _of_layers(network: Network) -> list[Equation]:
    return [e for layer in network.layers for e in layer.all_equations]


def derive_step(network: Network, fixed: Collection[Variable] = ()) -> Derivation:
    """Derive the layers for a training step, which has no use for what it can do without.

    Args:
        network: whose output's cotangent is given.
        fixed: variables that are computed as they are written.
    """
    equations = _of_layers(network)
    read = (a.variable for head in network.heads for e in head.equations for a in reads(e))
    last = (a.variable for e in network.layers[-1].activation for a in reads(e))
    kept = {network.output, network.boundary, *fixed, *read, *last}
    unrolled, steps = unroll_windows(equations, kept)
    stay = _between(network) | kept
    derivation = _derived(unrolled, network.output, network.varied, (), stay)
    return replace(derivation, steps=(*steps, *derivation.steps))


def derive_head(network: Network, head: Head, *, fused: bool) -> Derivation:
    """Derive a loss.

    Args:
        network: whose output the loss reads.
        head: the loss, for one form of its target.
        fused: derive it together with the last layer's activation, with respect to what that
            acts on and its parameters; else with respect to the network's output.
    """
    last = network.layers[-1]
    if not fused or network.boundary == network.output:
        return _derived(head.equations, head.cost, [network.output], [network.output])
    equations = (*last.activation, *head.equations)
    read = {
        operand.variable
        for equation in last.activation
        for operand in equation.operands
        if isinstance(operand, Access)
    }
    learned = [array.variable for array in network.parameters if array.variable in read]
    wrt = [network.boundary, *learned]
    return _derived(equations, head.cost, wrt, [network.output], [network.output])


def derive_penalty(equations: Sequence[Equation], variable: Variable) -> Derivation:
    """Derive the last equation's target, a scalar, with respect to one parameter."""
    return _derived(equations, equations[-1].target.variable, [variable], ())


def _derived(
    equations: Sequence[Equation],
    output: Variable,
    wrt: Collection[Variable],
    probabilities: Collection[Variable],
    kept: Collection[Variable] = (),
) -> Derivation:
    """Derive equations whose exponentials are brought to where a stable form finds them.

    Args:
        equations: in topological order.
        output: what is differentiated.
        wrt: with respect to what.
        probabilities: whose logarithms are clamped.
        kept: variables that nothing looks through.
    """
    shifted, shifting = shift_exponentials(equations, (output,))
    opened, opening = open_exponentials(shifted, {output, *kept})
    derivation = _differentiated(opened, output, wrt, probabilities)
    return replace(derivation, steps=(*shifting, *opening, *derivation.steps))


def _differentiated(
    equations: Sequence[Equation],
    output: Variable,
    wrt: Collection[Variable],
    probabilities: Collection[Variable],
) -> Derivation:
    composed, composing = compose(equations, (output,)) if not output.axes else (equations, ())
    floored, flooring = floor_logarithms(composed, probabilities)
    excluded, found, excluding = exclude(floored, (output,))
    derivation = derive(excluded, (output,), wrt)
    steps = (*composing, *flooring, *excluding, *derivation.steps)
    derivation = replace(derivation, steps=steps)
    for entry in found:
        derivation = combine(derivation, entry)
    return stabilized(derivation)


def stabilized(derivation: Derivation) -> Derivation:
    """Return the derivation with every function in its stable form."""
    definitions = {equation.target.variable: equation for equation in derivation.equations}
    steps: list[Step] = []

    def stable(function: Expression, operands: tuple[Operand, ...]) -> Expression:
        return stable_form(function, nonpositive_differences(operands, definitions))

    equations = []
    for equation in derivation.equations:
        after = replace(equation, function=stable(equation.function, equation.operands))
        if after != equation:
            steps.append(Step("stable form", (equation,), (after,)))
        equations.append(after)
    adjoints = []
    for adjoint in derivation.adjoints:
        terms = []
        for term in adjoint.terms:
            factors = tuple(
                Factor(stable(f.function, f.operands), f.operands) for f in term.factors
            )
            changed = [(f, g) for f, g in zip(term.factors, factors, strict=True) if f != g]
            steps.extend(Step("stable form", (f,), (g,)) for f, g in changed)
            terms.append(replace(term, factors=factors))
        adjoints.append(Adjoint(adjoint.variable, tuple(terms)))
    return Derivation(tuple(equations), tuple(adjoints), (*derivation.steps, *steps))
