"""Scalar calculus: expressions to SymPy, SymPy's derivatives, and back.

SymPy differentiates. What it lacks is declared here as *definitions*: ``maximum(a, b)`` is
``where(a >= b, a, b)``, ``abs(u)`` is ``u * sign(u)``, and a step (a comparison, a sign) is
constant wherever it has a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, lru_cache, reduce
from typing import Any

import sympy
from sympy.codegen.cfunctions import expm1, log1p

from symbackprop.scalar import (
    ARITY,
    ONE,
    TRUTH,
    ZERO,
    Apply,
    Expression,
    Named,
    Number,
    Slot,
    apply,
    opposite,
)

Symbolic = Any  # SymPy ships no types


class _Step(sympy.Function):  # type: ignore[misc]
    """A piecewise constant function: between its jumps, a constant; of numbers, a number."""

    is_real = True

    @classmethod
    def eval(cls, *arguments: Symbolic) -> Symbolic:
        if cls is _Polarity or not all(argument.is_Rational for argument in arguments):
            return None
        result = apply(cls.__name__, *map(_from_atom, arguments))
        return to_sympy(result) if isinstance(result, Number) else None

    def _eval_derivative(self, symbol: Symbolic) -> Symbolic:
        return sympy.S.Zero


class _Defined(sympy.Function):  # type: ignore[misc]
    """A function that differentiates as its definition does, but is kept by name."""

    is_real = True

    def definition(self) -> Symbolic:
        raise NotImplementedError

    def _eval_derivative(self, symbol: Symbolic) -> Symbolic:
        return self.definition().diff(symbol)


class _Undetermined(sympy.Function):  # type: ignore[misc]
    """A function left open: its derivative is one more prime on its name."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Symbolic:
        return _undetermined(f"{self.func.__name__}'")(*self.args)


@cache
def _undetermined(name: str) -> Symbolic:
    return type(name, (_Undetermined,), {})


def _step(name: str) -> Symbolic:
    return type(name, (_Step,), {"nargs": ARITY[name]})


_STEPS = {name: _step(name) for name in ("sign", "floor_divide", *sorted(TRUTH))}
_Polarity = type("polarity", (_Step,), {"nargs": 1})  # copysign(1, u): never 0


class _Absolute(_Defined):
    nargs = 1

    def definition(self) -> Symbolic:
        return self.args[0] * _STEPS["sign"](self.args[0])


class _CopySign(_Defined):
    nargs = 2

    def definition(self) -> Symbolic:
        return _Absolute(self.args[0]) * _Polarity(self.args[1])


class _Maximum(_Defined):
    nargs = 2

    def definition(self) -> Symbolic:
        a, b = self.args
        return _where(_STEPS["greater_equal"](a, b), a, b)


class _Minimum(_Defined):
    nargs = 2

    def definition(self) -> Symbolic:
        a, b = self.args
        return _where(_STEPS["less_equal"](a, b), a, b)


class _Remainder(_Defined):
    nargs = 2

    def definition(self) -> Symbolic:
        a, b = self.args
        return a - b * _STEPS["floor_divide"](a, b)


def _where(condition: Symbolic, yes: Symbolic, no: Symbolic) -> Symbolic:
    if condition.is_Number:
        return yes if condition != 0 else no
    return sympy.Piecewise((yes, sympy.Ne(condition, 0)), (no, True))


_FUNCTIONS: dict[str, Callable[..., Symbolic]] = {
    **_STEPS,
    "add": sympy.Add,
    "multiply": sympy.Mul,
    "negative": lambda a: -a,
    "divide": lambda a, b: a / b,
    "power": sympy.Pow,
    "sqrt": sympy.sqrt,
    "exp": sympy.exp,
    "expm1": expm1,
    "log": sympy.log,
    "log1p": log1p,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": sympy.tanh,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "abs": _Absolute,
    "copysign": lambda a, b: _Polarity(b) if a == 1 else _CopySign(a, b),
    "maximum": _Maximum,
    "minimum": _Minimum,
    "remainder": _Remainder,
    "where": _where,
}
_NAMES: dict[Symbolic, str] = {
    **{function: name for name, function in _STEPS.items()},
    _Absolute: "abs",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    _CopySign: "copysign",
    _Maximum: "maximum",
    _Minimum: "minimum",
    _Remainder: "remainder",
    sympy.exp: "exp",
    expm1: "expm1",
    sympy.log: "log",
    log1p: "log1p",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tanh: "tanh",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
}
_SLOT = "slot_"  # no name of a user's ends in the brackets that follow it


@cache
def slot_symbol(position: int) -> Symbolic:
    """Return the real symbol that stands for ``Slot(position)``."""
    return sympy.Symbol(f"{_SLOT}[{position:04d}]", real=True)


def to_sympy(expression: Expression) -> Symbolic:
    """Return the SymPy expression; slots and names become real symbols."""
    if isinstance(expression, Number):
        return sympy.Rational(expression.value.numerator, expression.value.denominator)
    if isinstance(expression, Named):
        return sympy.pi if expression.name == "pi" else sympy.Symbol(expression.name, real=True)
    if isinstance(expression, Slot):
        return slot_symbol(expression.position)
    arguments = [to_sympy(argument) for argument in expression.arguments]
    function = _FUNCTIONS.get(expression.function) or _undetermined(expression.function)
    return function(*arguments)


def from_sympy(value: Symbolic) -> Expression:
    """Return the expression: terms of a sum ordered, divisions and roots written as such.

    Polynomial terms come first, exponentials last; within these, positive before negative.
    """
    if value.is_Add:
        return _from_sum(value)
    if value.is_Mul or value.is_Pow:
        return _from_product(value)
    if isinstance(value, sympy.Piecewise):
        return _from_pieces(value.args)
    return _from_function(value) if value.args else _from_atom(value)


def _from_atom(value: Symbolic) -> Expression:
    if value.is_Rational:
        return Number(Fraction(int(value.p), int(value.q)))
    if value is sympy.E:
        return apply("exp", ONE)
    if value is sympy.pi:
        return Named("pi")
    if value.is_Symbol:
        return _from_symbol(value.name)
    raise TypeError(f"no expression stands for {value}")


def _from_symbol(name: str) -> Expression:
    if name.startswith(_SLOT + "["):
        return Slot(int(name[len(_SLOT) + 1 : -1]))
    return Named(name)


def _from_function(value: Symbolic) -> Expression:
    if value.func is _Polarity:
        return apply("copysign", ONE, from_sympy(value.args[0]))
    name = _NAMES.get(value.func)
    if name is None:
        if _Undetermined not in value.func.__mro__:
            raise TypeError(f"no expression stands for {value}")
        name = value.func.__name__
    return apply(name, *(from_sympy(argument) for argument in value.args))


def _from_sum(value: Symbolic) -> Expression:
    content, primitive = value.primitive()
    alike = {abs(term.as_coeff_Mul()[0]) for term in primitive.args} == {1}
    if content != 1 and alike and primitive.is_Add:
        return apply("multiply", from_sympy(content), _from_sum(primitive))
    return apply("add", *(from_sympy(term) for term in sorted(value.args, key=_term_key)))


def _term_key(term: Symbolic) -> tuple[int, bool, bool, Symbolic]:
    rank = 2 if term.has(sympy.exp) else int(bool(term.atoms(sympy.Function)))
    negative = bool(term.as_coeff_Mul()[0] < 0)
    return rank, negative, bool(term.is_Number), sympy.default_sort_key(term)


def _from_product(value: Symbolic) -> Expression:
    coefficient, rest = value.as_coeff_Mul()
    exponents: dict[Symbolic, Symbolic] = {}
    for factor in sorted(sympy.Mul.make_args(rest), key=sympy.default_sort_key):
        base, exponent = (factor, sympy.S.One) if factor.func == sympy.exp else factor.as_base_exp()
        exponents[base] = exponents.get(base, sympy.S.Zero) + exponent
    above: list[Expression] = [from_sympy(coefficient)]
    below: list[Expression] = []
    joint = _common_root(exponents)
    if joint is not None:
        above.append(joint)
        exponents = {b: e for b, e in exponents.items() if not _is_root(b, e)}
    for base, exponent in exponents.items():
        inverse = bool(exponent.is_Rational and exponent < 0)
        power = _power(from_sympy(base), -exponent if inverse else exponent)
        (below if inverse else above).append(power)
    return _quotient(apply("multiply", *above), below)


def _is_root(base: Symbolic, exponent: Symbolic) -> bool:
    return bool(base.is_number and base.is_positive and abs(exponent) == sympy.Rational(1, 2))


def _common_root(exponents: Mapping[Symbolic, Symbolic]) -> Expression | None:
    """Return one root for a quotient of roots of numbers: rounded once, not thrice."""
    roots = [(b, e) for b, e in exponents.items() if _is_root(b, e)]
    above = [from_sympy(b) for b, e in roots if e > 0]
    below = [from_sympy(b) for b, e in roots if e < 0]
    if not above or not below:
        return None
    quotient = apply("divide", apply("multiply", *above), apply("multiply", *below))
    return apply("sqrt", quotient)


def _quotient(above: Expression, below: list[Expression]) -> Expression:
    """Return above over below, its sign in front and its denominator with what divides it."""
    size, rest = _sized(above)
    if not size:
        return ZERO
    if below and rest == ONE:
        rest = Number(Fraction(abs(size.numerator)))
        size /= rest.value
    result = apply("multiply", Number(abs(size)), rest)
    if below:
        result = apply("divide", result, apply("multiply", *below))
    return apply("negative", result) if size < 0 else result


def _sized(product: Expression) -> tuple[Fraction, Expression]:
    """Return the numbers of a product, and what it multiplies them with."""
    size = Fraction(1)
    rest: list[Expression] = []
    waiting = [product]
    while waiting:
        factor = waiting.pop(0)
        if isinstance(factor, Number):
            size *= factor.value
        elif isinstance(factor, Apply) and factor.function == "multiply":
            waiting = [*factor.arguments, *waiting]
        elif isinstance(factor, Apply) and factor.function == "negative":
            size, waiting = -size, [factor.arguments[0], *waiting]
        else:
            rest.append(factor)
    return size, apply("multiply", *rest)


def _power(base: Expression, exponent: Symbolic) -> Expression:
    if exponent.is_Rational and exponent.q == 2:
        whole = from_sympy(exponent - sympy.Rational(1, 2))
        root = apply("sqrt", base)
        return root if whole == ZERO else apply("multiply", apply("power", base, whole), root)
    if exponent == 0:
        return ONE
    return apply("power", base, from_sympy(exponent))


def _from_pieces(pieces: Any) -> Expression:
    last = from_sympy(pieces[-1].expr)
    for piece in reversed(pieces[:-1]):
        last = _select(_from_condition(piece.cond), from_sympy(piece.expr), last)
    return last


def _select(condition: Expression, yes: Expression, no: Expression) -> Expression:
    """Return ``where(condition, yes, no)``; an indicator times a number where one branch is 0."""
    if yes == no:
        return yes
    if isinstance(yes, Number) and no == ZERO:
        return apply("multiply", yes, condition)
    if isinstance(no, Number) and yes == ZERO:
        return apply("multiply", no, opposite(condition))
    return apply("where", condition, yes, no)


def _from_condition(condition: Symbolic) -> Expression:
    if isinstance(condition, sympy.ITE):
        condition = condition.to_nnf(simplify=False)
    if isinstance(condition, sympy.And | sympy.Or):
        joint = "logical_and" if isinstance(condition, sympy.And) else "logical_or"
        parts = sorted(condition.args, key=sympy.default_sort_key)
        return reduce(lambda a, b: apply(joint, a, b), map(_from_condition, parts))
    if isinstance(condition, sympy.Not):
        return opposite(_from_condition(condition.args[0]))
    if isinstance(condition, sympy.Ne | sympy.Eq) and condition.rhs == 0:
        step = from_sympy(condition.lhs)
        return step if isinstance(condition, sympy.Ne) else opposite(step)
    raise TypeError(f"no expression stands for the condition {condition}")


@lru_cache(maxsize=4096)
def partial(expression: Expression, position: int) -> Expression:
    """Return the partial derivative of the expression with respect to ``Slot(position)``."""
    return from_sympy(to_sympy(expression).diff(slot_symbol(position)))
