"""Scalar functions as formulas, with no more parentheses than they need."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction as Rational

from symbackprop.render.typeset import (
    APPLICATION,
    PRIME,
    TIMES,
    Accent,
    Cases,
    Fenced,
    Fraction,
    Large,
    Math,
    Numeral,
    Operator,
    Root,
    Row,
    Script,
    Symbol,
    listed,
    row,
)
from symbackprop.scalar import Expression, Named, Number, Slot, apply, decimal, rebuild, walk

# How tightly a formula binds: a weaker one is put in brackets.
LOGIC, COMPARISON, LOOSE, SUM, SIGN, REDUCED, PRODUCT, POWER, ATOM = range(9)

MINUS = Operator("−", "prefix")
PLUS, DOT = Operator("+"), Operator("·")
_MODULO = Operator("mod")
EQUALS, UNEQUAL = Operator("=", "relation"), Operator("≠", "relation")
ELLIPSIS = Operator("…", "plain")
_APPLIED, _TIMES = Operator(APPLICATION, "plain"), Operator(TIMES, "plain")

_RELATIONS = {
    "greater": ">",
    "greater_equal": "≥",
    "less": "<",
    "less_equal": "≤",
    "equal": "=",
    "not_equal": "≠",
}
_TURNED = {  # a number stands to the right
    "greater": "less",
    "greater_equal": "less_equal",
    "less": "greater",
    "less_equal": "greater_equal",
}
_LOGICAL = {"logical_and": "∧", "logical_or": "∨"}
_UPRIGHT = {
    **{name: name for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf")},
    **{name: name for name in ("erfc", "sign", "copysign")},
    "maximum": "max",
    "minimum": "min",
}
_GREEK = {
    name.lower() if letter.islower() else name.title(): letter
    for letter in "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΦΨΩ"
    for name in [unicodedata.name(letter).split()[-1].replace("LAMDA", "LAMBDA")]
} | {"eps": "ε", "lambd": "λ", "inf": "∞"}
_NUMBERED = re.compile(r"([A-Za-z]+)_?([0-9]+)")
_DECIMALS = 12  # digits of a number that is still read at a glance


def scalar(node: Expression, operands: Sequence[Math], *, written_exp: bool = False) -> Math:
    """Return a scalar expression as a formula.

    Args:
        node: the expression.
        operands: what stands for its slots.
        written_exp: whether powers of Euler's number are ``exp(u)``, as where a name is ``e``.
    """
    if isinstance(node, Slot):
        return operands[node.position]
    if isinstance(node, Named | Number):
        return named(node.name) if isinstance(node, Named) else number(node.value)
    parts = [scalar(part, operands, written_exp=written_exp) for part in node.arguments]
    if node.function in _WRITERS and not (written_exp and node.function == "exp"):
        return _WRITERS[node.function](parts)
    if node.function in _RELATIONS:
        turned = isinstance(node.arguments[0], Number) and node.function in _TURNED
        sign = _RELATIONS[_TURNED[node.function] if turned else node.function]
        return _joined(parts[::-1] if turned else parts, Operator(sign, "relation"), SUM)
    if node.function in _LOGICAL:
        return _joined(parts, Operator(_LOGICAL[node.function]), COMPARISON)
    return applied(function_name(node.function), *parts)


def level(math: Math) -> int:
    """Return how tightly a formula binds."""
    if isinstance(math, Row):
        return _row_level(math)
    if isinstance(math, Cases):
        return LOOSE
    if isinstance(math, Fraction | Root) or (isinstance(math, Script) and math.above is not None):
        return POWER
    return REDUCED if isinstance(math, Large) else ATOM


def _row_level(math: Row) -> int:
    signs = [part for part in math.parts if isinstance(part, Operator)]
    found = (
        (LOGIC, any(sign.text in "∧∨¬" for sign in signs)),
        (COMPARISON, any(sign.form == "relation" for sign in signs)),
        (LOOSE, _MODULO in signs),
        (SUM, any(sign.form == "binary" and sign != DOT for sign in signs)),
        (SIGN, math.parts[0] == MINUS),
        (REDUCED, any(isinstance(part, Large) for part in math.parts)),
        (POWER, _APPLIED in signs and _TIMES not in signs and DOT not in signs),
    )
    return next((tightness for tightness, holds in found if holds), PRODUCT)


def enclosed(math: Math, least: int = LOOSE) -> Math:
    """Return the formula, in brackets where it binds too loosely: a condition as ``[a > b]``."""
    tightness = level(math)
    if tightness >= least:
        return math
    return Fenced("[", math, "]") if tightness <= COMPARISON else Fenced("(", math, ")")


def symbol(name: str) -> Math:
    """Return a name as one identifier: a letter, a Greek letter by its name, or a word."""
    letter = _GREEK.get(name, name)
    return Symbol(letter, "italic" if len(letter) == 1 else "word")


def named(name: str) -> Math:
    """Return a constant or a size: digits at its end are a subscript, as in ``n_1``."""
    match = _NUMBERED.fullmatch(name)
    return Script(symbol(match[1]), Numeral(match[2])) if match else symbol(name)


def function_name(name: str) -> Math:
    """Return the name of a function; one left open has a prime for each derivative."""
    if name in _UPRIGHT:
        return Symbol(_UPRIGHT[name], "upright")
    bare = name.rstrip("'")
    base = named(bare)
    if bare == name:
        return base
    primes = row(*(Operator(PRIME, "plain") for _ in name[len(bare) :]))
    if isinstance(base, Script):
        return Script(base.base, base.below, primes)
    return Script(base, None, primes)


def applied(function: Math, *arguments: Math) -> Math:
    """Return a function of arguments."""
    body = listed(*(enclosed(argument) for argument in arguments))
    return Row((function, _APPLIED, Fenced("(", body, ")")))


def number(value: Rational) -> Math:
    """Return an exact number: digits, a short decimal, a power of ten or a fraction."""
    size = _size(abs(value))
    return row(MINUS, size) if value < 0 else size


_MULTIPLE = 1000  # above and below: what a number with a name is multiplied with
_LONGEST = 20  # digits: a longer number has no place to break, a fraction takes half its width


def long_number(value: Rational) -> str | None:
    """Return the digits of a decimal that is too long to be read in a formula, else None."""
    if Rational(repr(float(value))) == value:
        return None
    text = decimal(abs(value)) or ""
    return text if len(text) > _LONGEST else None


def lettered(function: Expression, letters: Mapping[Rational, str]) -> Expression:
    """Return the function with names for numbers and multiples: ``letters`` has them by size."""

    def leaf(node: Expression) -> Expression:
        if not isinstance(node, Number) or not node.value:
            return node
        multiples = ((node.value / value, name) for value, name in letters.items())
        short = (pair for pair in multiples if max(_size_of(pair[0])) <= _MULTIPLE)
        times, name = next(short, (None, ""))
        return node if times is None else apply("multiply", Number(times), Named(name))

    return rebuild(function, leaf) if letters else function


def _size_of(value: Rational) -> tuple[int, int]:
    return abs(value.numerator), value.denominator


def letters_for(
    functions: Iterable[Expression], taken: Collection[str] = ()
) -> dict[Rational, str]:
    """Return a name for each number that is too long for formulas, in the order met."""
    nodes = (node for function in functions for node in walk(function))
    values = [abs(n.value) for n in nodes if isinstance(n, Number) and long_number(n.value)]
    names = (f"kappa_{count}" for count in itertools.count(1))
    free = (name for name in names if name not in taken)
    return dict(zip(dict.fromkeys(values), free, strict=False))


def _size(value: Rational) -> Math:
    if value.denominator == 1:
        return Numeral(str(value.numerator))
    text = repr(float(value))
    if Rational(text) != value:
        text = decimal(value) or ""
        text = text if len(text) <= _LONGEST else ""
    if value.denominator % 5 or not text:
        return Fraction(Numeral(str(value.numerator)), Numeral(str(value.denominator)))
    digits, _, exponent = text.partition("e")
    if not exponent:
        return Numeral(text)
    power = Script(Numeral("10"), None, number(Rational(int(exponent))))
    return power if digits == "1" else Row((Numeral(digits), DOT, power))


def added(parts: Sequence[Math]) -> Math:
    """Return the sum; a term that starts with a minus sign is subtracted."""
    pieces = [enclosed(parts[0], SUM)]
    for part in parts[1:]:
        negative, size = _unsigned(enclosed(part, SUM))
        pieces += [Operator("−") if negative else PLUS, size]
    return row(*pieces)


def negated(math: Math) -> Math:
    """Return the formula with a minus sign before it."""
    return row(MINUS, enclosed(math, REDUCED))


def opposite(math: Math) -> Math:
    """Return what a formula has after its minus sign."""
    _, size = _unsigned(math)
    bracketed = isinstance(size, Fenced) and size.opening == "("
    return size.body if isinstance(size, Fenced) and bracketed else size


def product(parts: Sequence[Math]) -> Math:
    """Return the product, its sign and its numbers in front; a factor 1 is not written."""
    if not parts:
        return Numeral("1")
    negative, first = _unsigned(parts[0]) if level(parts[0]) == SIGN else (False, parts[0])
    if first == Numeral("1") and len(parts) > 1:
        size = _unsigned_product(parts[1:])
    else:
        size = _unsigned_product([first, *parts[1:]])
    return negated(size) if negative else size


def _unsigned_product(parts: Sequence[Math]) -> Math:
    if len(parts) == 1:
        return parts[0]
    parts = _joined_numbers(sorted(parts, key=lambda part: not _is_number(part)))
    pieces = [enclosed(parts[0], PRODUCT)]
    for place, part in enumerate(parts[1:], start=2):
        factor = enclosed(part, REDUCED if place == len(parts) else PRODUCT)
        pieces += [DOT if _meets_digits(pieces[-1], factor) else _TIMES, factor]
    return row(*pieces)


def _joined_numbers(parts: Sequence[Math]) -> Sequence[Math]:
    """Return factors with 2 · 1/N as 2/N, and 1/6 · √6 as 1/√6."""
    if len(parts) < 2:
        return parts
    first, second, *rest = parts
    if isinstance(first, Numeral) and isinstance(second, Fraction):
        if second.above == Numeral("1"):
            return [Fraction(first, second.below), *rest]
    elif isinstance(first, Fraction) and second == Root(first.below):
        return [Fraction(first.above, second), *rest]
    return parts


def _is_number(math: Math) -> bool:
    parts = (math.above, math.below) if isinstance(math, Fraction) else (math,)
    return all(isinstance(part, Numeral) for part in parts)


def _meets_digits(before: Math, after: Math) -> bool:
    """Whether two factors side by side would be read as one number."""
    first = _leading(after)
    last = before.parts[-1] if isinstance(before, Row) else before
    if isinstance(first, Fraction):
        return isinstance(last, Numeral) and isinstance(_leading(first.above), Numeral)
    return isinstance(first, Numeral)


def _leading(math: Math) -> Math:
    """Return the leftmost part that is no row and no script."""
    while isinstance(math, Row | Script):
        math = math.parts[0] if isinstance(math, Row) else math.base
    return math


def _unsigned(math: Math) -> tuple[bool, Math]:
    if isinstance(math, Row) and math.parts[0] == MINUS:
        return True, row(*math.parts[1:])
    return False, math


def divided(above: Math, below: Math) -> Math:
    """Return the fraction, the sign of its numerator in front; 1/2 over u is 1/(2 u)."""
    negative, size = _unsigned(above) if level(above) == SIGN else (False, above)
    size = opposite(above) if negative else size
    if isinstance(size, Fraction) and _is_number(size):
        fraction = Fraction(size.above, product([size.below, below]))
    else:
        fraction = Fraction(enclosed(size), enclosed(below))
    return row(MINUS, fraction) if negative else fraction


def power(base: Math, exponent: Math) -> Math:
    """Return the power."""
    under = enclosed(base, ATOM)
    if isinstance(under, Script):
        return Script(under.base, under.below, enclosed(exponent))
    return Script(under, None, enclosed(exponent))


def _exponential(argument: Math) -> Math:
    _, size = _unsigned(argument)
    if argument == Numeral("1"):
        return Symbol("e", "upright")
    if _is_short(size):
        return Script(Symbol("e", "upright"), None, argument)
    return applied(Symbol("exp", "upright"), argument)


def _is_short(math: Math) -> bool:
    if isinstance(math, Fenced):
        return math.opening == "|" and _is_short(math.body)
    return isinstance(math, Symbol | Numeral | Accent | Script)


def _joined(parts: Sequence[Math], sign: Operator, least: int) -> Math:
    pieces: list[Math] = []
    for part in parts:
        pieces += [sign, enclosed(part, least)]
    return row(*pieces[1:])


def _where(parts: Sequence[Math]) -> Math:
    condition, chosen, otherwise = parts
    if (chosen, otherwise) == (Numeral("1"), Numeral("0")):
        return condition
    rest = otherwise.rows if isinstance(otherwise, Cases) else ((enclosed(otherwise), None),)
    return Cases(((enclosed(chosen), condition), *rest))


_WRITERS: dict[str, Callable[[Sequence[Math]], Math]] = {
    "add": added,
    "negative": lambda parts: negated(parts[0]),
    "multiply": product,
    "divide": lambda parts: divided(*parts),
    "power": lambda parts: power(*parts),
    "exp": lambda parts: _exponential(parts[0]),
    "where": _where,
    "sqrt": lambda parts: Root(enclosed(parts[0])),
    "abs": lambda parts: Fenced("|", enclosed(parts[0]), "|"),
    "floor_divide": lambda parts: Fenced("⌊", divided(*parts), "⌋"),
    "remainder": lambda parts: _joined(parts, _MODULO, POWER),
    "logical_not": lambda parts: row(Operator("¬", "prefix"), enclosed(parts[0], ATOM)),
}
