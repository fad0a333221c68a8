"""What a line computes, as the textbook's equation or adjoint in one line of Unicode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace

from symbackprop.calculus import WINDOWS
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Operand,
    Term,
    Variable,
    accesses_of,
)
from symbackprop.network import Head, Layer, Network
from symbackprop.printing.equations import adjoint_lines, equation_lines
from symbackprop.scalar import ONE, Slot


class Comments:
    """Finds the comment of a variable.

    Forward variables get the equation as it was written, before stable forms; adjoints the sum
    of their terms, seen through intermediates that normalising made.
    """

    def __init__(
        self,
        network: Network,
        layers: Derivation,
        heads: Sequence[tuple[Head, Derivation]] = (),
    ) -> None:
        self.lines: dict[Variable, str] = {}
        self._derived(layers)
        for layer in network.layers:
            self._equations(layer.all_equations)
            self._updates(layer)
        self._rewritten(layers)
        self.heads: dict[str, Comments] = {}
        for head, derivation in heads:
            own = copy(self)
            own.lines = dict(self.lines)
            own._derived(derivation)
            own._equations(head.equations)
            self.heads[head.form] = own

    def _rewritten(self, derivation: Derivation) -> None:
        """An extreme that was rewritten with all that leads to it is shown with all of that."""
        for step in derivation.steps:
            if step.rule == WINDOWS:
                *_, last = chain = [e for e in step.before if isinstance(e, Equation)]
                inner = {e.target.variable for e in chain[:-1]}
                (self.lines[last.target.variable],) = equation_lines(
                    [_with_inner(equation, inner) for equation in chain]
                )

    def section(self, name: str) -> Comments:
        """Return the comments of a section; those of a head know its form of the target."""
        return self.heads.get(name, self)

    def _derived(self, derivation: Derivation) -> None:
        self._equations(derivation.equations)
        self._adjoints(derivation.adjoints)

    def of(self, variable: Variable | None) -> str:
        """Return the line, or nothing; what the calculus made has no name that users know."""
        shown = variable is not None and not variable.made
        return self.lines.get(variable, "") if variable and shown else ""

    def of_update(self, statistic: Variable) -> str:
        """Return the line of a running statistic's new value."""
        return self.lines.get(statistic, "")

    def _updates(self, layer: Layer) -> None:
        statistics = {s.updated: s.variable for s in layer.state if s.updated}
        for equation in layer.updates:
            statistic = statistics.get(equation.target.variable)
            if statistic is not None:
                target = replace(equation.target, variable=statistic)
                (line,) = equation_lines([replace(equation, target=target)])
                self.lines[statistic] = line.replace(" = ", " ← ", 1)

    def _equations(self, equations: tuple[Equation, ...]) -> None:
        made = {e.target.variable: e for e in equations if e.target.variable.made}
        for equation in equations:
            if equation.target.variable not in made:
                lines = equation_lines([*_made_for(equation, made), equation])
                self.lines[equation.target.variable] = _of_copied(equation, self.lines) or lines[-1]

    def _adjoints(self, adjoints: tuple[Adjoint, ...]) -> None:
        same: dict[Variable, Variable] = {}
        for adjoint in adjoints:
            seen = replace(adjoint, terms=tuple(_through(term, same) for term in adjoint.terms))
            passed = _passed_on(seen)
            if adjoint.variable.made and passed is not None:
                same[adjoint.variable.bar()] = passed
            elif adjoint.terms:
                self.lines[adjoint.variable.bar()] = "; ".join(adjoint_lines(seen))


def _of_copied(equation: Equation, lines: Mapping[Variable, str]) -> str:
    """Return the line of what the equation merely hands on, if it does."""
    if equation.function != Slot(0) or len(equation.operands) != 1:
        return ""
    (operand,) = equation.operands
    whole = isinstance(operand, Access) and operand.indices == equation.target.indices
    return lines.get(operand.variable, "") if isinstance(operand, Access) and whole else ""


def _with_inner(equation: Equation, inner: Collection[Variable]) -> Equation:
    """Return the equation with the inner variables as ones that have no name."""

    def renamed(operand: Operand) -> Operand:
        if not isinstance(operand, Access) or operand.variable not in inner:
            return operand
        return replace(operand, variable=operand.variable.beside("inner"))

    target = renamed(equation.target)
    assert isinstance(target, Access)
    return replace(equation, target=target, operands=tuple(map(renamed, equation.operands)))


def _made_for(equation: Equation, made: Mapping[Variable, Equation]) -> list[Equation]:
    """Return the equations that normalising made for this one."""
    found: dict[Variable, Equation] = {}
    stack = [equation]
    while stack:
        for operand in stack.pop().operands:
            for access in accesses_of(operand):
                inner = made.get(access.variable)
                if inner is not None and access.variable not in found:
                    found[access.variable] = inner
                    stack.append(inner)
    return list(reversed(found.values()))


def _passed_on(adjoint: Adjoint) -> Variable | None:
    """Return the adjoint that this one merely equals."""
    if len(adjoint.terms) != 1:
        return None
    term = adjoint.terms[0]
    if term.coefficient != ONE or len(term.factors) != 1 or term.factors[0].function != Slot(0):
        return None
    operand = term.factors[0].operands[0]
    same = isinstance(operand, Access) and operand.indices == term.target.indices == term.space
    return operand.variable if same and isinstance(operand, Access) else None


def _through(term: Term, same: dict[Variable, Variable]) -> Term:
    factors = tuple(
        Factor(factor.function, tuple(_renamed(operand, same) for operand in factor.operands))
        for factor in term.factors
    )
    return replace(term, factors=factors)


def _renamed(operand: Operand, same: dict[Variable, Variable]) -> Operand:
    if isinstance(operand, Access) and operand.variable in same:
        return replace(operand, variable=same[operand.variable])
    return operand
