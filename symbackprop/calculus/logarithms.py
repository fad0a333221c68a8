"""The logarithm of an expression, split: log(P/Q) = log P - log Q, log exp u = u.

Each split has a side condition: every part is positive, by its form. An exponential stands
for itself as an opaque positive symbol while SymPy factors, so that no form gets worse.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import sympy

from symbackprop.calculus.partials import Symbolic, from_sympy, to_sympy
from symbackprop.scalar import (
    Apply,
    Expression,
    Named,
    Number,
    Slot,
    apply,
    number,
    slots,
    substitute,
    walk,
)

Opener = Callable[[Slot], Expression | None]
Positive = Callable[[Slot], bool]

FLOOR = apply("exp", number(-100))  # PyTorch clamps the logarithm of a probability at -100


def unguarded(argument: Expression) -> Expression:
    """Return u of maximum(c, u), where c only keeps the logarithm off 0: c is exp(-100)."""
    if not isinstance(argument, Apply) or argument.function != "maximum":
        return argument
    kept = [a for a in argument.arguments if a != FLOOR]
    return kept[0] if len(kept) == 1 else argument


def is_positive(expression: Expression, positive: Positive) -> bool:
    """Whether the expression is greater than 0 for all values of what it reads, by its form."""
    if isinstance(expression, Number):
        return expression.value > 0
    if isinstance(expression, Slot):
        return positive(expression)
    if isinstance(expression, Named):
        return expression.name == "pi"
    signs = (is_positive(argument, positive) for argument in expression.arguments)
    if expression.function == "power":
        return next(signs)
    sums = ("add", "multiply", "divide", "sqrt")
    return expression.function == "exp" or (expression.function in sums and all(signs))


def split_logarithm(argument: Expression, opened: Opener, positive: Positive) -> Expression | None:
    """Return log(argument) with an exponential, or a quotient of some, out of it, or None.

    Args:
        argument: what the logarithm is taken of.
        opened: the definition of what a slot reads, where it may be looked through.
        positive: whether what a slot reads is known to be positive.
    """
    if isinstance(argument, Slot):
        definition = opened(argument)
        return None if definition is None else split_logarithm(definition, opened, positive)
    if not isinstance(argument, Apply):
        return None
    if argument.function == "exp":
        return argument.arguments[0]
    parts, exponentials = _factors(argument)
    if _is_sum(argument) and all(power > 0 for _, power in parts):
        # An exponential taken out of a sum of them is no gain: the balanced sum is stable.
        return _through_definitions(argument, opened, positive)
    if len(parts) > 1 or parts[0][1] != 1 or parts[0][0] != argument:
        return _sum_of_logarithms(parts, exponentials, opened, positive)
    return _through_definitions(argument, opened, positive)


def _is_sum(expression: Expression) -> bool:
    """Whether the expression is written as a sum, numbers that multiply or divide it aside."""
    while isinstance(expression, Apply) and expression.function in ("multiply", "divide"):
        others = [a for a in expression.arguments if not isinstance(a, Number)]
        if len(others) != 1 or (
            expression.function == "divide" and others[0] != expression.arguments[0]
        ):
            return False
        expression = others[0]
    return isinstance(expression, Apply) and expression.function == "add"


def _sum_of_logarithms(
    parts: list[tuple[Expression, Fraction]], gained: bool, opened: Opener, positive: Positive
) -> Expression | None:
    if not all(is_positive(part, positive) for part, _ in parts):
        return None
    split = [(part, split_logarithm(part, opened, positive), power) for part, power in parts]
    if not gained and all(log is None for _, log, _ in split):
        return None
    return apply(
        "add",
        *(
            _times(power, log if log is not None else apply("log", part))
            for part, log, power in split
        ),
    )


def _times(power: Fraction, value: Expression) -> Expression:
    if power == -1:
        return apply("negative", value)
    return apply("multiply", Number(power), value)


def _through_definitions(
    argument: Expression, opened: Opener, positive: Positive
) -> Expression | None:
    """Look through every slot of a sum at once: log(1 - p) needs p as a quotient.

    Not within exponentials, where the definition holds a logarithm: exp(log p - y) would become a
    quotient, and a hyperbolic function of log p - y lose its digits where p is about 1.
    """
    definitions = {Slot(k): opened(Slot(k)) for k in slots(argument)}
    raised = _in_exponentials(argument)
    known: dict[Expression, Expression] = {
        s: d
        for s, d in definitions.items()
        if d is not None and not (s in raised and _holds_logarithm(d, opened))
    }
    if not known:
        return None
    return split_logarithm(substitute(argument, known), opened, positive)


def _in_exponentials(expression: Expression) -> set[Slot]:
    return {
        Slot(k)
        for node in walk(expression)
        if isinstance(node, Apply) and node.function == "exp"
        for k in slots(node)
    }


def _holds_logarithm(expression: Expression, opened: Opener) -> bool:
    """Whether an expression reads a logarithm, through definitions too."""
    if any(isinstance(n, Apply) and n.function in ("log", "log1p") for n in walk(expression)):
        return True
    inner = (opened(Slot(k)) for k in slots(expression))
    return any(d is not None and _holds_logarithm(d, opened) for d in inner)


def _factors(argument: Expression) -> tuple[list[tuple[Expression, Fraction]], bool]:
    """Return bases and exponents whose product the argument is, and whether exponentials occur.

    A sum of quotients is brought over one denominator first.
    """
    names: dict[Symbolic, Symbolic] = {}
    value = sympy.factor(sympy.together(_opaque(to_sympy(argument), names)))
    exponents = {symbol: exponent for exponent, symbol in names.items()}
    exponentials = {symbol: sympy.exp(exponent) for exponent, symbol in names.items()}
    parts: list[tuple[Expression, Fraction]] = []
    for factor in sympy.Mul.make_args(value):
        base, power = factor.as_base_exp()
        if base in exponents:
            parts.append((from_sympy(sympy.exp(exponents[base] * power)), Fraction(1)))
        elif power.is_Rational:
            part = from_sympy(base.xreplace(exponentials))
            parts.append((part, Fraction(int(power.p), int(power.q))))
        else:
            parts.append((from_sympy(factor.xreplace(exponentials)), Fraction(1)))
    return parts, bool(names)


def _opaque(value: Symbolic, names: dict[Symbolic, Symbolic]) -> Symbolic:
    """Replace every exponential by a symbol, exp(-u) by the inverse of exp(u)'s."""
    exponentials = sorted(value.atoms(sympy.exp), key=sympy.default_sort_key)
    table: dict[Symbolic, Symbolic] = {}
    for exponential in exponentials:
        exponent = exponential.args[0]
        if -exponent in names:
            table[exponential] = 1 / names[-exponent]
        elif not exponent.is_number:
            symbol = sympy.Symbol(f"exp[{len(names):04d}]", positive=True)
            table[exponential] = names.setdefault(exponent, symbol)
    return value.xreplace(table)
