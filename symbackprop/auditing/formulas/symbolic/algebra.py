"""Arithmetic of normal forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from symbackprop.auditing.formulas.symbolic.forms import (
    ZERO,
    Atom,
    Delta,
    Form,
    Function,
    Index,
    Inverse,
    Letters,
    Monomial,
    Positive,
    Read,
    UnknownError,
    collected,
    letters,
    numbered,
    relettered,
)

PI = Read("pi")
FIXED = "="  # begins the name of an index that is a number
MOST_TERMS = 120
LARGEST_POWER = 8
Term = tuple[Monomial, Fraction]


class Algebra:
    """Computes with forms; every term made is a step, and past the last one it gives up."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._names = 0
        self.ZERO = ZERO
        self.ONE = self.number(1)
        self.TWO = self.number(2)

    def number(self, value: int | Fraction) -> Form:
        """Return a number."""
        return Form(((Monomial((), ()), Fraction(value)),)) if value else ZERO

    def atom(self, atom: Atom, exponent: int = 1) -> Form:
        """Return a power of an atom."""
        return self.term((), [(atom, exponent)], Fraction(1))

    def index(self, axis: int) -> Index:
        """Return a letter that stands nowhere else."""
        self._names += 1
        return Index(axis, 0, f"?{self._names}")

    def delta(self, left: Index, right: Index) -> Form:
        """Return Kronecker's delta."""
        if left.axis != right.axis:
            raise UnknownError("letters of different axes are compared")
        if left == right:
            return self.ONE
        both_fixed = left.name[:1] == right.name[:1] == FIXED
        return ZERO if both_fixed else self.atom(Delta(*sorted((left, right))))

    def add(self, a: Form, b: Form) -> Form:
        """Return a + b."""
        return self.total((a, b))

    def total(self, forms: Iterable[Form]) -> Form:
        """Return the sum of some forms."""
        result = collected(term for form in forms for term in form.terms)
        if len(result.terms) > MOST_TERMS:
            raise UnknownError("too many terms")
        return result

    def neg(self, a: Form) -> Form:
        """Return −a."""
        return self.scaled(a, Fraction(-1))

    def sub(self, a: Form, b: Form) -> Form:
        """Return a − b."""
        return self.add(a, self.neg(b))

    def scaled(self, a: Form, factor: Fraction) -> Form:
        """Return a form times a number."""
        return Form(tuple((m, factor * c) for m, c in a.terms)) if factor else ZERO

    def mul(self, a: Form, b: Form) -> Form:
        """Return a · b."""
        return self.total(self._times(s, t) for s in a.terms for t in b.terms)

    def _times(self, a: Term, b: Term) -> Form:
        left, right = self.opened(a[0]), self.opened(b[0])
        factors = [*left.factors, *right.factors]
        return self.term((*left.bound, *right.bound), factors, a[1] * b[1])

    def opened(self, monomial: Monomial) -> Monomial:
        """Return a term whose bound indices have names that stand nowhere else."""
        values = {index: self.index(index.axis) for index in monomial.bound}
        factors = tuple((relettered(a, values) if values else a, n) for a, n in monomial.factors)
        return Monomial(tuple(values.values()), factors)

    def summed(self, a: Form, index: Index) -> Form:
        """Return the sum of a form over a letter."""
        opened = [(self.opened(m), c) for m, c in a.terms]
        return self.total(self.term((*m.bound, index), m.factors, c) for m, c in opened)

    def power(self, a: Form, exponent: int) -> Form:
        """Return a whole power."""
        if exponent < 0:
            return self.power(self.reciprocal(a), -exponent)
        if len(a.terms) == 1 and not a.terms[0][0].bound:
            ((monomial, c),) = a.terms
            factors = [(atom, n * exponent) for atom, n in monomial.factors]
            return self.term((), factors, c**exponent)
        if exponent > LARGEST_POWER:
            raise UnknownError("a large power of a sum")
        result = self.ONE
        for _ in range(exponent):
            result = self.mul(result, a)
        return result

    def div(self, a: Form, b: Form) -> Form:
        """Return a / b."""
        return self.mul(a, self.reciprocal(b))

    def reciprocal(self, a: Form) -> Form:
        """Return 1 / a, where a is not zero."""
        if not a.terms:
            raise UnknownError("a division by zero")
        if len(a.terms) == 1:
            monomial, c = a.terms[0]
            outside = [f for f in monomial.factors if not letters(f[0]) & set(monomial.bound)]
            if any(isinstance(atom, Delta | Positive) for atom, _ in outside):
                raise UnknownError("a division by what may be zero")
            front = self.term((), [(atom, -n) for atom, n in outside], 1 / c)
            inside = tuple(f for f in monomial.factors if f not in outside)
            if not monomial.bound:
                return front
            rest = Form(((numbered(monomial.bound, dict(inside)), Fraction(1)),))
            return self.mul(front, self.atom(Inverse(rest)))
        return self._oriented(a)

    def _oriented(self, a: Form) -> Form:
        """1 / a for several terms: the one taken in front is chosen by what then remains."""
        choices = []
        for monomial, c in a.terms:
            plain = not any(isinstance(atom, Delta | Positive) for atom, _ in monomial.factors)
            if plain and not monomial.bound:
                front = self.term((), [(atom, -n) for atom, n in monomial.factors], 1 / c)
                choices.append((self.mul(a, front), front))
        if not choices:
            front = self.number(1 / a.terms[0][1])
            choices.append((self.mul(a, front), front))
        rest, front = min(choices, key=repr)
        return self.mul(front, self.atom(Inverse(rest)))

    def term(
        self, bound: tuple[Index, ...], factors: Sequence[tuple[Atom, int]], coefficient: Fraction
    ) -> Form:
        """Return a term in normal form: a product summed over the bound letters."""
        self.steps -= 1
        if self.steps < 0:
            raise UnknownError("budget")
        if any(index.level for index in bound):
            opened = self.opened(Monomial(bound, tuple(factors)))
            bound, factors = opened.bound, opened.factors
        bound, factors = self._contracted(bound, factors)
        merged, others = self._merged(factors)
        if others:
            result = Form(((numbered((), merged), coefficient),))
            for other in others:
                result = self.mul(result, other)
            for index in bound:
                result = self.summed(result, index)
            return result
        held = frozenset(letter for atom in merged for letter in letters(atom))
        for index in bound:
            if index not in held:
                count = Read(f"extent {index.axis}")
                merged[count] = merged.get(count, 0) + 1
        kept = tuple(index for index in bound if index in held)
        return Form(((numbered(kept, merged), coefficient),)) if coefficient else ZERO

    def _merged(self, factors: Sequence[tuple[Atom, int]]) -> tuple[dict[Atom, int], list[Form]]:
        """Collect powers of equal atoms, and apart from them what is a sum or a product itself."""
        exponent = ZERO
        others: list[Form] = []
        merged: dict[Atom, int] = {}
        for atom, n in factors:
            if isinstance(atom, Function) and atom.name == "exp":
                exponent = self.add(exponent, self.scaled(atom.arguments[0], Fraction(n)))
            else:
                merged[atom] = merged.get(atom, 0) + n
        for atom, n in list(merged.items()):
            if isinstance(atom, Delta | Positive):
                merged[atom] = 1
            elif isinstance(atom, Function) and atom.name == "sqrt" and n not in (0, 1):
                merged[atom] = n % 2
                others.append(self.power(atom.arguments[0], n // 2))
        powers, exponent = self._logarithms(exponent)
        if exponent.terms:
            merged[Function("exp", (exponent,))] = 1
        return {atom: n for atom, n in merged.items() if n}, [*others, *powers]

    def _contracted(
        self, bound: tuple[Index, ...], factors: Sequence[tuple[Atom, int]]
    ) -> tuple[tuple[Index, ...], Sequence[tuple[Atom, int]]]:
        """Take the deltas that a bound index makes superfluous, and read others as equations."""
        done: list[Delta] = []
        while True:
            delta = next((a for a, _ in factors if isinstance(a, Delta) and a not in done), None)
            if delta is None:
                return bound, factors
            kept, gone = delta.left, delta.right
            if gone not in bound and kept in bound:
                kept, gone = gone, kept
            rest = [f for f in factors if f[0] != delta]
            factors = [(relettered(atom, {gone: kept}), n) for atom, n in rest]
            factors = [f for f in factors if not _is_one(f[0])]
            if gone in bound:
                bound = tuple(index for index in bound if index != gone)
            elif gone != kept:
                factors.append((delta, 1))
                done.append(delta)

    def function(self, name: str, arguments: tuple[Form, ...]) -> Form:
        """Return a function of `symbackprop.scalar` at its arguments."""
        return self._BY_NAME.get(name, _other)(self, name, arguments)

    def exp(self, a: Form) -> Form:
        """Return the exponential."""
        return self.atom(Function("exp", (a,))) if a.terms else self.ONE

    def _logarithms(self, exponent: Form) -> tuple[list[Form], Form]:
        """Whole multiples of logarithms in an exponent, as powers, and what is left."""
        powers, rest = [], []
        for monomial, c in exponent.terms:
            atom, n = monomial.factors[0] if len(monomial.factors) == 1 else (None, 0)
            is_log = isinstance(atom, Function) and atom.name == "log" and n == c.denominator == 1
            if is_log and not monomial.bound:
                assert isinstance(atom, Function)
                powers.append(self.power(atom.arguments[0], int(c)))
            else:
                rest.append((monomial, c))
        return powers, Form(tuple(rest))

    def log(self, a: Form) -> Form:
        """Return the natural logarithm; of an exponential, what stands in it."""
        if a == self.ONE:
            return ZERO
        if len(a.terms) == 1 and not a.terms[0][0].bound:
            ((monomial, c),) = a.terms
            inner = [f for f in monomial.factors if _is_exp(f[0])]
            if inner:
                atom, n = inner[0]
                assert isinstance(atom, Function)
                rest = [f for f in monomial.factors if f not in inner]
                front = self.scaled(atom.arguments[0], Fraction(n))
                return self.add(front, self.log(self.term((), rest, c)))
        return self.atom(Function("log", (a,)))

    def sqrt(self, a: Form) -> Form:
        """Return the square root; those of positive numbers stand for themselves."""
        if len(a.terms) != 1 or a.terms[0][0].bound or a.terms[0][1] < 0:
            return self.atom(Function("sqrt", (a,)))
        monomial, c = a.terms[0]
        apart = [f for f in monomial.factors if f[0] == PI]
        rest = [f for f in monomial.factors if f[0] != PI]
        roots = [self.atom(atom, n) for atom, n in apart]
        if rest:
            roots.append(self.term((), rest, Fraction(1)))
        roots += [self.number(Fraction(k)) for k in (c.numerator,) if k != 1]
        under = [self.number(Fraction(k)) for k in (c.denominator,) if k != 1]
        result = self.ONE
        for root in roots:
            result = self.mul(result, self.atom(Function("sqrt", (root,))))
        for root in under:
            result = self.mul(result, self.atom(Function("sqrt", (root,)), -1))
        return result

    def sin(self, a: Form) -> Form:
        """Return the sine."""
        return self.atom(Function("sin", (a,)))

    def cos(self, a: Form) -> Form:
        """Return the cosine."""
        return self.atom(Function("cos", (a,)))

    def erf(self, a: Form) -> Form:
        """Return the error function."""
        return self.atom(Function("erf", (a,)))

    def positive(self, a: Form) -> Form:
        """Return 1 where a form is positive, else 0."""
        if not a.terms:
            raise UnknownError("a comparison of equals")
        first = a.terms[0][1]
        scaled = self.scaled(a, 1 / abs(first))
        if not scaled.terms[0][0].factors and len(scaled.terms) == 1:
            return self.ONE if first > 0 else ZERO
        if first > 0:
            return self.atom(Positive(scaled))
        return self.sub(self.ONE, self.atom(Positive(self.neg(scaled))))

    def polarity(self, a: Form) -> Form:
        """Return the sign."""
        return self.sub(self.mul(self.TWO, self.positive(a)), self.ONE)

    def copysign(self, a: Form, b: Form) -> Form:
        """Return the size of a with the sign of b."""
        return self.mul(self.mul(self.polarity(a), a), self.polarity(b))

    def larger(self, a: Form, b: Form) -> Form:
        """Return the larger of two."""
        difference = self.sub(a, b)
        return self.add(b, self.mul(difference, self.positive(difference)))

    def smaller(self, a: Form, b: Form) -> Form:
        """Return the smaller of two."""
        return self.sub(self.add(a, b), self.larger(a, b))

    def mapped(self, a: Form, made: Callable[[Atom], Form]) -> Form:
        """Return a form with each innermost atom replaced, computed anew."""
        terms = []
        for monomial, c in a.terms:
            opened = self.opened(monomial)
            result = self.number(c)
            for atom, n in opened.factors:
                result = self.mul(result, self._mapped(atom, n, made))
            for index in opened.bound:
                result = self.summed(result, index)
            terms.append(result)
        return self.total(terms)

    def _mapped(self, atom: Atom, exponent: int, made: Callable[[Atom], Form]) -> Form:
        if isinstance(atom, Read | Delta):
            return self.power(made(atom), exponent)
        if isinstance(atom, Inverse):
            return self.power(self.mapped(atom.of, made), -exponent)
        if isinstance(atom, Positive):
            return self.positive(self.mapped(atom.of, made))
        arguments = tuple(self.mapped(argument, made) for argument in atom.arguments)
        if atom.orders:
            return self.atom(Function(atom.name, arguments, atom.orders), exponent)
        return self.power(self.function(atom.name, arguments), exponent)

    def raised(self, base: Form, exponent: Form) -> Form:
        """Return a power: a product or a root where the exponent is a number."""
        if not exponent.terms:
            return self.ONE
        monomial, value = exponent.terms[0]
        if len(exponent.terms) == 1 and not monomial.factors and not monomial.bound:
            if value.denominator == 1:
                return self.power(base, int(value))
            if value.denominator == 2:
                return self.power(self.sqrt(base), int(2 * value))
        return self.atom(Function("power", (base, exponent)))

    _BY_NAME: Mapping[str, Callable[[Algebra, str, tuple[Form, ...]], Form]] = {
        "add": lambda self, _, parts: self.total(parts),
        "multiply": lambda self, _, parts: _folded(self.mul, parts),
        "negative": lambda self, _, parts: self.neg(*parts),
        "divide": lambda self, _, parts: self.div(*parts),
        "power": lambda self, _, parts: self.raised(*parts),
        "exp": lambda self, _, parts: self.exp(*parts),
        "log": lambda self, _, parts: self.log(*parts),
    }


def _other(algebra: Algebra, name: str, arguments: tuple[Form, ...]) -> Form:
    if name not in ("sqrt", "sin", "cos", "erf"):
        raise UnknownError(name)
    return algebra.atom(Function(name, arguments))


def _folded(function: Callable[[Form, Form], Form], parts: tuple[Form, ...]) -> Form:
    result = parts[0]
    for part in parts[1:]:
        result = function(result, part)
    return result


def _is_one(atom: Atom) -> bool:
    return isinstance(atom, Delta) and atom.left == atom.right


def _is_exp(atom: Atom) -> bool:
    return isinstance(atom, Function) and atom.name == "exp"


def renamed(algebra: Algebra, form: Form, values: Letters) -> Form:
    """Return a form with letters that nothing in it binds replaced."""

    def made(atom: Atom) -> Form:
        new = relettered(atom, values)
        return algebra.delta(new.left, new.right) if isinstance(new, Delta) else algebra.atom(new)

    return algebra.mapped(form, made)
