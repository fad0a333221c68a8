"""What a line computes, as the textbook's equation or adjoint in one line of Unicode."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.equations import Access, Adjoint, Derivation, Equation, Factor, Operand, Term, Variable
from symbackprop.network import Head, Layer, Network
from symbackprop.scalar import ONE, Slot
from symbackprop.unicode_printer import adjoint_lines, equation_lines


class Comments:
    """Finds the comment of a variable.

    Forward variables get the equation as it was written, before stable forms; adjoints the sum
    of their terms, seen through intermediates that normalising made.
    """

    def __init__(self, network: Network, *derivations: Derivation) -> None:
        self.lines: dict[Variable, str] = {}
        for derivation in derivations:
            self._equations(derivation.equations)
            self._adjoints(derivation.adjoints)
        for group in (*network.layers, *network.heads):
            self._equations(_written(group))

    def of(self, variable: Variable | None) -> str:
        """Return the line, or nothing."""
        return self.lines.get(variable, "") if variable else ""

    def _equations(self, equations: tuple[Equation, ...]) -> None:
        made = [e for e in equations if e.target.variable.symbol.startswith("_")]
        for equation in equations:
            if equation not in made:
                lines = equation_lines([*made, equation])
                self.lines[equation.target.variable] = lines[-1]

    def _adjoints(self, adjoints: tuple[Adjoint, ...]) -> None:
        same: dict[Variable, Variable] = {}
        for adjoint in adjoints:
            seen = replace(adjoint, terms=tuple(_through(term, same) for term in adjoint.terms))
            passed = _passed_on(seen)
            if adjoint.variable.symbol.startswith("_") and passed is not None:
                same[adjoint.variable.bar()] = passed
            elif adjoint.terms:
                self.lines[adjoint.variable.bar()] = "; ".join(adjoint_lines(seen))


def _written(group: Layer | Head) -> tuple[Equation, ...]:
    return (*group.equations, *group.activation) if isinstance(group, Layer) else group.equations


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
